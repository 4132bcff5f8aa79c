"""Other sites' pages change nothing here, tokens are not guessed, bodies are not endless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboards import HERE, TestClient, sources_of
from fastapi import Request, Response
from fastapi.routing import APIRoute

from apps.dashboard.access import COOKIE
from apps.dashboard.app import create_app
from apps.dashboard.guards import (
    ANSWER_HEADERS,
    GUESSES_WITHIN_S,
    LARGEST_BODY,
    MOST_ADDRESSES,
    MOST_GUESSES,
    SAFE_METHODS,
    Guesses,
)

TOKEN = "f3b0c44298fc1c149afbf4c8"
RIGHT, WRONG = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer wrong"}
BY_COOKIE = {"Cookie": f"{COOKIE}={TOKEN}"}


def client(folder: Path, token: str = "") -> TestClient:
    """The application, with a route that changes something and one that signs in."""
    app = create_app(sources_of(folder), token)
    changed: list[bytes] = []

    @app.api_route("/change", methods=["POST", "PUT", "PATCH", "DELETE"])
    async def change(request: Request) -> int:
        changed.append(await request.body())
        return len(changed)

    return TestClient(app, base_url=HERE)


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "browser",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HERE},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:8001"},
        {"Origin": "http://[broken"},
        {"Referer": "https://evil.example/page"},
    ],
)
def test_a_page_of_another_site_changes_nothing(
    tmp_path: Path, token: str, method: str, browser: dict[str, str]
) -> None:
    """The browser sends our cookie with it, or is on this machine where no token is needed."""
    asked = client(tmp_path, token)
    headers = {**browser, **(BY_COOKIE if token else {})}
    assert asked.request(method, "/change", headers=headers).status_code == 403
    headers = {"Sec-Fetch-Site": "same-origin", **(BY_COOKIE if token else {})}
    assert asked.request(method, "/change", headers=headers).json() == 1  # the first


def test_our_own_page_and_programs_may(tmp_path: Path) -> None:
    asked = client(tmp_path, TOKEN)
    assert asked.post("/change", headers={**BY_COOKIE, "Origin": HERE}).json() == 1
    assert asked.post("/change", headers=RIGHT).json() == 2
    assert asked.post("/change", headers=BY_COOKIE).status_code == 403  # no browser omits both
    assert client(tmp_path).post("/change").json() == 1


def test_every_route_that_may_change_something_is_guarded(tmp_path: Path) -> None:
    """One that is added later too: the guard is asked before any route."""
    asked = client(tmp_path)
    routes = [each for each in asked.app.routes if isinstance(each, APIRoute)]  # type: ignore[attr-defined]
    unsafe = [(r.path, m) for r in routes for m in r.methods - SAFE_METHODS]
    assert ("/change", "POST") in unsafe
    for path, method in unsafe:
        refused = asked.request(method, path, headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403, path


def test_an_address_that_guesses_waits_even_with_the_right_token(tmp_path: Path) -> None:
    asked = client(tmp_path, TOKEN)
    for _ in range(MOST_GUESSES):
        assert asked.get("/api/sites", headers=WRONG).status_code == 401
    refused = asked.get("/api/sites", headers=RIGHT)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= GUESSES_WITHIN_S + 1
    assert asked.get("/api/sites", headers=BY_COOKIE).status_code == 429
    assert asked.get("/healthz").status_code == 200
    app = asked.app
    elsewhere = TestClient(app, base_url=HERE, client=("192.0.2.7", 5000))
    assert elsewhere.get("/api/sites", headers=RIGHT).status_code == 200


def test_a_form_s_wrong_token_is_a_guess_and_another_site_s_form_is_none(tmp_path: Path) -> None:
    asked = client(tmp_path)

    @asked.app.post("/a-form")  # type: ignore[attr-defined,untyped-decorator]
    def promote(token: str) -> Response:
        return Response(status_code=200 if token == TOKEN else 403)

    for _ in range(3 * MOST_GUESSES):  # else a page could lock out who looks at it
        cross = {"Origin": "https://evil.example"}
        assert asked.post("/a-form?token=x", headers=cross).status_code == 403
    for _ in range(MOST_GUESSES):
        assert asked.post("/a-form?token=x").status_code == 403
    assert asked.post(f"/a-form?token={TOKEN}").status_code == 429
    assert asked.get("/api/sites").status_code == 200


def test_who_gives_no_token_guesses_nothing(tmp_path: Path) -> None:
    asked = client(tmp_path, TOKEN)
    for _ in range(3 * MOST_GUESSES):
        assert asked.get("/api/sites").status_code == 401
    assert asked.get("/api/sites", headers=RIGHT).status_code == 200


def test_guesses_are_forgotten_after_their_time_and_bounded_in_number() -> None:
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    for _ in range(MOST_GUESSES):
        guesses.wrong("2001:db8::1")
        now[0] += 1
    assert guesses.wait_s("2001:db8::ffff") == GUESSES_WITHIN_S - MOST_GUESSES  # the same /64
    assert guesses.wait_s("2001:db8:0:1::1") == 0
    now[0] = GUESSES_WITHIN_S
    assert guesses.wait_s("2001:db8::1") == 0
    for number in range(MOST_ADDRESSES + 5):
        guesses.wrong(f"host{number}")
    assert len(guesses._wrong) == MOST_ADDRESSES


def test_bodies_are_bounded_with_and_without_a_length(tmp_path: Path) -> None:
    asked = client(tmp_path)

    def endless() -> Iterator[bytes]:
        for _ in range(3):
            yield bytes(LARGEST_BODY // 2)

    assert asked.post("/change", content=bytes(LARGEST_BODY)).json() == 1
    assert asked.post("/change", content=bytes(LARGEST_BODY + 1)).status_code == 413
    assert asked.post("/change", content=endless()).status_code == 413
    for length in ("-1", "x", "9" * 40):
        assert asked.post("/change", headers={"Content-Length": length}).status_code == 413


@pytest.mark.parametrize("path", ["/healthz", "/api/sites", "/nowhere", "/metrics"])
def test_answers_are_shown_in_no_other_page_and_load_nothing_from_elsewhere(
    tmp_path: Path, path: str
) -> None:
    for answer in (client(tmp_path).get(path), client(tmp_path, TOKEN).get(path)):
        for name, value in ANSWER_HEADERS.items():
            assert answer.headers[name] == value
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "access-control-allow-origin" not in answer.headers

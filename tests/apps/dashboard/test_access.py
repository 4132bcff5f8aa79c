"""Who has no token sees nothing; who needs none is this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from dashboards import client_of, sources_of

from apps.dashboard.access import COOKIE, host_of

TOKEN = "f3b0c44298fc1c149afbf4c8"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("path", ["/api/sites", "/metrics", "/openapi.json", "/nowhere"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": f"{COOKIE}=x; other={TOKEN}"},
    ],
)
def test_without_the_token_there_is_nothing(
    folder: Path, path: str, headers: dict[str, str]
) -> None:
    refused = client_of(sources_of(folder), TOKEN).get(path, headers=headers)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert "donghwa" not in refused.text


def test_the_token_opens_by_header_and_by_cookie_from_anywhere(folder: Path) -> None:
    client = client_of(sources_of(folder), TOKEN)
    for headers in ({"Authorization": f"Bearer {TOKEN}"}, {"Cookie": f"{COOKIE}={TOKEN}"}):
        answer = client.get("/api/sites", headers={**headers, "Host": "plant.example:8000"})
        assert answer.status_code == 200
    assert client.get("/healthz").status_code == 200


def test_without_a_token_a_name_of_another_machine_is_refused(folder: Path) -> None:
    client = client_of(sources_of(folder))
    assert client.get("/api/sites", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/api/sites", headers={"Host": "[::1]:8000"}).status_code == 200


@pytest.mark.parametrize(
    ("header", "name"),
    [("localhost:80", "localhost"), ("[::1]:8000", "[::1]"), ("[::1]", "[::1]"), ("A.b", "a.b")],
)
def test_a_host_header_s_name(header: str, name: str) -> None:
    assert host_of(header) == name

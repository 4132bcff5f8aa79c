"""What pages change: signing in, acknowledging, promoting. Nothing by a page of another."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from dashboards import HERE, TestClient, board_of, client_of, sources_of
from promotions import NAME, log_release, verdict
from stored_runs import judged, row

from apps.dashboard.app import create_app
from apps.dashboard.pages.sign_in import own_path
from apps.dashboard.serve import checked_promotion_token
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.releases import EVIDENCE_TAG
from guardianflow.contracts.results import DetectorPackage, DetectorSpec, RunRequest
from guardianflow.release.promotion.journal import history
from pipelines.settings import Settings

HTML = {"Accept": "text/html", "Accept-Language": "en"}
TOKEN, PROMOTION = "f3b0c44298fc1c149afbf4c8", "another-token-0123456789"


def send(client: TestClient, page: str, path: str, **fields: str) -> Any:
    """A form as a browser sends it from a page of ours."""
    found = re.search(r'name="sent" value="(\w+)"', client.get(page, headers=HTML).text)
    assert found
    headers = HTML | {"Origin": HERE}
    data = {"sent": found[1], **fields}
    return client.post(path, data=data, headers=headers, follow_redirects=False)


def package_in(directory: Path, content: bytes) -> DetectorPackage:
    directory.mkdir()
    (directory / "m.onnx").write_bytes(content)
    spec = DetectorSpec("onnx", "fp32", "tiny", ("안전모",), 32, "grid", "m.onnx", {})
    return DetectorPackage.create(directory, spec)


@pytest.fixture
def site(tmp_path: Path) -> Any:
    """A site whose v1 is champion, v2 passed against it, v3 did not."""
    sources = sources_of(tmp_path, [row("a", metrics=judged(0.6))])
    ports = sources.ports
    for number, champion, outcome in (("1", "", "pass"), ("2", "1", "pass"), ("3", "1", "fail")):
        run_id = ports.store.start_run(RunRequest("donghwa-entec/busan-plant1/welding", "ppe"))
        package = package_in(tmp_path / f"package{number}", b"weights " + number.encode())
        ports.registry.register(run_id, package, NAME)
        ports.store.end_run(run_id)
        judged_by = log_release(ports, package, number, champion, outcome)
        tags = {EVIDENCE_TAG: judged_by, **verdict(outcome, champion)}
        ports.registry.tag_version(NAME, number, tags)
    return sources


@pytest.fixture
def client(site: Any) -> TestClient:
    return TestClient(create_app(site, promotion_token=PROMOTION), base_url=HERE)


GIVEN = {"model": NAME, "version": "1", "who": "김민수", "reason": "현장 시험", "token": PROMOTION}


def test_a_promotion_goes_through_the_same_door_and_says_who(client: TestClient, site: Any) -> None:
    page = send(client, "/", "/promote", **GIVEN)
    assert page.status_code == 200
    assert f"{NAME} v1 is champion now" in page.text
    assert site.ports.aliases.aliases(NAME)["champion"] == "1"
    (entry,) = history(site.ports.aliases, NAME)
    assert (entry.state, entry.reason, entry.forced) == ("done", "현장 시험", False)
    assert entry.who == "김민수 (dashboard, testclient)"
    assert "김민수 (dashboard" in client.get(
        "/site?customer=donghwa-entec&site=busan-plant1&zone=welding&task=ppe", headers=HTML
    ).text  # fmt: skip


def test_a_verdict_that_does_not_allow_it_refuses_on_a_page_too(
    client: TestClient, site: Any
) -> None:
    assert send(client, "/", "/promote", **GIVEN).status_code == 200
    refused = send(client, "/", "/promote", **(GIVEN | {"version": "3"}))
    assert refused.status_code == 409
    assert site.ports.aliases.aliases(NAME)["champion"] == "1"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN])
def test_without_its_own_token_nothing_is_promoted(
    client: TestClient, site: Any, token: str
) -> None:
    assert send(client, "/", "/promote", **(GIVEN | {"token": token})).status_code == 403
    assert "champion" not in site.ports.aliases.aliases(NAME)


def test_it_is_off_unless_it_is_switched_on(site: Any) -> None:
    client = client_of(site)
    path = "/site?customer=donghwa-entec&site=busan-plant1&zone=welding&task=ppe"
    assert 'action="/promote"' not in client.get(path, headers=HTML).text
    refused = send(client, "/", "/promote", **(GIVEN | {"token": ""}))
    assert (refused.status_code, "switched off" in refused.text) == (403, True)


def test_what_is_missing_is_told_at_once(client: TestClient) -> None:
    refused = send(client, "/", "/promote", **(GIVEN | {"who": " ", "version": ""}))
    assert refused.status_code == 422
    assert "version must be given" in refused.text
    assert "who must be given" in refused.text


@pytest.mark.parametrize("path", ["/promote", "/alerts", "/sign-in", "/sign-out", "/look"])
@pytest.mark.parametrize(
    ("sent", "headers"),
    [
        ("", {}),
        ("0" * 64, {}),
        (None, {"Origin": "http://evil.example"}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_form_of_another_page_changes_nothing(
    client: TestClient, site: Any, path: str, sent: str | None, headers: dict[str, str]
) -> None:
    own = re.search(r'name="sent" value="(\w+)"', client.get("/", headers=HTML).text)
    assert own
    data = GIVEN | {"run_id": "a", "metric": "mAP50", "sent": own[1] if sent is None else sent}
    refused = client.post(path, data=data, headers=HTML | headers, follow_redirects=False)
    assert refused.status_code == 403
    assert "champion" not in site.ports.aliases.aliases(NAME)
    assert "1 not acknowledged" in client.get("/alerts", headers=HTML).text


def acknowledging(site: Any, **changes: str) -> dict[str, str]:
    (alert,) = site.board.alerts().alerts
    seen = {"alert_id": alert.alert_id, "run_id": alert.reading.run_id}
    return {**seen, "who": "이<b>", "note": "카메라 청소 예정", **changes}


def test_an_alert_is_acknowledged_until_a_newer_run_is_beyond_again(
    client: TestClient, site: Any
) -> None:
    before = client.get("/state").text
    assert "1 not acknowledged" in client.get("/alerts", headers=HTML).text
    assert send(client, "/alerts", "/alerts", **acknowledging(site)).status_code == 303
    seen = client.get("/alerts", headers=HTML).text
    assert "1 acknowledged" in seen
    assert "not acknowledged" not in seen
    assert "이<b>" in unescape(seen)
    assert "이<b>" not in seen
    assert client.get("/state").text != before  # other open pages show it too
    site.metrics.save_metrics(row("b", days_ago=-0.0005, metrics=judged(0.5)))
    assert "1 not acknowledged" in client.get("/alerts", headers=HTML).text


def test_a_page_and_the_command_have_one_store_of_acknowledgements(
    client: TestClient, site: Any, tmp_path: Path
) -> None:
    (alert,) = site.board.alerts().alerts
    by_command = board_of(tmp_path, site.metrics)  # as another process opens it
    by_command.acknowledge(alert.alert_id, "labels are being mended", "kim")
    for page in ("/alerts", "/"):
        assert "✓ kim, 20" in client.get(page, headers=HTML).text
    assert not [each for each in tmp_path.rglob("*") if "acknowledged" in each.name]
    form = acknowledging(site, note="done by page")
    assert send(client, "/alerts", "/alerts", **form).status_code == 303
    (seen,) = board_of(tmp_path, site.metrics).alerts().alerts
    assert seen.acknowledged and seen.acknowledged.note == "done by page"


def test_what_nobody_has_seen_is_not_acknowledged(client: TestClient, site: Any) -> None:
    form = acknowledging(site)
    site.metrics.save_metrics(row("b", days_ago=-0.0005, metrics=judged(0.5)))
    refused = send(client, "/alerts", "/alerts", **form)
    assert (refused.status_code, "rests on run b by now" in refused.text) == (409, True)
    assert "1 not acknowledged" in client.get("/alerts", headers=HTML).text
    unknown = send(client, "/alerts", "/alerts", **(form | {"alert_id": "0" * 12}))
    assert (unknown.status_code, "guardianflow alerts list" in unknown.text) == (422, True)


def test_who_and_what_must_be_said_to_acknowledge(client: TestClient, site: Any) -> None:
    form = acknowledging(site, who=" ", note="")
    refused = send(client, "/alerts", "/alerts", **form)
    assert refused.status_code == 422
    assert "who must have 1 to 200" in refused.text
    assert "a note must have 1 to 2000" in refused.text


def test_the_token_opens_the_pages_by_a_cookie(tmp_path: Path) -> None:
    client = client_of(sources_of(tmp_path), TOKEN)
    asked = client.get("/alerts?x=1", headers=HTML, follow_redirects=False)
    assert (asked.status_code, asked.headers["location"]) == (
        303,
        "/sign-in?next=%2Falerts%3Fx%3D1",
    )
    page = client.get("/sign-in", headers=HTML).text
    assert "donghwa" not in page
    wrong = send(client, "/sign-in", "/sign-in", token="wrong", next="/alerts")
    assert (wrong.status_code, "That is not the token" in wrong.text) == (401, True)
    right = send(client, "/sign-in", "/sign-in", token=TOKEN, next="/alerts")
    assert (right.status_code, right.headers["location"]) == (303, "/alerts")
    assert "HttpOnly" in right.headers["set-cookie"]
    assert client.get("/alerts", headers=HTML).status_code == 200
    assert send(client, "/", "/sign-out").status_code == 303
    assert client.get("/api/sites").status_code == 401


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/site?zone=a", "/site?zone=a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\tx", "/"),
        ("", "/"),
    ],
)
def test_after_signing_in_one_stays_here(address: str, path: str) -> None:
    assert own_path(address) == path


def test_language_and_time_zone_are_kept(client: TestClient) -> None:
    assert send(client, "/", "/look", language="ko", next="/alerts").status_code == 303
    assert '<html lang="ko">' in client.get("/", headers=HTML).text
    assert send(client, "/", "/look", zone="UTC").status_code == 303
    assert "UTC 기준" in client.get("/", headers=HTML).text
    assert send(client, "/", "/look", zone="MARS").status_code == 422


@pytest.mark.parametrize("token", ["short", TOKEN])
def test_who_may_look_may_not_promote(token: str) -> None:
    settings = Settings(dashboard_promotion_token=token)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="another one"):
        checked_promotion_token(settings, TOKEN)


def test_no_promotion_token_is_no_promotion() -> None:
    assert checked_promotion_token(Settings(dashboard_promotion_token=None), TOKEN) == ""

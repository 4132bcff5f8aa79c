"""A message is tried again where it certainly did not arrive, and never sent twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from automated_sites import TELLING, Site
from listening import HANG, Hook, webhook

from apps.automation.ledger.records import Ended, Notice, NoticeState, Outcome
from apps.automation.notifications.configured import channels_of
from apps.automation.notifications.delivery import MOST_TRIES, Delivered, deliver
from apps.automation.notifications.webhook import Webhook
from guardianflow.contracts.errors import ConfigurationError
from pipelines.settings import Settings


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path, TELLING)
    made.run(-2, **{"det.mAP50": 0.5})
    return made


def tell(site: Site, hook: Hook) -> Delivered:
    return deliver(site.board, [Webhook(hook.url, "", ["127.0.0.1"], deadline_s=0.5)])


def states(site: Site) -> list[NoticeState]:
    return [each.last.state for each in site.ledger.read().notices.values()]


def test_each_alert_is_told_once_and_a_newer_run_anew(site: Site) -> None:
    with webhook(200) as hook:
        assert tell(site, hook).sent == 1
        assert tell(Site(site.folder, TELLING), hook).sent == 0
        site.run(-1, **{"det.mAP50": 0.4})
        assert tell(site, hook).sent == 1
    said = json.loads(hook.taken[1].body)["text"]
    assert said.startswith(
        "donghwa-entec/busan-plant1/welding/ppe: mAP50 0.4 below 0.75 in 1 run (run "
    )


def test_what_is_undecided_or_seen_is_not_told(site: Site) -> None:
    (alert,) = site.board.alerts().alerts
    site.board.acknowledge(alert.alert_id, "seen", "kim")
    site.run(-1, "ulsan", **{"det.mAP50": 0.74, "det.mAP50_low": 0.7, "det.mAP50_high": 0.78})
    with webhook(200) as hook:
        assert tell(site, hook) == Delivered(0, ())
    assert hook.taken == []


def test_a_server_that_is_busy_is_asked_again_later_and_gets_it_once(site: Site) -> None:
    with webhook(503, 503, 200) as hook:
        assert tell(site, hook).problems == ("webhook: it answered 503",)
        assert tell(site, hook).problems == ()  # not yet
        site.clock.hours += 31 / 3600
        tell(site, hook)
        site.clock.hours += 31 / 3600
        assert len(hook.taken) == 2
        site.clock.hours += 31 / 3600
        assert tell(site, hook).sent == 1
        site.clock.hours += 48
        assert tell(site, hook).sent == 0
    assert len({each.headers["X-GuardianFlow-Delivery"] for each in hook.taken}) == 1
    assert len({each.body for each in hook.taken}) == 1


def test_it_ends_some_time(site: Site) -> None:
    with webhook(500) as hook:
        for _ in range(MOST_TRIES + 5):
            tell(site, hook)
            site.clock.hours += 2
    assert len(hook.taken) == MOST_TRIES
    assert states(site) == [NoticeState.GIVEN_UP]


def test_a_hook_that_hangs_is_left_and_not_sent_the_same_again(site: Site) -> None:
    with webhook(HANG, 200) as hook:
        (problem,) = tell(site, hook).problems
        assert "no answer within" in problem
        site.clock.hours += 48
        assert tell(site, hook) == Delivered(0, ())
    assert len(hook.taken) == 1
    assert states(site) == [NoticeState.UNKNOWN]


def test_what_a_killed_process_was_sending_is_not_sent_again(site: Site) -> None:
    with webhook(500, 200) as hook:
        tell(site, hook)
        (trail,) = site.ledger.read().notices.values()
        sending = {"at": site.clock(), "state": NoticeState.SENDING}
        site.ledger.append(Notice(**(trail.last.model_dump() | sending)))  # and then kill -9
        for _ in range(3):
            site.clock.hours += 1
            assert tell(site, hook).sent == 0
    assert len(hook.taken) == 1
    assert states(site) == [NoticeState.UNKNOWN]


def test_an_action_that_is_paused_is_told(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.starter.outcome = lambda _rule: Outcome.FAILED
    for number in range(2):
        site.run(number * 60, **{"det.mAP50": 0.5})
        site.clock.hours = number * 60.0
        (order_id,) = site.automation.start()
        site.ledger.append(
            Ended(at=site.clock(), order_id=order_id, outcome=Outcome.FAILED, reason="no memory")
        )
    with webhook(200) as hook:
        assert tell(site, hook).sent == 2
        assert tell(site, hook).sent == 0
    assert "failed twice and is paused: no memory" in json.loads(hook.taken[1].body)["text"]


def test_channels_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert channels_of(Settings()) == []
    monkeypatch.setenv("GUARDIANFLOW_ALERTS_WEBHOOK", "https://hooks.example/T1/B2")
    monkeypatch.setenv("GUARDIANFLOW_ALERTS_MAIL_SERVER", "smtps://mail.example")
    monkeypatch.setenv("GUARDIANFLOW_ALERTS_MAIL_FROM", "gf@example.org")
    monkeypatch.setenv("GUARDIANFLOW_ALERTS_MAIL_TO", "a@example.org, b@example.org")
    assert [each.name for each in channels_of(Settings())] == ["webhook", "mail"]
    monkeypatch.setenv("GUARDIANFLOW_ALERTS_MAIL_TO", "")
    monkeypatch.setenv("GUARDIANFLOW_ALERTS_WEBHOOK", "nowhere")
    with pytest.raises(ConfigurationError) as told:
        channels_of(Settings())
    assert len(told.value.problems) == 2


def test_what_a_private_address_kept_from_being_told_is_told_once_it_is_allowed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(200) as hook:
        monkeypatch.setenv("GUARDIANFLOW_ALERTS_WEBHOOK", hook.url)
        (problem,) = deliver(site.board, channels_of(Settings())).problems
        assert "127.0.0.1 is an address of a private network" in problem
        assert states(site) == [NoticeState.REFUSED]
        monkeypatch.setenv("GUARDIANFLOW_PRIVATE_HOSTS", "10.0.0.0/8, 127.0.0.1")
        site.clock.hours += 31 / 3600
        assert deliver(site.board, channels_of(Settings())).sent == 1
    assert len(hook.taken) == 1

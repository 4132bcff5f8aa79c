"""A scripted month of made-up runs: each rule starts what it should, when it should, no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from automated_sites import Site, plan_of, run_of

from apps.automation.alerts.models import RuleAlert
from apps.automation.ledger.records import Outcome, Resumed
from apps.automation.orders.decisions import Hold
from apps.automation.orders.plans import Plan
from apps.automation.orders.sources import UnfitError
from apps.automation.rounds import watch
from apps.automation.triggers.schema import Rule
from guardianflow.contracts.errors import MetricsStoreError

DAY = 24.0
LOOK_EVERY_HOURS = 6


def judged(value: float, reach: float = 0.02) -> dict[str, float]:
    return {"det.mAP50": value, "det.mAP50_low": value - reach, "det.mAP50_high": value + reach}


# (day, site, kind of run, metrics)
RUNS: list[tuple[float, str, str, dict[str, float]]] = [
    (1.0, "a", "infer", judged(0.80)),
    (3.0, "a", "infer", judged(0.70)),  # wholly below: at once
    (4.0, "a", "infer", judged(0.72)),  # still in the 48 h of the cooldown
    (9.0, "a", "infer", judged(0.76)),  # well again
    (10.0, "a", "infer", judged(0.74)),  # [0.72 … 0.76]: undecided
    (6.0, "b", "infer", {"sys.inference_time_ms": 45.0}),  # no interval: the value counts
    (14.0, "c", "train", {"sys.gpu_utilization_pct": 30.0}),  # one alone: two are asked for
    (15.0, "c", "train", {"sys.gpu_utilization_pct": 40.0}),
    (16.0, "d", "infer", {"sys.inference_time_ms": 12.0, "det.mAP50": float("nan")}),
    (17.0, "d", "infer", {"det.recall": 0.1}),  # no mAP50 at all
    *[(20.0, f"e{number}", "infer", judged(0.5 + number / 100)) for number in range(5)],
]
EXPECTED = [
    (3.0, "accuracy-low", "a"),
    (5.0, "accuracy-low", "a"),  # when the cooldown is over
    (6.0, "latency-high", "b"),  # fails
    (7.0, "latency-high", "b"),  # fails again: paused
    (12.0, "latency-high", "b"),  # a person let it go on
    (15.0, "gpu-idle", "c"),
    (20.0, "accuracy-low", "e0"),  # the worst first, one at a time
    (20.25, "accuracy-low", "e1"),
    (21.0, "accuracy-low", "e2"),  # two a day
    (21.25, "accuracy-low", "e3"),
    (22.0, "accuracy-low", "e4"),
]


def test_a_month(tmp_path: Path) -> None:
    site = Site(tmp_path)
    fails = iter([Outcome.FAILED, Outcome.LOST])
    site.starter.outcome = lambda rule: (
        next(fails, Outcome.DONE) if rule == "latency-high" else Outcome.DONE
    )
    waiting = sorted(RUNS, key=lambda each: each[0])
    for look in range(int(30 * DAY / LOOK_EVERY_HOURS)):
        site.clock.hours = float(look * LOOK_EVERY_HOURS)
        while waiting and waiting[0][0] * DAY <= site.clock.hours:
            day, name, kind, metrics = waiting.pop(0)
            site.metrics.save_metrics(run_of(day * DAY, name, kind, metrics))
        if site.clock.hours == 12 * DAY:
            (paused,) = site.ledger.read().failed
            site.ledger.append(Resumed(at=site.clock(), alert_id=paused, who="kim"))
        site.starter.finish_due()
        site.automation.start()
    assert [(hours / DAY, *what) for hours, *what in site.starter.begun] == EXPECTED


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """Cooldown, budget and what is at work are the ledger's, not a process's."""
    first = Site(tmp_path)
    first.run(0, **judged(0.5))
    assert len(first.automation.start()) == 1
    first.clock.hours = 2
    for _ in range(3):
        again = Site(tmp_path, clock=first.clock)
        assert again.automation.start() == []
        (decision,) = again.automation.look().decisions
        assert decision.hold is Hold.AT_WORK
    first.clock.hours = 10
    first.starter.finish_due()
    first.run(9, **judged(0.6))
    (decision,) = Site(tmp_path, clock=first.clock).automation.look().decisions
    assert (decision.hold, decision.wait_s) == (Hold.COOLDOWN, 38 * 3600.0)


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(0, **judged(0.5))
    (decision,) = site.automation.look().decisions
    assert decision.hold is None
    assert not (tmp_path / "ledger").exists()


@pytest.mark.parametrize("set_by_hours", [72.0, -100.0])
def test_a_clock_that_is_set_neither_frees_nor_holds_anything(
    tmp_path: Path, set_by_hours: float
) -> None:
    """The time since the system's start counts, not what the clock says."""
    site = Site(tmp_path)
    site.run(0, **judged(0.5))
    site.automation.start()
    site.clock.hours = 6
    site.starter.finish_due()
    site.clock.set_by_hours = set_by_hours
    now = site.clock.hours + set_by_hours
    site.run(now, **judged(0.6))
    found = site.automation.look()
    if set_by_hours < 0:  # the run of before is of tomorrow now: told, and not judged by
        assert "the clock of this machine or of theirs is wrong" in found.alerts.notes[0]
    (decision,) = found.decisions
    assert (decision.hold, decision.wait_s) == (Hold.COOLDOWN, 42 * 3600.0)
    site.clock.hours = 49
    site.run(49 + set_by_hours, **judged(0.6))
    assert len(site.automation.start()) == 1


def test_a_clock_that_was_set_back_over_a_restart_counts_from_when_that_is_found(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    site.run(0, **judged(0.5))
    site.automation.start()
    site.clock.hours = 6
    site.starter.finish_due()
    site.clock.boot, site.clock.set_by_hours = "boot-2", -300.0
    site.run(-295, **judged(0.6))
    assert site.automation.start() == []
    (decision,) = site.automation.look().decisions
    assert (decision.hold, decision.wait_s) == (Hold.COOLDOWN, 48 * 3600.0)
    site.clock.hours += 47
    assert site.automation.start() == []
    site.clock.hours += 2
    assert len(site.automation.start()) == 1


def test_what_can_t_be_done_leaves_room_for_the_next(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(0, "a", **judged(0.4))
    site.run(0, "b", **judged(0.5))

    def picky(alert: RuleAlert, rule: Rule) -> Plan:
        if alert.place.site == "a":
            raise UnfitError("its training is not known")
        return plan_of(alert, rule)

    site.automation.plan_of = picky
    first, _ = site.automation.look().decisions
    assert (first.hold, first.why) == (Hold.UNFIT, "its training is not known")
    site.automation.start()
    assert [what for _, _, what in site.starter.begun] == ["b"]


def test_a_watch_goes_on_after_a_look_that_failed_and_tells_it_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(0, **judged(0.5))
    looks = iter([True, True, True, False])
    failing = iter([True, True, False, False])
    told: list[str] = []

    def deliver() -> None:
        if next(failing):
            raise MetricsStoreError("the bucket is away")

    watch(site.automation, deliver, wait=lambda: next(looks), tell=told.append)
    assert [line for line in told if "bucket" in line] == [
        "this look failed, the next follows: the bucket is away"
    ]
    assert len(site.starter.begun) == 1

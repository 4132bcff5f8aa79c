"""Which runs a place is judged by, and what an interval that reaches across means."""

from __future__ import annotations

from pathlib import Path

import pytest
from automated_sites import Site, run_of

from apps.automation.alerts.models import AlertList
from guardianflow.metrics_store.questions.answers import Certainty

RULES = """
rules:
  - {name: accuracy, metric: mAP50, comparison: "<", threshold: 0.75, min_runs: 2, window: 10d}
  - {name: missed, metric: alarms_missed, comparison: ">", threshold: 0, window: 10d}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path, RULES)
    made.clock.hours = 240
    return made


def found(site: Site) -> AlertList:
    return site.board.alerts()


def test_as_many_of_the_last_runs_must_lie_beyond_as_the_rule_says(site: Site) -> None:
    site.run(200, **{"det.mAP50": 0.6})
    assert found(site).alerts == ()
    site.run(210, **{"det.mAP50": 0.7})
    (alert,) = found(site).alerts
    assert (alert.reading.value, alert.runs, alert.certainty) == (0.7, 2, Certainty.NO_INTERVAL)
    assert alert.fires
    assert alert.excess == pytest.approx(0.05 / 0.75)
    site.run(220, **{"det.mAP50": 0.8})
    assert found(site).alerts == ()


def test_the_least_certain_of_the_runs_decides(site: Site) -> None:
    site.run(200, **{"det.mAP50": 0.7, "det.mAP50_low": 0.68, "det.mAP50_high": 0.76})
    site.run(210, **{"det.mAP50": 0.6, "det.mAP50_low": 0.58, "det.mAP50_high": 0.62})
    (alert,) = found(site).alerts
    assert (alert.certainty, alert.fires) == (Certainty.UNDECIDED, False)


def test_a_bound_that_touches_the_threshold_is_undecided(site: Site) -> None:
    for hours in (200, 210):
        site.run(hours, **{"det.mAP50": 0.7, "det.mAP50_low": 0.6, "det.mAP50_high": 0.75})
    (alert,) = found(site).alerts
    assert not alert.fires


def test_runs_of_two_kinds_or_evaluators_are_not_set_beside_each_other(site: Site) -> None:
    site.metrics.save_metrics(
        [
            run_of(200, "busan-plant1", "infer", {"det.mAP50": 0.6}),
            run_of(205, "busan-plant1", "train", {"det.mAP50": 0.6}, evaluator=None),
            run_of(210, "busan-plant1", "quant", {"det.quantized.mAP50": 0.6}),
            run_of(190, "busan-plant1", "infer", {"det.mAP50": 0.6}, evaluator="older/1"),
        ]
    )
    assert found(site).alerts == ()


def test_trials_stand_for_no_place_and_stages_of_a_pipeline_do(site: Site) -> None:
    def below(parent: str, hours: float, **changes: object) -> None:
        given = {"parent_run_id": parent, **changes}
        made = run_of(hours, "busan-plant1", "infer", {"det.mAP50": 0.5}, **given)
        site.metrics.save_metrics(made)

    below("a sweep", 200, trial_of="a sweep", experiment_design="sweep")
    below("a comparison", 201, trial_of="a comparison")
    below("a sweep", 202, experiment_design="sweep")
    assert found(site).alerts == ()
    below("a pipeline", 204)
    below("a pipeline", 205)
    (alert,) = found(site).alerts
    assert alert.reading.run_id == "busan-plant1-205-infer"


def test_a_window_ends_a_threshold_of_nothing_works_and_the_worst_is_first(site: Site) -> None:
    site.run(-1, "old", **{"alarm.missed": 0.9})
    site.run(1, "a", **{"alarm.missed": 0.1})
    site.run(2, "b", **{"alarm.missed": 0.4})
    site.run(3, "c", **{"alarm.missed": 0.0})
    assert [each.place.site for each in found(site).alerts] == ["b", "a"]


def test_a_run_from_the_future_is_told_and_judges_nothing(site: Site) -> None:
    site.run(200, **{"alarm.missed": 0.5})
    site.run(24 * 400, **{"alarm.missed": 0.0})
    shown = found(site)
    assert len(shown.alerts) == 1
    assert "leaves out 1 runs that ended more than a day from now" in shown.notes[0]


def test_a_scope_that_no_run_has_is_told(tmp_path: Path) -> None:
    rules = """
rules:
  - {name: a, metric: mAP50, comparison: below, threshold: 0.9, scope: {customer: donghwa-entek}}
  - {name: b, metric: mAP50, comparison: below, threshold: 0.9, scope: {site: ulsan-plant1}}
"""
    site = Site(tmp_path, rules)
    site.run(-1, "busan-plant1", **{"det.mAP50": 0.5})
    site.run(-1, "ulsan-plant1", **{"det.mAP50": 0.5})
    shown = found(site)
    assert [(each.rule, each.place.site) for each in shown.alerts] == [("b", "ulsan-plant1")]
    assert "rule 'a' looks at no run" in shown.notes[0]
    assert "did you mean 'donghwa-entec'" in shown.notes[0]


def test_an_empty_store(site: Site) -> None:
    assert found(site).alerts == ()

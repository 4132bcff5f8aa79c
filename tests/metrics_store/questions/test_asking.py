"""Answers leave out what is absent, mix nothing that can't be compared, and agree with the rows."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from stored_runs import FLEET, judged, row

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.questions.answers import Certainty
from guardianflow.metrics_store.questions.asking import Questions
from guardianflow.metrics_store.questions.names import UnknownNameError
from guardianflow.metrics_store.store import MetricsStore


@pytest.fixture(params=["journal", "parquet", "both"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Questions:
    store = MetricsStore(tmp_path)
    store.save_metrics(FLEET[:3])
    if request.param == "both":
        store.compact()
    store.save_metrics(FLEET[3:])
    if request.param == "parquet":
        store.compact()
    return Questions(store)


def test_a_summary_says_on_how_many_rows_each_figure_rests(ask: Questions) -> None:
    found = ask.summary(RowFilter(customer="donghwa-entec"))
    assert found.runs == 5
    groups = {each.experiment_type: each for each in found.groups}
    infer = groups["infer"].metrics["mAP50"]
    assert (groups["infer"].runs, infer.rows, infer.mean) == (3, 2, pytest.approx(0.8))
    assert (infer.minimum, infer.maximum) == (0.7, 0.9)
    assert (infer.latest.run_id, infer.latest.low, infer.latest.high) == ("a2", 0.67, 0.73)
    assert "fps" not in groups["infer"].metrics


def test_variants_stand_beside_each_other(tmp_path: Path) -> None:
    store = MetricsStore(tmp_path)
    store.save_metrics(
        row(
            f"q{n}",
            experiment_type="quant",
            backend="openvino",
            precision=precision,
            metrics={"det.quantized.mAP50": value, "sys.quantized.inference_time_ms": 10.0 + n},
        )
        for n, (precision, value) in enumerate((("int8", 0.6), ("int8", 0.8), ("fp32", 0.9)))
    )
    store.save_metrics(row("no-variant", metrics=judged(0.1)))
    found = {each.precision: each for each in Questions(store).variants().groups}
    assert set(found) == {"int8", "fp32"}
    assert (found["int8"].runs, found["int8"].metrics["mAP50"].mean) == (2, pytest.approx(0.7))
    assert found["int8"].metrics["latency_ms"].maximum == 11.0
    assert "recall" not in found["int8"].metrics


def test_a_trainer_s_own_figures_are_in_no_mean_with_an_evaluator_s(ask: Questions) -> None:
    groups = {
        each.experiment_type: each for each in ask.summary().groups if each.place.task == "ppe"
    }
    assert groups["train"].evaluator is None
    assert groups["train"].metrics["mAP50"].mean == 0.99
    assert groups["quant"].metrics["mAP50"].mean == 0.66  # the quantised one's


def test_the_last_days_alone(ask: Questions) -> None:
    found = ask.summary(RowFilter.last_days(10, experiment_type="infer"))
    means = {each.place.customer: each.metrics["mAP50"].mean for each in found.groups}
    assert means == {"donghwa-entec": 0.7, "한국철강": 0.74}


def test_a_trend_has_its_points_in_time_with_their_bounds(ask: Questions) -> None:
    found = ask.trend("mAP50", RowFilter(experiment_type="infer", customer="donghwa-entec"))
    assert [(each.run_id, each.value, each.low) for each in found.points] == [
        ("a1", 0.9, 0.87),
        ("a2", 0.7, 0.67),
    ]
    newest = ask.trend("mAP50", RowFilter(), limit=2)
    assert [each.run_id for each in newest.points] == ["a5", "a4"] or newest.next_offset == 2
    rest = ask.trend("mAP50", RowFilter(), limit=10, offset=2)
    assert len(rest.points) == 3
    assert rest.next_offset is None


def test_a_metric_of_a_class_is_found_by_its_key(ask: Questions) -> None:
    assert [each.value for each in ask.trend("det.ap.fire's").points] == [0.5]


def test_a_metric_that_nobody_has_is_refused_with_the_near_ones(ask: Questions) -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'mAP50'"):
        ask.trend("mAP5O")


def test_a_name_that_nobody_has_is_refused_with_the_known_ones(ask: Questions) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'donghwa-entec'") as raised:
        ask.summary(RowFilter(customer="donghwa-entek"))
    assert raised.value.known == ("donghwa-entec", "한국철강")


def test_a_comparison_puts_the_better_architecture_first(ask: Questions) -> None:
    ask.store.save_metrics(row("d1", model_architecture="yolo11l", metrics=judged(0.95)))
    asked = RowFilter(task="ppe", experiment_type="infer")
    assert [each.model_architecture for each in ask.comparison(asked).groups] == [
        "yolo11l",
        "yolo11n",
    ]


def test_a_tile_has_the_judged_accuracy_and_each_latest_figure(ask: Questions) -> None:
    tiles = {each.place.customer: each for each in ask.sites().sites}
    tile = tiles["donghwa-entec"]
    assert tile.accuracy is not None
    assert (tile.accuracy.run_id, tile.accuracy_type) == ("a2", "infer")
    assert [each.run_id for each in tile.history] == ["a1", "a2"]
    assert tile.latency is not None
    assert (tile.latency.run_id, tile.latency.value) == ("a3", 45.0)
    assert tile.cameras is None
    assert tile.runs == 5


def test_alerts_say_what_is_certain_and_come_worst_first(ask: Questions) -> None:
    found = ask.alerts().alerts
    assert [(e.place.task, e.metric, e.certainty) for e in found] == [
        ("ppe", "latency_ms", Certainty.NO_INTERVAL),
        ("ppe", "mAP50", Certainty.CERTAIN),
        ("fire", "mAP50", Certainty.UNDECIDED),
    ]
    assert found[0].excess == pytest.approx(0.5)
    assert not ask.alerts(threshold_mAP50=0.5, threshold_latency_ms=100).alerts


def test_an_empty_store_has_empty_answers(tmp_path: Path) -> None:
    ask = Questions(MetricsStore(tmp_path / "none"))
    assert ask.summary().groups == ask.sites().sites == ask.alerts().alerts == ()
    assert ask.trend("mAP50").points == ask.comparison().groups == ()


def test_what_months_add_up_to_is_what_the_rows_say(tmp_path: Path) -> None:
    """Random rows over two years, in Parquet and in the journal, for several windows of time."""
    rng = random.Random(17)
    store = MetricsStore(tmp_path)
    rows = [
        row(
            f"r{number}",
            days_ago=rng.uniform(0, 700),
            task=rng.choice(["ppe", "fall"]),
            metrics={"det.mAP50": rng.random()} if rng.random() < 0.8 else {},
        )
        for number in range(300)
    ]
    store.save_metrics(rows[:250])
    store.compact()
    store.save_metrics(rows[250:])
    store.save_metrics([row("r3", days_ago=300, metrics={"det.mAP50": 0.123})])
    rows[3] = row("r3", days_ago=300, metrics={"det.mAP50": 0.123})
    ask = Questions(store)
    for days in (None, 1000, 365, 200, 45, 10):
        asked = RowFilter.last_days(days)
        for group in ask.summary(asked).groups:
            wanted = [
                each for each in rows if each.task == group.place.task and recent(each, asked)
            ]
            values = [e.metrics["det.mAP50"] for e in wanted if e.metrics]
            assert group.runs == len(wanted)
            if not values:
                assert not group.metrics
                continue
            found = group.metrics["mAP50"]
            assert found.rows == len(values)
            assert found.mean == pytest.approx(sum(values) / len(values))
            assert (found.minimum, found.maximum) == (min(values), max(values))
            newest = max((e for e in wanted if e.metrics), key=lambda each: each.timestamp)
            assert found.latest.run_id == newest.run_id


def recent(each: MetricsRow, asked: RowFilter) -> bool:
    return asked.since is None or each.timestamp >= asked.since

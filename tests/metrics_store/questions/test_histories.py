"""Histories of tiles are the last readings of ninety days, whatever files they lie in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stored_runs import judged, row

from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.filters import EVERYTHING, RowFilter
from guardianflow.metrics_store.questions.asking import Questions
from guardianflow.metrics_store.store import MetricsStore

DAYS = (130, 95, 91, 89, 70, 60, 45, 31, 30, 20, 10, 3)


def runs(name: str, *, each: int = 3, **changes: object) -> list[MetricsRow]:
    """Some runs on each day of DAYS, of which the first judged nothing."""
    return [
        row(f"{name}-{days}-{n}", days_ago=days + n / 100,
            metrics=judged(0.5 + days / 1000 + n / 100) if n else {"sys.fps": 40.0}, **changes)
        for days in DAYS
        for n in range(each)
    ]  # fmt: skip


def assert_as_asked_row_by_row(ask: Questions, asked: RowFilter = EVERYTHING) -> None:
    """Histories against the trend of the same ninety days, which reads every row."""
    recent = datetime.now(UTC) - timedelta(days=90)
    since = max(filter(None, (recent, asked.since)))
    for tile in ask.sites(asked).sites:
        place = tile.place
        of_kind = RowFilter(customer=place.customer, zone=place.zone, task=place.task, since=since,
                            experiment_type=tile.accuracy_type)  # fmt: skip
        expected = [e for e in ask.trend("mAP50", of_kind).points if e.evaluator == tile.evaluator]
        assert [(e.run_id, e.value, e.low) for e in tile.history] == [
            (e.run_id, e.value, e.low) for e in expected[-20:]
        ]
        assert tile.history


def judged_anew(store: MetricsStore) -> None:
    """A row of a file is replaced by one of the journal."""
    store.save_metrics(row("few-20-1", days_ago=20, zone="few", metrics=judged(0.11)))


def dated_ahead(store: MetricsStore) -> None:
    store.save_metrics(row("few-ahead", days_ago=-40, zone="few", metrics=judged(0.99)))
    store.compact()


def one_more(store: MetricsStore) -> None:
    store.save_metrics(row("few-now", zone="few", metrics=judged(0.7)))


@pytest.mark.parametrize("change", [one_more, judged_anew, dated_ahead, MetricsStore.compact])
def test_a_history_has_the_last_readings_of_ninety_days(
    tmp_path: Path, change: Callable[[MetricsStore], object]
) -> None:
    store = MetricsStore(tmp_path)
    ask = Questions(store)
    store.save_metrics([*runs("few", zone="few"), *runs("many", zone="many", each=8)])
    store.save_metrics(runs("trial", zone="few", trial_of="sweep"))
    store.save_metrics(runs("train", zone="few", experiment_type="train", evaluator=None))
    store.compact()
    assert_as_asked_row_by_row(ask)
    change(store)
    assert_as_asked_row_by_row(ask)
    month = datetime.now(UTC) - timedelta(days=35)
    assert_as_asked_row_by_row(ask, RowFilter(since=month, customer="donghwa-entec"))


def test_a_history_of_some_architectures_has_theirs_alone(tmp_path: Path) -> None:
    store = MetricsStore(tmp_path)
    store.save_metrics([*runs("n", each=2), *runs("s", each=2, model_architecture="yolo11s")])
    store.compact()
    ask = Questions(store)
    both = ask.sites().sites[0].history
    assert len(both) == 18
    (tile,) = ask.sites(RowFilter(architectures=("yolo11s",))).sites
    assert list(tile.history) == [e for e in both if e.run_id.startswith("s-")]
    assert ask.sites(history=False).sites[0].history == ()

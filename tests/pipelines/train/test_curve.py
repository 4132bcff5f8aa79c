"""A curve tells which epochs were trained again, whatever was sampled beside their metrics."""

from __future__ import annotations

from pathlib import Path

from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.fakes.store import InMemoryStore
from pipelines.train.curve import Curve
from pipelines.train.epoch_journal import EpochJournal, Report


def report(epoch: int, **usage: float) -> Report:
    return Report(epoch, 1_000 * epoch, {"det.mAP50": epoch / 10, **usage})


def test_an_epoch_that_is_reported_again_is_repeated_though_more_was_sampled_of_it(
    tmp_path: Path,
) -> None:
    """An epoch shorter than a tick of the kernel's clock has no share of the processor."""
    store, path = InMemoryStore(), tmp_path / "epochs.jsonl"
    run_id = store.start_run(RunRequest("a/b/c", "run"))
    first = Curve(store, run_id, EpochJournal(path), went_on=False, tell=str)
    for epoch in (1, 2):
        first.log(first.kept(report(epoch)))
    assert first.repeated == []

    again = Curve(store, run_id, EpochJournal(path), went_on=True, tell=str)
    again.catch_up()
    kept = again.kept(report(2, **{"sys.cpu_pct": 50.0}))
    assert dict(kept.metrics) == {"sys.cpu_pct": 50.0}
    again.kept(report(3, **{"sys.cpu_pct": 50.0}))
    assert again.repeated == [2]

"""Rows that runs wrote at their end, and those made again from MLflow, are the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import RunRecord, RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.metrics_store.store import MetricsStore
from guardianflow.run_tracking.fakes.store import InMemoryStore
from guardianflow.run_tracking.mlflow_store import MlflowStore
from pipelines.metrics.catch_up import LOOKED_BACK_MS, catch_up, rebuild
from pipelines.metrics.place import metrics_address, open_metrics
from pipelines.settings import Settings
from pipelines.stage.tracked_run import tracked_run
from pipelines.wiring import Store

TAGS = {
    "exp.type": "infer",
    "exp.version": "v2",
    "exp.design": "single",
    "site.customer": "donghwa-entec",
    "site.region": "busan",
    "site.plant": "plant1",
    "site.zone": "용접",
    "task.type": "ppe",
    "det.evaluator": "guardianflow-coco/2",
}


def judge(store: Store, value: float, told: list[str]) -> str:
    """A run of the pipelines; returns its id."""
    request = RunRequest(
        "donghwa-entec/busan-plant1/용접", "ppe", TAGS, {"model.architecture": "yolo11n"}
    )
    with tracked_run(store, lambda: store.start_run(request), told.append) as run:
        metrics = {"det.mAP50": value, "det.ap.안전모": value / 3, "train.loss": 1.0}
        store.log_metrics(run.run_id, metrics)
        store.log_metrics(run.run_id, {"det.recall": 0.1}, step=2)
        store.log_metrics(run.run_id, {"det.recall": 0.2}, step=1)
    return run.run_id


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowStore:
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return MlflowStore(f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture
def metrics(store: MlflowStore) -> MetricsStore:
    return open_metrics(Settings(), store.tracking_uri)


def test_a_row_is_there_when_its_run_has_ended_and_a_rebuild_gives_the_same(
    store: MlflowStore, metrics: MetricsStore, tmp_path: Path
) -> None:
    told: list[str] = []
    run_ids = {judge(store, 0.1 + value / 7, told) for value in range(3)}
    with (
        pytest.raises(RuntimeError),
        tracked_run(store, lambda: store.start_run(RunRequest("a/b-c/d", "fails")), told.append),
    ):
        raise RuntimeError("the work")
    assert not told
    written = metrics.query_metrics()
    assert {each.run_id for each in written} == run_ids
    one = written[0]
    assert (one.customer, one.site, one.zone) == ("donghwa-entec", "busan-plant1", "용접")
    assert one.metrics["det.recall"] == 0.1  # of the largest step
    assert "train.loss" not in one.metrics
    done = rebuild(metrics, store)
    assert (done.runs, done.written) == (3, 3)
    assert metrics.query_metrics() == written
    assert (tmp_path / "mlflow-metrics/manifest.json").is_file()


def test_what_others_wrote_comes_in_and_nothing_is_written_twice(
    store: MlflowStore, metrics: MetricsStore
) -> None:
    judge(store, 0.5, [])
    others = store.start_run(RunRequest("customer/seoul-plant1/full", "by hand"))
    store.log_metrics(others, {"det.mAP50": 0.25})
    store.end_run(others)
    first = catch_up(metrics, store)
    assert (first.runs, first.written, first.whole) == (2, 1, True)
    (row,) = [each for each in metrics.query_metrics() if each.run_id == others]
    assert (row.customer, row.site, row.task) == ("customer", "seoul-plant1", None)
    again = catch_up(metrics, store)
    assert (again.runs, again.written, again.whole) == (2, 0, False)
    store.log_metrics(others, {"det.mAP50": 0.75}, step=1)
    assert catch_up(metrics, store).written == 1


def test_runs_of_long_ago_are_left_to_the_daily_look_at_all(
    store: MlflowStore, metrics: MetricsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    history = store.finished_runs

    def finished_runs(since: int | None = None) -> Iterator[RunRecord]:
        asked.append(since)
        return history(since)

    monkeypatch.setattr(store, "finished_runs", finished_runs)
    catch_up(metrics, store)
    catch_up(metrics, store)
    catch_up(metrics, store, whole=True)
    monkeypatch.setattr("pipelines.metrics.catch_up.time.time", lambda: 1.0)  # set back by decades
    catch_up(metrics, store)
    first, second, third, fourth = asked
    assert first is third is fourth is None
    assert second is not None
    assert second > LOOKED_BACK_MS


def test_a_metrics_store_that_refuses_is_told_and_the_run_stays_finished(
    store: MlflowStore, metrics: MetricsStore, tmp_path: Path
) -> None:
    (tmp_path / "mlflow-metrics").write_text("in the way")
    told: list[str] = []
    run_id = judge(store, 0.5, told)
    assert store.get_run(run_id).status == RunStatus.FINISHED
    assert len(told) == 1
    assert "its end is not touched by that" in told[0]
    (tmp_path / "mlflow-metrics").unlink()
    assert catch_up(metrics, store).written == 1


def test_a_rebuild_that_breaks_off_leaves_the_store_as_it_was(
    store: MlflowStore, metrics: MetricsStore
) -> None:
    judge(store, 0.5, [])
    before = metrics.query_metrics()

    class Breaking(InMemoryStore):
        def finished_runs(self, ended_since_ms: int | None = None) -> Iterator[RunRecord]:
            yield store.get_run(before[0].run_id)
            raise TrackingError("away")

    with pytest.raises(TrackingError):
        rebuild(metrics, Breaking())
    assert metrics.query_metrics() == before


def test_where_the_store_lies(tmp_path: Path) -> None:
    here = Settings(work_dir=tmp_path, metrics_store="", tracking_uri=None)
    server = metrics_address(here, "http://user:word@mlflow:5000/")
    assert server is not None
    assert server.startswith(str(tmp_path / "metrics"))
    assert server == metrics_address(here, "http://mlflow:5000")
    assert server != metrics_address(here, "http://other:5000")
    assert metrics_address(here, "sqlite:////data/runs.db") == "/data/runs-metrics"
    assert metrics_address(here, "memory:") is None
    off = Settings(work_dir=tmp_path, metrics_store="off")
    assert metrics_address(off, "sqlite:////data/runs.db") is None
    named = Settings(work_dir=tmp_path, metrics_store="s3://bucket/metrics")
    assert metrics_address(named, "memory:") == "s3://bucket/metrics"

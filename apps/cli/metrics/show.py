"""`guardianflow metrics …` at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from guardianflow.contracts.errors import ConfigurationError, MetricsStoreError
from guardianflow.contracts.given import given_path
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.questions.answers import Reading
from guardianflow.metrics_store.questions.asking import Questions
from guardianflow.metrics_store.store import MetricsStore
from guardianflow.support.terminal import print_answer, print_json, say, write
from pipelines.console import PROGRESS_LINE_EVERY_S
from pipelines.metrics.catch_up import CaughtUp, catch_up, rebuild
from pipelines.metrics.place import open_metrics
from pipelines.settings import load_settings
from pipelines.wiring import connect

from ..listing import print_rows
from .options import MetricsCommand

SHOWN = ("mAP50", "mAP50_95", "latency_ms", "fps")


def show_summary(asked: MetricsCommand) -> int:
    """Print a row for each place, type and evaluator."""
    metrics = open_metrics()
    found = Questions(metrics).summary(filter_of(asked), limit=asked.limit)
    if asked.as_json:
        print_json(found.model_dump(mode="json"))
        return 0
    rows: list[dict[str, Any]] = []
    for group in found.groups:
        row: dict[str, Any] = {
            **group.place.model_dump(),
            "type": group.experiment_type,
            "runs": group.runs,
            "last": day(group.last),
        }
        for name in SHOWN:
            aggregate = group.metrics.get(name)
            row[name] = shown(aggregate.latest) if aggregate else None
            row[f"mean {name}"] = f"{aggregate.mean:.3g} of {aggregate.rows}" if aggregate else None
        rows.append(row)
    print_table(rows, found.total - len(rows), metrics)
    return 0


def show_trend(asked: MetricsCommand) -> int:
    """Print a row for each run that has the metric."""
    metrics = open_metrics()
    found = Questions(metrics).trend(asked.metric, filter_of(asked), limit=asked.limit)
    if asked.as_json:
        print_json(found.model_dump(mode="json"))
        return 0
    rows = [
        {
            "ended": time.strftime("%Y-%m-%d %H:%M", point.timestamp.astimezone().timetuple()),
            "customer": point.customer,
            "site": point.site,
            "task": point.task,
            "type": point.experiment_type,
            "architecture": point.model_architecture,
            found.metric: shown(point),
            "run_id": point.run_id,
        }
        for point in found.points
    ]
    print_table(rows, None if found.next_offset is None else 1, metrics)
    return 0


def show_export(asked: MetricsCommand) -> int:
    """Write the rows into a file of a directory.

    Raises:
        ConfigurationError: no row is asked for, or the directory can't be made.
    """
    metrics, rows = open_metrics(), filter_of(asked)
    Questions(metrics).check(rows)
    folder = given_path(asked.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigurationError(f"--output must be a directory but got {folder}: {exc}") from exc
    file = folder / f"metrics.{asked.format}"
    export = metrics.export_to_csv if asked.format == "csv" else metrics.export_to_parquet
    count = export(file, rows)
    print_answer(asked.as_json, {"file": str(file), "rows": count}, f"{count} rows are in {file}")
    return 0


def show_update(asked: MetricsCommand) -> int:
    """Catch up with MLflow, and compact."""

    def work(metrics: MetricsStore, progress: Callable[[int], None]) -> CaughtUp:
        done = catch_up(
            metrics,
            connect(load_settings().tracking_uri).store,
            whole=asked.whole,
            progress=progress,
        )
        try:
            metrics.compact()
        except TimeoutError:
            say("another process is compacting the metrics store: that is left to it")
        return done

    return _brought(asked, work)


def show_rebuild(asked: MetricsCommand) -> int:
    """Make the store anew.

    Raises:
        MetricsStoreError: another process is compacting it.
    """

    def work(metrics: MetricsStore, progress: Callable[[int], None]) -> CaughtUp:
        runs = connect(load_settings().tracking_uri).store
        try:
            return rebuild(metrics, runs, progress=progress)
        except TimeoutError as exc:
            raise MetricsStoreError(
                f"another process is compacting {metrics.address}: try again in a minute"
            ) from exc

    return _brought(asked, work)


def filter_of(asked: MetricsCommand) -> RowFilter:
    return RowFilter.last_days(
        asked.days,
        customer=asked.customer or None,
        site=asked.site or None,
        task=asked.task or None,
        experiment_type=asked.experiment_type or None,
    )


def print_table(rows: list[dict[str, Any]], more: int | None, metrics: MetricsStore) -> None:
    """The table, and what is to be known of it."""
    if rows:
        print_rows(rows)
    else:
        write(
            f"no such run in {metrics.address}; `guardianflow metrics rebuild` fills it from MLflow"
        )
    if more:
        write("there are more: see --limit")
    if damaged := metrics.snapshot().damaged:
        say(
            f"{damaged} lines of the journal are damaged, and their runs are left out: "
            "`guardianflow metrics rebuild` brings them back"
        )


def shown(reading: Reading) -> str:
    """'0.812 [0.79 … 0.83]'; without an interval the value alone."""
    if reading.low is None or reading.high is None:
        return f"{reading.value:.3f}"
    return f"{reading.value:.3f} [{reading.low:.3f} … {reading.high:.3f}]"


def day(moment: Any) -> str:
    return str(moment.astimezone().date())


def _brought(
    asked: MetricsCommand, work: Callable[[MetricsStore, Callable[[int], None]], CaughtUp]
) -> int:
    metrics = open_metrics()
    told = time.monotonic()

    def progress(count: int) -> None:
        nonlocal told
        if time.monotonic() - told >= PROGRESS_LINE_EVERY_S:
            told = time.monotonic()
            say(f"{count} runs read")

    done = work(metrics, progress)
    answer = {"runs": done.runs, "written": done.written, "whole": done.whole}
    text = f"{done.runs} finished runs read, {done.written} rows written to {metrics.address}"
    print_answer(asked.as_json, {**answer, "store": metrics.address}, text)
    return 0

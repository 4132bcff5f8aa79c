"""Runs under way, as MLflow has them now: how far, how good so far, until when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from guardianflow.contracts.results import RunRecord
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.contracts.run_status import RunStatus
from guardianflow.metrics_store.run_rows import row_as_of
from guardianflow.release.report.figures import number
from guardianflow.run_tracking.upkeep.ownership import (
    HEARTBEAT_TAG,
    Life,
    last_sign_ms,
    life_of,
)

from ...sources import Sources
from ..texts.wording import Wording
from .charts import Figure, curve_figure
from .site import place_of

MOST_RUNS, MOST_CURVES, MOST_TRIALS = 200, 12, 1000
CURVE_KEY = "det.mAP50"
LOSSES = ("det.box_loss", "train.box_loss", "train.loss")
PARENT_FILTER = "mlflow.parentRunId"
SILENT_S = 300.0
"""Signs of life come once a minute."""


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Args:
        epoch: the last that was logged; None: none yet.
        epochs: how many are asked for; None: not known.
        left_s: as long as those that are left take at the pace so far; None: not known.
    """

    epoch: int | None
    epochs: int | None
    left_s: float | None

    @property
    def percent(self) -> int | None:
        if self.epoch is None or not self.epochs:
            return None
        return min(100, round(100 * self.epoch / self.epochs))


NO_PROGRESS = Progress(None, None, None)


@dataclass(frozen=True)
class TrialView:
    """A trial of a sweep, or a run of a comparison."""

    index: str
    row: MetricsRow
    status: RunStatus
    value: str


@dataclass(frozen=True)
class RunView:
    """A run under way.

    Args:
        gone: its process has certainly ended without saying so.
        silent_s: since its last sign of life, where that is long ago; None else.
        trials: of a sweep or a comparison, the latest first; empty for all else.
    """

    row: MetricsRow
    title: str
    started: datetime
    lasted_s: float
    progress: Progress
    figure: Figure | None
    latest: str
    gone: bool
    silent_s: float | None
    trials: tuple[TrialView, ...]
    trials_total: int | None

    @property
    def done(self) -> int:
        return sum(each.status is not RunStatus.RUNNING for each in self.trials)


def running_view(sources: Sources, wording: Wording) -> tuple[RunView, ...]:
    """Raises TrackingError: MLflow can't be reached."""
    store, now = sources.ports.store, time.time()
    running = store.find_runs(status=RunStatus.RUNNING, limit=MOST_RUNS)
    shown = {each.run_id for each in running}
    # A trial is shown with its sweep.
    tops = [each for each in running if each.parent_run_id not in shown]
    return tuple(
        _run(sources, each, now, wording, with_curve=number_ < MOST_CURVES)
        for number_, each in enumerate(tops)
    )


def _run(
    sources: Sources, run: RunRecord, now: float, wording: Wording, *, with_curve: bool
) -> RunView:
    store = sources.ports.store
    row = row_as_of(run, int(now * 1000))
    curve = store.curve(run.run_id, CURVE_KEY) if with_curve else []
    lasted = max(0.0, now - run.start_time_ms / 1000)
    total = run.tags.get("sweep.total_runs", "")
    trials: Sequence[RunRecord] = ()
    if with_curve:
        trials = store.find_runs(tags={PARENT_FILTER: run.run_id}, limit=MOST_TRIALS)
    return RunView(
        row=row,
        title=wording.place(place_of(row)),
        started=row.started,
        lasted_s=lasted,
        progress=_progress(sources, run, curve, lasted) if with_curve else NO_PROGRESS,
        figure=curve_figure(curve, wording, "mAP50"),
        latest=number(curve[-1][1] if curve else None, 3),
        gone=life_of(run.tags) is Life.GONE,
        silent_s=_silent(run, now),
        trials=tuple(map(_trial, trials)),
        trials_total=int(total) if total.isdecimal() else None,
    )


def _progress(
    sources: Sources, run: RunRecord, curve: Sequence[tuple[int, float]], lasted: float
) -> Progress:
    steps = [step for step, _ in curve]
    if not steps:
        key = next((each for each in LOSSES if each in run.metrics), None)
        steps = [s for s, _ in sources.ports.store.curve(run.run_id, key)] if key else []
    asked = run.params.get("train.epochs", "")
    epochs = int(asked) if asked.isdecimal() else None
    epoch = max(steps, default=None)
    left = None
    if epoch and epochs is not None and epoch <= epochs:
        left = lasted / epoch * (epochs - epoch)
    return Progress(epoch, epochs, left)


def _silent(run: RunRecord, now: float) -> float | None:
    if HEARTBEAT_TAG not in run.tags:
        return None
    silent = now - last_sign_ms(run) / 1000
    return silent if silent > SILENT_S else None


def _trial(run: RunRecord) -> TrialView:
    row = row_as_of(run, run.end_time_ms or run.start_time_ms)
    value = row.metrics.get("det.mAP50", row.metrics.get("det.quantized.mAP50"))
    return TrialView(run.tags.get("sweep.index", ""), row, run.status, number(value, 3))

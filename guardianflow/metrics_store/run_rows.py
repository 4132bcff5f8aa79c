"""A run as MLflow has it → its row: from its tags, parameters and metrics alone.

So a row that was written at a run's end and one that is made again from MLflow are the same.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ..contracts.results import RunRecord
from ..contracts.run_metrics.rows import MetricsRow
from ..contracts.run_status import RunStatus
from .columns import KEPT

PARTS_OF_A_SITE = 3
"""An experiment is called {customer}/{region}-{plant}/{zone}."""
TRIAL_TAG, QUANTISATION_TRY = "sweep.index", "quant-try"
"""Every run of a sweep, comparison or ablation has the tag; a search names its tries' stage."""
UNKNOWN_PARENT = "unknown"
LOCAL_PREFIX = "local-"
"""Of the id of a run that the store has not got yet."""


def row_of(run: RunRecord) -> MetricsRow | None:
    """The row of a finished run; None of any other, or of one that MLflow has not got yet."""
    ended = run.end_time_ms
    if run.status != RunStatus.FINISHED or ended is None or run.run_id.startswith(LOCAL_PREFIX):
        return None
    return row_as_of(run, ended)


def row_as_of(run: RunRecord, moment_ms: int) -> MetricsRow:
    """A run's row if it had ended at a moment: of one that is under way, or failed."""
    customer, site, zone = _place(run)
    backend, precision = _variant(run)
    tags, params = run.tags, run.params
    return MetricsRow(
        timestamp=_time(moment_ms),
        run_id=run.run_id,
        experiment_name=run.experiment_name,
        run_name=run.run_name,
        started=_time(run.start_time_ms),
        customer=customer,
        site=site,
        zone=zone,
        task=tags.get("task.type") or None,
        experiment_type=tags.get("exp.type") or None,
        experiment_design=tags.get("exp.design") or None,
        model_architecture=params.get("model.architecture") or None,
        model_version=tags.get("exp.version") or None,
        device=tags.get("sys.device") or params.get("env.device") or None,
        backend=backend,
        precision=precision,
        dataset_version=tags.get("data.version") or None,
        evaluator=tags.get("det.evaluator") or None,
        interval_unit=tags.get("det.interval_unit") or None,
        parent_run_id=run.parent_run_id,
        source_run_id=tags.get("source.run_id") or None,
        registered_model_name=tags.get("registered_model_name") or None,
        registered_model_version=tags.get("registered_model_version") or None,
        directory=tags.get("exp.name") or None,
        trial_of=_trial_of(run),
        metrics={key: value for key, value in run.metrics.items() if key.startswith(KEPT)},
    )


def _place(run: RunRecord) -> tuple[str | None, str | None, str | None]:
    """Customer, site and zone: of the tags, else of an experiment that is named as ours are."""
    tags = run.tags
    parts = run.experiment_name.split("/")
    named = parts if len(parts) == PARTS_OF_A_SITE else [None] * PARTS_OF_A_SITE
    region, plant = tags.get("site.region"), tags.get("site.plant")
    site = f"{region}-{plant}" if region and plant else named[1]
    return tags.get("site.customer") or named[0], site, tags.get("site.zone") or named[2]


def _variant(run: RunRecord) -> tuple[str | None, str | None]:
    """Backend and precision that a quant run made: a search may end with another precision."""
    made = run.tags.get("guardianflow.variant", "").rpartition("-as-")[2]
    precision = made or run.params.get("quant.precision")
    return run.params.get("quant.backend") or None, precision or None


def _trial_of(run: RunRecord) -> str | None:
    """The run that tried this one; None of a run that was made for its own sake."""
    tried = TRIAL_TAG in run.tags or run.tags.get("guardianflow.stage") == QUANTISATION_TRY
    return (run.parent_run_id or UNKNOWN_PARENT) if tried else None


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

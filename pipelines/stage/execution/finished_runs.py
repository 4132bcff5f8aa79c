"""Finds finished runs that stand in for new work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardianflow.contracts.errors import (
    SourceError,
)
from guardianflow.contracts.measurements import is_busy
from guardianflow.contracts.results import (
    RegisteredModel,
    RunRecord,
    StageResult,
)
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.names import display_name
from guardianflow.run_tracking.run_records import WAITING_TAG

from ..kinds import KINDS
from ..leftovers.logs import bring_logs
from ..quiet import quiet_rounds
from ..stage import (
    AUTHOR_TAG,
    FINGERPRINT_TAG,
    VARIANT_TAG,
    WORST_SLICE_TAG,
    StageContext,
    StageIdentity,
    StagePlan,
)


def stand_in(plan: StagePlan | StageIdentity, context: StageContext) -> StageResult | None:
    """A finished run that stands in for new work; told, and linked from the launcher's."""
    found = finished_twin(plan, context)
    if found is not None:
        store, work_dir = context.ports.store, context.settings.work_dir
        bring_logs(store, work_dir, found.run_id, context.events.message)
        context.events.emit("run", run_id=found.run_id, run_name=found.run_name)
        if context.request.launcher:
            context.ports.store.link_launcher(found.run_id)
    return found


def finished_twin(plan: StagePlan | StageIdentity, context: StageContext) -> StageResult | None:
    """A finished run of the same fingerprint whose model is still registered.

    One with all its times comes first. One that left times out, because the machine was busy, is
    taken only where the machine is still busy, or where the settings say not to wait for quiet.
    """
    request = context.request
    found = [
        (run, models)
        for run in context.ports.store.find_runs(
            experiment_name=request.experiment_name,
            tags={FINGERPRINT_TAG: plan.fingerprint},
            status=RunStatus.FINISHED,
            limit=5,
        )
        if (models := registered_by(run, context)) is not None
    ]
    if not found:
        return None
    run, models = min(found, key=lambda each: is_busy(each[0].metrics))
    notes: tuple[str, ...] = ()
    if is_busy(run.metrics):
        if quiet_now(context, run):
            return None
        notes = (_without_times(context, run),)
        context.events.message(notes[0])
    return StageResult(
        stage=request.stage,
        run_id=run.run_id,
        status=run.status,
        experiment_name=request.experiment_name,
        run_name=run.run_name,
        metrics=dict(run.metrics),
        models=tuple(model for model in models if not model.is_pending),
        variant=run.tags.get(VARIANT_TAG, request.variant_name),
        author=run.tags.get(AUTHOR_TAG, ""),
        reused=True,
        device=run.tags.get("sys.device", ""),
        worst_slice=run.tags.get(WORST_SLICE_TAG, ""),
        notes=(*notes, *pending_notes(models)),
        data_warnings=plan.data_warnings,
    )


def quiet_now(context: StageContext, run: RunRecord) -> bool:
    """Whether what a finished run left out can be measured now; waits for quiet as a stage does."""
    if not quiet_rounds(context.settings, context.events).wait_for_quiet():
        return False
    context.events.message(
        f"run {run.run_id} has no times, because the machine was busy: it is done again"
    )
    return True


def _without_times(context: StageContext, run: RunRecord) -> str:
    still = "" if context.settings.quiet_wait_s == 0 else ", and it still is"
    return (
        f"run {run.run_id} is reused without times: the machine was busy when it was made{still}. "
        "Run the same command with --force on a quiet machine to measure them"
    )


def registered_by(run: RunRecord, context: StageContext) -> tuple[RegisteredModel, ...] | None:
    """The model version the run's tags name; () where it made none, None where it is gone.

    One that waits for the store, with no version yet, is pending.
    """
    name = run.tags.get("registered_model_name")
    version = run.tags.get("registered_model_version")
    if not (name and version) and (waiting := run.tags.get(WAITING_TAG)):
        model = RegisteredModel(waiting, "", display_name=display_name(waiting), run_id=run.run_id)
        return (model,)
    if not name or not version:
        makes_models = KINDS[context.request.stage].makes_models
        return None if makes_models and context.request.register else ()
    try:
        found = context.ports.registry.describe(f"models:/{name}/{version}")
    except SourceError:
        return None
    return (found,) if found.run_id == run.run_id else None


def pending_notes(models: Sequence[RegisteredModel]) -> Iterator[str]:
    """What is said of models whose registration waits for the store."""
    for model in models:
        if model.is_pending:
            yield (
                f"{model.display_name} is not registered yet, because the store is away: "
                "`guardianflow sync` registers it"
            )

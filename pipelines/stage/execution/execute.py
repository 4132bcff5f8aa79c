"""The run around a stage's work: prepare, reuse or work, and leave the run ended."""

from __future__ import annotations

import json
import platform
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

from guardianflow.contracts.errors import (
    TrackingError,
)
from guardianflow.contracts.results import (
    RunRequest,
    StageResult,
)
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.files import write_private
from guardianflow.support.secrets.redaction import redact_value

from ...failures.disk_space import refuse_too_little_room
from ..backend_check import require_device
from ..leftovers.dead_runs import end_dead_runs
from ..leftovers.logs import give_log, owe_log
from ..stage import (
    AUTHOR_TAG,
    CONFIG_FOLDER,
    FINGERPRINT_TAG,
    ResumableStage,
    Stage,
    StageContext,
    StageIdentity,
    StagePlan,
    StageRequest,
    identity_of,
)
from ..tracked_run import Extra, NewRun, Opening, tracked_run
from .finished_runs import pending_notes, stand_in


def execute(stage: Stage, context: StageContext, log: Path | None = None) -> StageResult:
    """Prepare, reuse or work, and leave the run ended.

    Args:
        log: the file that holds this process's output; uploaded to the run's `logs/`.

    Raises:
        whatever the stage raised, after the run was marked FAILED (KILLED for Ctrl-C).
    """
    request, device = context.request, context.scenario.environment.device
    resumable = stage if isinstance(stage, ResumableStage) else None
    reusable = not (request.force or request.resume or request.check_only)

    def reused(identity: StagePlan | StageIdentity) -> StageResult | None:
        found = stand_in(identity, context)
        if found is not None and resumable:
            resumable.forget(identity.fingerprint, found.run_id)
        return found

    if request.parent_run_id is None and not request.check_only:
        end_dead_runs(context.ports.store, request.experiment_name, context.events.message)
    identity = identity_of(stage) if reusable else None
    if identity is not None and (found := reused(identity)) is not None:
        return found
    plan = stage.prepare()
    if request.check_only:
        require_device(device)
        refuse_too_little_room(plan.disk)
        if resumable:
            resumable.check_free(plan)
        return request.result("", RunStatus.CHECKED, variant="", data_warnings=plan.data_warnings)
    looked_for = identity is not None and identity.fingerprint == plan.fingerprint
    if reusable and not looked_for and (found := reused(plan)) is not None:
        return found
    require_device(device)  # not before: what is finished needs none
    refuse_too_little_room(plan.disk)
    with resumable.hold(plan) if resumable else nullcontext(NewRun(context.ports.store)) as opening:
        result = _work(stage, context, plan, opening, log)
        opening.finished()
    return result


def _work(
    stage: Stage, context: StageContext, plan: StagePlan, opening: Opening, log: Path | None
) -> StageResult:
    """The stage's work in its run, which is left ended."""
    store, request = context.ports.store, context.request

    def start() -> str:
        run_id = opening.open_run(_run_request(plan, request))
        if log is not None:
            with suppress(OSError):  # a full disk: this process still knows whose the log is
                owe_log(log, run_id, opening.attempt)
        context.events.emit("run", run_id=run_id, run_name=request.run_name)
        return run_id

    with tracked_run(store, start, context.events.message) as run:
        run.extras = context.extras
        if log is not None:
            upload = partial(give_log, store, log, run.run_id, opening.attempt)
            run.extras.append(Extra("upload the log", upload))
        log_config(context, plan, run.run_id)
        log_data(context, plan, run.run_id)
        outcome = stage.work(run.run_id)
    return request.result(
        run.run_id,
        run.status,
        metrics=dict(outcome.metrics),
        models=tuple(model for model in outcome.models if not model.is_pending),
        variant=outcome.variant or request.variant_name,
        author=plan.tags.get(AUTHOR_TAG, ""),
        decision=outcome.decision,
        device=outcome.device,
        worst_slice=outcome.worst_slice,
        notes=(*outcome.notes, *pending_notes(outcome.models), *run.notes),
        data_warnings=plan.data_warnings,
    )


def _run_request(plan: StagePlan, request: StageRequest) -> RunRequest:
    return RunRequest(
        experiment_name=request.experiment_name,
        run_name=request.run_name,
        tags={
            **plan.tags,
            **request.tags,
            FINGERPRINT_TAG: plan.fingerprint,
            "guardianflow.stage": request.stage,
        },
        params=plan.params,
        parent_run_id=request.parent_run_id,
        adopt_launcher=request.launcher,
    )


def log_data(context: StageContext, plan: StagePlan, run_id: str) -> None:
    """Name the data set on the run and on its parent; a store that can't is told, no more."""
    if plan.data is None:
        return
    for each in filter(None, (run_id, context.request.parent_run_id)):
        try:
            context.ports.store.log_data(each, plan.data)
        except TrackingError as exc:
            context.events.message(f"the data set is not shown with the run: {exc}")


def log_config(context: StageContext, plan: StagePlan, run_id: str) -> None:
    """`config/scenario.yaml` loads again as it is; `config/resolved.json` says what it came to.

    Both lie in the work directory too, where a failed attempt is kept: without secrets.
    """
    folder = context.scratch / CONFIG_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_private(folder / "scenario.yaml", context.request.scenario_yaml)
    resolved = {
        "stage": context.request.stage,
        "experiment_code_path": context.request.code_path,
        "base_dir": context.request.base_dir,
        "source": context.request.source,
        "variant": dict(context.request.variant),
        "fingerprint": plan.fingerprint,
        "identity": dict(plan.identity),
        "machine": {"python": platform.python_version(), "platform": platform.platform()},
        **plan.record,
    }
    text = json.dumps(redact_value("", resolved), ensure_ascii=False, indent=2, default=str)
    write_private(folder / "resolved.json", text + "\n")
    context.ports.store.log_files(run_id, folder, CONFIG_FOLDER)

"""Runs a script that nobody may change, and keeps all that comes of it in MLflow.

make_plan          the experiment's entry, the script, its arguments; nothing is started yet
lock, snapshot     one run at a time in a directory; what lay there before
run_script         its own process; metrics, output and load are live in the run
find_changes       what it wrote, also elsewhere → artifacts; the best weights → a candidate
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from experiments_adapters.legacy.changes import Changes, Snapshot, find_changes, take_snapshot
from experiments_adapters.legacy.directory_lock import DirectoryLock, locked
from experiments_adapters.legacy.environment import script_environment
from experiments_adapters.legacy.live_metrics import LiveMetrics, LiveSummary
from experiments_adapters.legacy.outcome.outside import OutsideFiles, outside_files
from experiments_adapters.legacy.outcome.written import WrittenRecord
from experiments_adapters.legacy.output_log import OutputLog
from experiments_adapters.legacy.process import ScriptCommand, ScriptResult, run_script
from guardianflow.contracts.errors import ScriptFailedError, SourceError, TrackingError
from guardianflow.contracts.results import RegisteredModel, RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.files import make_private_folder, write_private

from ..settings import Settings
from ..stage.leftovers.dead_runs import end_dead_runs
from ..stage.leftovers.folders import mark_owner
from ..stage.tracked_run import Extra, end_run, tracked_run
from ..wiring import Ports
from .artifacts import keep_artifacts
from .live_upload import LiveUpload
from .outcome import OF_ITS_END, WrapOutcome
from .plan import WrapPlan
from .weights import register_model

SHOWN_PLACES = 3
Tell = Callable[[str], None]


def run_wrapped(
    plan: WrapPlan,
    settings: Settings,
    ports: Ports,
    *,
    environment: Mapping[str, str],
    tell: Tell,
) -> WrapOutcome:
    """Run the script and keep what comes of it.

    Args:
        environment: the user's variables, as they were before any settings were read.
        tell: called with lines for people; from other threads too.

    Raises:
        ScriptFailedError: the script did not end with code 0; its run is FAILED, or KILLED where
            we were told to stop, and what it wrote is kept.
        ConcurrentChangeError: another run is at work in its directory.
        TrackingError: the store refuses.
    """
    scratch = settings.work_dir / "wrap" / uuid.uuid4().hex
    make_private_folder(scratch)
    mark_owner(scratch)
    try:
        with locked(plan.experiment.directory, settings.work_dir / "locks") as lock:
            outcome = _WrappedRun(plan, ports, scratch, environment, tell).run(lock)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if outcome.status != RunStatus.FINISHED:
        raise ScriptFailedError(
            plan.experiment.name,
            outcome.result.reason,
            exit_code=outcome.result.exit_code or 1,
            run_id=outcome.run_id,
        )
    return outcome


@dataclass
class _WrappedRun:
    """One run, from the snapshot to its end."""

    _plan: WrapPlan
    _ports: Ports
    _scratch: Path
    _environment: Mapping[str, str]
    _tell: Tell
    _notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._hook = self._scratch / "python"
        self._record = WrittenRecord(self._hook)

    @property
    def _root(self) -> Path:
        return self._plan.experiment.directory

    def run(self, lock: DirectoryLock) -> WrapOutcome:
        plan, store = self._plan, self._ports.store
        self._end_abandoned(lock.abandoned_run)
        end_dead_runs(store, plan.experiment_name, self._tell)
        before = take_snapshot(self._root)
        request = RunRequest(
            experiment_name=plan.experiment_name,
            run_name=plan.run_name,
            tags=plan.tags,
            params=plan.params,
            adopt_launcher=plan.request.launcher,
        )
        with tracked_run(store, lambda: store.start_run(request), self._tell) as run:
            run_id = run.run_id
            run.interruption = "interrupted while its results were kept"
            run.extras.append(Extra("keep the notes", lambda: self._keep_notes(run_id)))
            lock.note(run=run_id)
            self._tell(f"run {run_id} in experiment {plan.experiment_name}: {plan.run_name}")
            for finding in plan.warnings:
                self._note(f"warning: {finding.text}")
            self._log_config(run_id)
            result, live = self._run_script(run_id, before, lock)
            run.status, run.reason = _status(result), result.reason
            artifacts, model = self._keep(run_id, before, result, live)
        return WrapOutcome(
            run_id=run_id,
            experiment_name=plan.experiment_name,
            run_name=plan.run_name,
            status=run.status,
            result=result,
            metrics=store.get_run(run_id).metrics,
            model=model,
            artifacts=artifacts,
            notes=(*self._notes, *run.notes),
        )

    def _end_abandoned(self, run_id: str) -> None:
        """A wrapper that was killed could not end its run; nobody else works here by now."""
        if not run_id:
            return
        store = self._ports.store
        try:
            if store.get_run(run_id).status != RunStatus.RUNNING:
                return
            end_run(store, run_id, RunStatus.KILLED, "its wrapper was killed", self._tell)
        except SourceError:  # of another store, or deleted
            return
        self._tell(f"run {run_id} was left RUNNING by a wrapper that was killed: now KILLED")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._tell(text)

    def _log_config(self, run_id: str) -> None:
        folder = self._scratch / "config"
        folder.mkdir()
        text = json.dumps(self._plan.as_dict(), ensure_ascii=False, indent=2)
        write_private(folder / "command.json", text + "\n")
        self._ports.store.log_files(run_id, folder, "config")
        self._ports.store.log_files(run_id, self._plan.script, "code")

    def _run_script(
        self, run_id: str, before: Snapshot, lock: DirectoryLock
    ) -> tuple[ScriptResult, LiveSummary]:
        plan, store = self._plan, self._ports.store
        self._hook.mkdir()
        command = ScriptCommand(
            arguments=plan.arguments,
            directory=plan.working_directory,
            environment=script_environment(
                self._environment, plan.python, plan.experiment.env.variables, self._hook
            ),
            timeout_s=plan.experiment.timeout_s,
        )
        log = OutputLog(self._scratch / "kept.log")
        live = LiveMetrics(
            self._root,
            before.files,
            lambda points: store.log_points(run_id, points),
            tell=self._tell,
            working_directory=plan.working_directory,
            record=self._record,
            files=plan.experiment.metrics.files,
            patterns=plan.experiment.metrics.patterns,
        )
        upload = LiveUpload(store, run_id, log, self._scratch)
        upload.start()
        live.start()
        try:
            result = run_script(
                command,
                log,
                listeners=[live.feed],
                started=lambda pid: lock.note(script_pid=pid),
                terminal=plan.request.terminal,
            )
            summary = live.stop()
            try:
                at_its_end = (float(result.exit_code), result.seconds)
                upload.stop(dict(zip(OF_ITS_END, at_its_end, strict=True)))
            except (TrackingError, OSError) as exc:  # what the script made is kept all the same
                failed = "its output or the machine's load could not be brought to the run"
                self._note(f"{failed}: {exc}")
        except BaseException:
            upload.abandon()
            live.abandon()
            raise
        finally:
            log.close()
        if result.left_running:
            self._note(
                f"it left processes running, which were ended: {', '.join(result.left_running)}"
            )
        if log.left_out:
            self._note(f"{log.left_out / 1e6:.1f} MB of its output were left out of the log")
        for note in summary.notes:
            self._note(note)
        return result, summary

    # --- what it wrote ----------------------------------------------------------------------------

    def _keep(
        self, run_id: str, before: Snapshot, result: ScriptResult, live: LiveSummary
    ) -> tuple[tuple[str, ...], RegisteredModel | None]:
        outside = outside_files(self._root, self._record, live.announced, before.taken_ns)
        rules = self._plan.experiment.artifacts
        changes = find_changes(self._root, before, rules, outside.files)
        artifacts = keep_artifacts(self._ports.store, run_id, changes, self._scratch, self._note)
        self._tell_outside(outside, changes)
        model = None
        if self._plan.registers and result.exit_code == 0:
            model, told, weights = register_model(
                self._plan, run_id, changes, self._scratch, self._ports
            )
            self._note(told)
            self._warn_of_others(live, weights if model else None)
        return artifacts, model

    def _tell_outside(self, outside: OutsideFiles, changes: Changes) -> None:
        if not outside.files:
            return
        shown = ", ".join(map(str, outside.places[:SHOWN_PLACES]))
        if (more := len(outside.places) - SHOWN_PLACES) > 0:
            shown += f" and {more} more"
        kept = sum(each.outside for each in changes.kept)
        self._note(
            f"it wrote outside its directory, to {shown}: {kept} of {len(outside.files)} files "
            "from there are kept as this run's"
        )

    def _warn_of_others(self, live: LiveSummary, weights: Path | None) -> None:
        """Numbers of one training must not be read as those of another one's weights."""
        if not (live.others and weights):
            return
        place = weights.resolve()
        main = live.main.resolve() if live.main else None
        if main is None or not place.is_relative_to(main):
            self._note(
                f"the script trained {len(live.others) + 1} times: det.* are of {main}, but the "
                f"registered weights are {weights}. Judge them with: guardianflow infer"
            )

    def _keep_notes(self, run_id: str) -> None:
        if self._notes:
            tags = {"guardianflow.notes": "\n".join(self._notes)[:4000]}
            self._ports.store.annotate(run_id, tags=tags)


def _status(result: ScriptResult) -> RunStatus:
    if result.interrupted_by:
        return RunStatus.KILLED
    return RunStatus.FINISHED if result.exit_code == 0 else RunStatus.FAILED

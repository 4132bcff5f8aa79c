"""A parent run and the stages below it: bookkeeping that survives whatever a stage does."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from guardianflow.contracts.errors import (
    GuardianFlowError,
    SourceError,
    StageFailedError,
    TrackingError,
)
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.files import write_private
from guardianflow.support.secrets.redaction import redact_value, shown_command
from scenario import Scenario, dump_scenario

from ..wiring import Ports
from .plan import RunOptions
from .stage import CONFIG_FOLDER
from .tracked_run import Extra, tracked_run

COMMAND_FILE = "command.json"
"""Beside the scenario in the parent's `config/`."""
COMMAND_OPTIONS = (
    "code_path",
    "source",
    "backend",
    "register",
    "trust_weights",
    "fail_on_gate",
    "executor",
)
"""Of RunOptions, those that change what a chain does."""


class Announcer(Protocol):
    """Tells people how a chain goes; pipelines.stage.executor's is one."""

    def opened(self, title: str, run_id: str) -> None: ...

    def tell(self, text: str) -> None: ...


@contextmanager
def parent_run(
    ports: Ports,
    scenario: Scenario,
    options: RunOptions,
    run_name: str,
    tags: Mapping[str, str],
    announcer: Announcer,
) -> Iterator[str]:
    """The run that holds a chain; ended with its children whatever happens inside.

    Args:
        announcer: tells its id at once: who kills all of it can still resume.

    Raises:
        SourceError: options.resume names a run that can't be gone on with.
        StageFailedError: as the stage raised it, with the command that resumes added.
    """
    store = ports.store

    def start() -> str:
        if options.resume:
            return resume_run(ports, options.resume, scenario)
        return store.start_run(
            RunRequest(
                experiment_name=scenario.get_experiment_name(),
                run_name=run_name,
                tags=tags,
                adopt_launcher=options.launcher,
            )
        )

    run_id = ""
    try:
        with tracked_run(store, start, announcer.tell) as run:
            run_id = run.run_id
            announcer.opened(run_name, run_id)
            log_command(ports, scenario, options, run_id, announcer)
            try:
                yield run_id
            except BaseException as exc:
                if isinstance(exc, StageFailedError):
                    run.reason = str(exc)
                status = (
                    RunStatus.KILLED if isinstance(exc, KeyboardInterrupt) else RunStatus.FAILED
                )
                below = Extra("end the runs below", lambda: store.fail_running(run_id, status))
                run.extras.append(below)
                raise
    except StageFailedError as exc:
        exc.resumed_by(resume_command(options, run_id), run_id)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(resume_command(options, run_id)) from None


def log_command(
    ports: Ports, scenario: Scenario, options: RunOptions, run_id: str, announcer: Announcer
) -> None:
    """`config/` of the parent: what `guardianflow resume` needs. Without it, no more is lost."""
    with tempfile.TemporaryDirectory(prefix="guardianflow-command-") as folder:
        source = scenario.source_path
        command = {name: getattr(options, name) for name in COMMAND_OPTIONS}
        command["scenario_file"] = str(source.resolve()) if source else ""
        command["directory"] = str(Path.cwd())
        write_private(Path(folder) / "scenario.yaml", dump_scenario(scenario))
        text = json.dumps(redact_value("", command), ensure_ascii=False, indent=2)
        write_private(Path(folder) / COMMAND_FILE, text + "\n")
        try:
            ports.store.log_files(run_id, Path(folder), CONFIG_FOLDER)
        except TrackingError as exc:
            announcer.tell(f"what was asked for is not kept with run {run_id}: {exc}")


def resume_run(ports: Ports, run_id: str, scenario: Scenario) -> str:
    """Open a failed chain's parent again."""
    run = ports.store.get_run(run_id)
    if run.status == RunStatus.FINISHED:
        raise SourceError(f"run {run_id} is FINISHED: there is nothing to resume")
    if run.experiment_name != scenario.get_experiment_name():
        raise SourceError(
            f"run {run_id} belongs to experiment {run.experiment_name}, but the scenario's is "
            f"{scenario.get_experiment_name()}; resume it with its own scenario"
        )
    try:
        ports.store.reopen_run(run_id)
    except GuardianFlowError as exc:
        raise SourceError(f"run {run_id} can't be resumed: {exc}") from exc
    return run_id


def resume_command(options: RunOptions, run_id: str) -> str:
    """The command that goes on; finished stages are reused by their fingerprint.

    Full pipelines and comparisons take `resume`; for the rest, and where there is no run yet, the
    same command again is the way on.
    """
    if not (options.resumable and run_id):
        return shown_command(options.invocation)
    flag = "-P resume=" if options.invocation.startswith("mlflow run") else "--resume "
    return shown_command(f"{options.invocation} {flag}{shlex.quote(run_id)}")

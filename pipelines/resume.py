"""Goes on with a run by its id: a training, or what holds several stages.

What was asked for comes from the run's own record: of a training from this machine's work
directory, where its checkpoints are too; of a parent run from its artifacts in `config/`.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import RunRecord, StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.redaction import holds_mark
from scenario import Scenario, dump_scenario, parse_scenario

from .runner import create_runner
from .settings import Settings
from .stage.events import Reporter
from .stage.executor import LocalExecutor
from .stage.kinds import DESIGNS, FULL_PIPELINE, QUANT, TRAIN
from .stage.parent_run import COMMAND_FILE, COMMAND_OPTIONS
from .stage.plan import RunOptions
from .stage.stage import CONFIG_FOLDER, FINGERPRINT_TAG, StageRequest
from .train.unfinished import TrainingState, all_unfinished
from .wiring import Ports

STAGE_TAG = "guardianflow.stage"
_SECRET = (
    "run {run} can't be gone on with by its id: the address of its code or model held a secret, "
    "which is not kept. Give its own command again"
)


@dataclass(frozen=True)
class Resumed:
    """What came of it; `scenario` that of the run."""

    scenario: Scenario
    result: StageResult


def resume(
    ports: Ports,
    settings: Settings,
    run_id: str,
    *,
    overrides: Sequence[str] = (),
    reporter: Reporter,
    verbose: bool = False,
) -> Resumed | None:
    """Go on with a run; None where it is FINISHED.

    Args:
        overrides: 'training.options.token=…': secrets, which are not kept with a run.

    Raises:
        SourceError: an unknown run, or one that can't be gone on with: says why.
        ScenarioError: overrides that can't be.
        StageFailedError: it failed again, or another process is at it.
    """
    run = ports.store.get_run(run_id)
    if run.status == RunStatus.FINISHED:
        return None
    kind = run.tags.get(STAGE_TAG, "")
    if kind == TRAIN:
        return _resume_training(ports, settings, run, overrides, LocalExecutor(reporter, verbose))
    if kind in (FULL_PIPELINE, *DESIGNS) or (kind == QUANT and FINGERPRINT_TAG not in run.tags):
        return _resume_chain(ports, settings, run, kind, overrides, reporter, verbose)
    what = f"a run of '{kind}'" if kind else "no run of a training, a pipeline or a comparison"
    belongs = f"; it belongs to run {run.parent_run_id}" if run.parent_run_id else ""
    raise SourceError(
        f"run {run_id} ({run.run_name}, {run.status}) can't be gone on with: it is {what}{belongs}."
        " Give its command again: what is finished is reused"
    )


def _resume_training(
    ports: Ports,
    settings: Settings,
    run: RunRecord,
    overrides: Sequence[str],
    executor: LocalExecutor,
) -> Resumed:
    state = _state_of(run, settings)
    known = {each.name for each in fields(StageRequest)}
    values = {key: value for key, value in state.request.items() if key in known}
    if holds_mark({key: value for key, value in values.items() if key != "scenario_yaml"}):
        raise SourceError(_SECRET.format(run=run.run_id))
    asked = StageRequest.from_json(json.dumps(values))
    scenario = parse_scenario(
        asked.scenario_yaml, f"scenario of run {run.run_id}", overrides=overrides
    )
    request = replace(
        asked,
        scenario_yaml=dump_scenario(scenario),
        tracking_uri=ports.store.tracking_uri,
        work_dir=str(settings.work_dir),
        resume=run.run_id,
        force=False,
        launcher=False,
    )
    with _inside(state.directory):
        return Resumed(scenario, executor.run(request))


def _state_of(run: RunRecord, settings: Settings) -> TrainingState:
    for _, state in all_unfinished(settings.work_dir):
        if state.run_id == run.run_id:
            return state
    belongs = (
        f" It belongs to run {run.parent_run_id}, which can be gone on with."
        if run.parent_run_id
        else ""
    )
    raise SourceError(
        f"run {run.run_id} ({run.run_name}, {run.status}) can't be gone on with here: its "
        f"checkpoints are not in {settings.work_dir}. Give the command on the machine that "
        f"trained it, or name its work directory in GUARDIANFLOW_WORK_DIR.{belongs}"
    )


def _resume_chain(
    ports: Ports,
    settings: Settings,
    run: RunRecord,
    kind: str,
    overrides: Sequence[str],
    reporter: Reporter,
    verbose: bool,
) -> Resumed:
    text, command = _command_of(ports, run)
    if holds_mark(command):
        raise SourceError(_SECRET.format(run=run.run_id))
    file = Path(command["scenario_file"]) if command["scenario_file"] else None
    directory = Path(command["directory"])
    scenario = parse_scenario(
        text,
        f"scenario of run {run.run_id}",
        overrides=overrides,
        source_path=file or directory / "command-line.yaml",
    )
    given = {name: command[name] for name in COMMAND_OPTIONS if name in command}
    options = RunOptions(
        **given,
        tracking_uri=ports.store.tracking_uri,
        resume=run.run_id,
        invocation=f"guardianflow resume {run.run_id}",
        verbose=verbose,
    )
    with _inside(str(directory)):
        runner = create_runner(
            scenario, options=options, stage=kind, settings=settings, reporter=reporter
        )
        return Resumed(scenario, runner.run())


def _command_of(ports: Ports, run: RunRecord) -> tuple[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="guardianflow-resume-") as folder:
        try:
            place = ports.store.download(run.run_id, CONFIG_FOLDER, Path(folder))
            text = (place / "scenario.yaml").read_text(encoding="utf-8")
            command = json.loads((place / COMMAND_FILE).read_text(encoding="utf-8"))
        except (SourceError, OSError, ValueError) as exc:
            raise SourceError(
                f"run {run.run_id} ({run.run_name}, {run.status}) does not say what was asked for "
                f"({CONFIG_FOLDER}/{COMMAND_FILE} is missing): give its own command again, with "
                f"--resume {run.run_id} where it takes that"
            ) from exc
    return text, command


def _inside(directory: str) -> AbstractContextManager[None]:
    """The directory in which the command was given: relative paths may start there."""
    there = directory and Path(directory).is_dir()
    return contextlib.chdir(directory) if there else nullcontext()

"""Runs what `guardianflow train`, `infer` and so on ask for.

A scenario file and flags are two spellings of one thing: flags compile to a scenario.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from guardianflow.backends.catalogue import CATALOGUE
from guardianflow.contracts.errors import ScenarioError, SourceError
from guardianflow.contracts.given import given_path
from pipelines.command_line import flag_overrides, load_asked, run_command
from pipelines.options import RunCommand
from pipelines.settings import load_settings
from pipelines.stage.inputs import MODEL_REFERENCE, RUN_REFERENCE
from pipelines.stage.kinds import KINDS
from pipelines.stage.plan import is_run_id
from pipelines.wiring import Ports
from scenario import Scenario, build_scenario, load_scenario

WEIGHT_SUFFIXES = tuple(info.file_kind for info in CATALOGUE.values())


def run_scenario(asked: RunCommand) -> int:
    """Carry out what the flags say."""
    again = shlex.join(["guardianflow", *without_resume(sys.argv[1:])])
    return run_command(asked, make_scenario(asked), again)


def without_resume(words: list[str]) -> list[str]:
    """The command as typed, so that a new --resume can be added to it."""
    kept = list(words)
    while "--resume" in kept:
        place = kept.index("--resume")
        del kept[place : place + 2]
    return [word for word in kept if not word.startswith("--resume=")]


def make_scenario(asked: RunCommand) -> Scenario:
    """From the file, from the source run's own scenario, or from flags alone.

    Raises:
        ScenarioError: every problem of file, flags and overrides at once.
    """
    if asked.scenario:
        return load_asked(asked, model_overrides(asked))
    overrides = [*flag_overrides(asked), *model_overrides(asked), *asked.overrides]
    wanted = KINDS[asked.stage].scenario_type
    if logged := logged_scenario(asked.start):
        origin = f"scenario of {asked.start}"
        return build_scenario(logged, overrides=overrides, experiment_type=wanted, origin=origin)
    if not asked.data:
        raise ScenarioError(
            f"`guardianflow {asked.stage}` needs a scenario file, or at least --data "
            f"(see `guardianflow {asked.stage} --help`)"
        )
    return build_scenario(flag_values(asked), overrides=overrides, experiment_type=wanted)


def model_overrides(asked: RunCommand) -> list[str]:
    """`--model yolo11s` names an architecture, `--model best.pt` a file of weights too."""
    if not asked.model or asked.stage == "infer":
        return []
    weights = [f"model.weights_path={asked.model}"] * asked.model.endswith(WEIGHT_SUFFIXES)
    return [*weights, f"model.architecture={Path(asked.model).stem}"]


def flag_values(asked: RunCommand) -> dict[str, Any]:
    """Plain defaults for what flags leave open, so that a first try needs only --data."""
    return {
        "name": "command-line",
        "site": {"customer": "local", "region": "here"},
        "task": {"type": "detection"},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": asked.data},
    }


def logged_scenario(reference: str) -> dict[str, Any] | None:
    """The scenario of the run behind a model: what site, task and data it is for.

    None where the reference is a file, or its run was not made by GuardianFlow.

    Raises:
        SourceError: no such run or model.
    """
    if not reference or (":/" not in reference and given_path(reference).exists()):
        return None
    from pipelines.wiring import connect

    ports = connect(load_settings().tracking_uri)
    run_id = run_behind(ports, reference)
    if run_id is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = ports.store.download(run_id, "config/scenario.yaml", Path(folder))
        except SourceError:
            ports.store.get_run(run_id)  # an unknown run is an error, one without a scenario not
            return None
        scenario = load_scenario(path)
    return scenario.model_dump(mode="json", exclude={"experiment_type", "source_run_id"})


def run_behind(ports: Ports, reference: str) -> str | None:
    """The run that made a model: of `runs:/ID…`, a bare run id, or `models:/…`."""
    if reference.startswith(RUN_REFERENCE):
        return reference[len(RUN_REFERENCE) :].partition("/")[0]
    if is_run_id(reference):
        return reference
    if reference.startswith(MODEL_REFERENCE):
        return ports.registry.describe(reference).run_id
    return None

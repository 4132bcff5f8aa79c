"""Runs what `guardianflow train`, `infer` and so on ask for.

A scenario file and flags are two spellings of one thing: flags compile to a scenario.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from guardianflow.backends.catalogue import CATALOGUE
from guardianflow.contracts.errors import ScenarioError, SourceError
from guardianflow.contracts.given import given_path
from pipelines.command_line import flag_overrides, given_overrides, load_asked, run_command
from pipelines.command_options.scenario_places import local_scenario
from pipelines.options import ON_COMMANDS, RUN_SCENARIO, RunCommand, options_of
from pipelines.runner import stage_of
from pipelines.settings import PROJECT_ROOT, load_settings
from pipelines.stage.inputs.sources import (
    MODEL_REFERENCE,
    RUN_REFERENCE,
)
from pipelines.stage.kinds import DESIGNS, KINDS
from pipelines.stage.plan import is_run_id
from pipelines.wiring import Ports
from scenario import Scenario, build_scenario, load_scenario
from scenario.designs.flags import TRIED, as_design_overrides, tried_among
from scenario.naming import version_reference

WEIGHT_SUFFIXES = tuple(info.file_kind for info in CATALOGUE.values())


def run_scenario(asked: RunCommand) -> int:
    """Carry out what the flags say."""
    again = shlex.join(["guardianflow", *without_resume(sys.argv[1:])])
    return run_command(asked, make_scenario(asked), again)


def run_whatever(asked: RunCommand) -> int:
    """Carry out what the scenario itself says: its design, else its type, else the pipeline.

    Raises:
        ScenarioError: a flag that the command so found does not take.
    """
    if not asked.scenario:
        raise ScenarioError("`guardianflow run-scenario` needs a scenario file")
    tried = tried_among(asked.overrides)
    fixed = as_design_overrides([each for each in asked.overrides if each not in tried])
    overrides = [*asked.field_overrides(), *fixed]
    file = local_scenario(asked.scenario)
    scenario = load_scenario(file, overrides=overrides, search_dirs=[PROJECT_ROOT])
    stage = stage_of(scenario)
    if tried and DESIGNS.get(stage) not in TRIED:
        raise ScenarioError(
            f"{' and '.join(tried)}: scenario '{scenario.name}' is run as `{stage}`, which tries "
            "no values; give one value, or run `guardianflow sweep`"
        )
    taken = ON_COMMANDS[stage]
    odd = [
        each.flags.split()[-1]
        for each in options_of(RunCommand, ON_COMMANDS[RUN_SCENARIO])
        if each.name not in taken and getattr(asked, each.name) != each.default
    ]
    if odd:
        raise ScenarioError(
            f"{' and '.join(odd)}: scenario '{scenario.name}' is run as `{stage}`, which does not "
            "take that; leave it out"
        )
    return run_scenario(replace(asked, stage=stage))


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
    overrides = [*flag_overrides(asked), *model_overrides(asked), *given_overrides(asked)]
    wanted = KINDS[asked.stage].scenario_type
    start = asked.start or first_compared(asked)
    if logged := logged_scenario(start, asked.stage):
        origin = f"scenario of {start}"
        return build_scenario(logged, overrides=overrides, experiment_type=wanted, origin=origin)
    if not asked.data:
        raise ScenarioError(
            f"`guardianflow {asked.stage}` needs a scenario file, or at least --data "
            f"(see `guardianflow {asked.stage} --help`)"
        )
    # What flags leave open has a default, so that a first try needs only --data.
    values = {
        "name": "command-line",
        "site": {"customer": "local", "region": "here"},
        "task": {"type": "detection"},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": asked.data},
    }
    return build_scenario(values, overrides=overrides, experiment_type=wanted)


def model_overrides(asked: RunCommand) -> list[str]:
    """`--model yolo11s` names an architecture, `--model best.pt` a file of weights too."""
    if not asked.model or asked.model == asked.start:
        return []
    weights = [f"model.weights_path={asked.model}"] * asked.model.endswith(WEIGHT_SUFFIXES)
    return [*weights, f"model.architecture={Path(asked.model).stem}"]


def first_compared(asked: RunCommand) -> str:
    """The first of the runs or versions that are compared; '' where none are."""
    both = (asked.run_ids, asked.model_versions)
    run_id, version = (text.partition(",")[0].strip() for text in both)
    return run_id or (version_reference(version) if version else "")


def logged_scenario(reference: str, stage: str = "") -> dict[str, Any] | None:
    """The scenario of the run behind a model: what site, task and data it is for.

    Args:
        stage: what it is for now; the sections of other designs are left out.

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
    others = {name for command, name in DESIGNS.items() if command != stage}
    return scenario.model_dump(
        mode="json", exclude={"experiment_type", "source_run_id", "design", *others}
    )


def run_behind(ports: Ports, reference: str) -> str | None:
    """The run that made a model: of `runs:/ID…`, a bare run id, or `models:/…`."""
    if reference.startswith(RUN_REFERENCE):
        return reference[len(RUN_REFERENCE) :].partition("/")[0]
    if is_run_id(reference):
        return reference
    if reference.startswith(MODEL_REFERENCE):
        return ports.registry.describe(reference).run_id
    return None

"""Plans a wrapped run before anything starts; `--dry-run` prints the plan."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments_adapters.legacy import DEFAULT_FILE
from experiments_adapters.legacy.arguments import entry_of_script, fill_template, script_options
from experiments_adapters.legacy.before_start.check import look_before
from experiments_adapters.legacy.before_start.findings import Finding
from experiments_adapters.legacy.environment import find_python
from experiments_adapters.legacy.git_state import git_state
from experiments_adapters.legacy.registry import LegacyExperiment, load_registry
from experiments_adapters.legacy.registry_schema import SCRIPT_TYPES, EntryPoint, ScriptType
from guardianflow.contracts.errors import ConfigurationError, Problem, Problems
from guardianflow.contracts.results import sha256_of
from guardianflow.support.secrets.redaction import learn_mapping, redact_value
from scenario import SiteConfig, TaskConfig


@dataclass(frozen=True)
class WrapRequest:
    """A request to run one script.

    Args:
        name: of the experiment in the registry file.
        script_type: 'train', 'infer' or 'quant'.
        version, script: which script; '' takes the entry point's default.
        params: values of the template's placeholders, and of further options of the script.
        experiments: the registry file; None takes configs/experiments.yaml.
        register: register the model of a train or quant run.
        trust_weights: open its weights although they name more than detectors need.
        launcher: adopt the run that `mlflow run` has made.
        tags: more tags for the run.
        terminal: show what the script prints.
        dry_run: nothing will be started, so that a site and a task that are still TODO may be.
    """

    name: str
    script_type: str = "train"
    version: str = ""
    script: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    experiments: Path | None = None
    register: bool = True
    trust_weights: bool = False
    launcher: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    terminal: bool = True
    dry_run: bool = False


@dataclass(frozen=True)
class WrapPlan:
    """The script that will run, and how its run will be called.

    Args:
        script: absolute; `arguments` names it as seen from `working_directory`.
        to_fill_in: fields of the entry without which it can't run; only in a dry run.
        warnings: what may stop the script.
    """

    request: WrapRequest
    experiment: LegacyExperiment
    site: SiteConfig
    task: TaskConfig
    script: Path
    python: Path
    arguments: tuple[str, ...]
    working_directory: Path
    params: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    to_fill_in: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def experiment_name(self) -> str:
        return self.site.to_experiment_name()

    @property
    def run_name(self) -> str:
        return f"{self.task.type}-{self.script.stem}-{self.request.script_type}"

    @property
    def registers(self) -> bool:
        return (
            self.request.register
            and self.experiment.register_models
            and self.request.script_type in ("train", "quant")
        )

    def as_dict(self) -> dict[str, Any]:
        """For --dry-run and config/command.json; without secrets."""
        said = {
            "name": self.experiment.name,
            "command": list(self.arguments),
            "working_directory": str(self.working_directory),
            "timeout_s": self.experiment.timeout_s,
            "experiment_name": self.experiment_name,
            "run_name": self.run_name,
            "registers": self.registers,
            "params": dict(self.params),
            "tags": dict(self.tags),
            **({"to_fill_in": list(self.to_fill_in)} if self.to_fill_in else {}),
            **({"warnings": [each.as_dict() for each in self.warnings]} if self.warnings else {}),
        }
        return dict(redact_value("", said))


def make_plan(request: WrapRequest) -> WrapPlan:
    """Check everything that can be checked without starting anything.

    Raises:
        ConfigurationError: all that is wrong with the request and the experiment's entry: an
            unknown name (nearest named), no such script, a script outside its directory, fields
            that are still TODO, placeholders, an interpreter that is not there, and what would
            surely stop the script.
    """
    experiment = load_registry(request.experiments or DEFAULT_FILE).get(request.name)
    return plan_for(experiment, request)


def plan_for(experiment: LegacyExperiment, request: WrapRequest) -> WrapPlan:
    """As make_plan, of an entry that has been read already. Raises ConfigurationError as it."""
    learn_mapping(request.params)
    problems = Problems()
    script_type = _script_type(request.script_type)
    to_fill_in = _unnamed(experiment) if request.dry_run else ()
    site, task = _site_and_task(experiment, problems, as_it_is=bool(to_fill_in))
    named = request.version or None, request.script or None
    script = problems.of(lambda: experiment.select_python(script_type, *named))
    entry = problems.of(lambda: experiment.entry_point(script_type)) if not request.script else None
    entry = entry or getattr(experiment.entry_points, script_type)
    entry = entry or EntryPoint()
    filled: tuple[list[str], dict[str, str]] | None = ([], {})
    if script is not None:
        filled = problems.of(
            lambda: fill_template(entry, request.params, script=script, name=experiment.name)
        )
    at = f"{experiment.where}: " if experiment.where else ""
    where = f"{at}env.python of '{experiment.name}'"
    python = problems.of(lambda: find_python(experiment.env.python, experiment.directory, where))
    working = problems.of(lambda: _working_directory(experiment))
    found: tuple[Finding, ...] = ()
    if script and filled and python and working:
        found = look_before(
            script,
            python,
            working,
            options=script_options(script),
            words=filled[0],
            variables=experiment.env.variables,
        )
        problems += [Problem(each.text) for each in found if each.certain]
    if problems or not (site and task and script and filled and python and working):
        raise ConfigurationError(list(dict.fromkeys(problems)))
    seen_as = os.path.relpath(script, working)
    if seen_as.startswith(".."):
        seen_as = str(script)
    elif seen_as.startswith("-"):
        seen_as = f"./{seen_as}"
    plan = WrapPlan(
        request=request,
        experiment=experiment,
        site=site,
        task=task,
        script=script,
        python=python,
        arguments=(str(python), seen_as, *filled[0]),
        working_directory=working,
        params={f"script.{name}": value for name, value in filled[1].items()},
        to_fill_in=to_fill_in,
        warnings=found,
    )
    return replace(plan, tags=_tags(plan, entry))


def _unnamed(experiment: LegacyExperiment) -> tuple[str, ...]:
    """What a run is called by, and nobody has filled in."""
    return tuple(each for each in experiment.todos() if each.startswith(("site.", "task.type")))


def _site_and_task(
    experiment: LegacyExperiment, problems: Problems, *, as_it_is: bool
) -> tuple[SiteConfig | None, TaskConfig | None]:
    if as_it_is:
        site, task = experiment.site, experiment.task
        return SiteConfig(**dict(site)), TaskConfig.model_validate({"type": task.type})
    return problems.of(experiment.require_site), problems.of(experiment.require_task)


def _script_type(given: str) -> ScriptType:
    for known in SCRIPT_TYPES:
        if given == known:
            return known
    raise ConfigurationError(f"--type must be one of {', '.join(SCRIPT_TYPES)} but got '{given}'")


def _working_directory(experiment: LegacyExperiment) -> Path:
    working = experiment.run_directory
    if not working.is_dir():
        raise ConfigurationError(
            f"working_dir of '{experiment.name}' must be a directory but there is no {working}"
        )
    return working


def _tags(plan: WrapPlan, entry: EntryPoint) -> dict[str, str]:
    """Tags of the run; `exp.options_from` says whose options the script got."""
    request, script, directory = plan.request, plan.script, plan.experiment.directory
    inside = script.is_relative_to(directory)
    tags = {
        "exp.type": request.script_type,
        "exp.name": plan.experiment.name,
        "exp.script": script.relative_to(directory).as_posix() if inside else str(script),
        "exp.source_dir": str(directory),
        "exp.script_sha256": sha256_of(script),
        "exp.command": shlex.join(plan.arguments),
        "exp.python": str(plan.python),
        "guardianflow.stage": "wrap",
    }
    if request.version:
        tags["exp.version"] = request.version
    tags |= {**plan.site.to_tags(), **plan.task.to_tags(), **git_state(directory), **request.tags}
    if entry.args_template:
        own = entry_of_script(entry, script) is not entry  # of all but the default version
        tags["exp.options_from"] = "its own code" if own else "args_template"
    return tags

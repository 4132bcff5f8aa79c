"""From a scenario to the stages that will run: the whole plan is known before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.backends import ORIGINAL as ORIGINAL
from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.errors import Problem, ScenarioError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.system import first_of_several, gpu_list
from guardianflow.support.suggestions import did_you_mean
from scenario import NativeParams, QuantizationParams, Scenario, dump_scenario

from ..settings import BUILTIN_EXPERIMENT, Settings
from .author_code import WORK, PlannedCode, plan_code
from .kinds import INFER, KINDS, QUANT, RELEASE, SIDE_BY_SIDE, TRAIN
from .stage import StageRequest


@dataclass(frozen=True)
class RunOptions:
    """The options of a caller, beside the scenario.

    Args:
        code_path: experiment_code_path; a directory, file or git+ URL.
        source: run id, 'runs:/…', 'models:/…' or a path; '' takes the scenario's source_run_id.
        backend: quantise for this backend alone; '' takes what the scenario says.
        force: work anew although finished runs have the same fingerprint.
        force_only: the stage or variant that is done so; '' none. What follows from it does.
        resume: the run of a full_pipeline or a comparison that failed, to go on with.
        join: a sweep that another machine has begun, to take trials of.
        resumable: whether the command takes `resume`.
        invocation: how the caller would write the command again, for the way back.
        trust_weights: open weights that name more than detectors need; see docs/trust.md.
        fail_on_gate: a release that does not pass is a failure of the command.
        judged_run: a release: the pipeline whose models are judged.
        judged_sources: a release: the train and quant runs whose models are judged.
        executor: what runs the stages of a design: 'local', 'ray' or 'ray://…'; '' is local.
        parallel: stages at a time; None takes what the scenario says.
    """

    code_path: str = BUILTIN_EXPERIMENT
    source: str = ""
    backend: str = ""
    tracking_uri: str | None = None
    force: bool = False
    force_only: str = ""
    register: bool = True
    resume: str = ""
    join: str = ""
    resumable: bool = False
    launcher: bool = False
    verbose: bool = False
    invocation: str = "guardianflow pipeline SCENARIO"
    trust_weights: bool = False
    fail_on_gate: bool = False
    judged_run: str = ""
    judged_sources: tuple[str, ...] = ()
    executor: str = ""
    parallel: int | None = None


@dataclass(frozen=True)
class Planner:
    """Makes stage requests of one scenario, one machine and one set of options.

    Args:
        shared_code: the stages are parts of one chain, so that the code need not have every
            class, and that what trains on several GPUs can be followed by what runs on one.
    """

    scenario: Scenario
    settings: Settings
    options: RunOptions
    tracking_uri: str
    parent_run_id: str | None = None
    shared_code: bool = False

    def train(self, **changes: Any) -> StageRequest:
        return self._request(TRAIN, TRAIN, **changes)

    def quant(self, variant: QuantizationParams, source: str, **changes: Any) -> StageRequest:
        name = variant.variant
        return self._request(
            QUANT,
            f"quant {name}",
            source=source,
            variant=variant.model_dump(mode="json"),
            variant_name=name,
            **({"variants": self._variants()} | changes),
        )

    def _is_forced(self, stage: str, variant: str) -> bool:
        only = self.options.force_only
        return bool(only) and only in (stage, variant)

    def _variants(self) -> tuple[str, ...]:
        return tuple(each.variant for each in select_variants(self.scenario, self.options.backend))

    def infer(self, source: str, name: str = "", **changes: Any) -> StageRequest:
        title = f"infer {name}".rstrip()
        return self._request(INFER, title, source=source, variant_name=name, **changes)

    def release(self, candidates: Sequence[Mapping[str, str]], **changes: Any) -> StageRequest:
        """Judged anew each time: what it is compared with, and the machine, may have changed."""
        given = {"candidates": tuple(candidates), "force": True, **changes}
        return self._request(RELEASE, RELEASE, **given)

    def side_by_side(self, contenders: Sequence[Mapping[str, str]], **changes: Any) -> StageRequest:
        """Several models on the same images; pipelines.side_by_side.contenders makes them."""
        return self._request(SIDE_BY_SIDE, "side by side", candidates=tuple(contenders), **changes)

    def check(self, first: StageRequest, *later: str) -> StageRequest:
        """The first stage's checks alone, with those of the code of later ones."""
        code = {stage: self.code(stage).reference for stage in later}
        known = {stage: reference for stage, reference in code.items()
                 if reference != BUILTIN_EXPERIMENT}  # fmt: skip
        return replace(
            first, check_only=True, title="check", later_code=known, variants=self._variants()
        )

    def code(self, stage: str) -> PlannedCode:
        """The code that a stage will work with.

        Raises:
            ExperimentCodeError: the path is not there, or holds no class for any stage.
        """
        given = self.options.code_path or BUILTIN_EXPERIMENT
        return plan_code(stage, given, self.base_dir, shared=self.shared_code)

    def code_notes(self, *stages: str) -> list[str]:
        """A line for each stage that takes the built-in way though code was given."""
        return [note for note in (self.code(stage).note for stage in stages) if note]

    @property
    def base_dir(self) -> Path:
        """Where relative paths inside the scenario start."""
        source = self.scenario.source_path
        return source.resolve().parent if source else Path.cwd()

    def _request(self, stage: str, title: str, **changes: Any) -> StageRequest:
        scenario_type, whole = KINDS[stage].scenario_type, self.scenario
        typed = whole.as_type(scenario_type) if scenario_type else whole.as_single()
        if stage != TRAIN:
            typed = self._on_one_device(stage, typed)
        values = {
            "run_name": typed.get_run_name(stage),
            "parent_run_id": self.parent_run_id,
            "force": self.options.force or self._is_forced(stage, changes.get("variant_name", "")),
            "register": self.options.register,
            "trust_weights": self.options.trust_weights,
            "input_size_given": "input_size" in self.scenario.model.model_fields_set,
            "shared_code": self.shared_code,
            **changes,
        }
        if stage in WORK and "code_path" not in values:
            code = self.code(stage)
            values |= {"code_path": code.reference, "code_shown": code.shown}
        return StageRequest(
            stage=stage,
            title=title,
            experiment_name=typed.get_experiment_name(),
            scenario_yaml=_dumped(typed.model_dump_json(), typed),
            base_dir=str(self.base_dir),
            tracking_uri=self.tracking_uri,
            work_dir=str(self.settings.work_dir),
            **values,
        )

    def _on_one_device(self, stage: str, typed: Scenario) -> Scenario:
        """In a chain the others run on the first of the GPUs that the training shares.

        Raises:
            ScenarioError: the stage is asked to run on several GPUs.
        """
        environment, given = typed.environment, typed.environment.device
        if not gpu_list(given):
            return typed
        one = first_of_several(given)
        if not self.shared_code:
            raise ScenarioError(
                Problem(
                    f"is '{given}', but a training alone can share several GPUs: for {stage} name "
                    f"one, e.g. --device {one}",
                    "environment.device",
                )
            )
        return typed.model_copy(
            update={"environment": environment.model_copy(update={"device": one})}
        )


_DUMPS: dict[str, str] = {}


def _dumped(values: str, scenario: Scenario) -> str:
    """As dump_scenario, once for all stages that have the same: it takes a while."""
    if values not in _DUMPS:
        _DUMPS[values] = dump_scenario(scenario)
    return _DUMPS[values]


def select_variants(scenario: Scenario, backend: str = "") -> tuple[QuantizationParams, ...]:
    """The scenario's variants, or those of one backend.

    Raises:
        ScenarioError: an unknown backend.
    """
    return (scenario.with_backend(backend) if backend else scenario).quantization_variants


def check_forced(only: str, planned: Sequence[StageRequest]) -> None:
    """Raises ScenarioError where --force names none of the stages or variants of a command."""
    known = dict.fromkeys(each for r in planned for each in (r.stage, r.variant_name) if each)
    if only and only not in known:
        raise ScenarioError(
            f"--force must name one of {', '.join(known)}, or stand alone, but got '{only}'"
            f"{did_you_mean(only, known)}"
        )


def read_variant(values: Mapping[str, Any]) -> QuantizationParams:
    """The variant of a stage request; 'pytorch' is made by comparisons alone."""
    kind = NativeParams if values.get("backend") == SOURCE else QuantizationParams
    return kind.model_validate(dict(values))


def find_source(scenario: Scenario, source: str, stage: str) -> str:
    """A reference to the model to start from; a bare run id becomes `runs:/ID`.

    Raises:
        ScenarioError: nothing says which model.
    """
    given = source or scenario.source_run_id or ""
    if not given:
        if scenario.model.weights_path:
            return scenario.model.weights_path
        raise ScenarioError(
            f"{stage} needs a model to start from: give source_run_id (the id of a "
            f"{KINDS[stage].starts_from} run; `guardianflow list runs` shows them), or "
            "model.weights_path in the scenario"
        )
    return f"runs:/{given}" if is_run_id(given) else given


def is_run_id(text: str) -> bool:
    """A bare word is a run id; a path or URI has a separator, a suffix or lies on the disk."""
    return not any(mark in text for mark in "/\\.:") and not given_path(text).exists()

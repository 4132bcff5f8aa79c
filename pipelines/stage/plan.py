"""From a scenario to the stages that will run: the whole plan is known before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardianflow.contracts.backends import ORIGINAL as ORIGINAL
from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.given import given_path
from scenario import NativeParams, QuantizationParams, Scenario, dump_scenario

from ..settings import BUILTIN_EXPERIMENT, Settings
from .kinds import INFER, KINDS, QUANT, RELEASE, TRAIN
from .stage import StageRequest


@dataclass(frozen=True)
class RunOptions:
    """The options of a caller, beside the scenario.

    Args:
        code_path: experiment_code_path; a directory, file or git+ URL.
        source: run id, 'runs:/…', 'models:/…' or a path; '' takes the scenario's source_run_id.
        backend: quantise for this backend alone; '' takes what the scenario says.
        resume: the run of a full_pipeline or a comparison that failed, to go on with.
        resumable: whether the command takes `resume`.
        invocation: how the caller would write the command again, for the way back.
        trust_weights: open weights that name more than detectors need; see docs/trust.md.
        fail_on_gate: a release that does not pass is a failure of the command.
        judged_run: a release: the pipeline whose models are judged.
        judged_sources: a release: the train and quant runs whose models are judged.
    """

    code_path: str = BUILTIN_EXPERIMENT
    source: str = ""
    backend: str = ""
    tracking_uri: str | None = None
    force: bool = False
    register: bool = True
    resume: str = ""
    resumable: bool = False
    launcher: bool = False
    verbose: bool = False
    invocation: str = "guardianflow pipeline SCENARIO"
    trust_weights: bool = False
    fail_on_gate: bool = False
    judged_run: str = ""
    judged_sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planner:
    """Makes stage requests of one scenario, one machine and one set of options."""

    scenario: Scenario
    settings: Settings
    options: RunOptions
    tracking_uri: str
    parent_run_id: str | None = None

    def train(self, **changes: Any) -> StageRequest:
        return self._request(TRAIN, TRAIN, code_path=self.options.code_path, **changes)

    def quant(self, variant: QuantizationParams, source: str, **changes: Any) -> StageRequest:
        name = variant.variant
        return self._request(
            QUANT,
            f"quant {name}",
            source=source,
            variant=variant.model_dump(mode="json"),
            variant_name=name,
            **changes,
        )

    def infer(self, source: str, name: str = "", **changes: Any) -> StageRequest:
        title = f"infer {name}".rstrip()
        return self._request(INFER, title, source=source, variant_name=name, **changes)

    def release(self, candidates: Sequence[Mapping[str, str]], **changes: Any) -> StageRequest:
        """Judged anew each time: what it is compared with, and the machine, may have changed."""
        given = {"candidates": tuple(candidates), "force": True, **changes}
        return self._request(RELEASE, RELEASE, **given)

    def _request(self, stage: str, title: str, **changes: Any) -> StageRequest:
        scenario_type, source_path = KINDS[stage].scenario_type, self.scenario.source_path
        whole = self.scenario
        typed = whole.as_type(scenario_type) if scenario_type else whole.as_single()
        values = {
            "run_name": typed.get_run_name(stage),
            "parent_run_id": self.parent_run_id,
            "force": self.options.force,
            "register": self.options.register,
            "trust_weights": self.options.trust_weights,
            **changes,
        }
        return StageRequest(
            stage=stage,
            title=title,
            experiment_name=typed.get_experiment_name(),
            scenario_yaml=dump_scenario(typed),
            base_dir=str(source_path.resolve().parent if source_path else Path.cwd()),
            tracking_uri=self.tracking_uri,
            work_dir=str(self.settings.work_dir),
            **values,
        )


def select_variants(scenario: Scenario, backend: str = "") -> tuple[QuantizationParams, ...]:
    """The scenario's variants, or those of one backend.

    Raises:
        ScenarioError: an unknown backend.
    """
    return (scenario.with_backend(backend) if backend else scenario).quantization_variants


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


def describe(requests: Sequence[StageRequest]) -> list[dict[str, str]]:
    """The plan for people and for --json."""
    return [
        {
            "stage": request.title,
            "experiment_name": request.experiment_name,
            "run_name": request.run_name,
            "source": request.source,
        }
        for request in requests
    ]

"""What can be asked for: four stages, and two commands that chain them. The one table of them.

A new kind is a row here, a module with its Stage, and an entry in MLproject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import ConfigurationError

if TYPE_CHECKING:
    from scenario.schema import ExperimentType

    from .stage import Stage, StageContext

TRAIN, QUANT, INFER, RELEASE = "train", "quant", "infer", "release"
FULL_PIPELINE, COMPARE = "full_pipeline", "compare"


@dataclass(frozen=True)
class StageKind:
    """One kind of work.

    Args:
        name: of `python -m pipelines.NAME`, of StageRequest.stage and the tag guardianflow.stage.
        scenario_type: the type of scenario that it needs; None takes any.
        class_name: of the Stage in `pipelines/NAME/stage.py`; '' for a chain of other stages.
        starts_from: for people, the runs whose model it starts from; '' for none.
        makes_models: whether its run ends with a model to register.
        options: what it takes beside the options that all take: 'source' (source_run_id),
            'sources' (several), 'run', 'backend', 'quant_variants', 'resume', 'fail_on_gate'.
    """

    name: str
    scenario_type: ExperimentType | None = None
    class_name: str = ""
    starts_from: str = ""
    makes_models: bool = False
    options: frozenset[str] = frozenset()

    @property
    def resumable(self) -> bool:
        return "resume" in self.options

    @property
    def module(self) -> str:
        return f"pipelines.{self.name}.stage"


KINDS: Mapping[str, StageKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            StageKind(TRAIN, "train", "TrainStage", makes_models=True),
            StageKind(
                QUANT,
                "quant",
                "QuantStage",
                starts_from="train",
                makes_models=True,
                options=frozenset({"source", "backend"}),
            ),
            StageKind(
                INFER,
                "infer",
                "InferStage",
                starts_from="train or quant",
                options=frozenset({"source"}),
            ),
            StageKind(
                RELEASE,
                class_name="ReleaseStage",
                options=frozenset({"run", "sources", "fail_on_gate"}),
            ),
            StageKind(FULL_PIPELINE, options=frozenset({"backend", "resume", "fail_on_gate"})),
            StageKind(
                COMPARE,
                "quant",
                starts_from="train",
                options=frozenset({"source", "quant_variants", "resume"}),
            ),
        )
    }
)
MAKERS = tuple(kind.name for kind in KINDS.values() if kind.makes_models)
"""The stages whose models a release judges."""


def make_stage(context: StageContext) -> Stage:
    """The stage's object; its module is imported here, so that train never loads OpenVINO.

    Raises:
        ConfigurationError: there is no stage of that name.
    """
    kind = KINDS.get(context.request.stage)
    if kind is None or not kind.class_name:
        raise ConfigurationError(f"unknown stage '{context.request.stage}'")
    stage: Stage = getattr(import_module(kind.module), kind.class_name)(context)
    return stage

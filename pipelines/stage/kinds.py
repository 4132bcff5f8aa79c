"""The one table of what can be asked for: stages, and the commands that chain them.

A new kind is a row here, a module with its Stage, and an entry in MLproject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenario.schema import ExperimentType

TRAIN, QUANT, INFER, RELEASE = "train", "quant", "infer", "release"
SIDE_BY_SIDE = "side_by_side"
FULL_PIPELINE, COMPARE, SWEEP = "full_pipeline", "compare", "sweep"
ABLATION = "ablation"


@dataclass(frozen=True)
class StageKind:
    """One kind of work.

    Args:
        name: of `python -m pipelines.NAME`, of StageRequest.stage and the tag guardianflow.stage.
        scenario_type: the type of scenario that it needs; None takes any.
        class_name: of the Stage in `pipelines/NAME/stage.py`; '' for a chain of other stages.
        starts_from: for people, the runs whose model it starts from; '' for none.
        makes_models: whether its run ends with a model to register, which a release may judge.
        resumable: whether a failed run of it can be gone on with: it has stages below it.
        is_command: people may ask for it alone; else it is a part of chains.
    """

    name: str
    scenario_type: ExperimentType | None = None
    class_name: str = ""
    starts_from: str = ""
    makes_models: bool = False
    resumable: bool = False
    is_command: bool = True

    @property
    def module(self) -> str:
        return f"pipelines.{self.name}.stage"


_ROWS = (
    StageKind(TRAIN, "train", "TrainStage", makes_models=True),
    StageKind(QUANT, "quant", "QuantStage", starts_from="train", makes_models=True),
    StageKind(INFER, "infer", "InferStage", starts_from="train or quant"),
    StageKind(RELEASE, class_name="ReleaseStage"),
    StageKind(SIDE_BY_SIDE, class_name="SideBySideStage", is_command=False),
    StageKind(FULL_PIPELINE, resumable=True),
    StageKind(COMPARE, starts_from="train", resumable=True),
    StageKind(SWEEP, resumable=True),
    StageKind(ABLATION, resumable=True),
)
KINDS: Mapping[str, StageKind] = MappingProxyType({kind.name: kind for kind in _ROWS})
DESIGNS: Mapping[str, str] = MappingProxyType(
    {COMPARE: "comparison", SWEEP: "sweep", ABLATION: "ablation"}
)
"""Commands of a design → its name, and the key of its section in a scenario."""
MAKERS = tuple(kind.name for kind in _ROWS if kind.makes_models)

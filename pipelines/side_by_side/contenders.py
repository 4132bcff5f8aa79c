"""The models that stand side by side, as a stage's request holds them.

Contender ──► StageRequest.candidates ──► another process ──► Contender
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardianflow.contracts.errors import ConfigurationError

from ..stage.kinds import SIDE_BY_SIDE
from ..stage.plan import Planner
from ..stage.stage import StageRequest
from .figures import RankedBy


@dataclass(frozen=True)
class Contender:
    """One model.

    Args:
        label: for people: 'yolo11s', 'ppe-yolo11n-train-v1 (0f3c9a1b)'.
        source: 'runs:/ID', 'models:/NAME/3' or a path.
        against: places of the contenders that it is compared with. Where none of a request's
            contenders has any, all are compared with the one that is found most accurate.
        name: of the registered model that it becomes where it is found best; '' registers none.
        group: whose trainings are judged by their mean, each held against one of the best group's;
            '' stands alone.
    """

    label: str
    source: str
    against: tuple[int, ...] = ()
    name: str = ""
    group: str = ""

    def to_dict(self) -> dict[str, str]:
        places = ",".join(map(str, self.against))
        return {
            "label": self.label,
            "source": self.source,
            "against": places,
            "name": self.name,
            "group": self.group,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, str]) -> Contender:
        places = tuple(int(each) for each in values["against"].split(",") if each)
        return cls(
            values["label"], values["source"], places, values["name"], values.get("group", "")
        )


def side_by_side(planner: Planner, contenders: Sequence[Contender], by: RankedBy) -> StageRequest:
    """The stage that measures them."""
    sources = [each.source for each in contenders]
    pending = [each for each in sources if each.startswith("runs:/<")]
    return planner.side_by_side(
        [each.to_dict() for each in contenders],
        source=pending[0] if pending else ", ".join(sources),
        run_name="side-by-side",
        variant={"metric": by.metric, "maximize": by.maximize},
        tags={"side_by_side.models": ", ".join(each.label for each in contenders)},
    )


def ranked_by(request: StageRequest) -> RankedBy:
    """The metric that a request's models are ranked by."""
    return RankedBy(**request.variant)


def contenders_of(request: StageRequest) -> list[Contender]:
    """Those of a request.

    Raises:
        ConfigurationError: none, or two of one label.
    """
    if request.stage != SIDE_BY_SIDE:
        raise ConfigurationError(f"the stage must be '{SIDE_BY_SIDE}' but got '{request.stage}'")
    found = [Contender.from_dict(each) for each in request.candidates]
    labels = [each.label for each in found]
    if not found or len(set(labels)) < len(labels):
        raise ConfigurationError(
            f"what stands side by side must have different names but got {labels}"
        )
    return found

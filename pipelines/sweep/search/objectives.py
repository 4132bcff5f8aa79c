"""The numbers that a sweep makes better, as its runs report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardianflow.support.suggestions import did_you_mean
from scenario.designs.metrics import Direction

_PREFIXES = ("", "quantized.")
"""Between a metric's group and its name; quant stages have the second."""


@dataclass(frozen=True)
class Objective:
    """One of the numbers that a sweep is for.

    Args:
        key: of the metric: 'det.mAP50'.
    """

    key: str
    direction: Direction = "maximize"

    @property
    def name(self) -> str:
        """For people and for `best.NAME`: 'mAP50'."""
        return self.key.removeprefix("det.")

    def value_in(self, metrics: Mapping[str, float]) -> float | None:
        """The value that a run reports; None where it reports none.

        A quant stage measures two models: its own one's value counts.
        """
        group, _, name = self.key.partition(".")
        spelled = (f"{group}.{prefix}{name}" for prefix in _PREFIXES)
        return next((metrics[key] for key in spelled if key in metrics), None)

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is the better one."""
        return one > other if self.direction == "maximize" else one < other


def missing_problem(objectives: Sequence[Objective], metrics: Mapping[str, float]) -> str:
    """Says which objectives a run that ended well does not report; '' where it reports all."""
    lines = [
        f"metric must be one that its runs report but got '{each.key}'"
        f"{did_you_mean(each.key, metrics)}"
        for each in objectives
        if each.value_in(metrics) is None
    ]
    if not lines:
        return ""
    return f"{'; '.join(lines)}. They report: {', '.join(sorted(metrics)) or 'nothing'}"


def is_dominated(
    values: Sequence[float], others: Sequence[Sequence[float]], objectives: Sequence[Objective]
) -> bool:
    """Whether some other is better in one objective and in none worse."""
    pairs = [list(zip(objectives, other, values, strict=True)) for other in others]
    return any(
        any(each.better(theirs, ours) for each, theirs, ours in of_one)
        and not any(each.better(ours, theirs) for each, theirs, ours in of_one)
        for of_one in pairs
    )

"""One run of a sweep, a comparison or an ablation, as changes to the scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool | None
"""Of one parameter in one trial."""


@dataclass(frozen=True)
class Trial:
    """One run of a design.

    Args:
        index: from 0, in the order that they are made in; tag sweep.index.
        name: of its run: 'ppe-sweep-003', 'arch-yolo11s', 'dataset-busan'.
        changes: path in the scenario → value, 'training.learning_rate' → 0.001; what it differs in.
        variable, value: tags comparison.variable and comparison.value; '' in a sweep.
        repeat: from 0, of those with the same changes; the seed is the scenario's plus this.
    """

    index: int
    name: str
    changes: Mapping[str, Value] = field(default_factory=dict)
    variable: str = ""
    value: str = ""
    repeat: int = 0

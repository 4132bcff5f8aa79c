"""The gate table of a report: figures, words, and a small picture of value, interval and limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...contracts.releases import GateVerdict, is_least
from .figures import GateFigures
from .wording import Wording

CHART_WIDTH, CHART_HEIGHT, CHART_EDGE = 170.0, 26.0, 6.0
SMALLEST = 1e-300  # a share of less is nothing, and can't be divided by
ROOM = 0.18
"""Beside what is drawn, as a share of it."""


@dataclass(frozen=True)
class IntervalChart:
    """Places in the small picture, in its own units.

    Args:
        value, low, high, limit: x of each.
        good_from, good_width: of the side that keeps the limit.
        label: for those who can't see it.
    """

    value: float
    low: float
    high: float
    limit: float
    good_from: float
    good_width: float
    label: str
    width: float = CHART_WIDTH
    height: float = CHART_HEIGHT


class GateRow:
    """One gate as the table shows it."""

    def __init__(self, gate: GateVerdict, wording: Wording) -> None:
        self.gate = gate.gate
        self.name = wording.gate_name(gate.gate, gate.slice_name)
        self.badge = wording.badge(gate.outcome)
        self.figures = GateFigures(gate)
        self.reason = wording.gate_reason(gate)
        self.is_measured = gate.measured is not None
        self.chart = interval_chart(gate, self.figures, wording)


def interval_chart(
    gate: GateVerdict, figures: GateFigures, wording: Wording
) -> IntervalChart | None:
    """The picture of a gate; None where nothing was measured or a bound is not finite."""
    measured = gate.measured
    if measured is None:
        return None
    points = (measured.value, measured.low, measured.high, gate.limit)
    if not all(map(math.isfinite, points)):
        return None
    lowest, highest = min(points), max(points)
    spread = max(highest - lowest or abs(gate.limit) or 1.0, SMALLEST)
    start, stop = lowest - ROOM * spread, highest + ROOM * spread

    def place(value: float) -> float:
        share = (value - start) / (stop - start)
        return round(CHART_EDGE + share * (CHART_WIDTH - 2 * CHART_EDGE), 1)

    value, low, high, limit = map(place, points)
    least = is_least(gate.gate)
    good_from = limit if least else CHART_EDGE
    good_until = CHART_WIDTH - CHART_EDGE if least else limit
    good_width, label = round(good_until - good_from, 1), wording.text("chart", **vars(figures))
    return IntervalChart(value, low, high, limit, good_from, good_width, label)

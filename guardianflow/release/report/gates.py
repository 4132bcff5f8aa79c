"""The gate table of a report: figures, words, and a small picture of value, interval and limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...contracts.releases import GateVerdict, is_least
from .figures import GateFigures, gate_figures
from .wording import SYMBOLS, Wording

CHART_WIDTH, CHART_HEIGHT, CHART_EDGE = 170.0, 26.0, 6.0
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


@dataclass(frozen=True)
class GateRow:
    """One gate as the table shows it."""

    gate: str
    name: str
    outcome: str
    symbol: str
    word: str
    figures: GateFigures
    reason: str
    is_measured: bool
    chart: IntervalChart | None


def gate_rows(gates: Sequence[GateVerdict], wording: Wording) -> list[GateRow]:
    """The rows of one variant, in the order of its gates."""
    rows = []
    for gate in gates:
        figures = gate_figures(gate)
        rows.append(
            GateRow(
                gate=gate.gate,
                name=wording.gate_name(gate.gate),
                outcome=gate.outcome,
                symbol=SYMBOLS[gate.outcome],
                word=wording.text(gate.outcome),
                figures=figures,
                reason=wording.gate_reason(gate),
                is_measured=gate.measured is not None,
                chart=interval_chart(gate, figures, wording),
            )
        )
    return rows


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
    spread = highest - lowest or abs(gate.limit) or 1.0
    start, stop = lowest - ROOM * spread, highest + ROOM * spread

    def place(value: float) -> float:
        share = (value - start) / (stop - start)
        return round(CHART_EDGE + share * (CHART_WIDTH - 2 * CHART_EDGE), 1)

    limit, least = place(gate.limit), is_least(gate.gate)
    good_from = limit if least else CHART_EDGE
    good_until = CHART_WIDTH - CHART_EDGE if least else limit
    return IntervalChart(
        value=place(measured.value),
        low=place(measured.low),
        high=place(measured.high),
        limit=limit,
        good_from=good_from,
        good_width=round(good_until - good_from, 1),
        label=wording.text(
            "chart",
            value=figures.value,
            low=figures.low,
            high=figures.high,
            limit=figures.limit,
        ),
    )

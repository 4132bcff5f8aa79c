"""Figures for Plotly as it takes them, and the small pictures of tiles. Colours are the page's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guardianflow.metrics_store.questions.answers import Reading, TrendPoint

from ..texts.wording import ZONES, Wording

WIDTH, HEIGHT, EDGE = 240.0, 44.0, 4.0
LEAST_SPREAD = 0.02
Trace = dict[str, Any]
"""As https://plotly.com/javascript/reference/ has it."""


@dataclass(frozen=True)
class Figure:
    """One chart.

    Args:
        x, y: titles of the axes.
        label: for those who can't see it.
        limit: of a dashed line across it; None: none.
        marks: (time, word) of vertical lines: releases.
        lines: across it run lines; else points alone.
    """

    traces: tuple[Trace, ...]
    x: str
    y: str
    label: str
    limit: float | None = None
    limit_word: str = ""
    marks: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "label"}


@dataclass(frozen=True)
class Sparkline:
    """A tile's small picture: places of its line, in its own units.

    Args:
        points: of an SVG polyline.
        last_x, last_y: of its end.
        limit_y: of the limit; None where it lies outside.
    """

    points: str
    last_x: float
    last_y: float
    limit_y: float | None
    label: str


def sparkline(history: Sequence[Reading], limit: float | None, label: str) -> Sparkline | None:
    """None of fewer than two values."""
    values = [each.value for each in history]
    if len(values) < 2:
        return None
    lowest, highest = min(values), max(values)
    near = limit is not None and lowest - 0.1 <= limit <= highest + 0.1
    if limit is not None and near:  # near enough to be seen beside them
        lowest, highest = min(lowest, limit), max(highest, limit)
    middle, spread = (lowest + highest) / 2, max(highest - lowest, LEAST_SPREAD)

    def y_of(value: float) -> float:
        share = (value - middle) / spread + 0.5
        return round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 1)

    step = (WIDTH - 2 * EDGE) / (len(values) - 1)
    places = [(round(EDGE + n * step, 1), y_of(value)) for n, value in enumerate(values)]
    drawn = " ".join(f"{x},{y}" for x, y in places)
    return Sparkline(drawn, *places[-1], y_of(limit) if limit is not None and near else None, label)


def trend_figure(
    points: Iterable[TrendPoint],
    wording: Wording,
    *,
    title: str,
    limit: float | None,
    marks: Iterable[tuple[datetime, str]] = (),
) -> Figure | None:
    """A line for each type of run and evaluator; intervals as whiskers. None without points."""
    groups: dict[tuple[str | None, str | None], list[TrendPoint]] = {}
    for each in points:
        groups.setdefault((each.experiment_type, each.evaluator), []).append(each)
    traces: list[Trace] = []
    for (kind, evaluator), members in groups.items():
        name = wording.known(f"type.{kind}", kind or wording.text("no_type"))
        name += "" if evaluator else f" ({wording.text('own_numbers')})"
        traces.append(
            {
                "name": name,
                "x": [local(each.timestamp, wording) for each in members],
                "y": [each.value for each in members],
                "above": [_reach(each.high, each.value) for each in members],
                "below": [_reach(each.value, each.low) for each in members],
                "text": [each.model_architecture or "" for each in members],
                "lines": kind != "quant",  # formats of one model are no course of time
                "named": False,
            }
        )
    if not traces:
        return None
    return Figure(
        tuple(traces),
        wording.text("chart.time", zone=wording.zone),
        title,
        wording.text("chart.trend", metric=title, count=sum(len(t["x"]) for t in traces)),
        limit,
        wording.text("limit"),
        tuple((local(time, wording), word) for time, word in marks),
    )


def curve_figure(curve: Sequence[tuple[int, float]], wording: Wording, title: str) -> Figure | None:
    """A metric over epochs. None of fewer than two points."""
    if len(curve) < 2:
        return None
    trace: Trace = {
        "name": title,
        "x": [step for step, _ in curve],
        "y": [value for _, value in curve],
        "lines": True,
    }
    return Figure(
        (trace,),
        wording.text("epoch"),
        title,
        wording.text("chart.curve", metric=title, last=f"{curve[-1][1]:.3f}"),
    )


def local(time: datetime, wording: Wording) -> str:
    """Plotly knows no time zones: it is given the hour that the page shows."""
    return f"{time.astimezone(ZONES[wording.zone]):%Y-%m-%d %H:%M:%S}"


def _reach(upper: float | None, lower: float | None) -> float | None:
    if upper is None or lower is None or not math.isfinite(upper - lower):
        return None
    return max(0.0, upper - lower)

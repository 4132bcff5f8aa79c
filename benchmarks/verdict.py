"""The last line every benchmark prints, and its exit code."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardianflow.backends.hardware import cpu_model

RESAMPLES = 2000


def conclude(
    name: str,
    ratios: Sequence[float],
    goal: float,
    *,
    at_most: bool,
    conditions: Mapping[str, Any],
) -> int:
    """Print the median of paired ratios with its bootstrap interval; 0 when the goal holds.

    Args:
        ratios: one per pair, measured by turns.
        at_most: the goal is an upper bound.
    """
    ratio = statistics.median(ratios)
    holds = ratio <= goal if at_most else ratio >= goal
    verdict = {
        "name": name,
        "ratio": round(ratio, 4),
        "goal": f"{'<=' if at_most else '>='} {goal}",
        "holds": holds,
        "interval": [round(x, 4) for x in bootstrap_interval(ratios)],
        "conditions": {**machine(), **conditions, "ratios": [round(r, 4) for r in ratios]},
    }
    print(json.dumps(verdict, ensure_ascii=False))
    return 0 if holds else 1


@dataclass(frozen=True)
class Goal:
    """Ratios measured by turns, and between which bounds their median must lie."""

    ratios: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def text(self) -> str:
        low = f">= {self.at_least}" if self.at_least is not None else ""
        high = f"<= {self.at_most}" if self.at_most is not None else ""
        return " and ".join(part for part in (low, high) if part)

    @property
    def margin(self) -> float:
        """How far inside the nearest bound the median lies; below 0 it is outside."""
        margins = []
        if self.at_least is not None:
            margins.append(self.median - self.at_least)
        if self.at_most is not None:
            margins.append(self.at_most - self.median)
        return min(margins)


def conclude_all(name: str, goals: Mapping[str, Goal], *, conditions: Mapping[str, Any]) -> int:
    """As conclude, for a benchmark with several ratios: it holds when all do.

    The line's `ratio` is the one nearest to its bound; `parts` has them all.
    """
    parts = {
        part: {
            "ratio": round(goal.median, 4),
            "goal": goal.text,
            "holds": goal.margin >= 0,
            "interval": [round(x, 4) for x in bootstrap_interval(goal.ratios)],
            "ratios": [round(r, 4) for r in goal.ratios],
        }
        for part, goal in goals.items()
    }
    tightest = min(goals, key=lambda part: goals[part].margin)
    shown = {key: parts[tightest][key] for key in ("ratio", "goal", "interval")}
    holds = all(goal.margin >= 0 for goal in goals.values())
    verdict = {"name": name, **shown, "holds": holds, "decided_by": tightest}
    verdict |= {"conditions": {**machine(), **conditions}, "parts": parts}
    print(json.dumps(verdict, ensure_ascii=False))
    return 0 if holds else 1


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float]:
    """95% percentile bootstrap of the median (Efron 1979), seeded."""
    chance = random.Random(0)
    medians = sorted(
        statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
    }


def by_turns(pairs: int, first: Callable[[], float], second: Callable[[], float]) -> list[float]:
    """first ÷ second, `pairs` times; who goes first changes each time, so drift hits both."""
    ratios = []
    for pair in range(pairs):
        if pair % 2:
            b, a = second(), first()
        else:
            a, b = first(), second()
        print(f"pair {pair + 1}/{pairs}: {a:.2f} s / {b:.2f} s = {a / b:.4f}", flush=True)
        ratios.append(a / b)
    return ratios

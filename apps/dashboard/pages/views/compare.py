"""Architectures, sites or variants beside each other: accuracy against latency.

One type of run at a time; what several evaluators judged is never one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.questions.answers import Aggregate, Group
from guardianflow.release.report.figures import ABSENT, amount, number

from ...sources import Sources
from ..texts.wording import Wording
from .charts import Figure, Trace

BY = ("architecture", "site", "variant")
TYPES = ("infer", "quant", "train")
SHOWN = ("mAP50", "mAP50_95", "recall", "latency_ms", "latency_p95_ms", "fps")
MOST_SITES = 1000


@dataclass(frozen=True)
class Line:
    """One thing that is compared, by one evaluator. `cells`: (mean, lowest … highest) of SHOWN."""

    name: str
    evaluator: str
    runs: int
    cells: tuple[tuple[str, str], ...]
    accuracy: float | None
    latency: float | None


@dataclass(frozen=True)
class CompareView:
    lines: tuple[Line, ...]
    figure: Figure | None
    without_figure: int
    """Lines that have no accuracy or no latency: they are no points."""


def compare_view(sources: Sources, wording: Wording, asked: RowFilter, by: str) -> CompareView:
    """Raises UnknownNameError: a name that no run has."""
    ask = sources.questions
    lines: list[Line] = []
    if by == "site":
        for group in ask.summary(asked, limit=MOST_SITES).groups:
            place = group.place
            name = f"{wording.place(place)} · {place.task or ABSENT} · {place.customer or ABSENT}"
            lines.append(_line(name, group, wording))
    elif by == "variant":
        for variant in ask.variants(asked).groups:
            name = " ".join(filter(None, (variant.backend, variant.precision)))
            lines.append(_line(name or wording.text("no_variant"), variant, wording))
    else:
        for each in ask.comparison(asked).groups:
            name = each.model_architecture or wording.text("no_architecture")
            lines.append(_line(name, each, wording))
    lines.sort(key=lambda each: (each.accuracy is None, -(each.accuracy or 0), each.name))
    drawn = [each for each in lines if each.accuracy is not None and each.latency is not None]
    return CompareView(
        tuple(lines), _figure(drawn, sources.limit("mAP50"), wording), len(lines) - len(drawn)
    )


def _line(name: str, group: Group, wording: Wording) -> Line:
    accuracy, latency = group.metrics.get("mAP50"), group.metrics.get("latency_ms")
    return Line(
        name,
        group.evaluator or wording.text("own_numbers"),
        group.runs,
        tuple(_cell(metric, group.metrics.get(metric)) for metric in SHOWN),
        accuracy.mean if accuracy else None,
        latency.mean if latency else None,
    )


def _cell(metric: str, found: Aggregate | None) -> tuple[str, str]:
    if found is None:
        return ABSENT, ""

    def text(value: float) -> str:
        return amount(value) if metric.endswith("_ms") or metric == "fps" else number(value, 3)

    spread = "" if found.rows == 1 else f"{text(found.minimum)} … {text(found.maximum)}"
    return text(found.mean), spread


def _figure(lines: Iterable[Line], limit: float | None, wording: Wording) -> Figure | None:
    """The better the further up and left."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.evaluator, []).append(line)
    traces: list[Trace] = [
        {
            "name": evaluator,
            "x": [each.latency for each in members],
            "y": [each.accuracy for each in members],
            "text": [each.name for each in members],
            "lines": False,
            "named": True,
        }
        for evaluator, members in groups.items()
    ]
    if not traces:
        return None
    return Figure(
        tuple(traces),
        wording.text("metric.latency_ms"),
        wording.text("metric.mAP50"),
        wording.text("chart.compare", count=sum(len(t["x"]) for t in traces)),
        limit,
        wording.text("limit"),
    )

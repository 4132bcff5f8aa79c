"""Pictures of alarms: a timeline of each recording, the worst as film strips, operating curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .judging import JudgedAlarms

if TYPE_CHECKING:
    from guardianflow.contracts.recordings.alarm_results import OperatingPoint, TunedRules


@dataclass(frozen=True)
class AlarmPictures:
    """Files; None where there was nothing to draw.

    Args:
        strips: the worst misses and false alarms.
        curve: what is missed against what is raised falsely, where the truth has incidents.
    """

    timelines: Path
    strips: Path | None
    curve: Path | None


def draw_alarms(judged: JudgedAlarms, plots: Path, name: str = "") -> AlarmPictures:
    """Draw one model's alarms.

    Args:
        plots: directory of the files.
        name: of the model, in the files' names; '' where there is one alone.
    """
    from guardianflow.evaluation.pictures.alarms import alarm_timelines
    from guardianflow.evaluation.pictures.film_strips import film_strips

    inputs, of_model = judged.inputs, f"_{name}" if name else ""
    plots.mkdir(parents=True, exist_ok=True)
    strips = film_strips(
        inputs.recordings,
        judged.detections,
        inputs.rules,
        judged.outcomes,
        plots / f"alarm_misses{of_model}.jpg",
    )
    return AlarmPictures(
        alarm_timelines(judged.outcomes, plots / f"alarms{of_model}.png"),
        strips,
        draw_curves(judged, plots / f"alarm_curve{of_model}.png"),
    )


def draw_curves(judged: JudgedAlarms, path: Path) -> Path | None:
    """The operating curve of each rule; its own setting is marked."""
    from guardianflow.evaluation.alarms.curve import operating_curve

    inputs = judged.inputs
    curves: dict[str, Sequence[OperatingPoint]] = {}
    chosen: list[OperatingPoint] = []
    for rule in inputs.rules:
        given = (inputs.recordings, judged.detections, rule)
        points = operating_curve(*given, counting=inputs.counting)
        if any(
            each.missed is not None and each.false_per_camera_day is not None for each in points
        ):
            curves[rule.name] = points
            chosen += operating_curve(
                *given,
                confidences=[rule.min_confidence],
                holds=[rule.hold],
                counting=inputs.counting,
            )
    return _draw(curves, chosen, None, path)


def draw_tuning(tuned: TunedRules, path: Path) -> Path | None:
    """The same of tuned rules, with the limit."""
    return _draw(tuned.curves, tuned.points, tuned.limit, path)


def _draw(
    curves: Mapping[str, Sequence[OperatingPoint]],
    chosen: Sequence[OperatingPoint],
    limit: float | None,
    path: Path,
) -> Path | None:
    from guardianflow.evaluation.alarms.curve import best_points
    from guardianflow.evaluation.pictures.alarms import alarm_curves

    if not curves:
        return None
    best = {rule: best_points(points) for rule, points in curves.items()}
    return alarm_curves(curves, best, path, chosen=chosen, limit=limit)

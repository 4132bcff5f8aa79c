"""Draws alarms: a line for each recording with what was true and what was raised; operating curves.

Names may be Hangul. With nothing to draw a function raises EvaluationError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...contracts.recordings.alarm_results import AlarmOutcome, OperatingPoint, RecordingOutcome
from .drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    RED,
    figure_at,
    legend_beside,
    light_grid,
    require_some,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_LINES = 40
LONGEST_NAME = 44
# Colour and shape: neither needs the other to be understood.
MARKS = {
    AlarmOutcome.HIT: (GREEN, "v", "alarm: hit"),
    AlarmOutcome.FALSE: (BLUE, "x", "alarm: false"),
    AlarmOutcome.NEITHER: (GREY, "|", "alarm: repeats a hit"),
}
HIT_BAR, MISSED_BAR = "#9FD8C4", "#F2B48A"
MINUTES_FROM_S, HOURS_FROM_S = 300.0, 7200.0


def alarm_timelines(outcomes: Sequence[RecordingOutcome], path: Path) -> Path:
    """A line for each recording, and for each of its rules where there are several.

    With more than 40 lines those with most misses are shown, then those with most false alarms,
    and the picture says so.

    Args:
        path: .png to write.
    """
    require_some(outcomes, "a picture of alarms")
    lines = _lines(outcomes)
    shown = lines[:SHOWN_LINES]
    longest_s = max(outcome.watched_s for _, outcome in shown)
    longest_s = max([longest_s, *(_last_moment(outcome) for _, outcome in shown)])
    unit, seconds = _unit(longest_s)
    with figure_at(path, 11, 1.6 + 0.34 * len(shown)) as figure:
        axes = figure.add_subplot()
        for height, (_, outcome) in zip(range(len(shown))[::-1], shown, strict=True):
            _draw_line(axes, outcome, height, seconds)
        names = [shortened(name, LONGEST_NAME) for name, _ in shown]
        axes.set_yticks(range(len(shown))[::-1], names, fontsize=9 if len(shown) <= 20 else 7)
        title = "What was true and what was raised"
        if len(shown) < len(lines):
            title += f"\nthe {len(shown)} of {len(lines)} lines with most misses and false alarms"
        axes.set(title=title, ylim=(-0.7, len(shown) - 0.3), xlim=(0, longest_s / seconds * 1.01))
        axes.set_xlabel(f"Since the recording's start, {unit}")
        light_grid(axes, "x")
        _legend(axes)
    return path


def _lines(outcomes: Sequence[RecordingOutcome]) -> list[tuple[str, RecordingOutcome]]:
    """Name and outcome of each line; all in their order where they can all be shown."""
    rules = sorted(
        {each.alarm.rule for outcome in outcomes for each in outcome.alarms}
        | {each.incident.rule for outcome in outcomes for each in outcome.incidents}
    )
    if len(rules) < 2:
        lines = [(outcome.recording, outcome) for outcome in outcomes]
    else:
        lines = [
            (f"{outcome.recording}: {rule}", outcome.of_rule(rule))
            for outcome in outcomes
            for rule in rules
        ]
    if len(lines) <= SHOWN_LINES:
        return lines
    return sorted(lines, key=lambda each: (-each[1].missed, -each[1].false))


def _last_moment(outcome: RecordingOutcome) -> float:
    moments = [each.incident.end_s for each in outcome.incidents]
    return max([0.0, *moments, *(each.alarm.at_s for each in outcome.alarms)])


def _unit(longest_s: float) -> tuple[str, float]:
    if longest_s < MINUTES_FROM_S:
        return "seconds", 1.0
    return ("minutes", 60.0) if longest_s < HOURS_FROM_S else ("hours", 3600.0)


def _draw_line(axes: Axes, outcome: RecordingOutcome, height: int, seconds: float) -> None:
    axes.axhline(height, color="#E0E0E0", lw=0.8, zorder=0)
    for each in outcome.incidents:
        start, end = each.incident.start_s / seconds, each.incident.end_s / seconds
        axes.broken_barh(
            [(start, end - start)],
            (height - 0.3, 0.6),
            facecolor=HIT_BAR if each.is_hit else MISSED_BAR,
            edgecolor=GREEN if each.is_hit else RED,
            hatch="" if each.is_hit else "////",
            lw=0.8,
        )
    for kind, (colour, marker, _) in MARKS.items():
        places = [each.alarm.at_s / seconds for each in outcome.alarms if each.outcome is kind]
        axes.plot(places, [height] * len(places), marker, color=colour, ms=7, mew=1.6, zorder=3)


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Patch | Line2D] = [
        Patch(facecolor=HIT_BAR, edgecolor=GREEN, label="true, and hit"),
        Patch(facecolor=MISSED_BAR, edgecolor=RED, hatch="////", label="true, and missed"),
    ]
    handles += [
        Line2D([], [], color=colour, marker=marker, mew=1.6, ls="none", label=said)
        for colour, marker, said in MARKS.values()
    ]
    legend_beside(axes, handles=handles)


# --- operating curves -----------------------------------------------------------------------------


def alarm_curves(
    curves: Mapping[str, Sequence[OperatingPoint]],
    best: Mapping[str, Sequence[OperatingPoint]],
    path: Path,
    *,
    chosen: Sequence[OperatingPoint] = (),
    limit: float | None = None,
) -> Path:
    """Missed share over false alarms a camera day: every setting a dot, the best ones a line.

    Args:
        curves: rule → all its points.
        best: rule → those that no other beats.
        chosen: drawn as stars.
        limit: of false alarms a camera day, of all rules together; drawn as a line.
        path: .png to write.
    """
    drawn = {rule: _places(points) for rule, points in curves.items()}
    require_some([place for places in drawn.values() for place in places], "an operating curve")
    with figure_at(path, 9, 5) as figure:
        axes = figure.add_subplot()
        for colour, (rule, places) in zip(COLOURS, drawn.items(), strict=False):
            axes.plot(*zip(*places, strict=True), ".", color=colour, alpha=0.3, ms=5)
            front = _places(best.get(rule, ()))
            if front:
                axes.plot(
                    *zip(*front, strict=True),
                    color=colour,
                    lw=2,
                    marker="o",
                    ms=4,
                    drawstyle="steps-post",
                    label=shortened(rule),
                )
        for point, (across, up) in zip(chosen, _places(chosen), strict=True):
            colour = COLOURS[list(drawn).index(point.rule.name) % len(COLOURS)]
            label = f"chosen: confidence {point.rule.min_confidence:g}, {_hold(point)}"
            axes.plot(across, up, "*", color=colour, ms=16, mec="black", ls="none", label=label)
        if limit is not None:
            label = f"limit {limit:g} a day" + (", of all rules" if len(drawn) > 1 else "")
            axes.axvline(limit, color=RED, ls="--", lw=1.2, label=label)
        axes.set_xscale("symlog", linthresh=1.0)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        highest = max(across for places in drawn.values() for across, _ in places)
        axes.set(ylim=(-0.03, 1.03), xlim=(-0.1, max(highest, limit or 0, 1) * 1.3))
        axes.set_title("What is missed against what is raised falsely")
        axes.set_xlabel("False alarms a camera day")
        axes.set_ylabel("Share of incidents missed")
        light_grid(axes)
        legend_beside(axes)
    return path


def _places(points: Sequence[OperatingPoint]) -> list[tuple[float, float]]:
    return [
        (point.false_per_camera_day, point.missed)
        for point in points
        if point.false_per_camera_day is not None and point.missed is not None
    ]


def _hold(point: OperatingPoint) -> str:
    hold = point.rule.hold
    if hold.seconds is not None:
        return f"{hold.seconds:g} s"
    return f"{hold.frames} of {hold.of} pictures"

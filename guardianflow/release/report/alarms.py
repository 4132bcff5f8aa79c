"""Alarms in a report: figures of champion and candidate, rules, a timeline of each recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from ...contracts.recordings.alarm_results import (
    KEYS,
    AlarmFigure,
    AlarmFigures,
    NoFigure,
    RecordingOutcome,
)
from ..models import AlarmMeasurement, ComparedModels
from .content import ReleaseReport
from .figures import ABSENT, amount, number, signed
from .tables import BETTER, MARKS, UNSURE, WORSE, Cell, ModelRow
from .wording import Wording

SHARES = ("missed", "precision", "recall", "f1")
COMPARED = ("missed", "false_per_camera_day")
SHOWN_RECORDINGS = 24
WIDTH, HEIGHT = 1000.0, 36.0
"""Of a timeline, in its own units; it is stretched to the width there is."""
LEAST_WIDTH = 3.0


@dataclass(frozen=True)
class Bar:
    """An incident in a timeline: from x, so wide; `is_hit` fills it."""

    x: float
    width: float
    is_hit: bool


@dataclass(frozen=True)
class Stroke:
    """An alarm in a timeline; `kind` is 'hit', 'false' or 'neither'."""

    x: float
    kind: str


@dataclass(frozen=True)
class Strip:
    """One model's alarms of one rule in one recording.

    Args:
        label: the rule, and whose alarms they are.
        told: the same counts in words, for those who can't see it.
    """

    label: str
    told: str
    bars: tuple[Bar, ...]
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True)
class Timeline:
    """A recording's strips."""

    recording: str
    length: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class RuleRow:
    """One rule of one model, as counts."""

    role: str
    rule: str
    incidents: int
    hits: int
    false: int


@dataclass(frozen=True)
class AlarmsView:
    """A variant's alarms: for the templates.

    Args:
        absent: sentences, why figures are absent.
        more: recordings that are not shown.
    """

    rows: tuple[ModelRow, ...]
    absent: tuple[str, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    timelines: tuple[Timeline, ...] = ()
    more: int = 0
    width: float = field(default=WIDTH)
    height: float = field(default=HEIGHT)


def alarm_headings(wording: Wording) -> list[str]:
    return [wording.text(f"alarm.{key}") for key in KEYS]


def alarm_intro(report: ReleaseReport, wording: Wording) -> str:
    """What was judged; '' where the scenario has no alarms."""
    measured = next((each.candidate.alarms for each in report.variants), None)
    if measured is None:
        return ""
    figures = measured.figures
    hours = figures.camera_days * 24
    return wording.text(
        "alarms.intro",
        recordings=figures.recordings,
        cameras=figures.cameras,
        hours=amount(hours),
        incidents=figures.incidents,
        tolerance=f"{figures.counting.tolerance_s:g}",
    )


def alarms_view(compared: ComparedModels, wording: Wording) -> AlarmsView | None:
    """None where the scenario has no alarms."""
    mine = compared.candidate.alarms
    if mine is None:
        return None
    theirs = compared.champion.alarms if compared.champion else None
    timelines = _timelines(mine, theirs, wording)
    return AlarmsView(
        rows=tuple(_rows(compared, wording)),
        absent=tuple(_absent(mine.figures, wording)),
        rules=tuple(_rules(mine, theirs, wording)),
        timelines=tuple(timelines[:SHOWN_RECORDINGS]),
        more=max(0, len(timelines) - SHOWN_RECORDINGS),
    )


# --- figures --------------------------------------------------------------------------------------


def _rows(compared: ComparedModels, wording: Wording) -> Iterator[ModelRow]:
    for role, model in (("champion", compared.champion), ("candidate", compared.candidate)):
        if model is not None and model.alarms is not None:
            figures = model.alarms.figures
            cells = tuple(_cell(key, figures[key]) for key in KEYS)
            yield ModelRow(role, wording.text(role), model.model.version, cells)
    if compared.alarm_differences:
        changes = tuple(
            _change(key, compared.alarm_differences[key], wording) if key in COMPARED else Cell("")
            for key in KEYS
        )
        yield ModelRow("difference", wording.text("difference"), "", changes)


def _decimals(key: str) -> int:
    return 3 if key in SHARES else 1


def _cell(key: str, figure: AlarmFigure) -> Cell:
    if figure.value is None:
        return Cell(ABSENT)
    shown = partial(number, decimals=_decimals(key))
    if figure.low is None or figure.high is None:
        return Cell(shown(figure.value))
    return Cell(shown(figure.value), f"{shown(figure.low)} … {shown(figure.high)}")


def _change(key: str, change: AlarmFigure, wording: Wording) -> Cell:
    """Candidate − champion; above 0 is worse."""
    if change.value is None:
        return Cell(ABSENT)
    value = signed(change.value, _decimals(key))
    if change.low is None or change.high is None:
        return Cell(value, "", MARKS[UNSURE], wording.text(UNSURE), UNSURE)
    kind = WORSE if change.low > 0 else BETTER if change.high < 0 else UNSURE
    bounds = f"{signed(change.low, _decimals(key))} … {signed(change.high, _decimals(key))}"
    return Cell(value, bounds, MARKS[kind], wording.text(kind), kind)


def _absent(figures: AlarmFigures, wording: Wording) -> Iterator[str]:
    found: dict[NoFigure, list[str]] = {}
    for key in KEYS:
        if cause := figures[key].cause:
            found.setdefault(cause, []).append(wording.text(f"alarm.{key}"))
    for cause, names in found.items():
        yield wording.text(f"no_figure.{cause}", figures=", ".join(names))


def _rules(
    mine: AlarmMeasurement, theirs: AlarmMeasurement | None, wording: Wording
) -> Iterator[RuleRow]:
    """Of two and more rules."""
    for rule in mine.figures.rules:
        for role, measured in (("champion", theirs), ("candidate", mine)):
            if measured is not None:
                of_rule = measured.figures.rules[rule]
                yield RuleRow(
                    wording.text(role), rule, of_rule.incidents, of_rule.hits, of_rule.false
                )


# --- timelines ------------------------------------------------------------------------------------


def _timelines(
    mine: AlarmMeasurement, theirs: AlarmMeasurement | None, wording: Wording
) -> list[Timeline]:
    """Of each recording in which something happened or was alarmed; most amiss first."""
    others = {each.recording: each for each in theirs.outcomes} if theirs else {}
    rules = rules_of(mine.outcomes)
    ordered = sorted(mine.outcomes, key=lambda each: (-(each.missed + each.false), each.recording))
    timelines = []
    for outcome in ordered:
        pair = {"champion": others.get(outcome.recording), "candidate": outcome}
        length = max(filter(None, (_end_of(each) for each in pair.values() if each)), default=0.0)
        strips = tuple(
            _strip(one.of_rule(rule), rule, wording.text(role) if others else "", length, wording)
            for rule in rules
            for role, one in pair.items()
            if one is not None and (one.of_rule(rule).alarms or one.of_rule(rule).incidents)
        )
        if strips:
            minutes, seconds = divmod(round(length), 60)
            timelines.append(Timeline(outcome.recording, f"{minutes}:{seconds:02d}", strips))
    return timelines


def rules_of(outcomes: Sequence[RecordingOutcome]) -> list[str]:
    """Every rule that something happened to, in a steady order."""
    found = {each.incident.rule for outcome in outcomes for each in outcome.incidents}
    found |= {each.alarm.rule for outcome in outcomes for each in outcome.alarms}
    return sorted(found)


def _end_of(outcome: RecordingOutcome) -> float:
    """The recording's length, or what reaches beyond the part that was watched."""
    ends = [each.incident.end_s for each in outcome.incidents]
    return max([outcome.watched_s, *ends, *(each.alarm.at_s for each in outcome.alarms)])


def _strip(
    outcome: RecordingOutcome, rule: str, role: str, length: float, wording: Wording
) -> Strip:
    def place(seconds: float) -> float:
        return round(WIDTH * seconds / length, 1) if length else 0.0

    bars = tuple(
        Bar(
            place(each.incident.start_s),
            max(LEAST_WIDTH, round(place(each.incident.end_s) - place(each.incident.start_s), 1)),
            each.is_hit,
        )
        for each in outcome.incidents
    )
    strokes = tuple(Stroke(place(each.alarm.at_s), each.outcome.value) for each in outcome.alarms)
    told = ", ".join(
        (
            f"{wording.text('incidents')} {len(outcome.incidents)}",
            f"{wording.text('hits')} {outcome.hits}",
            f"{wording.text('false_alarms')} {outcome.false}",
        )
    )
    return Strip(" · ".join(filter(None, (rule, role))), told, bars, strokes)

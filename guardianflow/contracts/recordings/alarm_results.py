"""Alarms judged against the truth, and the figures drawn from them.

    Counting            the rule of counting: i-LIDS' or KISA's
    JudgedAlarm, JudgedIncident, RecordingOutcome
                        each alarm and each incident of a recording, and what became of it
    AlarmFigure         a value with its interval, or the cause why there is none
    AlarmFigures        all of them, and the counts they are drawn from

Frozen values, JSON-able through to_dict(); standard library only. docs/alarms.md defines them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from .alarms import TOLERANCE_S, Alarm, AlarmRule, Incident

DAY_S = 86_400.0
KISA_EARLY_S = 2.0
"""An alarm may come so long before an incident is said to start (KISA)."""


@dataclass(frozen=True)
class Counting:
    """How near an incident's start an alarm must be to be a hit.

    Args:
        tolerance_s: after the start.
        early_s: before the start.
    """

    tolerance_s: float = TOLERANCE_S
    early_s: float = 0.0


ILIDS = Counting()
"""Within 10 s from the start on (UK Home Office, "i-LIDS User Guide")."""
KISA = Counting(early_s=KISA_EARLY_S)
"""From 2 s before the start to 10 s after it (KISA, certification of intelligent CCTV)."""


class AlarmOutcome(StrEnum):
    """What an alarm counts as."""

    HIT = "hit"
    FALSE = "false"
    NEITHER = "neither"


@dataclass(frozen=True)
class JudgedAlarm:
    """An alarm, and what it counts as.

    Args:
        incident: index in the outcome's incidents: the one it hit, or that it repeats; None of a
            false alarm.
    """

    alarm: Alarm
    outcome: AlarmOutcome
    incident: int | None = None


@dataclass(frozen=True)
class JudgedIncident:
    """A true incident, and how long after its start the alarm came that hit it.

    Args:
        delay_s: negative where the counting forgives an early one; None where it was missed.
    """

    incident: Incident
    delay_s: float | None = None

    @property
    def is_hit(self) -> bool:
        return self.delay_s is not None


@dataclass(frozen=True)
class RecordingOutcome:
    """The alarms and incidents of one recording, judged.

    Args:
        camera: '' where it is not known.
        watched_s: of footage, gaps left out.
        alarms: by time.
        incidents: by start.
    """

    recording: str
    camera: str
    watched_s: float
    alarms: tuple[JudgedAlarm, ...] = ()
    incidents: tuple[JudgedIncident, ...] = ()

    @property
    def hits(self) -> int:
        return sum(each.is_hit for each in self.incidents)

    @property
    def missed(self) -> int:
        return len(self.incidents) - self.hits

    @property
    def false(self) -> int:
        return sum(each.outcome is AlarmOutcome.FALSE for each in self.alarms)

    @property
    def neither(self) -> int:
        return sum(each.outcome is AlarmOutcome.NEITHER for each in self.alarms)

    def of_rule(self, rule: str) -> RecordingOutcome:
        """The same recording with one rule's alarms and incidents alone."""
        places = [i for i, each in enumerate(self.incidents) if each.incident.rule == rule]
        place = {old: new for new, old in enumerate(places)}
        alarms = tuple(
            replace(each, incident=None if each.incident is None else place[each.incident])
            for each in self.alarms
            if each.alarm.rule == rule
        )
        return replace(self, alarms=alarms, incidents=tuple(self.incidents[i] for i in places))


# --- figures --------------------------------------------------------------------------------------


class NoFigure(StrEnum):
    """Why a figure, or its interval alone, is absent."""

    NO_INCIDENTS = "no_incidents"
    NO_ALARMS = "no_alarms"
    NO_HITS = "no_hits"
    TOO_SHORT = "too_short"
    FEW_RECORDINGS = "few_recordings"
    FEW_HITS = "few_hits"


@dataclass(frozen=True)
class AlarmFigure:
    """A value with its interval, or the cause why there is none.

    Args:
        value: None where it was not measured, never 0 in its place.
        low, high: None where the interval can't be told.
        cause: why the value, or the interval alone, is absent.
        groups: recordings (or cameras) that it rests on.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    cause: NoFigure | None = None
    groups: int = 0


KEYS: Mapping[str, tuple[str, str]] = {
    "missed": ("missed", ""),
    "false_per_camera_day": ("false_per_camera_day", ""),
    "delay_p50_s": ("delay_p50", "_s"),
    "delay_p95_s": ("delay_p95", "_s"),
    "precision": ("precision", ""),
    "recall": ("recall", ""),
    "f1": ("f1", ""),
    "kisa_score": ("kisa_score", ""),
}
"""Figure → its metric's stem and unit; a bound stands between them: delay_p50_low_s."""


@dataclass(frozen=True)
class AlarmFigures:
    """Figures of alarms over recordings, and the counts they are drawn from.

    Args:
        figures: a value for every one of KEYS.
        camera_days: of watched footage.
        recall_bias: α of f1.
        rules: the same for each rule alone; empty within one of them.
    """

    figures: Mapping[str, AlarmFigure]
    incidents: int
    hits: int
    false: int
    neither: int
    recordings: int
    cameras: int
    camera_days: float
    confidence: float = 0.95
    recall_bias: float = 1.0
    counting: Counting = ILIDS
    rules: Mapping[str, AlarmFigures] = field(default_factory=dict)

    def __getitem__(self, key: str) -> AlarmFigure:
        return self.figures[key]

    def as_metrics(self, prefix: str = "alarm.") -> dict[str, float]:
        """`{prefix}missed` … with bounds, and the counts; what was not measured is absent.

        Of several rules also `{prefix}{rule}.missed` …, without bounds.
        """
        metrics: dict[str, float] = {}
        for key, (stem, unit) in KEYS.items():
            figure = self.figures[key]
            named = {"": figure.value, "_low": figure.low, "_high": figure.high}
            metrics |= {
                f"{prefix}{stem}{part}{unit}": float(value)
                for part, value in named.items()
                if value is not None
            }
        counts = ("incidents", "hits", "false", "neither", "recordings", "cameras", "camera_days")
        metrics |= {f"{prefix}{name}": float(getattr(self, name)) for name in counts}
        if len(self.rules) > 1:
            for rule, of_rule in self.rules.items():
                metrics |= {
                    f"{prefix}{rule}.{key}": float(figure.value)
                    for key, figure in of_rule.figures.items()
                    if figure.value is not None
                }
        return metrics

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# --- operating points -----------------------------------------------------------------------------


@dataclass(frozen=True)
class OperatingPoint:
    """A rule as it could be set, and what it then misses and raises falsely.

    Args:
        missed: share of incidents; None without incidents.
        false_per_camera_day: None of too little footage.
    """

    rule: AlarmRule
    incidents: int
    hits: int
    false: int
    camera_days: float
    missed: float | None
    false_per_camera_day: float | None


@dataclass(frozen=True)
class TunedRules:
    """Rules chosen on recordings for choosing, with what they did there.

    Args:
        rules: as chosen, in the order given.
        points: the chosen point of each.
        ties: how many other choices miss as few and raise as few false alarms.
        limit: false alarms a camera day, of all rules together.
        false_per_camera_day, missed: of the choice, of all rules together.
        curves: rule → all its points.
    """

    rules: tuple[AlarmRule, ...]
    points: tuple[OperatingPoint, ...]
    ties: int
    limit: float
    false_per_camera_day: float
    missed: float
    curves: Mapping[str, Sequence[OperatingPoint]]

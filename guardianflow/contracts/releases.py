"""Values of a release: its limits, its verdicts, and the changes of a model's aliases.

    ReleaseLimits ─→ GateVerdict, one a gate ─→ VariantDecision ─→ ReleaseDecision
    JournalEntry  one change of aliases, as it is kept on the registered model

Frozen values without words: release/explanation.py says them in English, release/report in both
languages. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .estimates import Estimate
from .recordings.leaks import LeakNote, LeakUnknown

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"
VERDICTS = (PASS, FAIL, UNDECIDED)
ACTIONS = ("promote", "rollback")
OBJECTIVES = {"latency_p50": "latency_p50_ms", "throughput": "fps", "size": "size_mb"}
"""Objective → key of VariantDecision.metrics; of 'fps' more is better, of the others less."""
MIN_RECALL_IN = "min_recall_in"
RECALL = "recall."
"""Before a class name: the key of its recall."""
ALARM_RECALL, ALARM_FALSE = "alarm.recall", "alarm.false_per_camera_day"
"""What of alarms may be held against the champion: a drop of the one, a rise of the other."""
CANDIDATE, CHAMPION, ROLLBACK = "candidate", "champion", "rollback"

# Tags of a model version, written when a release has judged it.
OUTCOME_TAG = "release.outcome"
"""'pass', 'fail' or 'undecided'."""
EVIDENCE_TAG = "release.run_id"
"""The release run that judged it; its artifacts hold the measurements and the report."""
COMPARED_TAG = "release.champion_version"
"""The champion it was compared with; '' where there was none."""
REPORT_TAG = "release.report"
"""'runs:/ID/report/release.html'."""


def is_least(gate: str) -> bool:
    """True where the gate's limit is the least that is allowed, not the most."""
    return gate.startswith("min_")


@dataclass(frozen=True)
class ReleaseLimits:
    """The gates of a release; None or empty: not asked.

    Args:
        min_mAP50, min_mAP50_95: 0…1.
        min_recall: class name → recall at the deployed confidence, 0…1.
        min_recall_in: slice, by its short name ('night', 'weather.rain') → class name → recall.
        max_drop_vs_champion: 'mAP50', 'mAP50_95', 'recall.{class}' or 'alarm.recall' → largest
            loss, 0…1.
        max_latency_p95_ms: decoded frame → boxes, one image at a time.
        min_fps: frames a second in throughput mode, images on disk → boxes.
        min_cameras: at the scenario's `benchmark.cameras` fps and budget.
        max_size_mb: of the model's files.
        max_missed_alarms: share of true incidents without an alarm, 0…1.
        max_false_alarms_per_day: of one camera.
        max_alarm_delay_s: 95th percentile of the time from an incident's start to its alarm.
        max_rise_vs_champion: 'alarm.false_per_camera_day' → largest rise, false alarms a day.
        max_leak: share of the judged images that may have a twin in train or be of a recording
            that is in it, 0…1. None: the usual share, and a gate of its own only where more leak.
        confidence: of every interval a gate is judged on, 0.5…<1.
    """

    min_mAP50: float | None = None  # noqa: N815 - the field's own spelling
    min_mAP50_95: float | None = None  # noqa: N815
    min_recall: Mapping[str, float] = field(default_factory=dict)
    min_recall_in: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    max_drop_vs_champion: Mapping[str, float] = field(default_factory=dict)
    max_latency_p95_ms: float | None = None
    min_fps: float | None = None
    min_cameras: int | None = None
    max_size_mb: float | None = None
    max_missed_alarms: float | None = None
    max_false_alarms_per_day: float | None = None
    max_alarm_delay_s: float | None = None
    max_rise_vs_champion: Mapping[str, float] = field(default_factory=dict)
    max_leak: float | None = None
    confidence: float = 0.95


class CauseKind(StrEnum):
    """Reasons for which a gate is judged as it is; after AT_LIMIT, those for which it can't be."""

    KEPT = "kept"
    MISSED = "missed"
    MORE_IMAGES = "more_images"
    """The limit lies within the interval; more test images would decide it."""
    MORE_GROUPS = "more_groups"
    """So do more recordings, or cameras."""
    MORE_RUNS = "more_runs"
    """So do more timed calls."""
    QUIETER_MACHINE = "quieter_machine"
    """So does a machine without other work."""
    AT_LIMIT = "at_limit"
    """The value lies so near the limit that no reasonable amount of measuring decides it."""
    NO_CHAMPION = "no_champion"
    NO_IMAGES = "no_images"
    FEW_IMAGES = "few_images"
    FEW_GROUPS = "few_groups"
    """Too few recordings, or cameras, show what the gate asks for."""
    FEW_BOXES = "few_boxes"
    """Too few true boxes of the slice that the gate asks for."""
    UNKNOWN_RECORDINGS = "unknown_recordings"
    """The images look like frames of videos, and nothing says of which: the interval is over images
    and too narrow to judge by."""
    FEW_RUNS = "few_runs"
    FEW_FRAMES = "few_frames"
    BUSY_MACHINE = "busy_machine"
    """Times are absent: no quiet stretch came in which they could be taken."""
    NOT_MEASURED = "not_measured"
    UNAVAILABLE = "unavailable"
    """The backend can't do it on this machine."""
    MORE_FOOTAGE = "more_footage"
    """The limit lies within the interval; more recorded days of a camera would decide it."""
    MORE_INCIDENTS = "more_incidents"
    """So do more recorded incidents."""
    MORE_RECORDINGS = "more_recordings"
    """So do more recordings, for differences paired by recording."""
    FEW_RECORDINGS = "few_recordings"
    FEW_ALARMS = "few_alarms"
    """Too few incidents were alarmed for an interval of their delays."""
    NO_INCIDENTS = "no_incidents"
    NO_ALARMS = "no_alarms"
    """No incident was alarmed, so none has a delay."""
    SHORT_FOOTAGE = "short_footage"
    LEAKS = "leaks"
    """More of the judged images is in train than may be: measured on them, nothing is proved."""
    LEAK_UNKNOWN = "leak_unknown"
    """Whether they are can't be told: the data that the model learnt are not these, or not here."""
    RECORDED = "recorded"
    """A result of an earlier release, which wrote words alone."""


@dataclass(frozen=True)
class GateCause:
    """The reason for a gate's verdict, and its figures; None or '' where the kind has none.

    Args:
        more: about how many more test images, recordings or cameras (`unit`), camera-days or
            incidents would decide it, as `kind` says; None where none would.
        unit: that the interval counts as one piece of evidence: 'recording', 'camera' or 'image';
            '' where it is no interval of accuracy, and in earlier decisions.
        held: images, groups or boxes that show what the gate asks for, calls timed, frames done,
            or images that leak.
        needed: how many of them it takes in all.
        split: whose images were counted.
        bare: the value without an interval.
        confidence: of the interval that could not be made.
        told: what the backend or the earlier release said, or what kept the machine busy; quoted.
        unknown: why it can't be told what leaks.
    """

    kind: CauseKind
    more: float | None = None
    held: int | None = None
    needed: int | None = None
    split: str = ""
    bare: float | None = None
    confidence: float | None = None
    told: str = ""
    unknown: LeakUnknown | None = None
    unit: str = ""


@dataclass(frozen=True)
class GateVerdict:
    """One gate, judged on an interval and never on a bare value.

    Args:
        gate: as the scenario writes it: 'min_mAP50_95', 'min_recall.helmet',
            'max_drop_vs_champion.mAP50_95', 'max_latency_p95_ms'.
        outcome: 'pass', 'fail' or 'undecided'.
        limit: what it had to keep.
        measured: the value and its interval, in the gate's unit; None where it could not be
            measured (the cause says why; such a gate is undecided, never passed).
        cause: why it was judged so.
        stored: the champion's number of another day, shown and not judged; None where there is
            none.
        slice_name: the slice that the gate is about, by its short name; '' where it is about all.
    """

    gate: str
    outcome: str
    limit: float
    measured: Estimate | None
    cause: GateCause
    stored: float | None = None
    slice_name: str = ""

    @property
    def rule(self) -> str:
        """The gate without what it names: 'min_recall', 'max_drop_vs_champion'."""
        return self.gate.partition(".")[0]

    @property
    def metric(self) -> str:
        """The measure of accuracy that is asked for: 'mAP50', 'recall.helmet'; '' for others."""
        rule, _, rest = self.gate.partition(".")
        if rule == "min_recall":
            return f"{RECALL}{rest}"
        if rule in ("max_drop_vs_champion", "max_rise_vs_champion"):
            return rest
        if rule == MIN_RECALL_IN:
            return f"{RECALL}{rest.removeprefix(f'{self.slice_name}.')}"
        return rule.removeprefix("min_")

    @property
    def class_name(self) -> str:
        """The class whose recall is asked for; '' where the gate is not about one."""
        return self.metric.removeprefix(RECALL) if self.metric.startswith(RECALL) else ""

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> GateVerdict:
        """Reads a decision's dictionary; one of another release may have words alone.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is none.
        """
        if row["outcome"] not in VERDICTS:
            raise ValueError(f"a gate with outcome '{row['outcome']}'")
        given = row.get("cause", {})
        if given.get("kind") in set(CauseKind):
            known = {key: given[key] for key in GateCause.__dataclass_fields__ if key in given}
            known["unknown"] = LeakUnknown(known["unknown"]) if known.get("unknown") else None
            # Earlier decisions have a key of its own for each kind of evidence.
            more = known.get("more") or given.get("more_images") or given.get("more_groups")
            cause = GateCause(**{**known, "kind": CauseKind(given["kind"]), "more": more})
        else:
            cause = GateCause(CauseKind.RECORDED, row.get("more_images"), told=row["reason"])
        measured = Estimate(**row["measured"]) if row["measured"] else None
        gate, outcome, limit = row["gate"], row["outcome"], row["limit"]
        stored, slice_name = row.get("stored"), row.get("slice_name", "")
        return cls(gate, outcome, limit, measured, cause, stored, slice_name)


@dataclass(frozen=True)
class VariantDecision:
    """One variant beside its champion.

    Args:
        variant: 'pytorch_fp32', 'openvino_int8'.
        model_name, version: as registered, slash form; '' where it was not registered.
        run_id: the run that made it.
        champion_version: what it was compared with; '' where the name has no champion yet.
        gates: every gate asked, in the scenario's order.
        metrics: measured in this release, flat, for the report and the run.
        digest, champion_digest: identities (DetectorPackage.digest) of what was measured; '' in
            decisions of earlier releases.
    """

    variant: str
    model_name: str
    version: str
    run_id: str
    champion_version: str
    gates: tuple[GateVerdict, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""
    champion_digest: str = ""

    @property
    def outcome(self) -> str:
        """'fail' if any gate failed, else 'undecided' if any is, else 'pass'."""
        outcomes = {gate.outcome for gate in self.gates}
        return next((each for each in (FAIL, UNDECIDED) if each in outcomes), PASS)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> VariantDecision:
        known = {key: row[key] for key in cls.__dataclass_fields__ if key in row}
        return cls(**{**known, "gates": tuple(map(GateVerdict.from_dict, row["gates"]))})


@dataclass(frozen=True)
class ReleaseDecision:
    """May one of these variants replace the model at the site?

    Args:
        outcome: 'pass' when a variant may be deployed; 'undecided' when none passed and at
            least one is undecided; else 'fail'.
        winner: the variant that `objective` prefers among those that pass; '' for none.
        objective: 'latency_p50', 'throughput' or 'size'.
        variants: the original first.
        promoted: model names (slash form) whose champion was changed by this decision.
        confidence: of the intervals.
        split, images: what was judged on.
        leak: what of it is in train; None where nobody looked, as in earlier releases.
        unit: that the intervals of accuracy count as one piece of evidence: 'recording', 'camera'
            or 'image'; '' in decisions of earlier releases, which counted images.
        groups: how many of them.
        unit_asked: `release.unit` named the unit.
    """

    outcome: str
    winner: str
    objective: str
    variants: tuple[VariantDecision, ...]
    promoted: tuple[str, ...] = ()
    confidence: float = 0.95
    split: str = ""
    images: int = 0
    leak: LeakNote | None = None
    unit: str = ""
    groups: int = 0
    unit_asked: bool = False

    @property
    def winning(self) -> VariantDecision | None:
        """The winner's own verdict; None where there is no winner."""
        return next((each for each in self.variants if each.variant == self.winner), None)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ReleaseDecision:
        """Reads what dataclasses.asdict or release.explanation.as_dict made of one.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is no decision.
        """
        known = {key: values[key] for key in cls.__dataclass_fields__ if key in values}
        known["variants"] = tuple(map(VariantDecision.from_dict, values["variants"]))
        known["promoted"] = tuple(values.get("promoted", ()))
        known["leak"] = LeakNote.from_dict(values["leak"]) if values.get("leak") else None
        return cls(**known)


@dataclass(frozen=True)
class JournalEntry:
    """One change of a registered model's aliases.

    Args:
        number: 1, 2, 3 …
        action: 'promote' or 'rollback'.
        state: 'begun' (aliases may be between), 'done' or 'undone'.
        who: user@host.
        when: ISO 8601 with time zone, UTC.
        before, after: alias → version, of candidate, champion and rollback; an alias that is
            not set is absent.
        reason: '' where none was given.
        forced: promoted without a passed verdict.
        evidence_run_id: the release run whose verdict allowed it; '' where there is none.
        note: what came between: who completed or took back an interrupted change, and when; an
            alias that was left as another process had set it. '' where nothing did.
    """

    number: int
    action: str
    state: str
    who: str
    when: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    reason: str = ""
    forced: bool = False
    evidence_run_id: str = ""
    note: str = ""

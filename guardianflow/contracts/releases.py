"""What a release is decided by, what was decided, and how a model's aliases have moved.

    ReleaseLimits ─→ GateVerdict, one a gate ─→ VariantDecision ─→ ReleaseDecision
    JournalEntry  one change of aliases, as it is kept on the registered model

Frozen values; standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .estimates import Estimate

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"
VERDICTS = (PASS, FAIL, UNDECIDED)
ACTIONS = ("promote", "rollback")
OBJECTIVES = ("latency_p50", "throughput", "size")
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


@dataclass(frozen=True)
class ReleaseLimits:
    """The gates of a release; None or empty: not asked.

    Args:
        min_mAP50, min_mAP50_95: 0…1.
        min_recall: class name → recall at the deployed confidence, 0…1.
        max_drop_vs_champion: 'mAP50', 'mAP50_95' or 'recall.{class}' → largest loss, 0…1.
        max_latency_p95_ms: decoded frame → boxes, one image at a time.
        min_fps: frames a second in throughput mode, images on disk → boxes.
        min_cameras: at the scenario's `benchmark.cameras` fps and budget.
        max_size_mb: of the model's files.
        confidence: of every interval a gate is judged on, 0.5…<1.
    """

    min_mAP50: float | None = None  # noqa: N815 - the field's own spelling
    min_mAP50_95: float | None = None  # noqa: N815
    min_recall: Mapping[str, float] = field(default_factory=dict)
    max_drop_vs_champion: Mapping[str, float] = field(default_factory=dict)
    max_latency_p95_ms: float | None = None
    min_fps: float | None = None
    min_cameras: int | None = None
    max_size_mb: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True)
class GateVerdict:
    """One gate, judged on an interval and never on a bare value.

    Args:
        gate: as the scenario writes it: 'min_mAP50_95', 'min_recall.helmet',
            'max_drop_vs_champion.mAP50_95', 'max_latency_p95_ms'.
        outcome: 'pass', 'fail' or 'undecided'.
        limit: what it had to keep.
        measured: the value and its interval, in the gate's unit; None where it could not be
            measured (the reason says why; such a gate is undecided, never passed).
        reason: one sentence for people, with the figures.
        more_images: about how many more test images would decide it; None where images don't
            help or the gate is decided.
        stored: the champion's number of another day, shown and not judged; None where there is
            none.
    """

    gate: str
    outcome: str
    limit: float
    measured: Estimate | None
    reason: str
    more_images: int | None = None
    stored: float | None = None


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


@dataclass(frozen=True)
class ReleaseDecision:
    """May one of these variants replace the model at the site?

    Args:
        outcome: 'pass' when a variant may be deployed; 'undecided' when none passed and at
            least one is undecided; else 'fail'.
        winner: the variant that `objective` prefers among those that pass; '' for none.
        objective: 'latency_p50', 'throughput' or 'size'.
        variants: the original first.
        reason: one sentence for people.
        promoted: model names (slash form) whose champion was changed by this decision.
        confidence: of the intervals.
        split, images: what was judged on.
    """

    outcome: str
    winner: str
    objective: str
    variants: tuple[VariantDecision, ...]
    reason: str
    promoted: tuple[str, ...] = ()
    confidence: float = 0.95
    split: str = ""
    images: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As results/release.json and --json have it."""
        plain = asdict(self)
        for row, variant in zip(plain["variants"], self.variants, strict=True):
            row["outcome"] = variant.outcome
        return plain


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

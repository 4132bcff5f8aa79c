"""Sentences of a release report, in English or Korean.

Sentences are made from causes and figures, so that both languages say the same. Why a gate and the
whole release were judged so is told in English as results and the console have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...contracts.data_warnings import DataWarning
from ...contracts.errors import ConfigurationError
from ...contracts.estimates import MINIMUM_IMAGES
from ...contracts.measurements import TimingDoubt
from ...contracts.quantisation import NetworkChange
from ...contracts.recordings.leaks import LeakNote, LeakUnknown
from ...contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateVerdict,
    ReleaseDecision,
)
from ..explanation import explain_decision, explain_gate, recorded_time
from .figures import GateFigures, rule_of
from .texts_en import ENGLISH
from .texts_ko import KOREAN

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ko": KOREAN}
SYMBOLS = {PASS: "✓", FAIL: "✗", UNDECIDED: "?"}
METRIC_NAMES = {"mAP50": "mAP50", "mAP50_95": "mAP50-95"}
SHOWN_GATES = 6

IMAGES_HELP, GROUPS_HELP, NAMES_HELP, RUNS_HELP, QUIET_HELPS, HOPELESS, UNMEASURED, OTHER_SPLIT = (
    "images",
    "groups",
    "names",
    "runs",
    "quiet",
    "hopeless",
    "unmeasured",
    "other_split",
)
FOOTAGE_HELPS, INCIDENTS_HELP, RECORDINGS_HELP = "footage", "incidents", "recordings"
_REMEDIES = {
    CauseKind.MORE_IMAGES: IMAGES_HELP,
    CauseKind.FEW_IMAGES: IMAGES_HELP,
    CauseKind.FEW_BOXES: IMAGES_HELP,
    CauseKind.MORE_GROUPS: GROUPS_HELP,
    CauseKind.FEW_GROUPS: GROUPS_HELP,
    CauseKind.UNKNOWN_RECORDINGS: NAMES_HELP,
    CauseKind.MORE_RUNS: RUNS_HELP,
    CauseKind.FEW_RUNS: RUNS_HELP,
    CauseKind.QUIETER_MACHINE: QUIET_HELPS,
    CauseKind.BUSY_MACHINE: QUIET_HELPS,
    CauseKind.AT_LIMIT: HOPELESS,
    CauseKind.MORE_FOOTAGE: FOOTAGE_HELPS,
    CauseKind.MORE_INCIDENTS: INCIDENTS_HELP,
    CauseKind.FEW_ALARMS: INCIDENTS_HELP,
    CauseKind.MORE_RECORDINGS: RECORDINGS_HELP,
    CauseKind.FEW_RECORDINGS: RECORDINGS_HELP,
    CauseKind.LEAKS: OTHER_SPLIT,
}


def remedy(gate: GateVerdict) -> tuple[str, float | None]:
    """The remedy of an undecided gate: 'images', 'groups', 'names', 'runs', 'hopeless' …

    Returns:
        That, and how many it takes; None where there is no number.
    """
    help_, cause = _REMEDIES.get(gate.cause.kind, UNMEASURED), gate.cause
    if help_ == FOOTAGE_HELPS and cause.more is not None:
        return help_, recorded_time(cause.more)[0]
    return help_, cause.needed if help_ == RUNS_HELP else cause.more


@dataclass(frozen=True)
class Badge:
    """An outcome as symbol and word; `outcome` chooses the colour, which is never alone."""

    outcome: str
    symbol: str
    word: str


@dataclass(frozen=True)
class Wording:
    """Sentences in one language.

    Args:
        language: 'en' or 'ko'.
    """

    language: str = "en"

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ConfigurationError(
                f"the language of a report must be one of {', '.join(LANGUAGES)} but got "
                f"'{self.language}'"
            )

    def text(self, key: str, **values: object) -> str:
        """The text of `key` with its places filled in."""
        return LANGUAGES[self.language][key].format(**values)

    def heading(self, key: str) -> str:
        """Of a column of figures."""
        return METRIC_NAMES.get(key) or self.text(key)

    def badge(self, outcome: str) -> Badge:
        return Badge(outcome, SYMBOLS[outcome], self.text(outcome))

    def gate_name(self, gate: str, slice_name: str = "") -> str:
        """'Recall of helmet' for 'min_recall.helmet'.

        Args:
            slice_name: of a gate on a slice.
        """
        rule_of(gate)
        rule, _, rest = gate.partition(".")
        if rest.startswith("alarm."):
            return self.text(f"gate.{rest}")
        if slice_name:
            name = rest.removeprefix(f"{slice_name}.")
            return self.text(f"gate.{rule}", name=name, slice=slice_name)
        metric, _, class_name = rest.partition(".")
        if rule == "max_drop_vs_champion" and class_name:
            return self.text("gate.max_drop_vs_champion.recall", name=class_name)
        return self.text(f"gate.{rule}", name=METRIC_NAMES.get(metric, rest))

    def gate_reason(self, gate: GateVerdict) -> str:
        """The reason for a gate's verdict."""
        if self.language == "en":
            return explain_gate(gate)
        if gate.rule == "max_leak" and gate.cause.kind is not CauseKind.RECORDED:
            return self._leak_reason(gate)
        if gate.measured is None:
            return self._missing_reason(gate)
        figures = GateFigures(gate)
        key = f"{gate.outcome}{'.exact' if figures.exact else ''}"
        if gate.cause.kind is CauseKind.UNKNOWN_RECORDINGS:
            key = str(gate.cause.kind)
        told = self.text(f"verdict.{key}", **vars(figures))
        if gate.outcome != UNDECIDED:
            return told
        help_, count = remedy(gate)
        return f"{told} {self.text(f'verdict.{help_}', count=count, unit=self.unit(gate))}"

    def unit(self, gate: GateVerdict) -> str:
        """What of it there must be more: 'recordings', 'hours'; '' where it has no unit."""
        cause = gate.cause
        unit = cause.unit
        if cause.kind is CauseKind.MORE_FOOTAGE and cause.more is not None:
            unit = recorded_time(cause.more)[1]
        return self.text(f"unit.{unit}") if unit else ""

    def _leak_reason(self, gate: GateVerdict) -> str:
        cause = gate.cause
        if cause.kind is CauseKind.LEAK_UNKNOWN:
            return self.text(f"leak.unknown.{cause.unknown or LeakUnknown.NOT_LOOKED}")
        told = {"held": cause.held, "images": cause.needed, "split": cause.split}
        return self.text(f"verdict.leak.{cause.kind}", **told, limit=f"{gate.limit:.3g}")

    def network_change(self, variant: str, change: NetworkChange) -> str:
        """What was changed in a variant's network before it was quantised."""
        counts = {"changed": change.changed, "whole": change.in_all, "images": change.images}
        distilled = change.distilled
        trained = self.text("network_change.trained", images=distilled) if distilled else ""
        fitted = self.text("network_change.fitted", fitted=change.fitted) if change.fitted else ""
        more = fitted + trained
        kinds = ", ".join(change.names)
        return self.text("network_change", variant=variant, kinds=kinds, more=more, **counts)

    def leak(self, note: LeakNote) -> str:
        """What a reader of a split's figures must know; '' where there is nothing."""
        parts = []
        if note.touched:
            key = "leak.twins" if note.twins == note.touched else "leak.recordings"
            values = {"split": note.split, "held": note.touched, "images": note.images}
            share = self.text(key, share=f"{100 * note.share:.0f}", **values)
            parts.append(share + self.text("leak.nothing" if note.leaks else "leak.little"))
        if note.untouched:
            shown = {
                key: f"{value:.3f} ({low:.3f} … {high:.3f})"
                for key, (value, low, high) in note.untouched.items()
            }
            figures = "; ".join(f"{self.heading(key)} {text}" for key, text in shown.items())
            parts.append(self.text("leak.untouched", rest=note.rest, figures=figures))
        elif note.touched:
            parts.append(self.text("leak.too_few", rest=note.rest, least=MINIMUM_IMAGES))
        if note.unknown is not None:
            parts.append(self.text(f"leak.unknown.{note.unknown}"))
        return " ".join(parts)

    def _missing_reason(self, gate: GateVerdict) -> str:
        cause, missing = gate.cause, self.text("verdict.missing")
        key = f"missing.{cause.kind}"
        by_class = (CauseKind.NO_IMAGES, CauseKind.FEW_IMAGES)
        if key not in KOREAN or (cause.kind in by_class and not gate.class_name):
            return f"{missing} {self.text('as_written')} {explain_gate(gate)}"
        name = f"{gate.class_name} ({gate.slice_name})" if gate.slice_name else gate.class_name
        values = vars(cause) | {"unit": self.unit(gate)}
        told = f"{missing} {self.text(key, name=name, **values)}"
        if cause.kind is CauseKind.BUSY_MACHINE:
            return f"{told} {self.text('verdict.quiet')}"
        help_, count = remedy(gate)
        if count is None or help_ == RUNS_HELP:
            return told
        return f"{told} {self.text(f'verdict.{help_}', count=count, unit=self.unit(gate))}"

    def decision_reason(self, decision: ReleaseDecision) -> str:
        """The reason for the decision."""
        if self.language == "en":
            return explain_decision(decision)
        passed = sum(each.outcome == PASS for each in decision.variants)
        return self.text(
            f"reason.{decision.outcome}",
            passed=passed,
            all=len(decision.variants),
            winner=decision.winner,
            objective=self.text(f"objective.{decision.objective}"),
            gates=self.listed_gates(decision, decision.outcome),
        )

    def listed_gates(self, decision: ReleaseDecision, outcome: str) -> str:
        """The gates judged so, each once with the variants: 'mAP50-95 (onnx_int8, pytorch_fp32)'.

        For 'undecided' only variants without a failed gate count: the others are out already.
        """
        found: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for variant in decision.variants:
            if variant.outcome == outcome:
                for gate in variant.gates:
                    if gate.outcome == outcome:
                        found.setdefault(gate.gate, []).append(variant.variant)
                        names[gate.gate] = self.gate_name(gate.gate, gate.slice_name)
        named = [f"{names[gate]} ({', '.join(who)})" for gate, who in found.items()]
        left = len(named) - SHOWN_GATES
        return "; ".join(named[:SHOWN_GATES]) + (f"; +{left}" if left > 0 else "")

    def data_warning(self, warning: DataWarning) -> str:
        """An oddity of the data, with an example where there is one."""
        key = f"data_warning.{warning.cause}"
        told = self.text(key, split=warning.split, **warning.numbers)
        if not warning.examples:
            return told
        return self.text("data_warning.example", told=told, path=warning.examples[0])

    def warning(self, doubt: TimingDoubt) -> str:
        """A reason not to rely on the times."""
        return self.text(f"warning.{doubt.kind}", ratio=doubt.ratio, **vars(doubt))

"""Sentences of a release report, in English or Korean.

Sentences are made from causes and figures, so that both languages say the same. Why a gate and the
whole release were judged so is told in English as results and the console have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...contracts.errors import ConfigurationError
from ...contracts.measurements import TimingDoubt
from ...contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateVerdict,
    ReleaseDecision,
)
from ..explanation import explain_decision, explain_gate
from .figures import gate_figures, rule_of
from .texts_en import ENGLISH
from .texts_ko import KOREAN

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ko": KOREAN}
SYMBOLS = {PASS: "✓", FAIL: "✗", UNDECIDED: "?"}
METRIC_NAMES = {"mAP50": "mAP50", "mAP50_95": "mAP50-95"}
SHOWN_GATES = 6

IMAGES_HELP, RUNS_HELP, QUIET_HELPS, HOPELESS, UNMEASURED = (
    "images",
    "runs",
    "quiet",
    "hopeless",
    "unmeasured",
)
_REMEDIES = {
    CauseKind.MORE_IMAGES: IMAGES_HELP,
    CauseKind.FEW_IMAGES: IMAGES_HELP,
    CauseKind.MORE_RUNS: RUNS_HELP,
    CauseKind.FEW_RUNS: RUNS_HELP,
    CauseKind.QUIETER_MACHINE: QUIET_HELPS,
    CauseKind.AT_LIMIT: HOPELESS,
}


def remedy(gate: GateVerdict) -> tuple[str, int | None]:
    """The remedy of an undecided gate: 'images', 'runs', 'quiet', 'hopeless', 'unmeasured'.

    Returns:
        That, and how many it takes; None where there is no number.
    """
    help_ = _REMEDIES.get(gate.cause.kind, UNMEASURED)
    counts = {IMAGES_HELP: gate.more_images, RUNS_HELP: gate.cause.needed}
    return help_, counts.get(help_)


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

    def gate_name(self, gate: str) -> str:
        """'Recall of helmet' for 'min_recall.helmet'."""
        rule_of(gate)
        rule, _, rest = gate.partition(".")
        metric, _, class_name = rest.partition(".")
        if rule == "max_drop_vs_champion" and class_name:
            return self.text("gate.max_drop_vs_champion.recall", name=class_name)
        return self.text(f"gate.{rule}", name=METRIC_NAMES.get(metric, rest))

    def gate_reason(self, gate: GateVerdict) -> str:
        """The reason for a gate's verdict."""
        if self.language == "en":
            return explain_gate(gate)
        if gate.measured is None:
            return self._missing_reason(gate)
        figures = gate_figures(gate)
        told = self.text(
            f"verdict.{gate.outcome}{'.exact' if figures.exact else ''}",
            value=figures.value,
            interval=figures.interval,
            limit=figures.limit,
        )
        if gate.outcome != UNDECIDED:
            return told
        help_, count = remedy(gate)
        return f"{told} {self.text(f'verdict.{help_}', count=count)}"

    def _missing_reason(self, gate: GateVerdict) -> str:
        cause, missing = gate.cause, self.text("verdict.missing")
        key = f"missing.{cause.kind}"
        if key not in KOREAN or not (gate.class_name or cause.kind is CauseKind.FEW_RUNS):
            return f"{missing} {self.text('as_written')} {explain_gate(gate)}"
        told = f"{missing} {self.text(key, name=gate.class_name, **vars(cause))}"
        if gate.more_images is None:
            return told
        return f"{told} {self.text('verdict.images', count=gate.more_images)}"

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
        for variant in decision.variants:
            if variant.outcome == outcome:
                for gate in variant.gates:
                    if gate.outcome == outcome:
                        found.setdefault(gate.gate, []).append(variant.variant)
        named = [f"{self.gate_name(gate)} ({', '.join(who)})" for gate, who in found.items()]
        left = len(named) - SHOWN_GATES
        return "; ".join(named[:SHOWN_GATES]) + (f"; +{left}" if left > 0 else "")

    def warning(self, doubt: TimingDoubt) -> str:
        """A reason not to rely on the times."""
        return self.text(f"warning.{doubt.kind}", ratio=doubt.ratio, **vars(doubt))

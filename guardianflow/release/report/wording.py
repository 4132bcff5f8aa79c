"""What a release report says, as sentences, in English or Korean.

Sentences are made from figures, so that both languages say the same. Text that others wrote (why
something could not be measured, a warning) is translated where it is known, and quoted where not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...contracts.errors import ConfigurationError
from ...contracts.releases import FAIL, PASS, UNDECIDED, GateVerdict, ReleaseDecision
from .figures import gate_figures, rule_of
from .texts_en import ENGLISH
from .texts_ko import KOREAN

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ko": KOREAN}
SYMBOLS = {PASS: "✓", FAIL: "✗", UNDECIDED: "?"}
METRIC_NAMES = {"mAP50": "mAP50", "mAP50_95": "mAP50-95"}
SHOWN_GATES = 6

# As evaluation.conditions and gates write them; tests hold each to its source.
WARNINGS = {
    "warning.busy": r"the machine was busy before it began: load (?P<load>\S+) on (?P<cores>\d+) "
    r"cores",
    "warning.other": r"other processes kept (?P<cores>\S+) cores busy meanwhile",
    "warning.stolen": r"the hypervisor gave (?P<cores>\S+) cores to other machines meanwhile",
    "warning.wide": r"(?P<name>.*) is spread wide: p95 (?P<p95>\S+) ms is (?P<ratio>\S+) times "
    r"the median (?P<median>\S+) ms",
}
MISSING = {
    "missing.runs": r"(?P<runs>\d+) timed calls can't tell p95 .*benchmark_runs to (?P<needed>\d+) "
    r"at least\.",
    "missing.no_image": r"no image of the (?P<split>.+) split shows class '(?P<name>.+)', so .* "
    r"can't be measured: label at least (?P<needed>\d+) images of it\.",
    "missing.few_images": r"only (?P<held>\d+) images? of the (?P<split>.+) split show class "
    r"'(?P<name>.+)', and an interval of .* takes (?P<needed>\d+)(?: \(the bare value .*\))?: .*",
}
RUNS = re.compile(r"benchmark_runs to (?:about )?(\d+)")
IMAGES_HELP, RUNS_HELP, QUIET_HELPS, HOPELESS, UNMEASURED = (
    "images",
    "runs",
    "quiet",
    "hopeless",
    "unmeasured",
)


def remedy(gate: GateVerdict) -> tuple[str, str]:
    """What would decide an undecided gate: 'images', 'runs', 'quiet', 'hopeless', 'unmeasured'.

    Returns:
        That, and how many it takes as text; '' where there is no number.
    """
    if gate.more_images is not None:
        return IMAGES_HELP, f"{gate.more_images:,}"
    runs = RUNS.search(gate.reason)
    if runs:
        return RUNS_HELP, runs.group(1)
    if gate.measured is None:
        return UNMEASURED, ""
    return (QUIET_HELPS if gate.gate == "min_fps" else HOPELESS), ""


def translated(text: str, patterns: Mapping[str, str]) -> tuple[str, dict[str, str]] | None:
    """The key of the pattern that all of `text` matches, and what stands in its places."""
    for key, pattern in patterns.items():
        match = re.fullmatch(pattern, text)
        if match:
            return key, match.groupdict()
    return None


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
        """Why the gate was judged so; in English as the verdict itself says it."""
        if self.language == "en" and gate.reason:
            return gate.reason
        return self.built_reason(gate)

    def built_reason(self, gate: GateVerdict) -> str:
        """The same from the verdict's figures alone."""
        if gate.measured is None:
            return self._missing_reason(gate)
        figures = gate_figures(gate)
        said = self.text(
            f"verdict.{gate.outcome}{'.exact' if figures.exact else ''}",
            value=figures.value,
            interval=figures.interval,
            limit=figures.limit,
        )
        if gate.outcome != UNDECIDED:
            return said
        help_, count = remedy(gate)
        return f"{said} {self.text(f'verdict.{help_}', count=count)}"

    def _missing_reason(self, gate: GateVerdict) -> str:
        missing, known = self.text("verdict.missing"), translated(gate.reason, MISSING)
        if known:
            key, values = known
            said = f"{missing} {self.text(key, **values)}"
            if gate.more_images is None:
                return said
            return f"{said} {self.text('verdict.images', count=f'{gate.more_images:,}')}"
        if not gate.reason:
            return missing
        return f"{missing} {self.text('as_written')} {gate.reason}"

    def decision_reason(self, decision: ReleaseDecision) -> str:
        """Why the release was decided so; in English as the decision itself says it."""
        if self.language == "en" and decision.reason:
            return decision.reason
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

    def warning(self, warning: str) -> str:
        """A warning of the conditions; as it was written where it is not one of those known."""
        known = translated(warning, WARNINGS)
        return self.text(known[0], **known[1]) if known else warning

"""The next steps of a report's reader: sentences, and commands to paste."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ...contracts.releases import (
    CHAMPION,
    FAIL,
    PASS,
    UNDECIDED,
    GateVerdict,
    ReleaseDecision,
    VariantDecision,
)
from .content import Lineage, ReleaseReport
from .figures import ACCURACY, ALARMS, DROP, SIZE, SPEED, rule_of
from .wording import (
    GROUPS_HELP,
    HOPELESS,
    IMAGES_HELP,
    NAMES_HELP,
    OTHER_SPLIT,
    RUNS_HELP,
    UNMEASURED,
    Wording,
    remedy,
)

ADVICE = {
    ACCURACY: "next.accuracy",
    ALARMS: "next.alarms",
    DROP: "next.drop",
    SPEED: "next.speed",
    SIZE: "next.size",
}


@dataclass(frozen=True)
class Step:
    """One step; `command` is '' where it is none."""

    text: str
    command: str = ""


def next_steps(report: ReleaseReport, wording: Wording) -> list[Step]:
    """The steps after this decision, in order."""
    decision = report.decision
    if decision.outcome == PASS:
        return _deploy(decision, wording)
    has_champion = any(each.champion_version for each in decision.variants)
    steps = [Step(wording.text("next.keep" if has_champion else "next.keep_none"))]
    if decision.outcome == FAIL:
        return steps + _mend(decision.variants, wording)
    return steps + _decide(report, wording)


def _deploy(decision: ReleaseDecision, wording: Wording) -> list[Step]:
    winner = decision.winning
    if winner is None or not winner.version:
        return [Step(wording.text("next.unregistered"))]
    name, steps = winner.model_name, []
    if winner.version == winner.champion_version:
        steps.append(Step(wording.text("next.already")))
    elif name not in decision.promoted:
        promote = command("promote", name, "--version", winner.version)
        steps.append(Step(wording.text("next.promote"), promote))
    pull = command("pull", f"{name}@{CHAMPION}", "--to", "/opt/detector")
    steps.append(Step(wording.text("next.pull"), pull))
    if winner.champion_version not in ("", winner.version):
        steps.append(Step(wording.text("next.rollback"), command("rollback", name)))
    return steps


def _mend(variants: Sequence[VariantDecision], wording: Wording) -> list[Step]:
    kinds = {
        rule_of(gate.gate).kind
        for variant in variants
        for gate in variant.gates
        if gate.outcome == FAIL
    }
    return [Step(wording.text(key)) for kind, key in ADVICE.items() if kind in kinds]


def _decide(report: ReleaseReport, wording: Wording) -> list[Step]:
    variant = nearest_to_pass(report.decision)
    open_gates = [gate for gate in variant.gates if gate.outcome == UNDECIDED]
    leaking = any(remedy(gate)[0] == OTHER_SPLIT for gate in open_gates)
    texts = []
    # More images beside those that leak would decide nothing.
    for help_ in () if leaking else (IMAGES_HELP, GROUPS_HELP):
        alike = [gate for gate in open_gates if remedy(gate)[0] == help_]
        if alike:
            most = max(alike, key=lambda gate: gate.cause.more or 0)
            told = {"count": f"{most.cause.more:,.10g}", "unit": wording.unit(most)}
            texts.append(wording.text(f"next.{help_}", **told, variant=variant.variant))
    if any(remedy(gate)[0] == NAMES_HELP for gate in open_gates):
        texts.append(wording.text("next.names"))
    steps = [Step(text) for text in texts]
    if leaking:
        data = report.lineage.data_path or "DATA"
        split = command("data", "split", data, "--by", "recording")
        steps.append(Step(wording.text("next.other_split"), split))
    for gate in open_gates:
        help_, needed_more = remedy(gate)
        if help_ not in (IMAGES_HELP, GROUPS_HELP, NAMES_HELP, OTHER_SPLIT):
            name = wording.gate_name(gate.gate, gate.slice_name)
            told = {"gate": name, "variant": variant.variant, "unit": wording.unit(gate)}
            count = "" if needed_more is None else f"{needed_more:,.10g}"
            steps.append(Step(wording.text(f"next.{help_}", **told, count=count)))
    if leaking:  # judging the same runs on the same images again would prove nothing again
        return steps
    return [*steps, Step(wording.text("next.again"), _judge_again(report.lineage, open_gates))]


def _judge_again(lineage: Lineage, open_gates: Sequence[GateVerdict]) -> str:
    words = ["release", "SCENARIO.yaml"]
    if lineage.parent_run_id:
        words += ["--run", lineage.parent_run_id]
    else:
        for run_id in dict.fromkeys(lineage.source_runs.values()):
            words += ["--source-run-id", run_id]
    found = [count for help_, count in map(remedy, open_gates) if help_ == RUNS_HELP]
    if runs := [count for count in found if count is not None]:
        words += ["-p", f"benchmark.benchmark_runs={max(runs)}"]
    return command(*words)


def nearest_to_pass(decision: ReleaseDecision) -> VariantDecision:
    """Of the undecided variants the one that the fewest further recordings, or images, may decide.

    One with a gate that neither images nor runs decide comes after those without.
    """

    def distance(variant: VariantDecision) -> tuple[int, float]:
        open_gates = [gate for gate in variant.gates if gate.outcome == UNDECIDED]
        stuck = sum(remedy(gate)[0] in (HOPELESS, UNMEASURED, OTHER_SPLIT) for gate in open_gates)
        # Decided on the same images, variants count the same: recordings or images, never both.
        found = map(remedy, open_gates)
        more = (count or 0 for help_, count in found if help_ in (IMAGES_HELP, GROUPS_HELP))
        return stuck, max(more, default=0)

    undecided = [each for each in decision.variants if each.outcome == UNDECIDED]
    return min(undecided, key=distance)


def command(*words: str) -> str:
    """A `guardianflow` command as a shell takes it."""
    return shlex.join(["guardianflow", *words])

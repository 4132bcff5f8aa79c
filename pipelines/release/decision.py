"""The verdict of a release: every candidate judged by the scenario's gates, and flat metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import Conditions
from guardianflow.contracts.releases import (
    OBJECTIVES,
    PASS,
    RECALL,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.release.decision import decide
from guardianflow.release.gates import judge_gates
from guardianflow.release.models import ComparedModels, JudgedSplit, ModelMeasurement
from scenario import ReleaseParams

from ..measuring.conditions import TimingConditions
from ..measuring.leaks import untouched_metrics
from ..measuring.slices import slice_metrics

KEPT = ("mAP50", "mAP50_95", "precision", "recall", "f1")
DROPS = ("mAP50", "mAP50_95", "recall")


def require_release(release: ReleaseParams | None) -> ReleaseParams:
    """The scenario's gates.

    Raises:
        ScenarioError: it has none.
    """
    if release is None:
        raise ScenarioError(
            "the scenario has no release section, so there is no gate to judge by; write e.g. "
            "release: {min_mAP50: 0.6, max_drop_vs_champion: {mAP50_95: 0.01}}"
        )
    return release


def decide_release(
    compared: Sequence[ComparedModels], split: JudgedSplit, release: ReleaseParams
) -> ReleaseDecision:
    """Judge every candidate by the scenario's gates and choose the winner."""
    limits = release.limits()
    variants = []
    for each in compared:
        model, champion = each.candidate.model, each.champion
        variants.append(
            VariantDecision(
                variant=each.variant,
                model_name=model.registered_name,
                version=model.version,
                run_id=model.run_id,
                champion_version=champion.model.version if champion else "",
                gates=judge_gates(limits, each, split),
                metrics=variant_metrics(each),
                digest=each.candidate.digest,
                champion_digest=champion.digest if champion else "",
            )
        )
    decision = decide(
        variants,
        objective=release.objective,
        confidence=release.confidence,
        split=split.name,
        images=split.images,
        basis=split.basis,
    )
    return replace(decision, leak=compared[0].leak)


def unknown_rivals(decision: ReleaseDecision, conditions: Conditions) -> list[str]:
    """Variants that passed beside the winner, where a busy machine left open which is best."""
    if not conditions.busy:
        return []
    passing = [each for each in decision.variants if each.outcome == PASS]
    key = OBJECTIVES[decision.objective]
    if all(key in each.metrics for each in passing):
        return []
    return [each.variant for each in passing if each.variant != decision.winner]


def variant_metrics(compared: ComparedModels) -> dict[str, float]:
    """Flat: the candidate's figures, and `drop.*` against its champion."""
    flat = model_metrics(compared.candidate)
    if compared.leak is not None:
        flat |= untouched_metrics(compared.leak, "")
    for key, each in compared.differences.items():
        if key in DROPS or key.startswith(RECALL):
            flat |= (-each).as_metrics(f"drop.{key}")
    for key, change in compared.alarm_differences.items():
        named = {"": change.value, "_low": change.low, "_high": change.high}
        flat |= {f"rise.alarm.{key}{part}": v for part, v in named.items() if v is not None}
    return flat


def model_metrics(measured: ModelMeasurement) -> dict[str, float]:
    """Flat, without a prefix; absent is absent."""
    flat: dict[str, float] = {}
    for key, value in measured.metrics.items():
        if key in KEPT or key.startswith(RECALL):
            flat |= _valued(key, value, measured.intervals.get(key))
    if measured.slices is not None:
        flat |= slice_metrics(measured.slices, "")
    if measured.latency is not None:
        flat["latency_p50_ms"] = measured.latency.latency_p50_ms
    if measured.latency_p95 is not None:
        flat |= measured.latency_p95.as_metrics("latency_p95", "_ms")
    if measured.throughput is not None:
        flat |= _valued("fps", measured.throughput.fps, measured.fps)
    if measured.cameras is not None:
        flat["cameras"] = float(measured.cameras.cameras)
    if measured.alarms is not None:
        flat |= measured.alarms.figures.as_metrics("alarm.")
    return flat | ({} if measured.size_mb is None else {"size_mb": measured.size_mb})


def run_metrics(
    decision: ReleaseDecision, compared: Sequence[ComparedModels], watch: TimingConditions
) -> dict[str, float]:
    """`release.{variant}.*` and `release.{variant}.champion.*`, for the run."""
    flat = {"release.images": float(decision.images)}
    flat["release.interval_groups"] = float(decision.groups)
    for verdict, each in zip(decision.variants, compared, strict=True):
        prefix = f"release.{verdict.variant}."
        flat |= {f"{prefix}{key}": value for key, value in verdict.metrics.items()}
        if each.champion is not None:
            champion = model_metrics(each.champion)
            flat |= {f"{prefix}champion.{key}": value for key, value in champion.items()}
    return flat | watch.metrics()


def _valued(key: str, value: float, estimate: Estimate | None) -> dict[str, float]:
    return {key: value} if estimate is None else estimate.as_metrics(key)

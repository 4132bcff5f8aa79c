"""Verdicts on a model of which a test says what was measured; absent is absent."""

from __future__ import annotations

from collections.abc import Mapping

from guardianflow.contracts.measurements import (
    CameraCapacity,
    Estimate,
    LatencyResult,
    ThroughputResult,
    Timing,
)
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.releases import GateCause, GateVerdict, ReleaseLimits
from guardianflow.release.gates import judge_gates
from guardianflow.release.models import (
    ComparedModels,
    JudgedSplit,
    ModelMeasurement,
    ReleaseModel,
)

MODEL = ReleaseModel("pytorch_fp32", "r", "site/ppe", "2")


def judge(
    limits: ReleaseLimits,
    *,
    images: int = 200,
    holding: Mapping[str, int] | None = None,
    accuracy: Mapping[str, Estimate] | None = None,
    bare: Mapping[str, float] | None = None,
    drops: Mapping[str, Estimate] | None = None,
    has_champion: bool = False,
    latency: Estimate | None = None,
    latency_runs: int = 0,
    fps: Estimate | None = None,
    cameras: int | None = None,
    size_mb: float | None = None,
    missing: Mapping[str, GateCause] | None = None,
    stored: Mapping[str, float] | None = None,
    basis: EvidenceBasis | None = None,
    holding_groups: Mapping[str, int] | None = None,
) -> tuple[GateVerdict, ...]:
    """Every verdict, in the order of the gates."""
    timed = None
    if latency_runs:
        timing = Timing((1.0,) * latency_runs, 1.0, latency, latency, latency)
        timed = LatencyResult(1, 1, timing, {}, 1.0)
    mine = ModelMeasurement(
        MODEL,
        size_mb=size_mb,
        metrics=bare or {},
        intervals=accuracy or {},
        latency=timed,
        latency_p95=latency,
        throughput=ThroughputResult(500, 5.0, fps.value, fps, 1, 1, 1, "files") if fps else None,
        cameras=None if cameras is None else CameraCapacity(cameras, 15.0, 200.0, ()),
        missing=missing or {},
    )
    compared = ComparedModels(
        mine,
        ModelMeasurement(MODEL) if has_champion else None,
        differences={key: -lost for key, lost in (drops or {}).items()},
        stored=stored or {},
    )
    split = JudgedSplit(
        "test", images, holding or {}, basis=basis, holding_groups=holding_groups or {}
    )
    return judge_gates(limits, compared, split)


def judge_one(limits: ReleaseLimits, **measured: object) -> GateVerdict:
    """The verdict of the only gate that is asked."""
    (verdict,) = judge(limits, **measured)  # type: ignore[arg-type]
    return verdict

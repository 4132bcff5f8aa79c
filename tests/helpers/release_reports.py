"""Releases for tests of the report: a site with Hangul classes, with and without champion."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import (
    CameraCapacity,
    Conditions,
    DoubtKind,
    LatencyResult,
    ThroughputResult,
    Timing,
    TimingDoubt,
)
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    JournalEntry,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.release.models import ComparedModels, ModelMeasurement, ReleaseModel
from guardianflow.release.report.content import (
    PICTURE_ROLES,
    Lineage,
    ReleaseReport,
    ReportPicture,
)

CLASSES = ("helmet", "안전모 미착용", "person", "<b>지게차</b> & 🚜")
SITE = "donghwa-entec/busan-plant1/welding"
MODEL = f"{SITE}/ppe"
DOUBT = TimingDoubt(DoubtKind.OTHER, cores=0.71, of_cores=4)


def png(width: int = 640, height: int = 300) -> bytes:
    """A picture with something on it."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def verdict(outcome: str, gate: str = "min_mAP50_95", **given: object) -> GateVerdict:
    """One gate at limit 0.5, with an interval that fits the outcome."""
    measured = {
        PASS: Estimate(0.561, 0.534, 0.588),
        FAIL: Estimate(0.447, 0.421, 0.471),
        UNDECIDED: Estimate(0.507, 0.481, 0.532),
    }[outcome]
    cause = {
        PASS: GateCause(CauseKind.KEPT),
        FAIL: GateCause(CauseKind.MISSED),
        UNDECIDED: GateCause(CauseKind.MORE_IMAGES, more=2400),
    }[outcome]
    values: dict[str, object] = {"limit": 0.5, "measured": measured, "cause": cause}
    return GateVerdict(gate, outcome, **(values | given))  # type: ignore[arg-type]


def gates(outcome: str, champion: bool) -> tuple[GateVerdict, ...]:
    """A gate of each kind; the first has the outcome asked for, the others pass."""
    drop = verdict(
        PASS,
        "max_drop_vs_champion.mAP50_95",
        limit=0.01,
        measured=Estimate(-0.012, -0.026, 0.003),
    )
    return (
        verdict(outcome, stored=0.549),
        verdict(
            PASS,
            "min_recall.안전모 미착용",
            limit=0.8,
            measured=Estimate(0.873, 0.842, 0.901),
        ),
        *((drop,) if champion else ()),
        verdict(
            PASS,
            "max_latency_p95_ms",
            limit=30,
            measured=Estimate(21.4, 20.9, 22.6),
            stored=24.8,
        ),
        verdict(PASS, "max_size_mb", limit=10, measured=Estimate(3.3, 3.3, 3.3)),
    )


def timing(median: float) -> Timing:
    samples = tuple(float(each) for each in np.linspace(0.9 * median, 1.3 * median, 400))
    return Timing(
        samples,
        float(np.mean(samples)),
        Estimate(1.1 * median, 1.08 * median, 1.12 * median),
        Estimate(1.28 * median, 1.26 * median, 1.29 * median),
        None,
    )


def model(
    variant: str, name: str, version: str, level: float, median: float, classes: Sequence[str]
) -> ModelMeasurement:
    """A model whose accuracy lies about `level`; the last class has no truth."""
    values = {
        "mAP50": level + 0.2,
        "mAP50_95": level,
        "precision": 0.81,
        "recall": 0.77,
        "f1": 0.79,
    }
    for index, each in enumerate(classes[:-1]):
        values[f"recall.{each}"] = 0.95 - 0.06 * (index % 9)
        values[f"ap.{each}"] = level - 0.01 * (index % 30)
    sure = {
        key: Estimate(value, value - 0.027, value + 0.025)
        for key, value in values.items()
        if key not in ("precision", "f1")
    }
    timed = timing(median)
    rate = Estimate(1800 / median, 1750 / median, 1850 / median)
    return ModelMeasurement(
        ReleaseModel(variant, "b7c1" * 8, name, version),
        digest="3f9a" * 16,
        size_mb=median / 3,
        metrics=values,
        intervals=sure,
        latency=LatencyResult(1, 20, timed, {}, 1000 / median),
        throughput=ThroughputResult(500, 5.0, rate.value, rate, 4, 2, 1, "files"),
        cameras=CameraCapacity(4, 15.0, 200.0, ()),
    )


def make_report(
    outcome: str = PASS,
    variants: Sequence[str] = ("pytorch_fp32", "openvino_int8"),
    *,
    champion: bool = True,
    classes: Sequence[str] = CLASSES,
    pictures: bool = True,
    promoted: bool = False,
    quiet: bool = False,
) -> ReleaseReport:
    """A release whose variants all come to `outcome`; the last is the winner of a passed one."""
    decided, compared = [], []
    for index, variant in enumerate(variants):
        name = MODEL if variant == "pytorch_fp32" else f"{MODEL}__{variant}"
        decided.append(
            VariantDecision(
                variant, name, "7", "a1" * 16, "6" if champion else "", gates(outcome, champion)
            )
        )
        differences = {
            "mAP50_95": Estimate(0.012, -0.003, 0.026),
            "mAP50": Estimate(0.02, 0.004, 0.036),
            "recall": Estimate(-0.03, -0.045, -0.012),
            f"recall.{classes[0]}": Estimate(0.031, 0.008, 0.055),
        }
        old = model(variant, name, "6", 0.549, 31.0, classes) if champion else None
        compared.append(
            ComparedModels(
                model(variant, name, "7", 0.561, 26.0 - 2 * index, classes),
                old,
                differences if champion else {},
                Estimate(1.72, 1.66, 1.79) if champion else None,
            )
        )
    winner = decided[-1] if outcome == PASS else None
    decision = ReleaseDecision(
        outcome,
        winner.variant if winner else "",
        "latency_p50",
        tuple(decided),
        promoted=(winner.model_name,) if winner and promoted else (),
        split="test",
        images=1248,
    )
    report = ReleaseReport(
        decision,
        tuple(compared),
        scenario="donghwa_welding",
        scenario_version="v3",
        site=SITE,
        task="ppe",
        class_names=tuple(classes),
        made_at="2026-11-21T17:24:56+00:00",
        instances={each: 40 + 37 * i for i, each in enumerate(classes[:-1])} | {classes[-1]: 0},
        pictures=tuple(ReportPicture(role, png()) for role in PICTURE_ROLES) if pictures else (),
        conditions=conditions(quiet),
        device="cpu, 2 threads, f32",
        lineage=Lineage(
            "donghwa-welding",
            "v3",
            "/data/동화/welding/data.yaml",
            "9c" * 32,
            "0.3.0",
            "guardianflow.evaluation 1",
            "e5" * 16,
            "d4" * 16,
            {"ppe-yolo11n-train-v3": "c3" * 16},
            "sqlite:///mlflow.db",
        ),
    )
    return replace(report, journal={MODEL: history()}) if promoted else report


def conditions(quiet: bool) -> Conditions:
    return Conditions(
        cpu="Intel(R) Xeon(R) Platinum",
        gpus=(),
        physical_cores=2,
        logical_cores=4,
        isa_cap="AVX512_CORE_VNNI",
        libraries={"openvino": "2026.4.1", "torch": "2.14.1"},
        load_before=0.42,
        load_after=1.03,
        other_cores=0.05 if quiet else 0.71,
        stolen_cores=0.0,
        doubts=() if quiet else (DOUBT,),
    )


def history() -> tuple[JournalEntry, ...]:
    return (
        JournalEntry(
            1, "promote", "done", "kim@site", "2026-11-20T09:00:00+00:00", {}, {"champion": "6"}
        ),
        JournalEntry(
            2,
            "promote",
            "done",
            "이안전@부산",
            "2026-11-21T17:25:00+00:00",
            {"champion": "6", "candidate": "7"},
            {"champion": "7", "rollback": "6"},
            reason="야간 오탐 감소",
            forced=True,
        ),
    )

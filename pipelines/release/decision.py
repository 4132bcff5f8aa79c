"""What a release leaves: verdicts, flat metrics, files, pictures, and what its report says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from guardianflow import __version__
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.releases import JournalEntry, ReleaseDecision, VariantDecision
from guardianflow.contracts.results import LabelledImage, LocalDataset
from guardianflow.release.decision import decide
from guardianflow.release.gates import MeasuredVariant, judge_gates
from guardianflow.release.report.content import (
    DIFFERENCES,
    LATENCY,
    MISSES,
    PRECISION_RECALL,
    ComparedVariant,
    Lineage,
    MeasuredModel,
    ReleaseReport,
    ReportPicture,
)
from scenario import ReleaseParams

from ..measuring.accuracy import save_judged
from ..measuring.timing import TimingConditions, Timings, save_timings
from ..stage.stage import StageContext
from .measurement import Compared, Measured, fps_estimate, holding_images

KEPT = ("mAP50", "mAP50_95", "precision", "recall", "f1")
DROPS = ("mAP50", "mAP50_95", "recall")
RECALL = "recall."


# --- verdicts ------------------------------------------------------------------------------------


def decide_release(
    compared: Sequence[Compared],
    images: Sequence[LabelledImage],
    release: ReleaseParams,
    split: str,
) -> ReleaseDecision:
    """Judge every pair by the scenario's gates and choose the winner."""
    limits = release.limits()
    variants = []
    for each in compared:
        known = measured_variant(each, images, release, split)
        pair = each.pair
        variants.append(
            VariantDecision(
                variant=pair.variant,
                model_name=pair.candidate.name if pair.candidate.version else "",
                version=pair.candidate.version,
                run_id=pair.candidate.run_id,
                champion_version=pair.champion.version if pair.champion else "",
                gates=judge_gates(limits, known),
                metrics=variant_metrics(each, release.confidence),
                digest=pair.candidate.package.digest,
                champion_digest=pair.champion.package.digest if pair.champion else "",
            )
        )
    return decide(
        variants,
        objective=release.objective,
        confidence=release.confidence,
        split=split,
        images=len(images),
    )


def measured_variant(
    compared: Compared, images: Sequence[LabelledImage], release: ReleaseParams, split: str
) -> MeasuredVariant:
    """What the gates take of a measured pair."""
    mine = compared.candidate
    cameras = mine.cameras.cameras if mine.cameras is not None else None
    return MeasuredVariant(
        images=len(images),
        split=split,
        accuracy=mine.intervals,
        bare=mine.judged.metrics.as_metrics(""),
        holding=holding_images(images, mine.contender.package.spec.class_names),
        drops={key: -each for key, each in compared.differences.items()},
        has_champion=compared.champion is not None,
        latency=p95_of(mine, release.confidence),
        latency_runs=mine.latency.runs if mine.latency else 0,
        fps=fps_estimate(mine.throughput),
        cameras=cameras,
        size_mb=size_mb(mine),
        missing=mine.missing,
        stored=compared.pair.stored,
    )


def p95_of(measured: Measured, confidence: float) -> Estimate | None:
    from guardianflow.evaluation.timing.order_statistics import percentile_of

    if measured.latency is None:
        return None
    return percentile_of(measured.latency.latency.samples_ms, 95, confidence)


def size_mb(measured: Measured) -> float:
    return measured.contender.package.size_bytes / 1e6


# --- metrics -------------------------------------------------------------------------------------


def variant_metrics(compared: Compared, confidence: float) -> dict[str, float]:
    """Flat: the candidate's figures, and `drop.*` against its champion."""
    flat = model_metrics(compared.candidate, confidence)
    for key, each in compared.differences.items():
        if key in DROPS or key.startswith(RECALL):
            flat |= (-each).as_metrics(f"drop.{key}")
    return flat


def model_metrics(measured: Measured, confidence: float) -> dict[str, float]:
    """Flat, without a prefix; absent is absent."""
    flat: dict[str, float] = {}
    for key, value in measured.judged.metrics.as_metrics("").items():
        if key in KEPT or key.startswith(RECALL):
            estimate = measured.intervals.get(key)
            flat |= {key: value} if estimate is None else estimate.as_metrics(key)
    if measured.latency is not None:
        flat["latency_p50_ms"] = measured.latency.latency_p50_ms
    p95 = p95_of(measured, confidence)
    if p95 is not None:
        flat |= p95.as_metrics("latency_p95", "_ms")
    if measured.throughput is not None:
        fps = fps_estimate(measured.throughput)
        value = measured.throughput.fps
        flat |= {"fps": value} if fps is None else fps.as_metrics("fps")
    if measured.cameras is not None:
        flat["cameras"] = float(measured.cameras.cameras)
    return flat | {"size_mb": size_mb(measured)}


def run_metrics(
    decision: ReleaseDecision, compared: Sequence[Compared], watch: TimingConditions
) -> dict[str, float]:
    """`release.{variant}.*` and `release.{variant}.champion.*`, for the run."""
    flat = {"release.images": float(decision.images)}
    for verdict, each in zip(decision.variants, compared, strict=True):
        prefix = f"release.{verdict.variant}."
        flat |= {f"{prefix}{key}": value for key, value in verdict.metrics.items()}
        if each.champion is not None:
            champion = model_metrics(each.champion, decision.confidence)
            flat |= {f"{prefix}champion.{key}": value for key, value in champion.items()}
    return flat | watch.metrics()


# --- files ---------------------------------------------------------------------------------------


def save_measured(models: Sequence[Measured], watch: TimingConditions, outputs: Path) -> None:
    """`results/predictions_*.npz` and `results/latency.json`."""
    for each in models:
        save_judged(each.judged, file_name(each.label), outputs)
    save_timings(
        outputs / "results" / "latency.json",
        Timings(
            {each.label: [each.latency] for each in models if each.latency},
            [each.throughput for each in models if each.throughput],
        ),
        watch,
        {each.label: each.session for each in models},
    )


def draw(
    compared: Sequence[Compared],
    models: Sequence[Measured],
    images: list[LabelledImage],
    plots: Path,
) -> tuple[ReportPicture, ...]:
    """The report's pictures, below `plots`."""
    from guardianflow.evaluation.accuracy.detection import precision_recall_curves
    from guardianflow.evaluation.pictures.accuracy import (
        differences_forest,
        precision_recall_curve,
    )
    from guardianflow.evaluation.pictures.contact_sheet import detections_contact_sheet
    from guardianflow.evaluation.pictures.timing import latency_distribution

    pictures = []
    for each in compared:
        variant, mine = each.pair.variant, each.candidate
        names = mine.contender.package.spec.class_names
        name = file_name(variant)
        if each.differences and not each.pair.same_files:
            champion = each.pair.champion
            title = f"{variant} − champion v{champion.version if champion else ''}"
            path = differences_forest(
                each.differences, plots / f"differences_{name}.png", title=title
            )
            pictures.append(ReportPicture(DIFFERENCES, path, variant))
        curves = precision_recall_curves(mine.judged.predictions, images, names)
        path = precision_recall_curve(curves, plots / f"precision_recall_{name}.png")
        pictures.append(ReportPicture(PRECISION_RECALL, path, variant))
        path = detections_contact_sheet(
            images,
            mine.judged.predictions,
            names,
            plots / f"misses_{name}.png",
            conf_threshold=mine.judged.metrics.conf_threshold,
        )
        pictures.append(ReportPicture(MISSES, path, variant))
    timings = {each.label: each.latency.latency for each in models if each.latency}
    path = latency_distribution(timings, plots / "latency.png", title="All models, timed by turns")
    return (*pictures, ReportPicture(LATENCY, path))


def file_name(label: str) -> str:
    return re.sub(r"[^\w.\-]", "_", label)


# --- the report ----------------------------------------------------------------------------------


def report_of(
    context: StageContext,
    run_id: str,
    decision: ReleaseDecision,
    compared: Sequence[Compared],
    *,
    images: Sequence[LabelledImage],
    dataset: LocalDataset,
    watch: TimingConditions,
    pictures: tuple[ReportPicture, ...],
    journal: Mapping[str, tuple[JournalEntry, ...]],
) -> ReleaseReport:
    """Everything the report says."""
    scenario, first = context.scenario, compared[0].candidate
    names = first.contender.package.spec.class_names
    instances = dict.fromkeys(names, 0)
    for image in images:
        for class_id in image.class_ids:
            instances[names[int(class_id)]] += 1
    return ReleaseReport(
        decision=decision,
        variants=tuple(_compared_variant(each) for each in compared),
        scenario=scenario.name,
        scenario_version=scenario.version,
        site=scenario.get_experiment_name(),
        task=scenario.task.type,
        class_names=tuple(names),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        conf_threshold=first.judged.metrics.conf_threshold,
        instances=instances,
        pictures=pictures,
        conditions=watch.conditions.to_dict() if watch.conditions else {},
        device=", ".join(
            dict.fromkeys(f"{m.session.device}, {m.session.library}" for m in _candidates(compared))
        ),
        lineage=Lineage(
            data_name=dataset.name,
            data_version=dataset.version or "",
            data_path=scenario.dataset.path,
            data_fingerprint=dataset.fingerprint,
            code_version=__version__,
            evaluator=first.judged.metrics.evaluator,
            release_run_id=run_id,
            parent_run_id=context.request.parent_run_id or "",
            source_runs={each.pair.variant: each.pair.candidate.run_id for each in compared},
            tracking_uri=shown_tracking_uri(context),
        ),
        journal=journal,
    )


def shown_tracking_uri(context: StageContext) -> str:
    """The store, without the password its address may hold."""
    from guardianflow.run_tracking.connection import shown_uri

    return shown_uri(context.ports.store.tracking_uri)


def _candidates(compared: Sequence[Compared]) -> list[Measured]:
    return [each.candidate for each in compared]


def _compared_variant(compared: Compared) -> ComparedVariant:
    from guardianflow.evaluation.timing.latency import speedup

    pair, gain = compared.pair, None
    if compared.champion and compared.champion.latency and compared.candidate.latency:
        gain = speedup(compared.champion.latency, compared.candidate.latency)
    champion = None
    if compared.champion is not None and pair.champion is not None:
        champion = _measured_model(compared.champion, pair.champion.name, pair.champion.version)
    registered = pair.candidate.name if pair.candidate.version else ""
    return ComparedVariant(
        variant=pair.variant,
        candidate=_measured_model(compared.candidate, registered, pair.candidate.version),
        champion=champion,
        differences=compared.differences,
        speedup=gain,
    )


def _measured_model(measured: Measured, name: str, version: str) -> MeasuredModel:
    return MeasuredModel(
        model_name=name,
        version=version,
        metrics=measured.judged.metrics.as_metrics(""),
        intervals=measured.intervals,
        latency=measured.latency.latency if measured.latency else None,
        fps=fps_estimate(measured.throughput),
        cameras=measured.cameras,
        size_mb=size_mb(measured),
        digest=measured.contender.package.digest,
        run_id=measured.contender.run_id,
    )

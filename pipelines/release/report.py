"""Results of a release for people: files, pictures, and the content of its report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from guardianflow import __version__
from guardianflow.contracts.releases import JournalEntry, ReleaseDecision
from guardianflow.contracts.results import LabelledImage, LocalDataset
from guardianflow.release.models import ComparedModels, JudgedSplit, ModelMeasurement
from guardianflow.release.report.content import (
    DIFFERENCES,
    LATENCY,
    MISSES,
    PRECISION_RECALL,
    Lineage,
    ReleaseReport,
    ReportPicture,
)

from ..measuring.timing import TimingConditions, Timings, save_timings
from ..stage.stage import StageContext


def save_measured(
    models: Sequence[ModelMeasurement],
    images: list[LabelledImage],
    watch: TimingConditions,
    outputs: Path,
) -> None:
    """`results/predictions_*.npz` and `results/latency.json`."""
    from guardianflow.evaluation.accuracy.detection import save_predictions

    results = outputs / "results"
    results.mkdir(parents=True, exist_ok=True)
    for each in models:
        save_predictions(
            results / f"predictions_{file_name(each.label)}.npz", each.predictions, images
        )
    save_timings(
        results / "latency.json",
        Timings(
            {each.label: [each.latency] for each in models if each.latency},
            [each.throughput for each in models if each.throughput],
        ),
        watch,
        {each.label: each.session for each in models if each.session},
    )


def draw(
    compared: Sequence[ComparedModels],
    models: Sequence[ModelMeasurement],
    images: list[LabelledImage],
    plots: Path,
    conf_threshold: float,
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
        variant, mine = each.variant, each.candidate
        names = mine.model.files.spec.class_names
        name = file_name(variant)
        if each.champion is not None and each.differences and not each.same_files:
            title = f"{variant} − champion v{each.champion.model.version}"
            path = differences_forest(
                each.differences, plots / f"differences_{name}.png", title=title
            )
            pictures.append(ReportPicture(DIFFERENCES, path, variant))
        curves = precision_recall_curves(mine.predictions, images, names)
        path = precision_recall_curve(curves, plots / f"precision_recall_{name}.png")
        pictures.append(ReportPicture(PRECISION_RECALL, path, variant))
        path = detections_contact_sheet(
            images,
            mine.predictions,
            names,
            plots / f"misses_{name}.png",
            conf_threshold=conf_threshold,
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
    compared: Sequence[ComparedModels],
    *,
    split: JudgedSplit,
    dataset: LocalDataset,
    watch: TimingConditions,
    pictures: tuple[ReportPicture, ...],
    journal: Mapping[str, tuple[JournalEntry, ...]],
) -> ReleaseReport:
    """Everything the report says."""
    from guardianflow.evaluation.accuracy.detection import EVALUATOR

    scenario = context.scenario
    sessions = [each.candidate.session for each in compared if each.candidate.session]
    return ReleaseReport(
        decision=decision,
        variants=tuple(compared),
        scenario=scenario.name,
        scenario_version=scenario.version,
        site=scenario.get_experiment_name(),
        task=scenario.task.type,
        class_names=tuple(compared[0].candidate.model.files.spec.class_names),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        conf_threshold=scenario.benchmark.conf_threshold,
        instances=split.instances,
        pictures=pictures,
        conditions=watch.conditions,
        device=", ".join(dict.fromkeys(f"{each.device}, {each.library}" for each in sessions)),
        lineage=Lineage(
            data_name=dataset.name,
            data_version=dataset.version or "",
            data_path=scenario.dataset.path,
            data_fingerprint=dataset.fingerprint,
            code_version=__version__,
            evaluator=EVALUATOR,
            release_run_id=run_id,
            parent_run_id=context.request.parent_run_id or "",
            source_runs={each.variant: each.candidate.model.run_id for each in compared},
            tracking_uri=shown_tracking_uri(context),
        ),
        journal=journal,
    )


def shown_tracking_uri(context: StageContext) -> str:
    """The store, without the password its address may hold."""
    from guardianflow.run_tracking.connection import shown_uri

    return shown_uri(context.ports.store.tracking_uri)

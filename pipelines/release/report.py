"""Results of a release for people: files, pictures, and the content of its report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from guardianflow import __version__
from guardianflow.contracts.releases import JournalEntry, ReleaseDecision
from guardianflow.contracts.results import LocalDataset
from guardianflow.release.models import ComparedModels, JudgedSplit, ModelMeasurement
from guardianflow.release.report.content import (
    ALARM_CURVE,
    ALARM_MISSES,
    DIFFERENCES,
    LATENCY,
    MISSES,
    PRECISION_RECALL,
    SLICES,
    Lineage,
    ReleaseReport,
    ReportPicture,
)
from guardianflow.support.text.spelling import nfc

from ..measuring.accuracy import Evaluated, draw_misses, save_judged
from ..measuring.alarms.judging import JudgedAlarms
from ..measuring.alarms.pictures import draw_alarms
from ..measuring.conditions import TimingConditions
from ..measuring.slices import draw_slices, save_slices
from ..measuring.timing import Timings, save_timings
from ..stage.stage import StageContext


@dataclass(frozen=True)
class Evidence:
    """A decision and all it rests on, until it is written down."""

    run_id: str
    decision: ReleaseDecision
    compared: list[ComparedModels]
    watch: TimingConditions
    pictures: tuple[ReportPicture, ...]


def save_measured(
    compared: Sequence[ComparedModels],
    models: Sequence[ModelMeasurement],
    judged: Mapping[str, Evaluated],
    watch: TimingConditions,
    outputs: Path,
) -> None:
    """`results/predictions_*.npz`, `results/slices.*` and `results/latency.json`."""
    for each in models:
        save_judged(judged[each.model.key], file_name(each.label), outputs)
    save_slices(
        {each.label: each.slices for each in models if each.slices},
        {
            f"{each.variant}_minus_champion": each.slice_changes
            for each in compared
            if each.slice_changes
        },
        outputs,
    )
    save_timings(
        outputs / "results" / "latency.json",
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
    judged: Mapping[str, Evaluated],
    plots: Path,
    alarms: Mapping[str, JudgedAlarms],
) -> tuple[ReportPicture, ...]:
    """The report's pictures, below `plots`.

    Args:
        alarms: ReleaseModel.key → its alarms; empty where the scenario has none.
    """
    from guardianflow.evaluation.accuracy.detection import precision_recall_curves
    from guardianflow.evaluation.pictures.accuracy import (
        differences_forest,
        precision_recall_curve,
    )
    from guardianflow.evaluation.pictures.timing import latency_distribution

    pictures = []
    for each in compared:
        variant, mine = each.variant, judged[each.candidate.model.key]
        name = file_name(variant)
        if each.champion is not None and each.differences and not each.same_files:
            title = f"{variant} − champion v{each.champion.model.version}"
            path = differences_forest(
                each.differences, plots / f"differences_{name}.png", title=title
            )
            pictures.append(ReportPicture(DIFFERENCES, path, variant))
        curves = precision_recall_curves(mine.predictions, mine.images, mine.class_names)
        path = precision_recall_curve(curves, plots / f"precision_recall_{name}.png")
        pictures.append(ReportPicture(PRECISION_RECALL, path, variant))
        if each.candidate.slices is not None:
            title = f"{variant}: recall by slice"
            path = draw_slices(each.candidate.slices, plots / f"slices_{name}.png", title)
            pictures.append(ReportPicture(SLICES, path, variant))
        path = draw_misses(mine, plots / f"misses_{name}.jpg")
        pictures.append(ReportPicture(MISSES, path, variant))
        if each.candidate.model.key in alarms:
            drawn = draw_alarms(alarms[each.candidate.model.key], plots, name)
            roles = {ALARM_MISSES: drawn.strips, ALARM_CURVE: drawn.curve}
            pictures += [ReportPicture(r, file, variant) for r, file in roles.items() if file]
    timings = {each.label: each.latency.latency for each in models if each.latency}
    if timings:
        title = "All models, timed by turns"
        path = latency_distribution(timings, plots / "latency.png", title=title)
        pictures.append(ReportPicture(LATENCY, path))
    return tuple(pictures)


def file_name(label: str) -> str:
    return re.sub(r"[^\w.\-]", "_", label)


# --- the report ----------------------------------------------------------------------------------


def report_of(
    context: StageContext,
    evidence: Evidence,
    split: JudgedSplit,
    dataset: LocalDataset,
    journal: Mapping[str, tuple[JournalEntry, ...]],
) -> ReleaseReport:
    """Everything the report says."""
    from guardianflow.evaluation.accuracy.detection import EVALUATOR
    from guardianflow.run_tracking.connection import shown_uri

    scenario, compared = context.scenario, evidence.compared
    sessions = [each.candidate.session for each in compared if each.candidate.session]
    return ReleaseReport(
        decision=evidence.decision,
        variants=tuple(compared),
        scenario=scenario.name,
        scenario_version=scenario.version,
        site=scenario.get_experiment_name(),
        task=scenario.task.type,
        class_names=tuple(map(nfc, compared[0].candidate.model.files.spec.class_names)),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        conf_threshold=scenario.benchmark.conf_threshold,
        instances=split.instances,
        pictures=evidence.pictures,
        conditions=evidence.watch.conditions,
        device=", ".join(dict.fromkeys(f"{each.device}, {each.library}" for each in sessions)),
        lineage=Lineage(
            data_name=dataset.name,
            data_version=dataset.version or "",
            data_path=scenario.dataset.path,
            data_fingerprint=dataset.fingerprint,
            code_version=__version__,
            evaluator=EVALUATOR,
            release_run_id=evidence.run_id,
            parent_run_id=context.request.parent_run_id or "",
            source_runs={each.variant: each.candidate.model.run_id for each in compared},
            tracking_uri=shown_uri(context.ports.store.tracking_uri),
        ),
        journal=journal,
        data_warnings=dataset.warnings,
    )

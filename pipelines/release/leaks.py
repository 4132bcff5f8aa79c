"""What of a release's split the candidates have learnt, and their figures on the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.release.models import ComparedModels, JudgedSplit
from guardianflow.release.report.content import LEAKS, ReportPicture
from scenario import ReleaseParams

from ..measuring.accuracy import Evaluated
from ..measuring.leaks import SHEET, SeenLeaks, untouched_figures
from ..stage.stage import StageContext


def with_leaks(
    context: StageContext,
    compared: Sequence[ComparedModels],
    judged: Mapping[str, Evaluated],
    seen: SeenLeaks,
    split: JudgedSplit,
    release: ReleaseParams,
) -> list[ComparedModels]:
    """Each candidate with what is to be known of the split.

    Args:
        judged: ReleaseModel.key → what that model found.
    """
    touched = seen.touched(split.name)
    basis = split.basis or EvidenceBasis(images=split.images)
    figures: dict[str, Mapping[str, tuple[float, float, float]]] = {}
    noted = []
    for each in compared:
        model = each.candidate.model
        if model.key not in figures:
            label = each.candidate.label
            figures[model.key] = untouched_figures(
                context, judged[model.key], touched, basis, label, release.confidence
            )
        note = seen.note(split.name, model.files, release.max_leak)
        noted.append(replace(each, leak=replace(note, untouched=figures[model.key])))
    return noted


def pictured(outputs: Path) -> tuple[ReportPicture, ...]:
    """The sheet of pairs, where there is one."""
    sheet = outputs / SHEET
    return (ReportPicture(LEAKS, sheet),) if sheet.is_file() else ()

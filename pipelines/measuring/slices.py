"""Slices of a split: small boxes, night, one camera; for infer, quant and release.

traits_of          which slices each image belongs to
sliced, compared   one model's slices, and how two models differ in them
check_slices       gates on slices that the data does not have, before anything is measured
slice_metrics, slice_tags, save_slices, slice_notes   what becomes of them in a run
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.slices import (
    ImageTraits,
    SliceChanges,
    SliceScore,
    SliceTable,
)
from guardianflow.contracts.results import LabelledImage, LocalDataset
from guardianflow.release.report.slices import worst_lines
from guardianflow.release.report.wording import Wording
from guardianflow.support.text.csv_files import write_csv

from ..stage.stage import WORST_SLICE_TAG, StageContext
from .accuracy import Evaluated
from .timing import save_json


def traits_of(
    context: StageContext,
    dataset: LocalDataset,
    images: Sequence[LabelledImage],
    basis: EvidenceBasis,
) -> ImageTraits:
    """The slices of each image; light and blur are measured from files not measured before.

    Args:
        basis: what intervals count as one piece of evidence.

    Raises:
        DatasetError: images that can't be read.
    """
    from guardianflow.site_data.appearance.columns import sliced_columns
    from guardianflow.site_data.appearance.memory import appearances

    seen = appearances(images, context.settings.datasets_dir)
    values: dict[str, Sequence[str]] = {
        "light": [each.light for each in seen],
        "blur": [each.blur for each in seen],
    }
    known, left_out = sliced_columns(dataset, [image.path for image in images])
    for text in left_out:
        context.events.message(text)
    return ImageTraits({**values, **known}, basis.unit, basis.names or None)


def sliced(
    judged: Evaluated, traits: ImageTraits, input_size: int, confidence: float = 0.95
) -> SliceTable:
    """One model's slices."""
    from guardianflow.evaluation.slices.scores import score_slices

    return score_slices(
        judged.predictions,
        judged.images,
        judged.class_names,
        traits,
        input_size=input_size,
        conf_threshold=judged.metrics.conf_threshold,
        confidence=confidence,
    )


def compared(
    before: Evaluated,
    after: Evaluated,
    traits: ImageTraits,
    input_sizes: tuple[int, int],
    confidence: float = 0.95,
) -> SliceChanges:
    """After − before, slice by slice."""
    from guardianflow.evaluation.slices.comparison import compare_slices

    return compare_slices(
        before.predictions,
        after.predictions,
        after.images,
        after.class_names,
        traits,
        input_sizes=input_sizes,
        conf_threshold=after.metrics.conf_threshold,
        confidence=confidence,
    )


def slice_identity(dataset: LocalDataset, paths: Sequence[Path]) -> str:
    """Digest of what slices depend on beside pictures and labels; '' where nothing is known."""
    from guardianflow.site_data.appearance.columns import sliced_columns

    known, _ = sliced_columns(dataset, paths)
    if not known:
        return ""
    text = json.dumps(known, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


# --- what becomes of them in a run ---------------------------------------------------------------


def slice_metrics(table: SliceTable, prefix: str = "det.") -> dict[str, float]:
    """Recall of each slice, all classes together, and the worst; classes are in the files alone.

    A slice of too few boxes or recordings for an interval has no metric.
    """
    metrics: dict[str, float] = {}
    for each in table.scores:
        if each.class_name or each.name.dimension == "all" or each.interval is None:
            continue
        key = f"{prefix}slice.{each.name.dimension}.{each.name.value}"
        metrics |= each.interval.as_metrics(f"{key}.recall")
        metrics[f"{key}.ap50"] = each.ap50
    if table.worst is not None and table.worst.score.interval is not None:
        worst = table.worst.score
        metrics |= table.worst.score.interval.as_metrics(f"{prefix}slice.worst.recall")
        metrics[f"{prefix}slice.worst.boxes"] = float(worst.boxes)
    return metrics


def slice_tags(table: SliceTable) -> dict[str, str]:
    """The worst slice by name; none where no slice could be judged."""
    worst = worst_name(table)
    return {WORST_SLICE_TAG: worst} if worst else {}


def worst_name(table: SliceTable) -> str:
    """'night × helmet'; '' where no slice could be judged."""
    if table.worst is None:
        return ""
    return f"{table.worst.score.name.short} × {table.worst.score.class_name}"


def slice_notes(table: SliceTable, label: str = "") -> tuple[str, ...]:
    """Lines for the console: the worst slice and what it rests on; none where none is told.

    Args:
        label: of the model, where there are several.
    """
    if table.worst is None:
        return ()
    start = f"{label}: " if label else ""
    return tuple(start + line for line in worst_lines(table, Wording("en")))


def save_slices(
    tables: Mapping[str, SliceTable], changes: Mapping[str, SliceChanges], outputs: Path
) -> None:
    """`results/slices.csv` and `.json`: every slice and class of every model.

    Args:
        changes: what two models are compared → how they differ.
    """
    folder = outputs / "results"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"model": label, **_row(each, table)}
        for label, table in tables.items()
        for each in table.scores
    ]
    write_csv(folder / "slices.csv", rows)
    plain = {
        "models": {label: asdict(table) for label, table in tables.items()},
        "differences": {label: asdict(each) for label, each in changes.items()},
    }
    save_json(folder / "slices.json", plain)


def draw_slices(table: SliceTable, path: Path, title: str) -> Path:
    """Recall of every slice with its interval."""
    from guardianflow.evaluation.pictures.slices import slices_forest

    return slices_forest(table, path, title=title)


def _row(score: SliceScore, table: SliceTable) -> dict[str, Any]:
    interval, ap50, rest = score.interval, score.ap50_interval, score.against_rest
    return {
        "dimension": score.name.dimension,
        "value": score.name.value,
        "class": score.class_name,
        "boxes": score.boxes,
        "found": score.found,
        "unit": table.unit.value,
        "units": score.units,
        "recall": score.recall,
        "recall_low": interval.low if interval else None,
        "recall_high": interval.high if interval else None,
        "ap50": score.ap50,
        "ap50_low": ap50.low if ap50 else None,
        "ap50_high": ap50.high if ap50 else None,
        "ap50_95": score.ap,
        "recall_less_rest": rest.value if rest else None,
        "recall_less_rest_low": rest.low if rest else None,
        "recall_less_rest_high": rest.high if rest else None,
        "p_value_holm": score.p_value,
        "judged": "yes" if interval else "too few",
    }

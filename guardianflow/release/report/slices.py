"""Slices in a report: a table of each variant's, the worst of them, and those that got worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from ...contracts.recordings.groups import EvidenceUnit
from ...contracts.recordings.slices import (
    CAMERA,
    FIXED_DIMENSIONS,
    MEASURED_DIMENSIONS,
    SliceChange,
    SliceChanges,
    SliceName,
    SliceScore,
    SliceTable,
    WorstSlice,
)
from ..models import ComparedModels
from .figures import ABSENT, interval, number
from .tables import DECIMALS, Cell, difference
from .wording import Wording

SHOWN_CHANGES = 5
_SHARE = partial(number, decimals=2)


@dataclass(frozen=True)
class SliceRow:
    """One slice; cells: recall of champion, of candidate, difference, the class found worst.

    Without a champion only those of the candidate.
    """

    dimension: str
    value: str
    boxes: str
    units: str
    cells: tuple[Cell, ...]
    worst_class: str
    note: str = ""


class SliceView:
    """The slices of one variant, in one language.

    Attributes:
        lines: sentences: the worst slice, and those that lost against the champion.
        unit: heading of the column that counts what the intervals rest on.
        rows: a row a slice.
        groups: what the images were parted by, and its rows.
    """

    def __init__(self, table: SliceTable, compared: ComparedModels, wording: Wording) -> None:
        champion = compared.champion.slices if compared.champion else None
        changes = compared.slice_changes
        self.lines = worst_lines(table, wording)
        if champion is not None and changes is not None:
            self.lines += loss_lines(changes, table.unit, wording, "champion")
        self.has_champion = champion is not None
        self.unit = wording.text(f"slices.unit.{table.unit}")
        self.rows = [
            _row(each, table, champion, changes, wording)
            for each in table.scores
            if not each.class_name
        ]
        by_dimension = groupby(self.rows, key=lambda row: row.dimension)
        self.groups = [(dimension, list(rows)) for dimension, rows in by_dimension]


def slice_view(compared: ComparedModels, wording: Wording) -> SliceView | None:
    """The view of a variant; None where its slices were not measured."""
    table = compared.candidate.slices
    return None if table is None else SliceView(table, compared, wording)


def worst_lines(table: SliceTable, wording: Wording) -> list[str]:
    """The worst slice with the counts it rests on; the worst of whole pictures where it is not."""
    if table.worst is None:
        return [
            wording.text("slices.no_worst", unit=wording.text(f"slices.unit.{table.unit}.each"))
        ]
    lines = [_worst(table.worst, table.unit, "slices.worst", wording)]
    scene = table.worst_scene
    if scene is not None and scene.score != table.worst.score:
        lines.append(_worst(scene, table.unit, "slices.worst_scene", wording))
    return lines


def loss_lines(
    changes: SliceChanges, unit: EvidenceUnit, wording: Wording, against: str = "slices.original"
) -> list[str]:
    """The slices that lost for certain, or that none did.

    Args:
        against: key of the text that names the first model.
    """
    looks, first = len(changes.changes), wording.text(against)
    if not looks:
        return [wording.text("slices.no_changes", against=first)]
    if not changes.worse:
        return [wording.text("slices.none_worse", looks=looks, against=first)]
    shown = [_change(each, unit, wording) for each in changes.worse[:SHOWN_CHANGES]]
    left = len(changes.worse) - len(shown)
    listed = "; ".join(shown) + (f"; +{left}" if left else "")
    told = {"count": len(changes.worse), "looks": looks, "listed": listed, "against": first}
    return [wording.text("slices.worse", **told)]


def slice_title(name: SliceName, class_name: str, wording: Wording) -> str:
    """'night × helmet'; 'night' for all classes."""
    told = value_title(name, wording) if name.dimension in MEASURED_DIMENSIONS else name.short
    return f"{told} × {class_name}" if class_name else told


def dimension_title(dimension: str, wording: Wording) -> str:
    """'Light'; a column of groups.csv as it is written."""
    known = (*FIXED_DIMENSIONS, CAMERA, "all")
    return wording.text(f"slices.{dimension}") if dimension in known else dimension


def value_title(name: SliceName, wording: Wording) -> str:
    """'night'; what people wrote as it is written; '' for all."""
    if name.dimension == "all":
        return ""
    fixed = name.value in FIXED_DIMENSIONS.get(name.dimension, ())
    return wording.text(f"slices.{name.dimension}.{name.value}") if fixed else name.value


def _worst(worst: WorstSlice, unit: EvidenceUnit, key: str, wording: Wording) -> str:
    score = worst.score
    bounds = score.interval
    told = wording.text(
        key,
        slice=slice_title(score.name, score.class_name, wording),
        recall=_SHARE(score.recall),
        low=_SHARE(bounds.low if bounds else None),
        high=_SHARE(bounds.high if bounds else None),
        boxes=f"{score.boxes:,}",
        units=wording.text(f"slices.unit.{unit}.count", count=f"{score.units:,}"),
        overall=_SHARE(worst.overall),
    )
    certain = "slices.certain" if worst.certain else "slices.uncertain"
    return f"{told} {wording.text(certain, looks=worst.looks)}"


def _change(change: SliceChange, unit: EvidenceUnit, wording: Wording) -> str:
    lost = change.difference
    return wording.text(
        "slices.change",
        slice=slice_title(change.name, change.class_name, wording),
        difference=number(lost.value, DECIMALS),
        low=number(lost.low, DECIMALS),
        high=number(lost.high, DECIMALS),
        boxes=f"{change.boxes:,}",
        units=wording.text(f"slices.unit.{unit}.count", count=f"{change.units:,}"),
    )


def _row(
    score: SliceScore,
    table: SliceTable,
    champion: SliceTable | None,
    changes: SliceChanges | None,
    wording: Wording,
) -> SliceRow:
    cells = [_recall(score)]
    if champion is not None:
        before = champion.find(score.name)
        found = changes.changes if changes is not None else ()
        change = next((c for c in found if (c.name, c.class_name) == (score.name, "")), None)
        lost = difference(change.difference if change else None, wording)
        cells = [_recall(before) if before else Cell(ABSENT), *cells, lost]
    return SliceRow(
        dimension_title(score.name.dimension, wording),
        value_title(score.name, wording),
        f"{score.boxes:,}",
        f"{score.units:,}",
        tuple(cells),
        _worst_class(score.name, table.scores),
        "" if score.interval else wording.text("slices.too_few"),
    )


def _recall(score: SliceScore) -> Cell:
    shown = partial(number, decimals=DECIMALS)
    return Cell(shown(score.recall), interval(score.interval, shown))


def _worst_class(name: SliceName, scores: Sequence[SliceScore]) -> str:
    """'helmet 0.612' of those with an interval; '' where none has one."""
    judged = [s for s in scores if s.name == name and s.class_name and s.interval]
    worst = min(judged, key=lambda each: each.recall, default=None)
    return f"{worst.class_name} {number(worst.recall, DECIMALS)}" if worst else ""

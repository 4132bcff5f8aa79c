"""Slices of a variant beside those of the original, on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.slices import SliceChanges, SliceTable
from guardianflow.contracts.results import LocalDataset
from guardianflow.release.report.slices import loss_lines
from guardianflow.release.report.wording import Wording

from ..measuring.accuracy import Evaluated
from ..measuring.slices import (
    compared,
    draw_slices,
    save_slices,
    slice_metrics,
    slice_notes,
    slice_tags,
    sliced,
    traits_of,
    worst_name,
)
from ..stage.stage import StageContext


@dataclass(frozen=True)
class SlicedVariant:
    """Both models' slices, and how they differ."""

    original: SliceTable
    quantized: SliceTable
    changes: SliceChanges

    @property
    def metrics(self) -> dict[str, float]:
        """`det.original.slice.*` and `det.quantized.slice.*`, and how many slices got worse."""
        both = slice_metrics(self.original, "det.original.")
        both |= slice_metrics(self.quantized, "det.quantized.")
        if self.changes.changes:
            both["comparison.slices_worse"] = float(len(self.changes.worse))
        return both

    @property
    def worst(self) -> str:
        """The variant's worst slice by name."""
        return worst_name(self.quantized)

    @property
    def tags(self) -> dict[str, str]:
        return slice_tags(self.quantized)

    @property
    def notes(self) -> tuple[str, ...]:
        """The variant's worst slice, and what it lost."""
        unit, words = self.quantized.unit, Wording("en")
        lost = loss_lines(self.changes, unit, words) if self.changes.worse else []
        return (*slice_notes(self.quantized), *lost)

    def write(self, outputs: Path, title: str) -> None:
        """`results/slices.csv`, `.json` and `plots/slices.png`."""
        tables = {"original": self.original, "quantized": self.quantized}
        save_slices(tables, {"quantized_minus_original": self.changes}, outputs)
        draw_slices(self.quantized, outputs / "plots" / "slices.png", title)


def slice_both(
    context: StageContext,
    dataset: LocalDataset,
    before: Evaluated,
    after: Evaluated,
    basis: EvidenceBasis,
    input_size: int,
) -> SlicedVariant:
    """Slice both; a variant has the input of its original."""
    traits = traits_of(context, dataset, after.images, basis)
    return SlicedVariant(
        sliced(before, traits, input_size),
        sliced(after, traits, input_size),
        compared(before, after, traits, (input_size, input_size)),
    )

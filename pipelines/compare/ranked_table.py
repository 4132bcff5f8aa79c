"""The ranked table of a comparison: who is ahead, and whether that is certain.

Standing     of a row, as a value; STANDINGS has the words
RankedRow    one model, or one data set
RankedTable  models on the same images; SiteTable: one model on several data sets
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, cast

from guardianflow.contracts.run_status import RunStatus

from ..tables import (
    BOUNDS,
    CELLS,
    Bounds,
    VariantRow,
    interval_text,
    number,
)
from .best_table import BestTable


class Standing(StrEnum):
    """What is certain of a row and the reference; '' where it was not measured."""

    NONE = ""
    REFERENCE = "reference"
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    """Nothing differs, for certain: the same files, or of the same size."""
    UNDECIDED = "undecided"
    """The interval of the difference holds 0."""
    TOO_LITTLE = "too_little"
    """Images or recordings are too few for an interval, or the metric has none."""
    OTHER_IMAGES = "other_images"
    """Its values were recorded on other images, or by another evaluator."""


STANDINGS: Mapping[str, str] = {
    Standing.NONE: "–",
    Standing.REFERENCE: "the reference",
    Standing.BETTER: "differs: better",
    Standing.WORSE: "differs: worse",
    Standing.SAME: "the same",
    Standing.UNDECIDED: "can't tell",
    Standing.TOO_LITTLE: "can't tell: no interval",
    Standing.OTHER_IMAGES: "not comparable: recorded on other images",
}
"""In English; the one place where standings become words."""
RANKED, DELTA = "<metric>", "<Δ metric>"
"""Headings that the metric's name takes the place of."""
TRAININGS = "trainings"
TIED = (Standing.REFERENCE, Standing.SAME, Standing.UNDECIDED, Standing.TOO_LITTLE)


@dataclass(frozen=True)
class RankedRow(VariantRow):
    """One row.

    Args:
        rank: from 1; None where it can't be ranked.
        value, value_bounds: of the metric that ranks.
        delta, delta_bounds: `value` of this row less that of the reference.
        recall, recall_bounds: at the deployed confidence.
        recorded: the values are those of its run, not measured again.
        learnt: share of the judged images that the model has learnt; None where nobody knows.
        images: judged; None where it is the same for all.
        trainings: of an architecture, whose values are means over them; None where each row is one.
        lowest, highest: `value` of single trainings.
    """

    rank: int | None = None
    value: float | None = None
    value_bounds: Bounds | None = None
    delta: float | None = None
    delta_bounds: Bounds | None = None
    recall: float | None = None
    recall_bounds: Bounds | None = None
    standing: Standing = Standing.NONE
    recorded: bool = False
    learnt: float | None = None
    images: int | None = None
    trainings: int | None = None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class RankedTable(BestTable):
    """Models on the same images, the best first.

    Args:
        metric: that ranks: 'det.mAP50'.
        split: what all were judged on.
        variable: what they differ in: 'architecture', 'run', 'model_version'.
        reference: the row that the others are held against; '' where none was measured.
        pairs: differences whose intervals hold together at 95 %.
        remarks: of stages, on single models.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "rank", "model", RANKED, DELTA, "verdict", "mAP50", "mAP50-95", "latency p50 ms",
        "speed-up", "MB", "remarks",
    )  # fmt: skip
    RUN_COLUMNS = ("run",)
    METRICS: ClassVar[tuple[str, ...]] = (
        "mAP50", "mAP50_95", "recall", "value", "delta", "latency_p50_ms", "speedup_ratio",
        "size_mb",
    )  # fmt: skip
    ABSENT = frozenset(
        {
            "made", "drop_mAP50", "drop_mAP50_95", "drop_bounds", "fps", "within_limits", "certain",
            "infer_run_id", "alarm_recordings", "alarm_missed", "missed_bounds",
            "alarm_false_per_camera_day", "false_alarm_bounds", "worst_slice", "worst_recall",
            "worst_bounds", "worst_boxes",
        }
    )  # fmt: skip
    WIDTH = 200
    BOUNDS: ClassVar[Mapping[str, str]] = BOUNDS | {
        "value_bounds": "value",
        "delta_bounds": "delta",
        "recall_bounds": "recall",
    }
    rows: tuple[RankedRow, ...]

    split: str
    variable: str
    metric: str = "det.mAP50"
    reference: str = ""
    pairs: int = 1
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{super().title}: comparison by {self.variable.replace('_', ' ')}"

    @property
    def best(self) -> RankedRow | None:
        """The first of those that were measured on the same images; None where none was."""
        return next((row for row in self.rows if row.best), None)

    @property
    def shown_metric(self) -> str:
        """'mAP50-95', as people write it."""
        return self.metric.removeprefix("det.").replace("mAP50_95", "mAP50-95")

    @property
    def columns(self) -> tuple[str, ...]:
        """COLUMNS, with the metric's name, and no column twice."""
        names = {RANKED: self.shown_metric, DELTA: f"Δ {self.shown_metric}"}
        *first, last = self.COLUMNS
        wanted = (*first, TRAININGS, last) if self.pooled else self.COLUMNS
        return tuple(dict.fromkeys(names.get(each, each) for each in wanted))

    @property
    def pooled(self) -> bool:
        """Whether each row is the mean of several trainings."""
        return any(row.trainings is not None for row in self.rows)

    def cell(self, row: VariantRow, heading: str) -> str:
        key = {self.shown_metric: RANKED, f"Δ {self.shown_metric}": DELTA}.get(heading, heading)
        if key in CELLS_OF_RANKS:
            return CELLS_OF_RANKS[key](cast(RankedRow, row))
        return CELLS[key](row)

    def notes(self) -> list[str]:
        said = [*self._how(), *self._in_words()]
        if any(row.recorded for row in self.rows):
            said.append(
                "recorded: the model is not there any more, so the values are those that its run "
                "logged. They were not measured beside the others: a difference from them is "
                "judged by both intervals, which says less."
            )
        return [*said, *self.remarks, *super().notes()]

    def _how(self) -> list[str]:
        return [
            f"Accuracy: one evaluator on the same images ({self.split}); ranked by "
            f"{self.shown_metric}. Δ: less {self.reference or 'the reference'}; its interval is "
            "paired over the same images"
            + (f", and all {self.pairs} hold together at 95 %" if self.pairs > 1 else ", 95 %")
            + ". Times: of one image, all models by turns in one process.",
            "Each value is the mean of an architecture's trainings, each with another seed. An "
            "interval says how much other images and other trainings would change; with few "
            "trainings it is wide, because two of them say little of a third."
            if self.pooled
            else "An interval says how much other images would change, not how much another "
            "training would: two trainings of one scenario differ too, by their seeds.",
        ]

    def _in_words(self) -> list[str]:
        """Who is ahead, and who can't be told from that one."""
        best = self.best
        if best is None:
            return ["Nothing was measured on the same images: nothing is ranked."]
        if len([row for row in self.rows if row.rank is not None]) < 2:
            return [f"{best.variant} alone was measured: there is nothing to rank it against."]
        if self.reference != best.variant:
            return []
        tied = [row for row in self.rows if row.standing in TIED and row.rank is not None]
        others = [row.variant for row in tied if row is not best]
        if not others:
            return [f"{best.variant} is the best: every other one differs from it."]
        more = "trainings or images" if self.pooled else "images"
        said = (
            f"{best.variant} is ahead, but {', '.join(others)} can't be told from it by these "
            f"{more}: more of them would decide."
        )
        timed = [row for row in tied if row.latency_p50_ms is not None]
        if len(timed) == len(tied):
            fastest = min(timed, key=lambda row: row.latency_p50_ms or 0.0)
            said += f" The fastest of these: {fastest.variant}."
        return [said]


@dataclass(frozen=True)
class SiteTable(RankedTable):
    """One model on several data sets; the run's tag source.model says which."""

    COLUMNS = (
        "rank", "data set", "images", RANKED, DELTA, "verdict", "mAP50", "mAP50-95", "recall",
        "remarks",
    )  # fmt: skip
    METRICS = ("mAP50", "mAP50_95", "recall", "value", "delta", "latency_p50_ms")

    @property
    def title(self) -> str:
        return f"{self.scenario} {self.version}: one model on {len(self.rows)} data sets"

    def _how(self) -> list[str]:
        return [
            "One model as it is, on each data set's own images: no training. Ranked by "
            f"{self.shown_metric}, with 95 % intervals.",
            f"Δ: less {self.reference or 'the reference'}. The images are different ones, so an "
            "interval of Δ is made of both sides' own; where a data set is harder, that is in it "
            "too: Δ says where the model does worse, not why.",
        ]

    def _in_words(self) -> list[str]:
        if not self.reference:
            return ["Nothing was measured: nothing is ranked."]
        found = {
            standing: [row.variant for row in self.rows if row.standing == standing]
            for standing in (Standing.WORSE, Standing.BETTER, *TIED[1:])
        }
        tied = [name for each in TIED[1:] for name in found[each]]
        told = (
            (found[Standing.WORSE], f"worse than on {self.reference}"),
            (found[Standing.BETTER], f"better than on {self.reference}"),
            (tied, f"can't be told from {self.reference}"),
        )
        return [f"{', '.join(names)}: {words}." for names, words in told if names]


# --- one row as text ------------------------------------------------------------------------------


def _rank(row: RankedRow) -> str:
    return "–" if row.rank is None else str(row.rank)


def _model(row: RankedRow) -> str:
    marks = " (recorded)" * row.recorded + " (reused)" * row.reused
    return ("* " if row.best else "") + row.variant + marks


def _remarks(row: RankedRow) -> str:
    if row.status != RunStatus.FINISHED:
        return f"{row.status.lower()}: {row.reason}"
    said = [row.reason] if row.reason else []
    said += [f"{row.registered_name} v{row.registered_version}"] if row.registered_name else []
    if row.learnt:
        said.append(f"has learnt {row.learnt:.0%} of the images")
    return "; ".join(said) or "–"


def _trainings(row: RankedRow) -> str:
    if row.lowest is None or row.highest is None:
        return str(row.trainings)
    return f"{row.trainings}: {row.lowest:.3f} … {row.highest:.3f}"


def _estimate(value: float | None, bounds: Bounds | None, form: str) -> str:
    return number(value, form, interval_text(bounds, form))


CELLS_OF_RANKS: Mapping[str, Callable[[RankedRow], str]] = {
    "rank": _rank,
    "model": _model,
    "data set": _model,
    "images": lambda row: "–" if row.images is None else f"{row.images:,}",
    RANKED: lambda row: _estimate(row.value, row.value_bounds, ".3f"),
    "recall": lambda row: _estimate(row.recall, row.recall_bounds, ".3f"),
    DELTA: lambda row: (
        "–"
        if row.standing is Standing.REFERENCE
        else _estimate(row.delta, row.delta_bounds, "+.3f")
    ),
    TRAININGS: _trainings,
    "verdict": lambda row: STANDINGS[row.standing],
    "speed-up": lambda row: number(
        row.speedup_ratio, ".2f", "×" + interval_text(row.speedup_bounds, ".2f")
    ),
    "remarks": _remarks,
}

"""The tables of a report: champion beside candidate, overall and class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...contracts.estimates import Estimate
from ..models import ComparedModels, ModelMeasurement
from .figures import ABSENT, amount, amounts, interval, number, signed, telling_decimals
from .wording import Wording

ACCURACY_KEYS = ("mAP50_95", "mAP50", "precision", "recall", "f1")
ACCURACY_HEADINGS = {"mAP50_95": "mAP50-95", "mAP50": "mAP50"}
SPEED_KEYS = ("p50", "p95", "p99", "fps", "cameras", "size")
DECIMALS = 3
BETTER, WORSE, UNSURE = "better", "worse", "unsure"
MARKS = {BETTER: "▲", WORSE: "▼", UNSURE: "≈"}


@dataclass(frozen=True)
class Cell:
    """A figure, its interval, and for a difference what it means; '' where there is none."""

    value: str
    interval: str = ""
    mark: str = ""
    word: str = ""
    kind: str = ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        bounds = f"({self.interval})" if self.interval else ""
        said = f"{self.mark} {self.word}" if self.mark else self.word
        return " ".join(part for part in (self.value, bounds, said) if part)


@dataclass(frozen=True)
class ModelRow:
    """One model, or the difference of two; `role` is the word for it."""

    kind: str
    role: str
    version: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ClassRow:
    """One class; cells: recall of champion, of candidate, difference, AP of the candidate."""

    name: str
    objects: str
    cells: tuple[Cell, ...]
    note: str = ""


@dataclass(frozen=True)
class ClassTable:
    """Classes of one variant; without a champion its two columns are left out."""

    has_champion: bool
    rows: tuple[ClassRow, ...]


def accuracy_headings(wording: Wording) -> list[str]:
    return [ACCURACY_HEADINGS.get(key) or wording.text(key) for key in ACCURACY_KEYS]


def speed_headings(wording: Wording) -> list[str]:
    return [wording.text(key) for key in SPEED_KEYS]


def accuracy_rows(compared: ComparedModels, wording: Wording) -> list[ModelRow]:
    """Champion, candidate and their difference; only what was measured."""

    def cells(model: ModelMeasurement) -> tuple[Cell, ...]:
        return tuple(share(model, key) for key in ACCURACY_KEYS)

    rows = _models(compared, wording, cells)
    if compared.champion is not None and compared.differences:
        differences = tuple(
            difference(compared.differences.get(key), wording) for key in ACCURACY_KEYS
        )
        rows.append(ModelRow("difference", wording.text("difference"), "", differences))
    return rows


def speed_rows(compared: ComparedModels, wording: Wording) -> list[ModelRow]:
    """Champion and candidate, and how many times as fast the candidate is."""
    rows = _models(compared, wording, _speed_cells)
    if compared.champion is not None and compared.speedup is not None:
        quick = compared.speedup
        kind = _verdict(quick, 1.0)
        decimals = telling_decimals((quick.low, quick.high), 1.0, 2)
        cell = Cell(
            f"× {number(quick.value, decimals)}",
            interval(quick, decimals),
            MARKS[kind],
            wording.text(kind),
            kind,
        )
        empty = (Cell(""),) * (len(SPEED_KEYS) - 1)
        rows.append(ModelRow("difference", wording.text("speedup"), "", (cell, *empty)))
    return rows


def glance(model: ModelMeasurement) -> tuple[Cell, ...]:
    """A model's cells of the overview: mAP50-95, median latency and size, without intervals."""
    speed = dict(zip(SPEED_KEYS, _speed_cells(model), strict=True))
    cells = (share(model, "mAP50_95"), speed["p50"], speed["size"])
    return tuple(Cell(cell.value) for cell in cells)


def glance_headings(wording: Wording) -> list[str]:
    return [ACCURACY_HEADINGS["mAP50_95"], wording.text("p50"), wording.text("size")]


def _models(
    compared: ComparedModels,
    wording: Wording,
    cells: Callable[[ModelMeasurement], tuple[Cell, ...]],
) -> list[ModelRow]:
    models = {"champion": compared.champion, "candidate": compared.candidate}
    return [
        ModelRow(role, wording.text(role), _version(model), cells(model))
        for role, model in models.items()
        if model is not None
    ]


def _version(model: ModelMeasurement) -> str:
    return f"v{model.model.version}" if model.model.version else ""


def _speed_cells(model: ModelMeasurement) -> tuple[Cell, ...]:
    timing = model.latency.latency if model.latency else None
    percentiles = (timing.p50, timing.p95, timing.p99) if timing else (None, None, None)
    return (
        *(_amount_cell(each) for each in (*percentiles, model.fps)),
        Cell(str(model.cameras.cameras) if model.cameras else ABSENT),
        Cell(amount(model.size_mb)),
    )


def _amount_cell(estimate: Estimate | None) -> Cell:
    if estimate is None:
        return Cell(ABSENT)
    return Cell(amount(estimate.value), amounts(estimate.low, estimate.high))


def share(model: ModelMeasurement, key: str) -> Cell:
    """A figure of accuracy with its interval; '–' where it was not measured."""
    value = model.metrics.get(key)
    if value is None:
        return Cell(ABSENT)
    return Cell(number(value, DECIMALS), interval(model.intervals.get(key), DECIMALS))


def difference(estimate: Estimate | None, wording: Wording) -> Cell:
    """Better, worse or not sure, by the interval; '–' where there is none."""
    if estimate is None:
        return Cell(ABSENT)
    kind = _verdict(estimate, 0.0)
    decimals = telling_decimals((estimate.low, estimate.high), 0.0, DECIMALS)
    bounds = f"{signed(estimate.low, decimals)} … {signed(estimate.high, decimals)}"
    return Cell(signed(estimate.value, decimals), bounds, MARKS[kind], wording.text(kind), kind)


def _verdict(estimate: Estimate, neutral: float) -> str:
    if estimate.low > neutral:
        return BETTER
    return WORSE if estimate.high < neutral else UNSURE


def class_table(
    compared: ComparedModels,
    class_names: Sequence[str],
    instances: Mapping[str, int],
    wording: Wording,
) -> ClassTable:
    """Lowest recall of the candidate first; classes without truth at the end, and said so."""
    candidate, champion = compared.candidate, compared.champion

    def order(name: str) -> tuple[bool, float]:
        value = candidate.metrics.get(f"recall.{name}")
        return value is None, value or 0.0

    rows = []
    for name in sorted(class_names, key=order):
        key = f"recall.{name}"
        objects = f"{instances[name]:,}" if name in instances else ABSENT
        if key not in candidate.metrics:
            note = wording.text("no_truth" if not instances.get(name) else "not_measured")
            rows.append(ClassRow(name, objects, (), note))
            continue
        cells = [share(candidate, key)]
        if champion is not None:
            change = difference(compared.differences.get(key), wording)
            cells = [share(champion, key), *cells, change]
        rows.append(ClassRow(name, objects, (*cells, share(candidate, f"ap.{name}"))))
    return ClassTable(champion is not None, tuple(rows))

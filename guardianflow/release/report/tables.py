"""The tables of a report: champion beside candidate, overall and class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ...contracts.estimates import Estimate
from ...contracts.releases import CauseKind
from ..models import ComparedModels, ModelMeasurement
from .figures import ABSENT, amount, interval, number, signed, telling_decimals
from .wording import Wording

ACCURACY_KEYS = ("mAP50_95", "mAP50", "precision", "recall", "f1")
SPEED_KEYS = ("p50", "p95", "p99", "fps", "cameras", "size")
GLANCE_KEYS = ("mAP50_95", "p50", "size")
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
    """One class; cells: recall of champion, of candidate, difference, AP of the candidate.

    Without a champion only those of the candidate.
    """

    name: str
    objects: str
    cells: tuple[Cell, ...]
    note: str = ""


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
    rows = _models(compared, wording, partial(_speed_cells, wording=wording))
    if compared.champion is not None and compared.speedup is not None:
        quick = compared.speedup
        shown = partial(number, decimals=telling_decimals((quick.low, quick.high), 1.0, 2))
        cell = _judged(quick, 1.0, f"× {shown(quick.value)}", interval(quick, shown), wording)
        empty = (Cell(""),) * (len(SPEED_KEYS) - 1)
        rows.append(ModelRow("difference", wording.text("speedup"), "", (cell, *empty)))
    return rows


def glance(model: ModelMeasurement, wording: Wording) -> tuple[Cell, ...]:
    """A model's cells of the overview: mAP50-95, median latency and size, without intervals."""
    cells = dict(zip(SPEED_KEYS, _speed_cells(model, wording), strict=True))
    cells["mAP50_95"] = share(model, "mAP50_95")
    return tuple(Cell(cells[key].value) for key in GLANCE_KEYS)


def _models(
    compared: ComparedModels,
    wording: Wording,
    cells: Callable[[ModelMeasurement], tuple[Cell, ...]],
) -> list[ModelRow]:
    models = {"champion": compared.champion, "candidate": compared.candidate}
    return [
        ModelRow(role, wording.text(role), model.model.version, cells(model))
        for role, model in models.items()
        if model is not None
    ]


def _speed_cells(model: ModelMeasurement, wording: Wording) -> tuple[Cell, ...]:
    """One for each of SPEED_KEYS; 'busy' for what is absent because the machine was."""

    def absent(gate: str) -> str:
        cause = model.missing.get(gate)
        is_busy = cause is not None and cause.kind is CauseKind.BUSY_MACHINE
        return wording.text("busy") if is_busy else ABSENT

    def cell(estimate: Estimate | None, gate: str) -> Cell:
        if estimate is None:
            return Cell(absent(gate))
        return Cell(amount(estimate.value), interval(estimate, amount))

    timing = model.latency.latency if model.latency else None
    percentiles = (timing.p50, timing.p95, timing.p99) if timing else (None, None, None)
    cameras = str(model.cameras.cameras) if model.cameras else absent("min_cameras")
    return (
        *(cell(each, "max_latency_p95_ms") for each in percentiles),
        cell(model.fps, "min_fps"),
        Cell(cameras),
        Cell(amount(model.size_mb)),
    )


def share(model: ModelMeasurement, key: str) -> Cell:
    """A figure of accuracy with its interval; '–' where it was not measured."""
    value = model.metrics.get(key)
    if value is None:
        return Cell(ABSENT)
    shown = partial(number, decimals=DECIMALS)
    return Cell(shown(value), interval(model.intervals.get(key), shown))


def difference(estimate: Estimate | None, wording: Wording) -> Cell:
    """Better, worse or not sure, by the interval; '–' where there is none."""
    if estimate is None:
        return Cell(ABSENT)
    decimals = telling_decimals((estimate.low, estimate.high), 0.0, DECIMALS)
    bounds = f"{signed(estimate.low, decimals)} … {signed(estimate.high, decimals)}"
    return _judged(estimate, 0.0, signed(estimate.value, decimals), bounds, wording)


def _judged(estimate: Estimate, neutral: float, value: str, bounds: str, wording: Wording) -> Cell:
    """A figure with what its interval means: all above `neutral` is better, all below is worse."""
    kind = BETTER if estimate.low > neutral else WORSE if estimate.high < neutral else UNSURE
    return Cell(value, bounds, MARKS[kind], wording.text(kind), kind)


def class_rows(
    compared: ComparedModels,
    class_names: Sequence[str],
    instances: Mapping[str, int],
    wording: Wording,
) -> list[ClassRow]:
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
    return rows

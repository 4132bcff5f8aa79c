"""The table of variants that a full pipeline and a comparison end with.

    results of the stages ──► row_of ──► VariantRow, one a model
    VariantTable            the rows, and what its kind shows of them: columns, metrics, notes
    VariantTable ──► console, Markdown, CSV, JSON

Text for people is made of columns, each a function of a row. `None` is what was not measured: a
dash for people, an empty cell in CSV, null in JSON, and no metric.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.text.csv_files import write_csv
from guardianflow.support.text.markdown import markdown_text, table_head, table_row

from .stage.plan import ORIGINAL

Bounds = tuple[float, float]
BUSY_NOTE = (
    "! The machine was busy with other work, or times were spread wide: do not rely on these "
    "times; measure again. The run's tag sys.warnings says why."
)


@dataclass(frozen=True)
class VariantRow:
    """One variant. None where it was not measured.

    Args:
        variant: what was asked for, '{backend}_{precision}'.
        status: FINISHED, FAILED or SKIPPED.
        reason: why it is not FINISHED.
        made: where a search ended with another precision, what it made.
        drop_mAP50, drop_mAP50_95: original − variant; None for the original.
        drop_bounds, speedup_bounds: of the 95 % intervals of mAP50-95's drop and the speed-up.
        latency_p50_ms, fps: of one image at a time, measured in a stage of its own.
        within_limits: lost no more than the limits.
        certain: the drop's whole interval lies on that side of its limit; None without interval.
        timed_while_busy: others were at work while it was timed.
        run_id, infer_run_id: the run that made it, and the one that judged it alone.
    """

    variant: str
    status: str = RunStatus.FINISHED
    reason: str = ""
    made: str = ""
    mAP50: float | None = None  # noqa: N815 - the field's own spelling
    mAP50_95: float | None = None  # noqa: N815
    drop_mAP50: float | None = None  # noqa: N815
    drop_mAP50_95: float | None = None  # noqa: N815
    drop_bounds: Bounds | None = None
    latency_p50_ms: float | None = None
    fps: float | None = None
    speedup_ratio: float | None = None
    speedup_bounds: Bounds | None = None
    size_mb: float | None = None
    within_limits: bool | None = None
    certain: bool | None = None
    timed_while_busy: bool = False
    best: bool = False
    registered_name: str = ""
    registered_version: str = ""
    run_id: str = ""
    infer_run_id: str = ""
    reused: bool = False


def row_of(result: StageResult) -> VariantRow:
    """The row of a result, as far as every result goes; nothing measured is in it yet."""
    model = result.model
    return VariantRow(
        variant=result.variant,
        status=result.status,
        reason=result.reason,
        timed_while_busy=is_busy(result),
        registered_name=(model.display_name or model.name) if model else "",
        registered_version=model.version if model else "",
        run_id=result.run_id,
        reused=result.reused,
    )


def is_busy(result: StageResult) -> bool:
    """Whether a stage has doubts about its times."""
    return result.metrics.get("sys.warnings", 0.0) > 0


@dataclass(frozen=True)
class VariantTable:
    """Variants beside each other; a subclass says what its kind shows.

    Class variables:
        COLUMNS: headings, of those in CELLS; for Markdown RUN_COLUMNS come after them.
        METRICS: fields of a row that the parent run logs.
        ABSENT: fields of a row that this kind of table does not have.
        WIDTH: of the console.
    """

    COLUMNS: ClassVar[tuple[str, ...]]
    RUN_COLUMNS: ClassVar[tuple[str, ...]]
    METRICS: ClassVar[tuple[str, ...]]
    ABSENT: ClassVar[frozenset[str]]
    WIDTH: ClassVar[int]

    scenario: str
    version: str
    experiment_name: str
    run_id: str
    rows: tuple[VariantRow, ...]

    @property
    def title(self) -> str:
        """Of the Markdown page."""
        return f"{self.scenario} {self.version}"

    @property
    def metrics(self) -> dict[str, float]:
        """For the parent run: `summary.{variant}.…`, only what was measured."""
        flat: dict[str, float] = {}
        for row in self.rows:
            flat |= self.metrics_of(row, f"summary.{row.variant}.")
        return flat

    def metrics_of(self, row: VariantRow, prefix: str) -> dict[str, float]:
        found = {key: getattr(row, key) for key in self.METRICS}
        return {f"{prefix}{key}": value for key, value in found.items() if value is not None}

    def cells(self, row: VariantRow) -> tuple[str, ...]:
        """One row as text."""
        return tuple(CELLS[heading](row) for heading in self.COLUMNS)

    def notes(self) -> list[str]:
        """Sentences that a reader of the table must know."""
        return [BUSY_NOTE] if any(row.timed_while_busy for row in self.rows) else []

    def fields_of(self, row: VariantRow) -> dict[str, Any]:
        """The fields of a row that this kind of table has."""
        return {key: value for key, value in asdict(row).items() if key not in self.ABSENT}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {"rows": [self.fields_of(row) for row in self.rows]}

    def to_markdown(self) -> str:
        """A page with the table and its notes."""
        headings = (*self.COLUMNS, *self.RUN_COLUMNS)
        lines = [
            f"# {markdown_text(self.title)}",
            "",
            f"Experiment {markdown_text(self.experiment_name)}, run `{self.run_id}`.",
            "",
            *table_head(headings),
            *(table_row(CELLS[heading](row) for heading in headings) for row in self.rows),
        ]
        return "\n".join([*lines, "", "\n\n".join(self.notes()), ""])

    def write(self, folder: Path, name: str) -> None:
        """`{name}.md` and `{name}.json` in `folder`."""
        (folder / f"{name}.md").write_text(self.to_markdown(), encoding="utf-8")
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def write_csv(self, file: Path) -> None:
        """A line a row; bounds in cells of their own."""
        write_csv(file, [self._flat(row) for row in self.rows])

    def _flat(self, row: VariantRow) -> dict[str, Any]:
        values = self.fields_of(row)
        for key, name in (("drop_bounds", "drop_mAP50_95"), ("speedup_bounds", "speedup_ratio")):
            low, high = values.pop(key) or (None, None)
            values |= {f"{name}_low": low, f"{name}_high": high}
        return values


# --- one row as text ----------------------------------------------------------------------------


def number(value: float | None, form: str, unit: str = "") -> str:
    """A number, or the dash of what was not measured; a zero has no minus sign."""
    if value is None:
        return "–"
    text = format(value, form)
    return (text.replace("-", "+") if float(text) == 0 else text) + unit


def _name(row: VariantRow) -> str:
    made = f" → {row.made}" if row.made else ""
    return ("* " if row.best else "") + row.variant + made + (" (reused)" if row.reused else "")


def _delta(row: VariantRow) -> str:
    """Variant − original, so the drop's sign turns and its bounds swap."""
    delta = None if row.drop_mAP50_95 is None else -row.drop_mAP50_95
    turned = None if row.drop_bounds is None else (-row.drop_bounds[1], -row.drop_bounds[0])
    return number(delta, "+.3f", _interval(turned, "+.3f"))


def _speedup(row: VariantRow) -> str:
    if row.variant == ORIGINAL and row.status == RunStatus.FINISHED:
        return "1.00×"  # against itself, by definition
    return number(
        row.speedup_ratio, ".2f", "×" + _interval(row.speedup_bounds, ".2f") + _doubt(row)
    )


def _doubt(row: VariantRow) -> str:
    return " !" if row.timed_while_busy else ""


def _interval(bounds: Bounds | None, form: str) -> str:
    return "" if bounds is None else f" [{number(bounds[0], form)} … {number(bounds[1], form)}]"


def verdict(row: VariantRow) -> str:
    """Whether a variant is within the limits; '?' where that is not certain."""
    if row.within_limits is None:
        return "–"
    word = "yes" if row.within_limits else "no"
    return word if row.certain or row.variant == ORIGINAL else f"{word} ?"


def _registered(row: VariantRow) -> str:
    """The model's name; of what was not finished, why."""
    if row.status != RunStatus.FINISHED:
        return f"{row.status.lower()}: {row.reason}"
    return f"{row.registered_name} v{row.registered_version}" if row.registered_name else "–"


CELLS: Mapping[str, Callable[[VariantRow], str]] = {
    "variant": _name,
    "mAP50": lambda row: number(row.mAP50, ".3f"),
    "mAP50-95": lambda row: number(row.mAP50_95, ".3f"),
    "Δ mAP50-95": _delta,
    "latency p50 ms": lambda row: number(row.latency_p50_ms, ".2f", _doubt(row)),
    "fps": lambda row: number(row.fps, ".0f", _doubt(row)),
    "speed-up": _speedup,
    "MB": lambda row: number(row.size_mb, ".1f"),
    "within limits": verdict,
    "registered as": _registered,
    "run": lambda row: row.run_id or "–",
    "infer run": lambda row: row.infer_run_id or "–",
}

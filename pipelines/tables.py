"""The table of variants that a full pipeline and a comparison end with.

    results of the stages ──► row_of ──► VariantRow, one a model
    VariantTable            the rows, and what its kind shows of them: columns, metrics, notes
    VariantTable ──► console, Markdown, CSV, JSON

Text for people is made of columns, each a function of a row. `None` is what was not measured: a
dash for people, an empty cell in CSV, null in JSON, and no metric.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from guardianflow.contracts.backends import ORIGINAL
from guardianflow.contracts.data_warnings import DataWarning
from guardianflow.contracts.measurements import is_busy
from guardianflow.contracts.recordings.evidence import evidence_in
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.text.csv_files import write_csv
from guardianflow.support.text.markdown import markdown_text, table_head, table_row

from .data_notices import warning_texts, warnings_of

if TYPE_CHECKING:
    from scenario import Scenario

Bounds = tuple[float, float]
BOUNDS = {
    "mAP50_95_bounds": "mAP50_95",
    "drop_bounds": "drop_mAP50_95",
    "latency_bounds": "latency_p50_ms",
    "speedup_bounds": "speedup_ratio",
    "missed_bounds": "alarm_missed",
    "false_alarm_bounds": "alarm_false_per_camera_day",
    "worst_bounds": "worst_recall",
}
"""Field of a row → the field whose interval it is; in CSV they have cells of their own."""
ALARM_COLUMNS = ("missed alarms", "false alarms a day")
"""Of a table whose scenario has alarms."""
ALARM_METRICS = ("alarm_missed", "alarm_false_per_camera_day")
ALARMS_NOTE = (
    "Missed alarms: share of true incidents; false alarms: a day of one camera; over {recordings}. "
    "[ ]: 95 % interval."
)
EVIDENCE_NOTE = "Accuracy rests on {units}: its intervals are over these."
BUSY_NOTE = (
    "busy: not measured, because the machine was busy with other work; the run's tag sys.busy says "
    "with what. Run the same command again when it is quiet: what lacks times is done again."
)
WIDE_NOTE = "! Times were spread wide: take them with care. The run's tag sys.warnings says which."

DEVICES_NOTE = (
    "These variants ran on different devices: their times say as much of the devices as of the "
    "models, and no speed-up is given between them."
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
        mAP50_95_bounds, drop_bounds, speedup_bounds, latency_bounds: of the 95 % intervals of
            mAP50-95, its drop, the speed-up and latency_p50_ms.
        alarm_missed, alarm_false_per_camera_day: over recordings, where the scenario has alarms;
            missed_bounds, false_alarm_bounds: of their intervals; alarm_recordings: how many.
        interval_unit, interval_groups: what the intervals of accuracy are over, and how many.
        latency_p50_ms, fps: of one image at a time, measured in a stage of its own.
        within_limits: lost no more than the limits.
        certain: the drop's whole interval lies on that side of its limit; None without interval.
        latency_busy, speedup_busy: it is absent because others were at work.
        spread_wide: there are times whose p95 lies far above their median.
        device: that it ran on.
        worst_slice: 'night × helmet'; '' where none could be judged.
        worst_recall, worst_bounds, worst_boxes: its recall, with the 95 % interval, and the true
            boxes it rests on.
        run_id, infer_run_id: the run that made it, and the one that judged it alone.
    """

    variant: str
    status: str = RunStatus.FINISHED
    reason: str = ""
    made: str = ""
    mAP50: float | None = None  # noqa: N815 - the field's own spelling
    mAP50_95: float | None = None  # noqa: N815
    mAP50_95_bounds: Bounds | None = None  # noqa: N815
    drop_mAP50: float | None = None  # noqa: N815
    drop_mAP50_95: float | None = None  # noqa: N815
    drop_bounds: Bounds | None = None
    latency_p50_ms: float | None = None
    latency_bounds: Bounds | None = None
    fps: float | None = None
    speedup_ratio: float | None = None
    speedup_bounds: Bounds | None = None
    size_mb: float | None = None
    within_limits: bool | None = None
    certain: bool | None = None
    latency_busy: bool = False
    speedup_busy: bool = False
    spread_wide: bool = False
    best: bool = False
    registered_name: str = ""
    registered_version: str = ""
    run_id: str = ""
    infer_run_id: str = ""
    reused: bool = False
    device: str = ""
    alarm_missed: float | None = None
    alarm_recordings: int | None = None
    missed_bounds: Bounds | None = None
    alarm_false_per_camera_day: float | None = None
    false_alarm_bounds: Bounds | None = None

    def with_alarms(self, metrics: Mapping[str, float], prefix: str = "alarm.") -> VariantRow:
        """The same with the alarms that a stage measured; as it is where it has measured none."""
        missed, false = f"{prefix}missed", f"{prefix}false_per_camera_day"
        recordings = metrics.get(f"{prefix}recordings")
        return replace(
            self,
            alarm_recordings=None if recordings is None else int(recordings),
            alarm_missed=metrics.get(missed),
            missed_bounds=bounds_of(metrics, missed),
            alarm_false_per_camera_day=metrics.get(false),
            false_alarm_bounds=bounds_of(metrics, false),
        )

    interval_unit: str = ""
    interval_groups: int | None = None
    worst_slice: str = ""
    worst_recall: float | None = None
    worst_bounds: Bounds | None = None
    worst_boxes: int | None = None


Row = TypeVar("Row", bound=VariantRow)


def _counted(counts: set[int], unit: str) -> str:
    told = " or ".join(map(str, sorted(counts)))
    return f"{told} {unit}{'' if counts == {1} else 's'}".strip()


def row_of(result: StageResult, kind: type[Row]) -> Row:
    """The row of a result, as far as every result goes; nothing measured is in it yet."""
    model = result.model
    unit, groups = evidence_in(result.metrics)
    return kind(
        variant=result.variant,
        status=result.status,
        reason=result.reason,
        spread_wide=is_wide(result),
        registered_name=(model.display_name or model.name) if model else "",
        registered_version=model.version if model else "",
        run_id=result.run_id,
        reused=result.reused,
        device=result.device,
        interval_unit=unit,
        interval_groups=groups,
    )


def with_worst_slice(row: VariantRow, judged: StageResult, prefix: str = "det.") -> VariantRow:
    """The row with the slice that is found worst, as the stage that judged it says."""
    key = f"{prefix}slice.worst"
    boxes = judged.metrics.get(f"{key}.boxes")
    return replace(
        row,
        worst_slice=judged.worst_slice,
        worst_recall=judged.metrics.get(f"{key}.recall"),
        worst_bounds=bounds_of(judged.metrics, f"{key}.recall"),
        worst_boxes=None if boxes is None else int(boxes),
    )


def is_wide(result: StageResult) -> bool:
    """Whether a stage has doubts about times that it has."""
    return result.metrics.get("sys.warnings", 0.0) > 0 and not is_busy(result.metrics)


def bounds_of(metrics: Mapping[str, float], key: str, unit: str = "") -> Bounds | None:
    """Of an interval that `Estimate.as_metrics` wrote; None where there is none."""
    low, high = metrics.get(f"{key}_low{unit}"), metrics.get(f"{key}_high{unit}")
    return None if low is None or high is None else (low, high)


@dataclass(frozen=True)
class VariantTable:
    """Variants beside each other; a subclass says what its kind shows.

    Class variables:
        COLUMNS: headings, of those in CELLS; for Markdown RUN_COLUMNS come after them.
        METRICS: fields of a row that the parent run logs.
        ABSENT: fields of a row that this kind of table does not have.
        WIDTH: of the console.
        BOUNDS: field of a row → the field whose interval it is.
    """

    COLUMNS: ClassVar[tuple[str, ...]]
    RUN_COLUMNS: ClassVar[tuple[str, ...]]
    METRICS: ClassVar[tuple[str, ...]]
    ABSENT: ClassVar[frozenset[str]]
    WIDTH: ClassVar[int]
    BOUNDS: ClassVar[Mapping[str, str]] = BOUNDS

    scenario: str
    version: str
    experiment_name: str
    run_id: str
    rows: tuple[VariantRow, ...]
    data_warnings: tuple[DataWarning, ...] = field(default=(), kw_only=True)

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

    @property
    def has_alarms(self) -> bool:
        return any(row.alarm_false_per_camera_day is not None for row in self.rows)

    @property
    def _recordings(self) -> str:
        """'12 recordings': of all rows together, which are judged on the same ones."""
        known = (row.alarm_recordings for row in self.rows)
        return _counted({count for count in known if count is not None}, "recording")

    @property
    def _evidence(self) -> str:
        """'12 recordings', as above; '' where no row has intervals of accuracy."""
        counts: dict[str, set[int]] = {}
        for row in self.rows:
            if row.interval_groups is not None:
                counts.setdefault(row.interval_unit, set()).add(row.interval_groups)
        return " or ".join(_counted(found, unit) for unit, found in counts.items())

    @property
    def columns(self) -> tuple[str, ...]:
        """COLUMNS, with those of alarms before the last where there are any."""
        *first, last = self.COLUMNS
        return (*first, *ALARM_COLUMNS, last) if self.has_alarms else self.COLUMNS

    def metrics_of(self, row: VariantRow, prefix: str) -> dict[str, float]:
        found = {key: getattr(row, key) for key in (*self.METRICS, *ALARM_METRICS)}
        return {f"{prefix}{key}": value for key, value in found.items() if value is not None}

    def cells(self, row: VariantRow) -> tuple[str, ...]:
        """One row as text."""
        return tuple(self.cell(row, heading) for heading in self.columns)

    def cell(self, row: VariantRow, heading: str) -> str:
        """What stands under a heading."""
        return CELLS[heading](row)

    def notes(self) -> list[str]:
        """Sentences that a reader of the table must know."""
        found = [ALARMS_NOTE.format(recordings=self._recordings)] if self.has_alarms else []
        if self._evidence:
            found.append(EVIDENCE_NOTE.format(units=self._evidence))
        if any(row.latency_busy or row.speedup_busy for row in self.rows):
            found.append(BUSY_NOTE)
        if any(row.spread_wide for row in self.rows):
            found.append(WIDE_NOTE)
        if len({row.device for row in self.rows if row.device}) > 1:
            found.append(DEVICES_NOTE)
        return found

    def data_notes(self) -> list[str]:
        """The worst slices, and what is odd about the data; with names and paths of the user's."""
        worst = [_worst_slice(row) for row in self.rows if row.worst_recall is not None]
        told = [f"Worst slices: {'; '.join(worst)}."] if worst else []
        return told + [f"Data: {text}." for text in warning_texts(self.data_warnings)]

    def fields_of(self, row: VariantRow) -> dict[str, Any]:
        """The fields of a row that this kind of table has."""
        return {key: value for key, value in asdict(row).items() if key not in self.ABSENT}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        warnings = [each.to_dict() for each in self.data_warnings]
        rows = [self.fields_of(row) for row in self.rows]
        return asdict(self) | {"rows": rows, "data_warnings": warnings}

    def to_markdown(self) -> str:
        """A page with the table and its notes."""
        headings = (*self.columns, *self.RUN_COLUMNS)
        lines = [
            f"# {markdown_text(self.title)}",
            "",
            f"Experiment {markdown_text(self.experiment_name)}, run `{self.run_id}`.",
            "",
            *table_head(headings),
            *(table_row(self.cell(row, heading) for heading in headings) for row in self.rows),
        ]
        notes = [*self.notes(), *(str(markdown_text(note)) for note in self.data_notes())]
        return "\n".join([*lines, "", "\n\n".join(notes), ""])

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
        for key, name in self.BOUNDS.items():
            if key in self.ABSENT:
                continue
            low, high = values.pop(key) or (None, None)
            values |= {f"{name}_low": low, f"{name}_high": high}
        return values


def origin_of(scenario: Scenario, run_id: str, results: Iterable[StageResult]) -> dict[str, Any]:
    """The values of a VariantTable that say what it is of, whatever its kind."""
    return {
        "scenario": scenario.name,
        "version": scenario.version,
        "experiment_name": scenario.get_experiment_name(),
        "run_id": run_id,
        "data_warnings": warnings_of(results),
    }


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
    return number(delta, "+.3f", interval_text(turned, "+.3f"))


def _speedup(row: VariantRow) -> str:
    if row.variant == ORIGINAL and row.status == RunStatus.FINISHED:
        return "1.00×"  # against itself, by definition
    unit = "×" + interval_text(row.speedup_bounds, ".2f") + _doubt(row)
    return _time(row.speedup_ratio, ".2f", unit, busy=row.speedup_busy)


def _time(value: float | None, form: str, unit: str, *, busy: bool) -> str:
    return "busy" if value is None and busy else number(value, form, unit)


def _doubt(row: VariantRow) -> str:
    return " !" if row.spread_wide else ""


def interval_text(bounds: Bounds | None, form: str) -> str:
    """' [0.412 … 0.447]'; '' without an interval."""
    return "" if bounds is None else f" [{number(bounds[0], form)} … {number(bounds[1], form)}]"


def _worst_slice(row: VariantRow) -> str:
    interval = interval_text(row.worst_bounds, ".2f")
    return (
        f"{row.variant}: {row.worst_slice}, recall {number(row.worst_recall, '.2f')}{interval} on "
        f"{row.worst_boxes:,} boxes"
    )


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
    "device": lambda row: row.device or "–",
    "mAP50": lambda row: number(row.mAP50, ".3f"),
    "mAP50-95": lambda row: number(row.mAP50_95, ".3f"),
    "Δ mAP50-95": _delta,
    "latency p50 ms": lambda row: _time(
        row.latency_p50_ms, ".2f", _doubt(row), busy=row.latency_busy
    ),
    "fps": lambda row: _time(row.fps, ".0f", _doubt(row), busy=row.latency_busy),
    "speed-up": _speedup,
    "MB": lambda row: number(row.size_mb, ".1f"),
    "missed alarms": lambda row: number(
        row.alarm_missed, ".3f", interval_text(row.missed_bounds, ".3f")
    ),
    "false alarms a day": lambda row: number(
        row.alarm_false_per_camera_day, ".1f", interval_text(row.false_alarm_bounds, ".1f")
    ),
    "within limits": verdict,
    "registered as": _registered,
    "run": lambda row: row.run_id or "–",
    "infer run": lambda row: row.infer_run_id or "–",
}

"""The table of a comparison: each variant against the original, and the best within the limits.

Every variant was judged and timed in a stage of its own, beside the original and by turns with
it. So what is comparable between variants is the speed-up against the original; their times are
of different moments and are not put beside each other here.

    results of the stages ──► tabulate ──► ComparisonTable ──► comparison.{md,csv,json,png}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.csv_files import write_csv
from guardianflow.support.markdown import markdown_text, table_head, table_row
from scenario import ComparisonConfig, Scenario

from ..full_pipeline.summary import BUSY_NOTE, busy, number
from ..stage.plan import ORIGINAL

Bounds = tuple[float, float]
DROP, DROP50 = "comparison.accuracy_drop_mAP50_95", "comparison.accuracy_drop_mAP50"
SPEEDUP = "comparison.speedup_ratio"


@dataclass(frozen=True)
class ComparisonRow:
    """One variant. None where it was not measured.

    Args:
        variant: what was asked for, '{backend}_{precision}'.
        status: FINISHED, FAILED or SKIPPED.
        reason: why it is not FINISHED.
        made: where a search ended with another precision, what it made.
        drop_mAP50, drop_mAP50_95: original − variant; None for the original.
        drop_bounds, speedup_bounds: of the 95 % intervals of mAP50-95's drop and the speed-up.
        within_limits: lost no more than the limits.
        certain: the drop's whole interval lies on that side of its limit; None without interval.
        timed_while_busy: others were at work while it was timed.
    """

    variant: str
    status: str
    reason: str = ""
    made: str = ""
    mAP50: float | None = None  # noqa: N815 - the field's own spelling
    mAP50_95: float | None = None  # noqa: N815
    drop_mAP50: float | None = None  # noqa: N815
    drop_mAP50_95: float | None = None  # noqa: N815
    drop_bounds: Bounds | None = None
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
    reused: bool = False


@dataclass(frozen=True)
class ComparisonTable:
    """Args: split: what all were judged on. rows: in the order asked for."""

    scenario: str
    version: str
    experiment_name: str
    run_id: str
    split: str
    max_drop_mAP50: float  # noqa: N815
    max_drop_mAP50_95: float  # noqa: N815
    rows: tuple[ComparisonRow, ...]

    @property
    def best(self) -> ComparisonRow | None:
        """The fastest of those that lost no more than the limits; None where none is."""
        return next((row for row in self.rows if row.best), None)

    @property
    def metrics(self) -> dict[str, float]:
        """For the parent run: `summary.{variant}.…` and `best.…`, only what was measured."""
        flat: dict[str, float] = {}
        for row in self.rows:
            flat |= _values(row, f"summary.{row.variant}.")
        return flat | (_values(self.best, "best.") if self.best else {})


def tabulate(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> ComparisonTable:
    """Set the results of a comparison's stages beside each other.

    Args:
        results: one per variant; SKIPPED and FAILED ones have no metrics.
    """
    limits = scenario.comparison or ComparisonConfig()
    rows = [_row(result, limits) for result in results]
    allowed = [row for row in rows if row.within_limits and row.speedup_ratio is not None]
    if allowed:
        best = max(allowed, key=_merit)
        rows[rows.index(best)] = replace(best, best=True)
    return ComparisonTable(
        scenario=scenario.name,
        version=scenario.version,
        experiment_name=scenario.get_experiment_name(),
        run_id=run_id,
        split=common_split(scenario),
        max_drop_mAP50=limits.max_drop_mAP50,
        max_drop_mAP50_95=limits.max_drop_mAP50_95,
        rows=tuple(rows),
    )


def common_split(scenario: Scenario) -> str:
    """What every variant of a comparison is judged on, the original too: as quant chooses it."""
    return scenario.dataset.split or "val"


def _merit(row: ComparisonRow) -> tuple[float, float]:
    """Speed; of two that are equally fast, the one that lost less."""
    return row.speedup_ratio or 0.0, -(row.drop_mAP50_95 or 0.0)


def _row(result: StageResult, limits: ComparisonConfig) -> ComparisonRow:
    if result.status != RunStatus.FINISHED:
        return ComparisonRow(
            result.variant, result.status, reason=result.reason, run_id=result.run_id
        )
    got, model = result.metrics, result.model
    asked, _, other = result.variant.partition("-as-")
    row = ComparisonRow(
        variant=asked,
        status=result.status,
        made=f"{asked.rpartition('_')[0]}_{other}" if other else "",
        size_mb=got.get("sys.quantized.model_size_mb", got.get("sys.model_size_mb")),
        timed_while_busy=busy(result),
        registered_name=(model.display_name or model.name) if model else "",
        registered_version=model.version if model else "",
        run_id=result.run_id,
        reused=result.reused,
    )
    if asked == ORIGINAL:
        return replace(
            row,
            mAP50=got.get("det.mAP50"),
            mAP50_95=got.get("det.mAP50_95"),
            speedup_ratio=1.0,  # against itself, by definition
            within_limits=True,
            timed_while_busy=False,  # no time of its own is shown
        )
    within = got[DROP] <= limits.max_drop_mAP50_95 and got[DROP50] <= limits.max_drop_mAP50
    return replace(
        row,
        mAP50=got.get("det.quantized.mAP50"),
        mAP50_95=got.get("det.quantized.mAP50_95"),
        drop_mAP50=got[DROP50],
        drop_mAP50_95=got[DROP],
        drop_bounds=_bounds(got, DROP),
        speedup_ratio=got.get(SPEEDUP),
        speedup_bounds=_bounds(got, SPEEDUP),
        within_limits=within,
        certain=_certain(
            within,
            (_bounds(got, DROP), limits.max_drop_mAP50_95),
            (_bounds(got, DROP50), limits.max_drop_mAP50),
        ),
    )


def _bounds(metrics: Mapping[str, float], key: str) -> Bounds | None:
    low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
    return None if low is None or high is None else (low, high)


def _certain(within: bool, *drops: tuple[Bounds | None, float]) -> bool | None:
    """Within: both intervals end below their limits. Beyond: one begins above its limit."""
    known = [(bounds, limit) for bounds, limit in drops if bounds is not None]
    if len(known) < len(drops):
        return None
    if within:
        return all(bounds[1] <= limit for bounds, limit in known)
    return any(bounds[0] > limit for bounds, limit in known)


def _values(row: ComparisonRow, prefix: str) -> dict[str, float]:
    keys = ("mAP50", "mAP50_95", "drop_mAP50", "drop_mAP50_95", "speedup_ratio", "size_mb")
    found = {key: getattr(row, key) for key in keys}
    return {f"{prefix}{key}": value for key, value in found.items() if value is not None}


# --- for people ---------------------------------------------------------------------------------

HEADINGS = (
    "variant",
    "mAP50",
    "mAP50-95",
    "Δ mAP50-95",
    "speed-up",
    "MB",
    "within limits",
    "registered as",
)


def notes(table: ComparisonTable) -> list[str]:
    """What a reader must know to read the table."""
    said = [
        f"Accuracy: one evaluator on the same images ({table.split}). Δ: variant − original. "
        "Speed-up: against the original, timed in turns with it: the one figure of speed that "
        "can be compared between variants. [ ]: 95 % interval.",
        f"Within limits: lost at most {table.max_drop_mAP50_95:g} mAP50-95 and "
        f"{table.max_drop_mAP50:g} mAP50. '?': the interval reaches over the limit, or there are "
        "too few images for one: more images would decide. Best (*): the fastest within limits.",
    ]
    if table.best is None:
        said.append("No variant that was measured is within the limits: there is no best one.")
    if any(row.timed_while_busy for row in table.rows):
        said.append(BUSY_NOTE)
    return said


def cells(row: ComparisonRow) -> tuple[str, ...]:
    """One row as text; '–' where nothing was measured, and why in the last cell."""
    doubt = " !" if row.timed_while_busy else ""
    name = row.variant + (f" → {row.made}" if row.made else "")
    delta = None if row.drop_mAP50_95 is None else -row.drop_mAP50_95
    turned = None if row.drop_bounds is None else (-row.drop_bounds[1], -row.drop_bounds[0])
    last = f"{row.registered_name} v{row.registered_version}" if row.registered_name else "–"
    if row.status != RunStatus.FINISHED:
        last = f"{row.status.lower()}: {row.reason}"
    return (
        ("* " if row.best else "") + name + (" (reused)" if row.reused else ""),
        number(row.mAP50, ".3f"),
        number(row.mAP50_95, ".3f"),
        number(delta, "+.3f", _interval(turned, "+.3f")),
        number(row.speedup_ratio, ".2f", "×" + _interval(row.speedup_bounds, ".2f") + doubt),
        number(row.size_mb, ".1f"),
        verdict(row),
        last,
    )


def verdict(row: ComparisonRow) -> str:
    if row.within_limits is None:
        return "–"
    word = "yes" if row.within_limits else "no"
    return word if row.certain or row.variant == ORIGINAL else f"{word} ?"


def _interval(bounds: Bounds | None, form: str) -> str:
    return "" if bounds is None else f" [{number(bounds[0], form)} … {number(bounds[1], form)}]"


# --- files --------------------------------------------------------------------------------------


def to_dict(table: ComparisonTable) -> dict[str, object]:
    """JSON-able; the best one's variant and run by name as well."""
    best = table.best
    return asdict(table) | {
        "best": best.variant if best else None,
        "best_run_id": best.run_id if best else None,
    }


def to_markdown(table: ComparisonTable) -> str:
    """`report/comparison.md`."""
    lines = [
        f"# {markdown_text(f'{table.scenario} {table.version}: comparison of variants')}",
        "",
        f"Experiment {markdown_text(table.experiment_name)}, run `{table.run_id}`.",
        "",
        *table_head((*HEADINGS, "run")),
        *(table_row((*cells(row), row.run_id or "–")) for row in table.rows),
    ]
    return "\n".join([*lines, "", "\n\n".join(notes(table)), ""])


def write_table(table: ComparisonTable, folder: Path) -> None:
    """`comparison.md`, `.csv`, `.json` and, where a variant was measured, `.png` in `folder`."""
    (folder / "comparison.md").write_text(to_markdown(table), encoding="utf-8")
    text = json.dumps(to_dict(table), ensure_ascii=False, indent=2)
    (folder / "comparison.json").write_text(text + "\n", encoding="utf-8")
    write_csv(folder / "comparison.csv", [_flat(row) for row in table.rows])
    _draw(table, folder / "comparison.png")


def _flat(row: ComparisonRow) -> dict[str, object]:
    """One line of CSV: an empty cell where nothing was measured."""
    values = asdict(row)
    for key in ("drop_bounds", "speedup_bounds"):
        bounds = values.pop(key) or (None, None)
        name = {"drop_bounds": "drop_mAP50_95", "speedup_bounds": "speedup_ratio"}[key]
        values |= {f"{name}_low": bounds[0], f"{name}_high": bounds[1]}
    return values


def _draw(table: ComparisonTable, path: Path) -> None:
    from guardianflow.evaluation.pictures.variants import ComparedPoint, compared_variants

    points = [
        ComparedPoint(
            row.made or row.variant,
            row.speedup_ratio,
            row.drop_mAP50_95,
            row.speedup_bounds,
            row.drop_bounds,
            within=bool(row.within_limits),
            best=row.best,
        )
        for row in table.rows
        if row.speedup_ratio is not None and row.drop_mAP50_95 is not None
    ]
    if points:
        title = f"{table.scenario} {table.version}: variants against the original ({table.split})"
        compared_variants(points, table.max_drop_mAP50_95, path, title=title)

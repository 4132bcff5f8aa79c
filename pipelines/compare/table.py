"""The table of a comparison: each variant against the original, and the best within the limits.

Every variant was judged and timed in a stage of its own, beside the original and by turns with
it. So what is comparable between variants is the speed-up against the original; their times are
of different moments and are not put beside each other here.

    results of the stages ──► tabulate ──► ComparisonTable ──► comparison.{md,csv,json,png}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import is_busy
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import ComparisonConfig, Scenario

from ..stage.plan import ORIGINAL
from ..tables import VariantRow, bounds_of, origin_of, row_of, with_worst_slice
from .best_table import BestTable

DROP, DROP50 = "comparison.accuracy_drop_mAP50_95", "comparison.accuracy_drop_mAP50"
SPEEDUP = "comparison.speedup_ratio"


@dataclass(frozen=True)
class ComparisonTable(BestTable):
    """The best is the fastest of those that lost no more than the limits.

    None is where none is within them, and where one of them could not be timed because the machine
    was busy.

    Args:
        split: what all were judged on.
        rows: in the order asked for.
    """

    COLUMNS = (
        "variant", "mAP50", "mAP50-95", "Δ mAP50-95", "speed-up", "MB", "within limits",
        "device", "registered as",
    )  # fmt: skip
    RUN_COLUMNS = ("run",)
    METRICS = ("mAP50", "mAP50_95", "drop_mAP50", "drop_mAP50_95", "speedup_ratio", "size_mb")
    ABSENT = frozenset(
        {
            "mAP50_95_bounds", "latency_p50_ms", "latency_bounds", "latency_busy", "fps",
            "infer_run_id",
        }
    )  # fmt: skip
    WIDTH = 180

    split: str
    max_drop_mAP50: float  # noqa: N815 - the field's own spelling
    max_drop_mAP50_95: float  # noqa: N815

    @property
    def title(self) -> str:
        return f"{super().title}: comparison of variants"

    def notes(self) -> list[str]:
        said = [
            f"Accuracy: one evaluator on the same images ({self.split}). Δ: variant − original. "
            "Speed-up: against the original, timed in turns with it: the one figure of speed that "
            "can be compared between variants. [ ]: 95 % interval.",
            f"Within limits: lost at most {self.max_drop_mAP50_95:g} mAP50-95 and "
            f"{self.max_drop_mAP50:g} mAP50. '?': the interval reaches over the limit, or there "
            "are too few images or recordings for one: more would decide. Best (*): the fastest "
            "within limits.",
        ]
        if self.best is None and any(map(_lacks_time, self.rows)):
            said.append(
                "There is no best one yet: a variant within the limits could not be timed, because "
                "the machine was busy."
            )
        elif self.best is None:
            said.append("No variant that was measured is within the limits: there is no best one.")
        return said + super().notes()


def tabulate(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> ComparisonTable:
    """Set the results of a comparison's stages beside each other.

    Args:
        results: one per variant; SKIPPED and FAILED ones have no metrics.
    """
    limits = scenario.comparison or ComparisonConfig()
    rows = [_row(result, limits) for result in results]
    allowed = [row for row in rows if row.within_limits and row.speedup_ratio is not None]
    # The fastest of some is not the fastest: one that was not timed might be.
    if allowed and not any(map(_lacks_time, rows)):
        # Of two that are equally fast, the one that lost less.
        best = max(allowed, key=lambda row: (row.speedup_ratio or 0.0, -(row.drop_mAP50_95 or 0.0)))
        rows[rows.index(best)] = replace(best, best=True)
    return ComparisonTable(
        **origin_of(scenario, run_id, results),
        split=common_split(scenario),
        max_drop_mAP50=limits.max_drop_mAP50,
        max_drop_mAP50_95=limits.max_drop_mAP50_95,
        rows=tuple(rows),
    )


def _lacks_time(row: VariantRow) -> bool:
    return bool(row.within_limits) and row.speedup_busy


def common_split(scenario: Scenario) -> str:
    """The split that every variant is judged on, the original too: as quant chooses it."""
    return scenario.dataset.split or "val"


def _row(result: StageResult, limits: ComparisonConfig) -> VariantRow:
    row = row_of(result, VariantRow)
    if result.status != RunStatus.FINISHED:
        return row
    got = result.metrics
    if result.variant == ORIGINAL:
        return replace(
            with_worst_slice(row.with_alarms(got), result),
            mAP50=got.get("det.mAP50"),
            mAP50_95=got.get("det.mAP50_95"),
            size_mb=got.get("sys.model_size_mb"),
            speedup_ratio=1.0,  # against itself, by definition
            within_limits=True,
            spread_wide=False,  # no time of its own is shown
        )
    asked, _, other = result.variant.partition("-as-")
    within = got[DROP] <= limits.max_drop_mAP50_95 and got[DROP50] <= limits.max_drop_mAP50
    drop, drop50 = Estimate.from_metrics(got, DROP), Estimate.from_metrics(got, DROP50)
    return replace(
        with_worst_slice(row.with_alarms(got, "alarm.quantized."), result, "det.quantized."),
        variant=asked,
        made=f"{asked.rpartition('_')[0]}_{other}" if other else "",
        mAP50=got.get("det.quantized.mAP50"),
        mAP50_95=got.get("det.quantized.mAP50_95"),
        drop_mAP50=got[DROP50],
        drop_mAP50_95=got[DROP],
        drop_bounds=bounds_of(got, DROP),
        speedup_ratio=got.get(SPEEDUP),
        speedup_bounds=bounds_of(got, SPEEDUP),
        speedup_busy=is_busy(got) and SPEEDUP not in got,
        size_mb=got.get("sys.quantized.model_size_mb"),
        within_limits=within,
        certain=_is_certain(within, drop, drop50, limits),
    )


def _is_certain(
    within: bool, drop: Estimate | None, drop50: Estimate | None, limits: ComparisonConfig
) -> bool | None:
    """Within: both intervals end below their limits. Beyond: one begins above its limit."""
    if drop is None or drop50 is None:
        return None
    both = ((drop, limits.max_drop_mAP50_95), (drop50, limits.max_drop_mAP50))
    if within:
        return all(each.high <= limit for each, limit in both)
    return any(each.low > limit for each, limit in both)


def write_table(table: ComparisonTable, folder: Path) -> None:
    """`comparison.md`, `.csv`, `.json` and, where a variant was measured, `.png` in `folder`."""
    from guardianflow.evaluation.pictures.tradeoff import TradeoffPoint, compared_variants

    table.write(folder, "comparison")
    table.write_csv(folder / "comparison.csv")
    points = [
        TradeoffPoint(
            row.made or row.variant,
            row.speedup_ratio,
            row.drop_mAP50_95,
            row.speedup_bounds,
            row.drop_bounds,
            within=bool(row.within_limits),
            best=row.best,
        )
        for row in table.rows
        if row.drop_mAP50_95 is not None
    ]
    if points:
        title = f"{table.scenario} {table.version}: variants against the original ({table.split})"
        path = folder / "comparison.png"
        compared_variants(points, table.max_drop_mAP50_95, path, title=title)

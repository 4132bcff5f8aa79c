"""The files of a ranked comparison: table for people and programs, and pictures."""

from __future__ import annotations

from pathlib import Path

from .ranked_table import RankedRow, RankedTable, SiteTable, Standing


def write_ranked(table: RankedTable, folder: Path) -> None:
    """`comparison.md`, `.csv`, `.json`, and where something was measured `.png` and `ranks.png`."""
    from guardianflow.evaluation.pictures.ranking import RankedPoint, ranked_intervals
    from guardianflow.evaluation.pictures.tradeoff import TradeoffPoint, accuracy_against_latency

    table.write(folder, "comparison")
    table.write_csv(folder / "comparison.csv")
    points = [
        RankedPoint(row.variant, row.value, row.value_bounds, _mark(row))
        for row in table.rows
        if row.value is not None
    ]
    sites = isinstance(table, SiteTable)
    if points:
        path = folder / ("comparison.png" if sites else "ranks.png")
        ranked_intervals(points, path, title=table.title, axis=table.shown_metric)
    measured = [row for row in table.rows if row.mAP50_95 is not None and row.rank is not None]
    if measured and not sites:
        tradeoff = [
            TradeoffPoint(
                row.variant,
                row.latency_p50_ms,
                row.mAP50_95 or 0.0,
                row.latency_bounds,
                row.mAP50_95_bounds,
                row.size_mb,
                best=row.best,
            )
            for row in measured
        ]
        accuracy_against_latency(tradeoff, folder / "comparison.png")


def _mark(row: RankedRow) -> str:
    marks = {
        Standing.REFERENCE: "reference",
        Standing.BETTER: "better",
        Standing.WORSE: "worse",
        Standing.SAME: "same",
        Standing.OTHER_IMAGES: "apart",
    }
    return marks.get(row.standing, "undecided")

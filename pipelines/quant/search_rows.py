"""What a search's tries leave behind, read and written: metrics of a run, rows of a table."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from guardianflow.contracts.measurements import Estimate
from guardianflow.contracts.results import RunRecord

from .search_order import Attempt, Measured

DROP = "drop."


def point(value: float) -> Estimate:
    """A value without an interval."""
    return Estimate(value, value, value)


def measured_of(run: RunRecord) -> Measured:
    """What a finished try logged."""
    metrics = run.metrics
    names = [
        key.removeprefix(DROP)
        for key in metrics
        if key.startswith(DROP) and not key.endswith(("_low", "_high"))
    ]
    return Measured(
        drops={
            name: Estimate(
                metrics[DROP + name],
                metrics.get(f"{DROP}{name}_low", metrics[DROP + name]),
                metrics.get(f"{DROP}{name}_high", metrics[DROP + name]),
            )
            for name in names
        },
        class_recall={
            key.removeprefix("det.recall."): value
            for key, value in metrics.items()
            if key.startswith("det.recall.")
        },
        relative_latency=metrics["comparison.relative_latency"],
        size_mb=metrics["sys.model_size_mb"],
        relative_throughput=metrics.get("comparison.relative_throughput"),
    )


def row_of(attempt: Attempt) -> dict[str, Any]:
    """One try as a row of results/search.json."""
    row: dict[str, Any] = {
        "label": attempt.label,
        "float_groups": list(attempt.recipe.float_groups) if attempt.recipe else None,
        "accepted": attempt.accepted,
        "certain": attempt.certain,
        "reason": attempt.reason,
        "run_id": attempt.run_id,
    }
    if attempt.measured is not None:
        row |= asdict(replace(attempt.measured, drops={}, class_recall={}))
        row["drops"] = {key: asdict(each) for key, each in attempt.measured.drops.items()}
    return {key: value for key, value in row.items() if value not in ({}, None)}

"""Records of a query → readings and aggregates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..columns import Metric
from ..tables import utc
from .answers import Aggregate, Reading

FIGURES = ("rows", "mean", "minimum", "maximum")


def aggregates_of(metrics: Iterable[Metric], record: Mapping[str, Any]) -> dict[str, Aggregate]:
    """The aggregates in a record; a metric that no run of the group has is left out."""
    return {
        each.name: Aggregate(
            latest=reading_of(record[f"{each.name}.latest"]),
            **{name: record[f"{each.name}.{name}"] for name in FIGURES},
        )
        for each in metrics
        if record[f"{each.name}.rows"]
    }


def reading_of(values: Mapping[str, Any]) -> Reading:
    return Reading(**{**values, "timestamp": utc(values["timestamp"])})

"""The last readings of each place's accuracy, part by part of the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..columns import SHORT
from ..filters import STANDS
from ..rollups import reading_sql
from ..standing import LATEST_SQL
from .aggregates import reading_of
from .answers import Place, Reading, SiteTile

ACCURACY = SHORT["mAP50"]
HISTORY, HISTORY_DAYS = 20, 90
_KEYS = ", ".join((*Place.model_fields, "experiment_type", "evaluator"))
HISTORIES_SQL = (
    f"SELECT {_KEYS}, arg_max({reading_sql(ACCURACY)}, {LATEST_SQL}, {HISTORY}) FROM runs "
    f"WHERE {STANDS} AND {ACCURACY.value_sql} IS NOT NULL GROUP BY {_KEYS}"  # nosec B608
)
Histories = Mapping[tuple[str | None, ...], tuple[Reading, ...]]
"""Place, type and evaluator → readings, the newest first."""


def histories_of(records: Iterable[tuple[Any, ...]]) -> Histories:
    """What HISTORIES_SQL finds."""
    return {tuple(kind): tuple(map(reading_of, readings)) for *kind, readings in records}


def kind_of(tile: SiteTile) -> tuple[str | None, ...]:
    """The runs that a tile's accuracy is of, as Histories has them."""
    place = (getattr(tile.place, name) for name in Place.model_fields)
    return (*place, tile.accuracy_type, tile.evaluator)


def history_of(
    kind: tuple[str | None, ...], parts: Iterable[Histories], since: datetime
) -> tuple[Reading, ...]:
    """The last readings since a moment, the newest last."""
    there = [r for part in parts for r in part.get(kind, ()) if r.timestamp >= since]
    there.sort(key=lambda each: (each.timestamp, each.run_id))
    return tuple(there[-HISTORY:])

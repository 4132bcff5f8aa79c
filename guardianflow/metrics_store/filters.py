"""Which rows are asked for, and the SQL that says so. Values are bound, never written into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..contracts.errors import ConfigurationError

LONGEST_DAYS = 36_525
STANDS = "(trial_of IS NULL AND coalesce(experiment_design, 'single') = 'single')"
"""SQL: whether a run may stand for its place (standing.py)."""


@dataclass(frozen=True)
class RowFilter:
    """Rows that have all of these; None, or nothing, asks for none.

    Args:
        since, until: of the run's end; with a time zone. `until` itself is left out.
        standing: those alone that may stand for their place (standing.py).
    """

    customer: str | None = None
    site: str | None = None
    zone: str | None = None
    task: str | None = None
    experiment_type: str | None = None
    experiment_design: str | None = None
    architectures: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    directory: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    standing: bool = False

    @classmethod
    def last_days(cls, days: float | None, **more: Any) -> RowFilter:
        """Rows of runs that ended in the last days; None all.

        Raises:
            ConfigurationError: not a number of days.
        """
        if days is None:
            return cls(**more)
        if not 0 < days <= LONGEST_DAYS:
            raise ConfigurationError(
                f"days must be above 0 and at most {LONGEST_DAYS} but got {days:g}"
            )
        return cls(since=datetime.now(UTC) - timedelta(days=days), **more)

    def where(self) -> tuple[str, list[Any]]:
        """The conditions, 'true' where there are none, and what their marks stand for."""
        conditions, values = [], []
        for name in (
            *("customer", "site", "zone", "task"),
            *("experiment_type", "experiment_design", "directory"),
        ):
            if (wanted := getattr(self, name)) is not None:
                conditions.append(f"{name} = ?")
                values.append(wanted)
        for column, several in (
            ("model_architecture", self.architectures),
            ("run_id", self.run_ids),
        ):
            if several:
                conditions.append(f"{column} IN ({', '.join('?' * len(several))})")
                values += several
        for sign, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                conditions.append(f"timestamp {sign} ?")
                values.append(moment.astimezone(UTC).replace(tzinfo=None))
        if self.standing:
            conditions.append(STANDS)
        return " AND ".join(conditions) or "true", values


EVERYTHING = RowFilter()

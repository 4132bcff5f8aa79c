"""What the tables of a comparison share: one of their rows may be the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..tables import VariantRow, VariantTable


@dataclass(frozen=True)
class BestTable(VariantTable):
    """A table of which one row may be the best."""

    @property
    def best(self) -> VariantRow | None:
        return next((row for row in self.rows if row.best), None)

    @property
    def metrics(self) -> dict[str, float]:
        """`best.…` of the best one too."""
        return super().metrics | (self.metrics_of(self.best, "best.") if self.best else {})

    @property
    def tags(self) -> dict[str, str]:
        """Of the parent run: what was reused, and which one is the best."""
        tags = {f"reused.{row.variant}": row.run_id for row in self.rows if row.reused}
        if self.best:
            tags |= {
                "comparison.best_run_id": self.best.run_id,
                "comparison.best_value": self.best.variant,
                "best.run_id": self.best.run_id,
            }
        return tags

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; the best one's label and run by name as well."""
        plain = super().to_dict()
        rows = plain.pop("rows")  # they come after the limits they are held against
        return plain | {
            "rows": rows,
            "best": self.best.variant if self.best else None,
            "best_run_id": self.best.run_id if self.best else None,
        }

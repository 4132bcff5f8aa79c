"""`guardianflow compare`: models, formats or data sets beside each other.

kinds.py              which comparison a scenario asks for: runner and table
comparison.py         formats of one model
table.py              each format against the original, and the best within the limits
architectures.py      a training each, then all side by side
existing.py           runs and registered versions: measured again, or as they were recorded
datasets.py           one model on the data of several sites
ranked_comparison.py  what these three share
several.py            trainings, one after the other or several at once
ranking.py            from results to ranks, and what is certain
pooled.py             the same of architectures that were trained several times
ranked_table.py       the table in rows and words
ranked_report.py      its files and pictures
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .kinds import runner_of, table_of

__all__ = ["runner_of", "table_of"]


def __getattr__(name: str) -> Any:
    """Import on first use: a table needs no runner."""
    if name in __all__:
        return getattr(import_module(".kinds", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")

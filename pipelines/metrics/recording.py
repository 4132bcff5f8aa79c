"""Writes the row of a run that has just finished, so that pages have it at once."""

from __future__ import annotations

from guardianflow.metrics_store.run_rows import row_of
from guardianflow.metrics_store.store import MetricsStore

from ..settings import load_settings
from ..wiring import Store
from .place import metrics_address


def record_run(store: Store, run_id: str) -> None:
    """Write the row, as the store has the run. Nothing where there is no metrics store.

    A run that waits to be sent has no row yet: the next catch-up brings it.

    Raises:
        GuardianFlowError: one of the two stores refuses.
    """
    settings = load_settings()
    address = metrics_address(settings, store.tracking_uri)
    if address is None:
        return
    row = row_of(store.get_run(run_id))
    if row is not None:
        MetricsStore(address, settings.work_dir / "metrics" / "fetched").save_metrics(row)

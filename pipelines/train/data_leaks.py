"""Tells before a training what of val and test is in train: it changes no weight.

What judges the epochs, and later the model, is no proof where it was learnt.
"""

from __future__ import annotations

from guardianflow.contracts.results import LocalDataset

from ..measuring.leaks import look_for_leaks, tell_leaks
from ..stage.stage import StageContext


def note_leaks(context: StageContext, dataset: LocalDataset, run_id: str) -> None:
    """Put tags `data.leak.*`, `results/leaks.csv` and a sheet of pairs on the run, and tell."""
    seen, store = look_for_leaks(context, dataset), context.ports.store
    outputs = context.scratch / "leaks"
    seen.save(outputs)
    if outputs.is_dir():
        store.log_files(run_id, outputs)
    store.annotate(run_id, tags=seen.tags())
    tell_leaks(context, seen)

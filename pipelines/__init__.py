"""The order of work: `create_runner(scenario).run()`, or `python -m pipelines.train` and so on.

train/              trains and registers the best model
quant/              makes a quantised variant and judges it beside the original
infer/              judges a model on a split
sweep/              trials with values that are searched for
compare/            formats, architectures, runs, versions or data sets beside each other
side_by_side/       several models on the same images, for comparisons and ablations
ablation/           what each component of a training or quantisation is worth
release/            judges candidates against the champion, and decides
full_pipeline/      all of these, below one run
registered_models/  promotes, rolls back and pulls
alarms/             judges and tunes rules over recordings, without a run
wrap/               runs an old script unchanged
wrap_batch/         runs many of them, and goes on where it stopped
metrics/            the metrics store: where it lies, its rows at a run's end, and from MLflow
failures/           too little room, partial results, killed processes
stage/              what stages share: order, process, run, inputs
pools/              several stages at once, on this machine or on several
reuse/              finds what is done already, and says what has changed since
configuration/      where each setting comes from, and whether the services named are there
measuring/          accuracy, time and tracking, taken alike by every stage
options.py          one table of options for both command lines
command_options/    how an option is declared, and read behind `python -m`; fetched scenarios
design_result.py    what sweeps, comparisons and ablations return
chain.py            stages below one parent run, one after the other
reap.py             ends and removes what killed processes left
runner.py           create_runner: which runner a scenario needs
resume.py           goes on with a run, by its id
missing_files.py    what --dry-run finds missing on this machine
command_line.py     options in, results out, exit codes
console.py          how a run looks on a terminal
tables.py           the table of variants
data_notices.py     what a stage says of its data
wiring.py           joins rooms: MLflow behind the ports, or memory
worker.py           carries out one stage in a process of its own
settings.py         settings of the machine, from the environment and .env
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardianflow.metrics_store.store import MetricsStore

    from .registered_models.registry import ModelRegistry
    from .runner import create_runner

__all__ = ["MetricsStore", "ModelRegistry", "create_runner"]


def __getattr__(name: str) -> Any:
    """Import on first use: a worker of one stage needs none of the runners."""
    homes = {
        "create_runner": ".runner",
        "ModelRegistry": ".registered_models.registry",
        "MetricsStore": "guardianflow.metrics_store.store",
    }
    if name in homes:
        return getattr(import_module(homes[name], __name__), name)
    raise AttributeError(f"module 'pipelines' has no attribute '{name}'")

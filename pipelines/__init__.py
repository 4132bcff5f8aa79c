"""The order of work: `create_runner(scenario).run()`, or `python -m pipelines.train` and so on.

train/              trains and registers the best model
quant/              makes a quantised variant and judges it beside the original
infer/              judges a model on a split
compare/            variants of one model beside each other
release/            judges candidates against the champion, and decides
full_pipeline/      all of these, below one run
registered_models/  promotes, rolls back and pulls
wrap/               runs an old script unchanged
wrap_batch/         runs many of them, and goes on where it stopped
stage/              what stages share: order, process, run, inputs
measuring/          accuracy, time and tracking, taken alike by every stage
options.py          one table of options for both command lines
runner.py           create_runner: which runner a scenario needs
command_line.py     options in, results out, exit codes
console.py          how a run looks on a terminal
tables.py           the table of variants
wiring.py           joins rooms: MLflow behind the ports, or memory
worker.py           carries out one stage in a process of its own
settings.py         settings of the machine, from the environment and .env
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .registered_models.registry import ModelRegistry
    from .runner import create_runner

__all__ = ["ModelRegistry", "create_runner"]


def __getattr__(name: str) -> Any:
    """Import on first use: a worker of one stage needs none of the runners."""
    if name == "create_runner":
        from .runner import create_runner

        return create_runner
    if name == "ModelRegistry":
        from .registered_models.registry import ModelRegistry

        return ModelRegistry
    raise AttributeError(f"module 'pipelines' has no attribute '{name}'")

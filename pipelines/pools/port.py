"""The port of what runs stages side by side.

    submit(StageRequest) ──► ticket ──► events, while it works ──► next_ended() ──► EndedStage

One thread uses a pool: whoever submits also waits. Events come from other threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from guardianflow.contracts.errors import StageFailedError
from guardianflow.contracts.results import StageResult

from ..stage.stage import StageRequest

Listen = Callable[[dict[str, Any]], None]
"""Takes the events of one stage, as `pipelines.stage.events` tells of them, from any thread.

The first one is {"kind": "started", "log": PATH}: it has left those that wait.
"""


@dataclass(frozen=True)
class Needs:
    """What a stage takes of the machine that it runs on.

    Args:
        cores: CPU cores; None: an even share of those that the pool has.
        gpus: GPUs, each for this stage alone; 0.5 lets two stages share one; with 0 it sees those
            that the machine has, and shares them with whoever uses them: see `make.needs_of`.
        memory_mb: free memory without which it is not started; None: not asked.
    """

    cores: float | None = None
    gpus: float = 0.0
    memory_mb: float | None = None


@dataclass(frozen=True)
class EndedStage:
    """A stage that has ended: one of result and failure is there, unless it was stopped.

    Args:
        ticket: what `submit` gave.
        stopped: the reason given to `stop`, where it ended by that; its run is KILLED.
    """

    ticket: int
    result: StageResult | None = None
    failure: StageFailedError | None = None
    stopped: str = ""


class StagePool(Protocol):
    """Runs stages side by side, each in a process and a directory of its own."""

    @property
    def places(self) -> int:
        """How many stages it runs at once; more are kept waiting in order."""
        ...

    @property
    def gpus(self) -> int:
        """How many GPUs it has to give."""
        ...

    def submit(self, request: StageRequest, needs: Needs, listen: Listen) -> int:
        """Run a stage as soon as there is room.

        Raises:
            ConfigurationError: no machine of the pool can ever give what it needs.
        """
        ...

    def next_ended(self, timeout_s: float | None = None) -> EndedStage | None:
        """The next stage that ends; None where none does within the time, or none is left.

        A worker or a machine that vanishes ends its stages as failures of FailureReason.KILLED.
        """
        ...

    def stop(self, ticket: int, reason: str) -> None:
        """Ask a stage to end, whether it waits or works; `next_ended` then tells of it."""
        ...

    def close(self) -> None:
        """Stop what still waits or works, end every process, and give all back; never raises."""
        ...

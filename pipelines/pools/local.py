"""Runs stages side by side as processes of this machine.

A stage's thread starts its process and waits for it as the executor does for one stage alone; so
what holds for one holds for several: a crash ends its stage and no other, a run is ended whatever
happens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import FailureReason, StageFailedError

from ..stage.events import Ended
from ..stage.executor import LocalExecutor
from ..stage.stage import StageRequest
from .port import EndedStage, Listen, Needs
from .queueing import QueuedStage, QueueingPool
from .shares import Machine, Share, Shares, free_memory_mb, keep_to

MEMORY_WAIT_S = 120.0
"""For memory that is free, while no stage of ours is there whose end could free any."""


class LocalPool(QueueingPool[Share]):
    """Stages as processes of this machine.

    Args:
        executor: runs one stage; its reporter is not told of these, `listen` is.
        places: how many at once; None: one for each GPU, else one for every few cores.
        machine: what may be given away; None: this one, as it is.
        free_memory: tells how many MB are free.
    """

    def __init__(
        self,
        executor: LocalExecutor,
        places: int | None = None,
        machine: Machine | None = None,
        free_memory: Callable[[], float] = free_memory_mb,
    ) -> None:
        super().__init__()
        self._executor, self._free_memory = executor, free_memory
        self._machine = machine or Machine.this_one()
        self._shares = Shares(self._machine, places or self._machine.usual_places)
        self._short: dict[int, float] = {}  # ticket → since when memory alone keeps it waiting
        self._told: set[int] = set()

    @property
    def places(self) -> int:
        return self._shares.places

    @property
    def gpus(self) -> int:
        return len(self._machine.gpus)

    def _check(self, request: StageRequest, needs: Needs) -> None:  # noqa: ARG002 - of the pool
        self._machine.check(needs)

    def _take(self, stage: QueuedStage) -> Share | None:
        needs = stage.needs
        if stage.takes_times:
            needs = replace(needs, cores=self._machine.cores)
        return self._shares.take(needs) if self._memory_is_there(stage) else None

    def _give_back(self, room: Share) -> None:
        self._shares.give_back(room)

    def _memory_is_there(self, stage: QueuedStage) -> bool:
        needed = stage.needs.memory_mb
        if needed is None or (free := self._free_memory()) >= needed:
            return True
        text = f"it needs {needed:.0f} MB of free memory and {free:.0f} MB are free"
        if stage.ticket not in self._told:
            self._told.add(stage.ticket)
            stage.listen({"kind": "message", "text": f"waits: {text}"})
        if self._working:
            self._short.pop(stage.ticket, None)
            return False
        since = self._short.setdefault(stage.ticket, time.monotonic())
        if time.monotonic() - since > MEMORY_WAIT_S:
            raise StageFailedError(
                stage.request.title,
                f"{text}, after {MEMORY_WAIT_S:.0f} s with no other stage at work. End what else "
                "uses the machine's memory, or lower the batch size",
                failure_reason=FailureReason.HOST_OUT_OF_MEMORY,
            )
        return False

    def _carry_out(self, stage: QueuedStage, room: Share) -> EndedStage:
        keep_to(room.cpus or self._machine.cpus)  # a thread has those of the one that made it
        return run_here(self._executor, stage, room.variables(os.environ))


def run_here(
    executor: LocalExecutor, stage: QueuedStage, variables: Mapping[str, str]
) -> EndedStage:
    """Run a stage on this machine; its events go to whoever listens."""
    executor = replace(executor, reporter=_Listening(stage.listen))
    try:
        result = executor.run(stage.request, variables, stage.stop)
        return EndedStage(stage.ticket, result=result)
    except StageFailedError as exc:
        return stage.failed(exc)
    except KeyboardInterrupt:
        if stage.stop.asked:
            return stage.stopped()
        return stage.failed(
            StageFailedError(
                stage.request.title,
                "its process was interrupted by somebody else than the one that started it",
                failure_reason=FailureReason.INTERRUPTED,
            )
        )


class _Listening:
    """Hands a stage's events on, and its start as one of them."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen

    def opened(self, title: str, run_id: str) -> None: ...

    def started(self, title: str, log: Path) -> None:  # noqa: ARG002 - of Reporter
        self._listen({"kind": "started", "log": str(log)})

    def event(self, title: str, event: dict[str, Any]) -> None:  # noqa: ARG002 - of Reporter
        self._listen(event)

    def ended(self, title: str, result: Ended) -> None: ...

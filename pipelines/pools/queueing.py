"""What the pools share: stages wait in order, each that works has a thread here, one end is told.

A pool says whether there is room for a stage, and carries it out in the stage's thread.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

from guardianflow.contracts.errors import GuardianFlowError, StageFailedError
from guardianflow.support.child_processes import join
from guardianflow.support.stop_signals import held_back

from ..stage.execution.stop_request import StopRequest
from ..stage.kinds import TRAIN
from ..stage.stage import StageRequest
from .port import EndedStage, Listen, Needs

LAP_S = 0.2
"""A wait is ended so often, so that a signal is answered and what was short is looked at again."""
Room = TypeVar("Room")
"""What a stage is given while it works."""


@dataclass
class QueuedStage:
    """One that waits or works."""

    ticket: int
    request: StageRequest
    needs: Needs
    listen: Listen
    stop: StopRequest = field(default_factory=StopRequest)
    thread: threading.Thread | None = None

    @property
    def takes_times(self) -> bool:
        """Whether it needs its machine alone: a neighbour slows it down from other cores too."""
        return self.request.stage != TRAIN and not self.request.check_only

    def failed(self, error: StageFailedError) -> EndedStage:
        return EndedStage(self.ticket, failure=error)

    def stopped(self) -> EndedStage:
        return EndedStage(self.ticket, stopped=self.stop.reason)


class QueueingPool(Generic[Room]):
    """A StagePool but for the work itself."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tickets = count(1)
        self._waiting: list[QueuedStage] = []
        self._working: dict[int, QueuedStage] = {}
        self._ended: queue.SimpleQueue[EndedStage] = queue.SimpleQueue()
        self._closed = False

    # --- what each pool says ------------------------------------------------------------------

    def _check(self, request: StageRequest, needs: Needs) -> None:
        """Raises ConfigurationError: it can never carry that out."""
        raise NotImplementedError

    def _take(self, stage: QueuedStage) -> Room | None:
        """Room for the stage that waits first; None while there is none.

        Raises:
            StageFailedError: it has waited in vain.
        """
        raise NotImplementedError

    def _give_back(self, room: Room) -> None:
        raise NotImplementedError

    def _carry_out(self, stage: QueuedStage, room: Room) -> EndedStage:
        """Whatever comes of it; in the stage's thread."""
        raise NotImplementedError

    # --- StagePool ----------------------------------------------------------------------------

    def submit(self, request: StageRequest, needs: Needs, listen: Listen) -> int:
        self._check(request, needs)
        with self._lock:
            if self._closed:
                raise RuntimeError("a pool that is closed takes no more stages")
            stage = QueuedStage(next(self._tickets), request, needs, listen)
            self._waiting.append(stage)
            self._start_waiting()
        return stage.ticket

    def next_ended(self, timeout_s: float | None = None) -> EndedStage | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = LAP_S if deadline is None else min(LAP_S, deadline - time.monotonic())
            with self._lock:  # an end is put into the queue before its stage is no longer at work
                self._start_waiting()
                any_left = bool(self._waiting or self._working)
            try:
                if left_s > 0 and any_left:
                    return self._ended.get(timeout=left_s)
                return self._ended.get_nowait()
            except queue.Empty:
                if left_s <= 0 or not any_left:
                    return None

    def stop(self, ticket: int, reason: str) -> None:
        with self._lock:
            for stage in [each for each in self._waiting if each.ticket == ticket]:
                self._waiting.remove(stage)
                self._ended.put(EndedStage(ticket, stopped=reason))
            if at_work := self._working.get(ticket):
                at_work.stop.ask(reason)

    def close(self) -> None:
        with held_back() as signals:
            with self._lock:
                self._closed = True
                at_work = list(self._working.values())
                for stage in [*self._waiting, *at_work]:
                    self.stop(stage.ticket, "the pool was closed")
            for stage in at_work:
                while stage.thread and not join(stage.thread, LAP_S):
                    for each in at_work:
                        each.stop.hurry = each.stop.hurry or signals.hurry

    # --- one stage ----------------------------------------------------------------------------

    def _start_waiting(self) -> None:
        """Start those that there is room for, in order: a large one is not passed for ever."""
        while self._waiting and not self._closed:
            stage = self._waiting[0]
            try:
                room = self._take(stage)
            except StageFailedError as exc:
                self._waiting.remove(stage)
                self._ended.put(stage.failed(exc))
                continue
            if room is None:
                return
            self._waiting.remove(stage)
            self._working[stage.ticket] = stage
            stage.thread = threading.Thread(target=self._work, args=(stage, room), daemon=True)
            stage.thread.start()

    def _work(self, stage: QueuedStage, room: Room) -> None:
        try:
            ended = self._carry_out(stage, room)
        except Exception as exc:  # ours: a stage that nobody hears of again would be waited for
            failure = StageFailedError(stage.request.title, f"{type(exc).__name__}: {exc}")
            failure.__cause__ = exc
            ended = stage.failed(failure)
        with self._lock:
            self._ended.put(ended)
            del self._working[stage.ticket]
            self._give_back(room)
            with suppress(GuardianFlowError):  # next_ended meets it too, and tells it
                self._start_waiting()

"""A pool whose stages do what a test says, at once and in order, without a process."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardianflow.contracts.errors import FailureReason, StageFailedError
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.pools.port import EndedStage, Listen, Needs
from pipelines.stage.stage import StageRequest

Answer = Sequence[float] | dict[str, float] | StageFailedError
"""Values of mAP50 epoch by epoch, the last one its result; or metrics; or a failure."""


def crash(reason: FailureReason = FailureReason.KILLED) -> StageFailedError:
    return StageFailedError("train", "it was killed", failure_reason=reason)


@dataclass
class ScriptedPool:
    """Epochs are told one at a time, so that a stage can be stopped between two.

    A training that was stopped goes on where it was.

    Args:
        script: parameters, and how often they were submitted before → what the stage does.
    """

    script: Callable[[dict[str, Any], int], Answer]
    places: int = 1
    gpus: int = 0
    epochs: int = 9
    submitted: list[dict[str, Any]] = field(default_factory=list)
    trained: int = 0
    _waiting: deque[tuple[int, StageRequest, Listen]] = field(default_factory=deque)
    _stopped: dict[int, str] = field(default_factory=dict)
    _curve: list[float] | None = None
    _left: dict[str, list[float]] = field(default_factory=dict)
    closed: bool = False

    def submit(self, request: StageRequest, needs: Needs, listen: Listen) -> int:
        ticket = len(self.submitted)
        self.submitted.append(json.loads(request.tags["sweep.params"]))
        self._waiting.append((ticket, request, listen))
        return ticket

    def next_ended(self, timeout_s: float | None = None) -> EndedStage | None:
        if not self._waiting:
            return None
        ticket, request, listen = self._waiting[0]
        run_id = f"run-{request.run_name}"
        if ticket in self._stopped:
            if self._curve is not None:
                self._left[request.run_name] = self._curve
            return self._end(EndedStage(ticket, stopped=self._stopped[ticket]))
        params = self.submitted[ticket]
        answer = self.script(params, self.submitted[:ticket].count(params))
        if isinstance(answer, StageFailedError):
            return self._end(EndedStage(ticket, failure=answer))
        metrics = answer if isinstance(answer, dict) else {"det.mAP50": answer[-1]}
        if not isinstance(answer, dict):
            if self._curve is None:
                listen({"kind": "run", "run_id": run_id, "run_name": request.run_name})
                self._curve = self._left.pop(request.run_name, list(answer))
            if self._curve:
                done = len(answer) - len(self._curve) + 1
                value, self.trained = self._curve.pop(0), self.trained + 1
                listen({"kind": "progress", "done": done, "total": len(answer), "note": "",
                        "metrics": {"det.mAP50": value}})  # fmt: skip
                return None
        result = StageResult("train", run_id, RunStatus.FINISHED, "e", request.run_name, metrics)
        return self._end(EndedStage(ticket, result=result))

    def _end(self, ended: EndedStage) -> EndedStage:
        self._waiting.popleft()
        self._curve = None
        return ended

    def stop(self, ticket: int, reason: str) -> None:
        self._stopped[ticket] = reason

    def close(self) -> None:
        self.closed = True

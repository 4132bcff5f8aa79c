"""One stage on the machine that a cluster has chosen; Ray makes it an actor there.

The stage runs in a process below the actor's, as on a machine of its own. When the actor is killed,
that process sees that its starter is gone and ends its run itself: see pipelines.worker.
"""

from __future__ import annotations

import os
import platform
import queue
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments_adapters.failures.known import reason_of
from guardianflow.contracts.errors import StageFailedError
from guardianflow.support.secrets.redaction import learn_environment, learn_mapping

from ...console import SilentReporter
from ...stage.execution.stop_request import StopRequest
from ...stage.executor import LocalExecutor
from ...stage.stage import StageRequest
from ..local import run_here
from ..port import EndedStage, Needs
from ..queueing import QueuedStage
from .sent_code import SentCode, with_code

TEMPORARY = "guardianflow-code-"


class RemoteStage:
    """A stage, and what another machine asks of it; each method may be called while `run` works.

    Args:
        environment: the settings and credentials of whoever gave the command.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        learn_environment(environment)
        os.environ.update(environment)
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._stop = StopRequest()

    def machine(self) -> str:
        """Its name: the actor is there, and nothing has begun."""
        return platform.node()

    def run(self, order: str, code: SentCode | None, variables: Mapping[str, str]) -> EndedStage:
        """Carry the stage out, whatever comes of it.

        Args:
            order: a StageRequest as JSON.
            code: the experiment's, where it has to be sent.
            variables: of its process; {} leaves the number of threads to its libraries.
        """
        if not variables:
            os.environ.pop("OMP_NUM_THREADS", None)  # Ray has set it
        request = StageRequest.from_json(order)
        learn_mapping(vars(request))
        stage = QueuedStage(0, request, Needs(), self._events.put, self._stop)
        try:
            with TemporaryDirectory(prefix=TEMPORARY, ignore_cleanup_errors=True) as folder:
                stage.request = with_code(request, code, Path(folder))
                return run_here(LocalExecutor(SilentReporter()), stage, variables)
        except OSError as exc:
            reason = f"the experiment's code can't be unpacked on {platform.node()}: {exc}"
            return stage.failed(
                StageFailedError(request.title, reason, failure_reason=reason_of(exc))
            )
        finally:
            self._events.put(None)

    def news(self, wait_s: float) -> list[dict[str, Any]]:
        """Events since the last call, in order; waits for one, unless there will be no more."""
        told = []
        with suppress(queue.Empty):
            event = self._events.get(timeout=wait_s)
            while event is not None:
                told.append(event)
                event = self._events.get_nowait()
            self._events.put(None)
        return told

    def stop(self, reason: str, *, hurry: bool) -> None:
        self._stop.hurry = hurry
        self._stop.ask(reason)

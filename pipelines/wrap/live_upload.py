"""Uploads a wrapped script's output and the machine's load while the script runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from experiments_adapters.legacy.output_log import OutputLog
from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.ports import RunTracker
from guardianflow.evaluation.timing.system_metrics import SystemSampler
from guardianflow.support.child_processes import join

LOGGER = logging.getLogger(__name__)

FIRST_AFTER_S = 3.0
EVERY_S = 15.0
SHARE_OF_THE_TIME = 1 / 50
"""Uploads take at most so much of the time: a long log, or a slow store, is brought less often."""
SAMPLE_EVERY_S = 2.0
OUTPUT = "output.log"


class LiveUpload:
    """Brings the log and `sys.*` to the run now and then, and a last time when it is stopped.

    The steps of `sys.*` are seconds since the start.
    """

    def __init__(self, store: RunTracker, run_id: str, log: OutputLog, scratch: Path) -> None:
        self._store, self._run_id, self._log = store, run_id, log
        self._copy = scratch / "upload" / OUTPUT
        self._copy.parent.mkdir(parents=True, exist_ok=True)
        self._sampler = SystemSampler(SAMPLE_EVERY_S)
        self._stopped = threading.Event()
        self._began = time.monotonic()
        self._brought = -1
        self._thread = threading.Thread(target=self._keep_bringing, name="live-upload", daemon=True)

    def start(self) -> None:
        self._sampler.start()
        self._thread.start()

    def stop(self, at_its_end: Mapping[str, float]) -> None:
        """End the thread, then bring all of it.

        Args:
            at_its_end: metrics that say how the script ended.

        Raises:
            TrackingError: the store refuses.
        """
        self._stopped.set()
        join(self._thread)
        self._sampler.stop()
        whole = {**self._sampler.usage().as_metrics(), **at_its_end}
        self._store.log_metrics(self._run_id, whole, step=self._seconds + 1)
        self._bring_log()

    def abandon(self) -> None:
        """End the threads; nothing more is brought."""
        self._stopped.set()
        self._sampler.stop()

    @property
    def _seconds(self) -> int:
        return int(time.monotonic() - self._began)

    def _keep_bringing(self) -> None:
        pause_s = FIRST_AFTER_S
        while not self._stopped.wait(pause_s):
            began = time.monotonic()
            try:
                self._bring_log()
                lap = self._sampler.lap().as_metrics()
                self._store.log_metrics(self._run_id, lap, step=self._seconds)
            except (TrackingError, OSError) as exc:  # it is tried again, and at the end
                LOGGER.debug("the output waits: %s", exc)
            pause_s = max(EVERY_S, (time.monotonic() - began) / SHARE_OF_THE_TIME)

    def _bring_log(self) -> None:
        if self._log.written != self._brought:
            written = self._log.written
            self._log.copy_to(self._copy)
            self._store.log_files(self._run_id, self._copy, "logs")
            self._brought = written

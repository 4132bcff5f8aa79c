"""An `mlflow server` on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class MlflowServer:
    """A server at one address, that can be stopped and started again."""

    def __init__(self, database: Path, artifacts: Path) -> None:
        self._database, self._artifacts = database, artifacts
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; it answers when this returns."""
        log = self._database.with_suffix(".log")
        with log.open("ab") as output:
            self.process = process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                    *("--backend-store-uri", f"sqlite:///{self._database}"),
                    *("--artifacts-destination", str(self._artifacts)),
                    *("--host", "127.0.0.1", "--port", str(self._port)),
                ],
                cwd=self._database.parent,
                # It would start workers for jobs that no test gives it.
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.5)
        return process

    def stop(self, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """End it with the workers it has started."""
        if self.process is not None:
            stop_server(self.process, with_signal)
            self.process = None


@contextmanager
def start_server(database: Path, artifacts: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `mlflow server` until the block ends; gives its URL and process."""
    server = MlflowServer(database, artifacts)
    try:
        yield server.url, server.start()
    finally:
        server.stop()


def stop_server(
    process: subprocess.Popen[bytes], with_signal: signal.Signals = signal.SIGKILL
) -> None:
    """End the server with the workers it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, with_signal)
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # nothing of it is to be kept
    process.wait(30)

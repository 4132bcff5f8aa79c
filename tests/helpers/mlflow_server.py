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


@contextmanager
def start_server(database: Path, artifacts: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `mlflow server` until the block ends; gives its URL and process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = database.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{database}"),
                *("--artifacts-destination", str(artifacts)),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            cwd=database.parent,
            # It would start workers for jobs that no test gives it.
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.5)
        yield url, process
    finally:
        stop_server(process)


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """End the server with the workers it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # nothing of it is to be kept
    process.wait(30)

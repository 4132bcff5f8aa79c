"""A forked stage is a process like any other: it ends by itself, and nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pipelines.console import SilentReporter
from pipelines.stage.events import Listener
from pipelines.stage.execution.worker import worker_environment
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.fork_server import ForkedStage, ForkServer, ForkServerError
from pipelines.stage.stage import StageRequest

ENDS_IN_S = 120.0
"""On a machine that has much else to do."""
REQUEST = StageRequest(
    stage="quant",
    title="quant",
    run_name="x",
    experiment_name="a/b-c/d",
    scenario_yaml="no scenario",
    base_dir="/",
    tracking_uri="sqlite:////nowhere/mlflow.db",
    work_dir="/nowhere",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return worker_environment()


@pytest.fixture(scope="module")
def server(environment: dict[str, str]) -> Iterator[ForkServer]:
    server = ForkServer()
    with server:
        server.get_ready(environment)
        yield server


class Fork:
    """A stage that waits for its order, with what it prints and tells."""

    def __init__(self, server: ForkServer, folder: Path) -> None:
        self.log = folder / "stage.log"
        reading, writing = os.pipe()
        with self.log.open("wb") as output:
            self.stage: ForkedStage = server.fork([str(folder)], output.fileno(), writing)
        os.close(writing)
        self.listener = Listener(SilentReporter(), "quant")
        self.listener.start(reading)

    def end(self, order: str = "") -> int:
        self.stage.stdin.write(order.encode())
        self.stage.stdin.close()
        return self.wait()

    def wait(self) -> int:
        code = self.stage.wait(ENDS_IN_S)
        self.stage.stdin.close()
        self.listener.finish()
        return code


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDS_IN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_at_work(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_stage_tells_its_error_and_ends_with_its_code(server: ForkServer, tmp_path: Path) -> None:
    fork = Fork(server, tmp_path)
    assert os.getsid(fork.stage.pid) == os.getpgid(fork.stage.pid) == fork.stage.pid
    with pytest.raises(subprocess.TimeoutExpired):
        fork.stage.wait(0.01)
    assert fork.end(REQUEST.to_json()) == 2
    assert fork.listener.error is not None
    assert fork.listener.error["type"] == "ScenarioError"
    assert "Traceback" in fork.log.read_text()
    assert fork.wait() == 2, "asked once more, it says the same"
    assert not psutil.pid_exists(fork.stage.pid), "no zombie is left"


@pytest.mark.parametrize("number", [signal.SIGILL, signal.SIGKILL])
def test_a_native_crash_ends_one_stage_and_not_the_next(
    server: ForkServer, tmp_path: Path, number: signal.Signals
) -> None:
    fork = Fork(server, tmp_path)
    os.kill(fork.stage.pid, number)
    assert fork.wait() == -number
    after = Fork(server, tmp_path)
    assert after.end() == 1


def test_an_interrupted_stage_says_so(server: ForkServer, tmp_path: Path) -> None:
    fork = Fork(server, tmp_path)
    # From here on a signal is answered by Python: the log holds no line yet, so wait for a thread.
    until(lambda: psutil.Process(fork.stage.pid).num_threads() > 1)
    os.kill(fork.stage.pid, signal.SIGINT)
    assert fork.wait() == 130
    assert fork.listener.error is not None
    assert fork.listener.error["type"] == "KeyboardInterrupt"


def test_another_environment_needs_a_fresh_interpreter(
    server: ForkServer, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.get_ready(dict(environment))
    with pytest.raises(ForkServerError, match="environment"):
        server.get_ready({**environment, "ONEDNN_MAX_CPU_ISA": "AVX2"})
    monkeypatch.chdir("/")
    with pytest.raises(ForkServerError, match="working directory"):
        server.get_ready(environment)


def test_a_stage_outlives_its_server_and_the_next_one_is_started_the_plain_way(
    environment: dict[str, str], tmp_path: Path
) -> None:
    executor = LocalExecutor(SilentReporter())
    server = executor.fork_server
    with server:
        server.get_ready(environment)
        fork = Fork(server, tmp_path)
        assert server._process is not None
        os.kill(server._process.pid, signal.SIGKILL)
        with pytest.raises(subprocess.TimeoutExpired):
            fork.stage.wait(0.3)
        assert fork.end(REQUEST.to_json()) == 0, "nobody is left who knows its code"
        assert fork.listener.error is not None
        listener = Listener(SilentReporter(), "quant")
        plain = executor._start(REQUEST, tmp_path, environment, listener, server)
        assert isinstance(plain, subprocess.Popen)
        assert plain.stdin is not None
        plain.stdin.close()
        assert plain.wait(ENDS_IN_S) == 1
        listener.finish()
        assert fork.log.read_text().startswith("started without the fork server: ")
        assert executor._fork_server_for(REQUEST, environment)[0] is None, "it is not tried again"


def test_a_train_stage_and_a_single_stage_get_a_fresh_interpreter(
    environment: dict[str, str],
) -> None:
    executor = LocalExecutor(SilentReporter())
    assert executor._fork_server_for(REQUEST, environment) == (None, "")
    with executor.fork_server:
        train = replace(REQUEST, stage="train")
        assert executor._fork_server_for(train, environment) == (None, "")
    assert executor.fork_server._process is None


STARTER = """
import os, sys, time
from pipelines.stage.execution.worker import worker_environment
from pipelines.stage.fork_server import ForkServer

server = ForkServer()
server.get_ready(worker_environment())
stage = server.fork([sys.argv[1]], os.open(os.devnull, os.O_WRONLY), os.pipe()[1])
print(server._process.pid, stage.pid, flush=True)
time.sleep(600)
"""


def test_nothing_outlives_a_starter_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        try:
            assert starter.stdout is not None
            server, stage = map(int, starter.stdout.readline().split())
            assert is_at_work(server) and is_at_work(stage)
        finally:
            starter.kill()
    until(lambda: not is_at_work(server))
    until(lambda: not is_at_work(stage))


LOOK = """
import os, sys
from pathlib import Path
from pipelines.stage import fork_server

before = {os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists()}
fork_server.import_libraries()
assert fork_server.threads_left() == "", fork_server.threads_left()
opened = {os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists()} - before
assert not opened, opened
assert {"mlflow", "torch", "cv2", "matplotlib"} <= set(sys.modules)
assert not sys.modules["torch"].cuda.is_initialized()
ours = ("guardianflow", "scenario", "experiments_adapters", "pipelines", "apps")
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ours))
import polars  # a stage may
assert "polars" in fork_server.threads_left()
"""


def test_what_the_server_imports_starts_no_thread_opens_no_file_and_is_not_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**os.environ, **{"JE_ARROW_MALLOC_CONF": "background_thread:false"}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "guardianflow",
        "guardianflow.support",
        "guardianflow.support.child_processes",
        "pipelines",
        "pipelines.stage",
        "pipelines.stage.fork_server",
    ]

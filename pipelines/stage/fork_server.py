"""Starts stages from a process that has imported the libraries already: seconds saved for each.

    starter ──ForkServer.start──► python -m pipelines.stage.fork_server CONTROL
       │                             imports libraries, says that it is ready
       └──orders, descriptors──────► forks: a stage, as `python -m pipelines.worker` would be
       ◄── {"pid": …} … {"code": …} ─┘

The server imports other people's libraries alone, nothing of ours or of a user's, and of those only
what neither starts threads nor opens files or devices: a thread's locks would stay locked in the
child for good. That is looked at, not trusted: where a trial fork leaves a second thread, or
anything else goes wrong, stages are started the plain way. The server holds no order and no result,
and ends when its starter does.

A train stage never comes from here, nor any other that works with an author's class: a user's code
may count on a fresh interpreter (OMP_NUM_THREADS set before torch is imported, say).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from guardianflow.support.child_processes import end_group, has_ended, wait_at_most

LIBRARIES = (
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "pydantic",
    "yaml",
    "torch",
    "cv2",
    "PIL.Image",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "scipy.optimize",
)
"""Not onnxruntime and openvino (threads, files), not ultralytics (its environment is prepared when
it is imported: see guardianflow.backends.weights.ultralytics_models)."""
THREADING_LIBRARIES = ("polars",)
"""Optional to mlflow, which imports it if it can. Hidden here; a stage may import it."""
ONLY_HERE = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""pyarrow's allocator would have a thread of its own."""
READY_IN_S = 120.0
FORKED_IN_S = 5.0
ENDED_IN_S = 5.0


class ForkServerError(Exception):
    """The server can't be used; says why."""


class ForkedStage:
    """A stage's process, as subprocess.Popen shows one of its own.

    Args:
        control: where the server tells of its end.
        pid: also the number of its session and process group.
        stdin: where it reads its order from.
    """

    def __init__(self, control: socket.socket, pid: int, stdin: IO[bytes]) -> None:
        self._control, self.pid, self.stdin = control, pid, stdin
        self._descriptor = os.pidfd_open(pid)
        self.returncode: int | None = None

    def wait(self, timeout: float) -> int:
        """Its return code, negative for a signal; 0 where the server is gone and can't tell it.

        Raises:
            subprocess.TimeoutExpired: it is still at work.
        """
        if self.returncode is None and has_ended(self._descriptor, timeout):
            try:
                self.returncode = int(_receive(self._control, "code", FORKED_IN_S))
            except ForkServerError:
                self.returncode = 0  # the stage's last words stand in its directory
            os.close(self._descriptor)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("stage", timeout)
        return self.returncode


class ForkServer:
    """The starter's side, to be used within `with`: a command of several stages. One at a time."""

    def __init__(self) -> None:
        self.open = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket
        self._started_in: tuple[Mapping[str, str], str]
        self._unusable = "" if hasattr(os, "pidfd_open") else "this system has no pidfd_open"

    def get_ready(self, environment: Mapping[str, str]) -> None:
        """Start it where it isn't yet, and wait until it has imported what it will.

        Args:
            environment: the stage's; a server lives in one alone.

        Raises:
            ForkServerError: it can't start this stage; the next one may be tried.
        """
        if self._unusable:
            raise ForkServerError(self._unusable)
        try:
            here = (environment, str(Path.cwd()))
        except OSError as exc:  # it has been removed
            raise ForkServerError(f"no working directory: {exc}") from exc
        if self._process is not None:
            if here != self._started_in:
                raise ForkServerError("the environment or the working directory is another one")
            return
        self._started_in = here
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "pipelines.stage.fork_server", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**environment, **ONLY_HERE},
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for the starter
                )
            if refused := _receive(self._control, "refused", READY_IN_S):
                raise ForkServerError(refused)
        except (OSError, ForkServerError) as exc:
            self._give_up(exc)

    def fork(self, arguments: Sequence[str], output: int, events: int) -> ForkedStage:
        """A stage's process, waiting for its order.

        Args:
            arguments: of pipelines.worker, but for `events`.
            output: descriptor for its stdout and stderr.
            events: descriptor for its events.

        Raises:
            ForkServerError: no stage was started.
        """
        reading, writing = os.pipe()
        stdin = os.fdopen(writing, "wb")
        try:
            order = json.dumps(list(arguments)).encode()
            socket.send_fds(self._control, [order], [reading, output, events])
            pid = int(_receive(self._control, "pid", FORKED_IN_S))
            return ForkedStage(self._control, pid, stdin)
        except (OSError, ForkServerError) as exc:
            stdin.close()  # a stage that was forked all the same gets no order, and ends
            self._give_up(exc)
        finally:
            os.close(reading)

    def _give_up(self, exc: Exception) -> NoReturn:
        self._unusable = str(exc)
        self._close()
        raise ForkServerError(self._unusable) from exc

    def __enter__(self) -> None:
        self.open = True

    def __exit__(self, *_: object) -> None:
        self.open = False
        self._close()

    def _close(self) -> None:
        if self._process is None:
            return
        self._control.close()
        if wait_at_most(self._process, ENDED_IN_S) is None:
            end_group(self._process.pid)
            wait_at_most(self._process, ENDED_IN_S)
        self._process = None


def _receive(control: socket.socket, key: str, timeout_s: float) -> Any:
    """The server's next message, of this key; a signal is answered while it is waited for."""
    deadline = time.monotonic() + timeout_s
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while not poll.poll(100):
        if time.monotonic() > deadline:
            raise ForkServerError(f"no answer within {timeout_s:.0f} s")
    try:
        data = control.recv(1 << 16)
    except OSError as exc:
        raise ForkServerError(str(exc)) from exc
    if not data:
        raise ForkServerError("it has ended")
    message = json.loads(data)
    if key not in message:
        raise ForkServerError(f"it should tell '{key}' but tells {message}")
    return message[key]


# --- the server's side ------------------------------------------------------------------------


def main(argv: list[str]) -> None:
    control = socket.socket(fileno=int(argv[0]))
    os.set_inheritable(control.fileno(), False)
    starter = os.pidfd_open(os.getppid())
    import_libraries()
    refused = threads_left()
    control.send(json.dumps({"refused": refused}).encode())
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 3)
        if not order:  # the starter has closed, or is gone
            return
        pid = os.fork()
        if pid == 0:
            os.setsid()
            control.send(json.dumps({"pid": os.getpid()}).encode())  # its group can be killed now
            control.close()
            become_worker(json.loads(order), descriptors, starter)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if not follow(control, pid):
            return


def follow(control: socket.socket, pid: int) -> bool:
    """Tell the stage's end; False where nobody listens any more."""
    stage = os.pidfd_open(pid)
    poll = select.poll()
    for descriptor in (stage, control.fileno()):
        poll.register(descriptor, select.POLLIN)
    ready = {number for number, _ in poll.poll()}
    os.close(stage)
    if stage not in ready:
        return False
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        control.send(json.dumps({"code": code}).encode())
    return True


def import_libraries() -> None:
    for name in THREADING_LIBRARIES:
        sys.modules[name] = None  # type: ignore[assignment]  # so an import of it fails
    gc.disable()  # it would look through the libraries again and again while they load
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LIBRARIES:
            with suppress(ImportError):
                importlib.import_module(name)
    for name in THREADING_LIBRARIES:
        del sys.modules[name]
    for name in ONLY_HERE:
        os.environ.pop(name, None)
    gc.freeze()  # what is shared with the stages stays shared
    gc.enable()


def threads_left() -> str:
    """The reason not to fork; '' where there is none.

    Those of OpenBLAS end when a process forks, by its own doing, and begin anew when used.
    """
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return "" if len(threads) == 1 else f"libraries have started threads: {', '.join(threads)}"


def become_worker(arguments: list[str], descriptors: Sequence[int], starter: int) -> None:
    """Go on as `python -m pipelines.worker`."""
    order, output, events = descriptors
    for source, number in ((order, 0), (output, 1), (output, 2)):
        os.dup2(source, number)
    os.close(order)
    os.close(output)
    if "numpy" in sys.modules:  # or all stages would draw the same numbers; `random` does it itself
        sys.modules["numpy"].random.seed()
    sys.argv = ["pipelines.worker", *arguments, str(events), str(starter)]
    runpy.run_module("pipelines.worker", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])

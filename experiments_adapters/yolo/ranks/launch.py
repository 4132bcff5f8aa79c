"""Starts the ranks of a training, follows them to their end, and leaves none behind.

    train_on_ranks ──► Popen × n ──► rank.py
                   ◄── Epoch, Done, Failed ──┘    a connection each; the return code says the rest

The ranks are in this process's group, so whatever ends the group ends them too. They find each
other through a store of this process, which listens on the loopback device alone.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from experiments_adapters.failures.loading import is_loading_in_process
from experiments_adapters.yolo.engine import EpochListener, Order
from experiments_adapters.yolo.ranks import rank as rank_module
from experiments_adapters.yolo.ranks.messages import Done, Epoch, Failed, Message, the_cause
from guardianflow.contracts.errors import GuardianFlowError, NativeCrashError, TrainerError
from guardianflow.support.child_processes import wait_at_most

LAP_S = 0.1
SETTLE_S = 1.0
"""After the first failure: time for the rank that is its cause to tell of it, or to end."""
ENDED_IN_S = 30.0
"""From the first rank's last word to the end of all; the training is over by then."""
ROOT = Path(__file__).parents[3]
HERE = "127.0.0.1"


def train_on_ranks(order: Order, devices: Sequence[str], listener: EpochListener) -> None:
    """Train in a process for each device; none is left when this returns or raises.

    Args:
        devices: GPUs by number, or 'cpu' for each rank.
        listener: called in this process, while the ranks wait.

    Raises:
        TrainerError: what a rank raised, with rank and device in its words.
        NativeCrashError: a rank did not end by itself.
    """
    with _store(len(devices)) as port:
        ranks: list[_Rank] = []
        try:
            for number, device in enumerate(devices):
                ranks.append(_Rank(number, len(devices), device))
                ranks[-1].start(order, _environment(number, len(devices), port))
            _follow(ranks, listener)
        finally:
            for each in ranks:
                each.kill()
            for each in ranks:
                each.close()


class _Rank:
    """One rank's process, and what it has told."""

    def __init__(self, number: int, count: int, device: str) -> None:
        place = "a CPU" if device == "cpu" else f"GPU {device}"
        self._name = f"rank {number} of {count} ({place})"
        self._process: subprocess.Popen[bytes] | None = None
        self.connection: Connection[Any, Message] | None = None
        self.done = self.ended = False
        self.failure: GuardianFlowError | None = None

    def start(self, order: Order, environment: Mapping[str, str]) -> None:
        ours, theirs = Pipe()
        self.connection = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", rank_module.__name__, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        with suppress(OSError):  # it died: its return code says why
            ours.send((order, is_loading_in_process()))

    def look(self, listener: EpochListener) -> None:
        """Take what it has told, and notice where it has ended."""
        assert self._process is not None
        code = self._process.poll()  # first: nothing comes after it
        while (message := self._received()) is not None:
            self._take(message, listener)
        if code is not None and not self.ended:
            self.ended = True
            if not self.done and self.failure is None:
                self.failure = NativeCrashError(f"{self._name} of the training", code)

    def _received(self) -> Message | None:
        if self.connection is None:
            return None
        try:
            return self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError):
            self.connection.close()
            self.connection = None
            return None

    def _take(self, message: Message, listener: EpochListener) -> None:
        match message:
            case Epoch():
                listener.batch_size_used = message.batch_size
                listener.broken_epochs = list(message.broken_epochs)
                listener.on_epoch_end(message.number, message.metrics)
                with suppress(OSError):  # it died meanwhile: its return code says why
                    assert self.connection is not None
                    self.connection.send(None)
            case Failed(error):
                self.failure = self._named(error)
            case Done():
                self.done = True

    def _named(self, error: GuardianFlowError) -> GuardianFlowError:
        """The error with the rank in its words; the caller's mistake is the same in all."""
        if not isinstance(error, TrainerError):
            return error
        return type(error)(f"{self._name}: {error}", error.failure_reason)

    def kill(self) -> None:
        """End it where it is still there: what it has written counts up to its last report."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        if self._process is not None:
            wait_at_most(self._process, ENDED_IN_S)
            if self._process.stdin:
                self._process.stdin.close()
        if self.connection is not None:
            self.connection.close()


def _follow(ranks: Sequence[_Rank], listener: EpochListener) -> None:
    """Listen until all have ended, one has failed, or the first is done and others hang."""
    until: float | None = None
    while not all(each.ended for each in ranks):
        wait([each.connection for each in ranks if each.connection is not None], LAP_S)
        for each in ranks:
            each.look(listener)
        if until is None and any(each.failure for each in ranks):
            until = time.monotonic() + SETTLE_S
        elif until is None and ranks[0].done:
            until = time.monotonic() + ENDED_IN_S
        if until is not None and time.monotonic() > until:
            break
    if failures := [each.failure for each in ranks if each.failure]:
        raise the_cause(failures)


@contextmanager
def _store(count: int) -> Iterator[int]:
    """The store through which ranks find each other; its port.

    Torch's own would listen on every network, at a port that was free a moment before.
    """
    from torch.distributed import TCPStore

    listening = socket.create_server((HERE, 0))
    port = listening.getsockname()[1]
    store = TCPStore(
        HERE,
        port,
        count,
        is_master=True,
        wait_for_workers=False,
        master_listen_fd=listening.detach(),  # the store's from here on
    )
    yield port
    del store


def _environment(number: int, count: int, port: int) -> dict[str, str]:
    """Ours, with what makes a process one of several ranks for torch and for Ultralytics."""
    paths = (str(ROOT), os.environ.get("PYTHONPATH", ""))
    loopback = {name for _, name in socket.if_nameindex()} & {"lo", "lo0"}
    alone = {f"{library}_SOCKET_IFNAME": name for name in loopback for library in ("GLOO", "NCCL")}
    return {
        **alone,  # no other machine takes part; a user's own word counts
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": HERE,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is there: the first rank makes none
    }

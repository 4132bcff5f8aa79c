"""`python -m experiments_adapters.yolo.ranks.rank FD < LIFELINE`: one rank of a training.

Started by launch.py, never by people. What it is to do comes through the connection FD, and what it
has to tell goes there. Nothing comes by stdin, which ends with the process that started this one:
then this one ends too. Ctrl-C is for that process; it ends its ranks.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from multiprocessing.connection import Connection

from experiments_adapters.failures.loading import loader_deaths_told, loading_in_process
from experiments_adapters.yolo.engine import Order, engine_at_work, train_here
from experiments_adapters.yolo.ranks.messages import Done, Epoch, Failed
from guardianflow.contracts.errors import GuardianFlowError, TrainerError
from guardianflow.support.secrets.redaction import learn_mapping
from guardianflow.support.secrets.streams import keeping_secrets


class Reports:
    """The listener of the first rank: tells each epoch, and waits until it has been dealt with."""

    def __init__(self, connection: Connection, batch_size: int) -> None:
        self._connection = connection
        self.batch_size_used = batch_size
        self.broken_epochs: list[int] = []

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> None:
        broken = tuple(self.broken_epochs)
        self._connection.send(Epoch(epoch, dict(metrics), self.batch_size_used, broken))
        self._connection.recv()


@keeping_secrets()
def main(argv: list[str]) -> int:
    """Train; the process's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_starter, daemon=True).start()
    connection: Connection = Connection(int(argv[0]))
    os.set_inheritable(connection.fileno(), False)
    order, in_process = connection.recv()
    learn_mapping(order.arguments)
    try:
        train(order, connection, in_process=in_process)
    except GuardianFlowError as exc:
        error = exc
    except Exception as exc:
        error = TrainerError(f"{type(exc).__name__}: {exc}")
        error.__cause__ = exc
    else:
        connection.send(Done())
        return 0
    traceback.print_exception(error)
    sys.stderr.flush()
    connection.send(Failed(error))
    return error.exit_code


def train(order: Order, connection: Connection, *, in_process: bool) -> None:
    """Carry the order out as the rank that the environment names.

    Args:
        in_process: load images without processes.
    """
    first = os.environ["RANK"] == "0"
    listener = Reports(connection, int(order.arguments["batch"])) if first else None
    with engine_at_work(order.threads), loader_deaths_told():
        trainer = None
        if order.arguments["device"] == "cpu":
            from experiments_adapters.yolo.ranks.cpu import cpu_trainer

            trainer = cpu_trainer()
        with loading_in_process() if in_process else nullcontext():
            train_here(order, listener, trainer)


def end_with_starter() -> None:
    """End at once when nobody is left to answer, also deep in native code."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

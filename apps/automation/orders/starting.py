"""An order → a process, and what became of the orders before.

Nothing follows from an order that is not in the ledger, and a worker takes one once: whoever is
killed in between, wherever, there is one process at most.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from guardianflow.contracts.errors import AutomationError, ConfigurationError
from guardianflow.support.files import replace_file
from guardianflow.support.process_identity import ProcessIdentity
from guardianflow.support.secrets.files import PRIVATE_FILE
from guardianflow.support.secrets.redaction import redact_text
from pipelines.stage.execution.worker import worker_environment

from ..ledger.ledger import Change, Ledger
from ..ledger.moments import Moment
from ..ledger.records import Ended, Outcome, Started
from ..ledger.state import Order
from .plans import Plan

TAKEN_WITHIN_S = 3600.0
WORKER = "apps.automation.orders.worker"


def orders_folder(ledger: Ledger) -> Path:
    return ledger.folder / "orders"


def plan_file(ledger: Ledger, order_id: str) -> Path:
    return orders_folder(ledger) / f"{order_id}.json"


def log_file(ledger: Ledger, order_id: str) -> Path:
    return orders_folder(ledger) / f"{order_id}.log"


def keep_plan(ledger: Ledger, order_id: str, plan: Plan) -> None:
    """Write what a worker carries out, before the order is decided.

    Raises:
        AutomationError: it can't be written.
    """
    folder = orders_folder(ledger)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(folder, f"{order_id}.json", redact_text(plan.to_json()), ".unfinished-")
    except OSError as exc:
        raise AutomationError(f"{folder} can't be written: {exc}") from exc


def claim(ledger: Ledger, order_id: str) -> bool:
    """Take an order for this process; False where it is taken, has ended or is unknown."""
    with ledger.changing() as change:
        order = change.state.orders.get(order_id)
        if order is None or not order.waits:
            return False
        owner = ProcessIdentity.of_this_process().to_json()
        change.append(Started(at=Moment.now(), order_id=order_id, owner=owner))
        return True


def settle(change: Change, now: Moment) -> None:
    """End orders whose process is gone, and those that none took in time."""
    for order in list(change.state.in_flight()):
        order_id = order.decided.order_id
        if order.waits:
            if change.state.seconds_since(order.decided.at, now) > TAKEN_WITHIN_S:
                _end(change, order_id, now, Outcome.EXPIRED, "no process took it in time")
        elif is_gone(order):
            _end(change, order_id, now, Outcome.LOST, "its process is gone and said nothing")


def _end(change: Change, order_id: str, now: Moment, outcome: Outcome, reason: str) -> None:
    change.append(Ended(at=now, order_id=order_id, outcome=outcome, reason=reason))


def release_order(change: Change, order: Order) -> None:
    """End an order by a person's word, whose process can't be seen from here.

    Raises:
        ConfigurationError: its process lives.
    """
    assert order.started is not None
    owner = ProcessIdentity.from_json(order.started.owner)
    if owner.is_here() and not owner.is_dead():
        raise ConfigurationError(
            f"order {order.decided.order_id} is at work in process {owner.pid}: end that first"
        )
    _end(change, order.decided.order_id, Moment.now(), Outcome.LOST, "by a person's word")


def is_gone(order: Order) -> bool:
    """Whether the process that took it is certainly no more."""
    assert order.started is not None
    try:
        return ProcessIdentity.from_json(order.started.owner).is_dead()
    except ValueError:
        return False


@dataclass
class Starter:
    """Starts workers, and remembers which of them it has started.

    Args:
        detached: they outlive us, and a Ctrl-C here does not reach them.
        command: what is started, before the directory and the order's id.
    """

    ledger: Ledger
    detached: bool
    command: tuple[str, ...] = (sys.executable, "-m", WORKER)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, order_id: str) -> None:
        """Start a worker, unless one that we have started still looks at it.

        Raises:
            AutomationError: no process can be made.
        """
        worker = self.workers.get(order_id)
        if worker is not None and worker.poll() is None:
            return
        log = log_file(self.ledger, order_id)
        try:
            number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
            with os.fdopen(number, "wb") as output:
                self.workers[order_id] = subprocess.Popen(
                    [*self.command, str(self.ledger.folder), order_id],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=worker_environment(),
                    start_new_session=self.detached,
                )
        except OSError as exc:
            raise AutomationError(f"order {order_id} can't be started: {exc}") from exc

    def collect(self, change: Change, now: Moment) -> None:
        """End the orders of workers that ended without having taken them, or without a word."""
        for order_id, worker in list(self.workers.items()):
            if (code := worker.poll()) is None:
                continue
            del self.workers[order_id]
            log = log_file(self.ledger, order_id)
            order = change.state.orders.get(order_id)
            started = order.started if order is not None else None
            owner = ProcessIdentity.from_json(started.owner).pid if started else None
            if order is not None and order.in_flight and owner in (None, worker.pid):
                outcome = Outcome.LOST if owner else Outcome.FAILED
                _end(change, order_id, now, outcome, f"its process ended with {code}; see {log}")

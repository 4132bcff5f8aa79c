"""A metrics store, rules, a ledger and a clock that a test sets: automation without MLflow."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stored_runs import row

from apps.automation.alerts.board import AlertBoard
from apps.automation.alerts.models import RuleAlert
from apps.automation.ledger.ledger import Ledger
from apps.automation.ledger.moments import Moment
from apps.automation.ledger.records import Ended, Outcome, Started
from apps.automation.orders.plans import Plan
from apps.automation.orders.starting import Starter
from apps.automation.rounds import Automation
from apps.automation.triggers.file import load_triggers, parse_triggers
from apps.automation.triggers.schema import Rule
from guardianflow.metrics_store.store import MetricsStore
from guardianflow.support.process_identity import ProcessIdentity

BEGINNING = datetime(2026, 3, 1, tzinfo=UTC)
SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "triggers.yaml"
ALIVE = ProcessIdentity.of(os.getpid()).to_json()
TELLING = """
rules:
  - {name: accuracy, metric: mAP50, comparison: below, threshold: 0.75, action: tell}
"""


@dataclass
class Clock:
    """Both of a machine's clocks: hours since BEGINNING, and how far people have set it wrong."""

    hours: float = 0.0
    set_by_hours: float = 0.0
    boot: str = "boot-1"

    def __call__(self) -> Moment:
        wall = BEGINNING.timestamp() + (self.hours + self.set_by_hours) * 3600
        return Moment(wall=wall, boot=self.boot, ticks=1000.0 + self.hours * 3600)


@dataclass
class ScriptedStarter(Starter):
    """Takes each order at once; it ends as the test says, when it says.

    Args:
        clock: of the test.
        outcome: order → how it ends.
    """

    clock: Callable[[], Moment] = Moment.now
    takes_hours: float = 5.0
    outcome: Callable[[str], Outcome] = lambda _rule: Outcome.DONE
    begun: list[tuple[float, str, str]] = field(default_factory=list)

    def start(self, order_id: str) -> None:
        now = self.clock()
        self.ledger.append(Started(at=now, order_id=order_id, owner=ALIVE))
        decided = self.ledger.read().orders[order_id].decided
        hours = (now.wall - BEGINNING.timestamp()) / 3600
        self.begun.append((hours, decided.rule, decided.place.site or ""))

    def finish_due(self) -> None:
        now = self.clock()
        for order in list(self.ledger.read().in_flight()):
            if order.started and now.since(order.started.at) >= self.takes_hours * 3600:
                self.ledger.append(
                    Ended(
                        at=now,
                        order_id=order.decided.order_id,
                        outcome=self.outcome(order.decided.rule),
                        reason="it ran out of memory",
                    )
                )


@dataclass
class Site:
    """Automation over a store of made-up runs.

    Args:
        rules: text of a file of triggers; '' the shipped one.
    """

    folder: Path
    rules: str = ""
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        triggers = parse_triggers(self.rules, "t.yaml") if self.rules else load_triggers(SHIPPED)
        self.metrics = MetricsStore(self.folder / "metrics")
        self.ledger = Ledger(self.folder / "ledger")
        self.board = AlertBoard(self.metrics, triggers, self.ledger, self.clock)
        self.starter = ScriptedStarter(self.ledger, detached=False, clock=self.clock)
        self.automation = Automation(self.board, plan_of, self.starter)

    def run(self, hours: float, site: str = "busan-plant1", **metrics: float) -> None:
        """A run that ended so many hours after BEGINNING; `_low` and `_high` are bounds."""
        kind = metrics.pop("kind", None) or "infer"
        self.metrics.save_metrics(run_of(hours, site, kind, metrics))  # type: ignore[arg-type]


def run_of(hours: float, site: str, kind: str, metrics: dict[str, float], **changes: Any) -> Any:
    ended = BEGINNING + timedelta(hours=hours)
    return row(
        f"{site}-{hours:g}-{kind}",
        timestamp=ended,
        started=ended - timedelta(hours=1),
        site=site,
        experiment_type=kind,
        metrics=metrics,
        **changes,
    )


def plan_of(alert: RuleAlert, rule: Rule) -> Plan:
    return Plan("train", "", "", "", str(Path.cwd()), "memory:", f"{rule.action} {alert.where}")

"""A look at all places, and what follows from it: `optimize check`, `run` and `watch`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from guardianflow.contracts.errors import GuardianFlowError

from .alerts.board import AlertBoard
from .alerts.models import AlertList, RuleAlert
from .ledger.moments import Moment
from .ledger.records import ClockSetBack, Decided, Outcome
from .ledger.state import State
from .orders.decisions import Decision, Hold, decide
from .orders.plans import Plan, shown_reading
from .orders.sources import UnfitError
from .orders.starting import Starter, keep_plan, settle
from .triggers.schema import Rule

PlanOf = Callable[[RuleAlert, Rule], Plan]
"""Raises UnfitError."""


@dataclass(frozen=True)
class Look:
    """What was found, and what would be done.

    Args:
        plans: alert → what is run, of those that start something.
    """

    alerts: AlertList
    decisions: tuple[Decision, ...]
    plans: dict[str, Plan]


@dataclass
class Automation:
    """Looks, decides and starts.

    Args:
        plan_of: asked where something is to be started, and no sooner.
    """

    board: AlertBoard
    plan_of: PlanOf
    starter: Starter

    def look(self) -> Look:
        """What would be done now; nothing is changed.

        Raises:
            GuardianFlowError: the metrics store or the ledger can't be read.
        """
        alerts, now = self.board.alerts(), self.board.clock()
        plans: dict[str, Plan] = {}
        unfit: dict[str, str] = {}
        while True:  # who can't be done leaves room for the next
            decisions = self._decide(alerts, self.board.ledger.read(), now, unfit)
            wanted = [
                d.alert for d in decisions if d.hold is None and d.alert.alert_id not in plans
            ]
            if not wanted:
                return Look(alerts, tuple(decisions), plans)
            rules = {rule.name: rule for rule in self.board.triggers.rules}
            for alert in wanted:
                try:
                    plans[alert.alert_id] = self.plan_of(alert, rules[alert.rule])
                except UnfitError as exc:
                    unfit[alert.alert_id] = str(exc)

    def start(self) -> list[str]:
        """Start what is due, also what an earlier process has decided and not started; order ids.

        Raises:
            GuardianFlowError: a store or the ledger fails; what is decided is started next time.
        """
        self._tidy()
        look = self.look()
        if any(each.hold is None for each in look.decisions):
            self._write_orders(look)
        waiting = [e.decided.order_id for e in self.board.ledger.read().in_flight() if e.waits]
        for order_id in waiting:
            self.starter.start(order_id)
        return waiting

    def outcomes(self, order_ids: list[str]) -> dict[str, Outcome | None]:
        """Of these orders; None of one that is at work."""
        self._tidy()
        orders = self.board.ledger.read().orders
        ended = {each: orders[each].ended for each in order_ids}
        return {each: end.outcome if end else None for each, end in ended.items()}

    def _tidy(self) -> None:
        """Bring the ledger up to what has happened to processes and to the clock."""
        now = self.board.clock()
        with self.board.ledger.changing() as change:
            if change.state.clock_is_behind(now):
                change.append(ClockSetBack(at=now))
            self.starter.collect(change, now)
            settle(change, now)

    def _write_orders(self, look: Look) -> None:
        """Decide anew while nobody else does, and write it; a plan that was not made waits."""
        ledger = self.board.ledger
        orders = {alert_id: secrets.token_hex(6) for alert_id in look.plans}
        for alert_id, order_id in orders.items():
            keep_plan(ledger, order_id, look.plans[alert_id])
        unfit = {d.alert.alert_id: d.why for d in look.decisions if d.hold is Hold.UNFIT}
        with ledger.changing() as change:
            now = self.board.clock()
            for decision in self._decide(look.alerts, change.state, now, unfit):
                alert = decision.alert
                if decision.hold is not None or alert.alert_id not in orders:
                    continue
                change.append(
                    Decided(
                        at=now,
                        order_id=orders[alert.alert_id],
                        alert_id=alert.alert_id,
                        rule=alert.rule,
                        place=alert.place,
                        action=alert.action,
                        run_id=alert.reading.run_id,
                        why=f"{shown_reading(alert)}: {look.plans[alert.alert_id].summary}",
                    )
                )

    def _decide(
        self, alerts: AlertList, state: State, now: Moment, unfit: dict[str, str]
    ) -> list[Decision]:
        return decide(alerts.alerts, self.board.triggers, state, now, unfit)


def watch(
    automation: Automation,
    deliver: Callable[[], object],
    *,
    wait: Callable[[], bool],
    tell: Callable[[str], object],
) -> None:
    """Look again and again; what fails is told once, and tried anew.

    Args:
        deliver: sends what people are to be told.
        wait: until the next look; False ends it.
    """
    told = ""
    going_on = True
    while going_on:
        try:
            for order_id in automation.start():
                why = automation.board.ledger.read().orders[order_id].decided.why
                tell(f"order {order_id}: {why}")
            deliver()
            told = ""
        except (GuardianFlowError, OSError) as exc:
            if (problem := str(exc)) != told:
                tell(f"this look failed, the next follows: {problem}")
            told = problem
        going_on = wait()

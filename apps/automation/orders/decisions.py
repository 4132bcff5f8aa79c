"""Which alerts may start something now. Pure: the same answer for the same ledger and moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..alerts.models import RuleAlert
from ..ledger.moments import Moment
from ..ledger.records import Outcome
from ..ledger.state import Order, State
from ..triggers.schema import Rule, Triggers

DAY_S = 86_400.0


class Hold(StrEnum):
    """Why an alert starts nothing now; the first that holds."""

    TOLD_ALONE = "told_alone"
    UNDECIDED = "undecided"
    PAUSED = "paused"
    AT_WORK = "at_work"
    DONE_FOR_THIS_RUN = "done_for_this_run"
    COOLDOWN = "cooldown"
    UNFIT = "unfit"
    RULE_BUDGET = "rule_budget"
    BUDGET = "budget"
    AT_ONCE = "at_once"


@dataclass(frozen=True)
class Decision:
    """What follows from an alert.

    Args:
        hold: why nothing is started; None: something is.
        wait_s: how long that will hold, where that is known.
        why: of UNFIT: what it lacks.
    """

    alert: RuleAlert
    hold: Hold | None = None
    wait_s: float | None = None
    why: str = ""


def decide(
    alerts: Sequence[RuleAlert],
    triggers: Triggers,
    state: State,
    now: Moment,
    unfit: Mapping[str, str] | None = None,
) -> list[Decision]:
    """One decision for each alert, in their order: the worst first.

    Args:
        unfit: alert → why what it asks for can't be done.
    """
    rules = {rule.name: rule for rule in triggers.rules}
    orders = [each for each in state.orders.values() if each.counts]
    passed = {e.decided.order_id: state.seconds_since(e.decided.at, now) for e in orders}
    made: list[Decision] = []
    chosen: list[RuleAlert] = []
    for alert in alerts:
        look = _Look(alert, rules[alert.rule], triggers, state, orders, passed, chosen)
        decision = look.decision(unfit or {})
        made.append(decision)
        if decision.hold is None:
            chosen.append(alert)
    return made


@dataclass(frozen=True)
class _Look:
    """At one alert.

    Args:
        orders: that count; passed: id → seconds since each was decided.
        chosen: alerts before it that start something now.
    """

    alert: RuleAlert
    rule: Rule
    triggers: Triggers
    state: State
    orders: Sequence[Order]
    passed: Mapping[str, float]
    chosen: Sequence[RuleAlert]

    def decision(self, unfit: Mapping[str, str]) -> Decision:
        alert, alert_id = self.alert, self.alert.alert_id
        simple = {
            Hold.TOLD_ALONE: alert.action == "tell",
            Hold.UNDECIDED: not alert.fires,
            Hold.PAUSED: self.state.paused(alert_id),
            Hold.AT_WORK: self._at_work(),
            Hold.DONE_FOR_THIS_RUN: self._done(),
        }
        if hold := next((each for each, holds in simple.items() if holds), None):
            return Decision(alert, hold)
        cooldown = self.rule.cooldown.total_seconds()
        since = min((self._passed(e) for e in self.orders if self._is_mine(e)), default=cooldown)
        if since < cooldown:
            return Decision(alert, Hold.COOLDOWN, cooldown - since)
        if alert_id in unfit:
            return Decision(alert, Hold.UNFIT, why=unfit[alert_id])
        return self._within_budgets()

    def _within_budgets(self) -> Decision:
        today = [each for each in self.orders if self._passed(each) < DAY_S]
        of_rule = [each for each in today if each.decided.rule == self.rule.name]
        now_of_rule = [each for each in self.chosen if each.rule == self.rule.name]
        for hold, past, now, most in (
            (Hold.RULE_BUDGET, of_rule, now_of_rule, self.rule.budget),
            (Hold.BUDGET, today, self.chosen, self.triggers.budget),
        ):
            if len(past) + len(now) >= most:
                oldest = sorted((self._passed(each) for each in past), reverse=True)
                frees = len(past) + len(now) - most
                wait = DAY_S - oldest[frees] if frees < len(oldest) else DAY_S
                return Decision(self.alert, hold, wait)
        at_work = sum(each.in_flight for each in self.orders)
        if at_work + len(self.chosen) >= self.triggers.at_once:
            return Decision(self.alert, Hold.AT_ONCE)
        return Decision(self.alert)

    def _passed(self, order: Order) -> float:
        return self.passed[order.decided.order_id]

    def _is_mine(self, order: Order) -> bool:
        return order.decided.alert_id == self.alert.alert_id

    def _at_work(self) -> bool:
        """Something of any rule is, or is about to be, at this place."""
        place = self.alert.place
        there = any(each.in_flight and each.decided.place == place for each in self.orders)
        return there or any(each.place == place for each in self.chosen)

    def _done(self) -> bool:
        """No newer run says whether what was done has helped."""
        return any(
            self._is_mine(each)
            and each.ended is not None
            and each.ended.outcome is Outcome.DONE
            and each.decided.run_id == self.alert.reading.run_id
            for each in self.orders
        )

"""`guardianflow optimize`."""

from __future__ import annotations

import functools
import time
from typing import Any

from apps.automation.alerts.models import RuleAlert
from apps.automation.ledger.moments import Moment
from apps.automation.ledger.records import Outcome, Resumed
from apps.automation.ledger.state import Order
from apps.automation.orders.decisions import Decision, Hold
from apps.automation.orders.plans import Plan, plan_of, shown_reading
from apps.automation.orders.starting import Starter, log_file, release_order
from apps.automation.place import open_board
from apps.automation.rounds import Automation, Look, watch
from apps.automation.triggers.schema import Rule
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.support.suggestions import did_you_mean
from guardianflow.support.terminal import print_answer, say
from pipelines.settings import Settings, load_settings
from pipelines.wiring import connect

from ..listing import show_rows
from .alerts import delivering, person, tell_notes
from .options import OptimizeCommand

EVERY_S, LEAST_EVERY_S, LONGEST_EVERY_S = 60.0, 1.0, 86_400.0
HOLDS = {
    Hold.TOLD_ALONE: "the rule's action is to tell alone",
    Hold.UNDECIDED: "the interval reaches across the threshold",
    Hold.PAUSED: "it failed twice: `guardianflow optimize resume {alert}` lets it go on",
    Hold.AT_WORK: "an action is at work at this place",
    Hold.DONE_FOR_THIS_RUN: "done already; a newer run must tell whether that has helped",
    Hold.COOLDOWN: "cooldown",
    Hold.UNFIT: "can't be done: {why}",
    Hold.RULE_BUDGET: "the rule's budget of 24 hours is used up",
    Hold.BUDGET: "the budget of 24 hours is used up",
    Hold.AT_ONCE: "as many actions are at work as may be",
}


def show_check(asked: OptimizeCommand) -> int:
    """Print a row for each alert: what would be done, or why nothing."""
    look = automation_of(asked, load_settings(), detached=False).look()
    if not asked.as_json:
        tell_notes(look.alerts)
    decisions = [as_dict(each, look) for each in look.decisions]
    answer = {"decisions": decisions, "notes": list(look.alerts.notes)}
    rows = [row_of(each, look) for each in look.decisions]
    return show_rows(rows, asked.as_json, "no alert: nothing would be started", answer)


def show_run(asked: OptimizeCommand) -> int:
    """Start what is due and wait for it; 1 where an action did not end well."""
    settings = load_settings()
    automation = automation_of(asked, settings, detached=False)
    tell = delivering(settings, automation.board)
    started = automation.start()
    tell()
    orders = automation.board.ledger.read().orders
    for order_id in started:
        say(f"order {order_id}: {orders[order_id].decided.why}")
        say(f"its output goes to {log_file(automation.board.ledger, order_id)}")
    outcomes = automation.outcomes(started)
    while any(each is None for each in outcomes.values()):
        time.sleep(0.5)
        outcomes = automation.outcomes(started)
    if started:
        tell()
    ended = {each: outcome or Outcome.LOST for each, outcome in outcomes.items()}
    text = "\n".join(f"order {each}: {outcome}" for each, outcome in ended.items())
    print_answer(asked.as_json, {"orders": ended}, text or "nothing is due")
    return int(any(each is not Outcome.DONE for each in ended.values()))


def show_watch(asked: OptimizeCommand) -> int:
    """Look again and again, until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: the seconds can't be.
    """
    every_s = EVERY_S if asked.every_s is None else asked.every_s
    if not LEAST_EVERY_S <= every_s <= LONGEST_EVERY_S:
        raise ConfigurationError(
            f"--every must be from {LEAST_EVERY_S:g} to {LONGEST_EVERY_S:g} seconds but got "
            f"{every_s:g}"
        )
    settings = load_settings()
    automation = automation_of(asked, settings, detached=True)
    deliver = delivering(settings, automation.board)
    say(f"watching {automation.board.metrics.address}; stop with Ctrl-C")

    def wait() -> bool:
        time.sleep(every_s)
        return True

    watch(automation, deliver, wait=wait, tell=say)
    return 0


def show_resume(asked: OptimizeCommand) -> int:
    """Let an action go on that failed twice, or whose process can't be seen any more.

    Raises:
        ConfigurationError: nothing of that alert is paused or at work.
    """
    ledger = open_board(rules=asked.rules).ledger
    alert_id = asked.alert_id.strip()
    with ledger.changing() as change:
        stuck = [e for e in change.state.of_alert(alert_id) if e.in_flight and e.started]
        if not change.state.paused(alert_id) and not stuck:
            known = [*change.state.failed, *(o.decided.alert_id for o in change.state.in_flight())]
            raise ConfigurationError(
                f"an alert must have an action that is paused or at work but got '{alert_id}'"
                f"{did_you_mean(alert_id, known)}; `guardianflow optimize check` shows all"
            )
        for order in stuck:
            release_order(change, order)
        change.append(Resumed(at=Moment.now(), alert_id=alert_id, who=person()))
    answer = {"alert_id": alert_id, "resumed": True}
    print_answer(asked.as_json, answer, f"the action of alert {alert_id} may go on")
    return 0


def show_log(asked: OptimizeCommand) -> int:
    """Print the last orders."""
    ledger = open_board(rules=asked.rules).ledger
    orders = [order_as_dict(each) for each in ledger.read().orders.values()][-asked.limit :]
    return show_rows(orders, asked.as_json, "nothing was decided yet", {"orders": orders})


def automation_of(asked: OptimizeCommand, settings: Settings, *, detached: bool) -> Automation:
    board = open_board(settings, rules=asked.rules)
    ports = functools.cache(lambda: connect(settings.tracking_uri))  # where the first plan needs it

    def planned(alert: RuleAlert, rule: Rule) -> Plan:
        return plan_of(alert, rule, ports(), settings)

    return Automation(board, planned, Starter(board.ledger, detached=detached))


def row_of(decision: Decision, look: Look) -> dict[str, Any]:
    alert = decision.alert
    return {
        "alert": alert.alert_id,
        "where": alert.where,
        "rule": alert.rule,
        "because": shown_reading(alert),
        "would": look.plans[alert.alert_id].summary if decision.hold is None else None,
        "would not, as": words(decision),
    }


def words(decision: Decision) -> str | None:
    """Why nothing is started; None where something is."""
    if decision.hold is None:
        return None
    text = HOLDS[decision.hold].format(alert=decision.alert.alert_id, why=decision.why)
    wait = decision.wait_s
    return text if wait is None else f"{text}: {wait / 3600:.1f} h to go"


def as_dict(decision: Decision, look: Look) -> dict[str, Any]:
    plan = look.plans.get(decision.alert.alert_id) if decision.hold is None else None
    return {
        **decision.alert.model_dump(mode="json"),
        "starts": plan.summary if plan else None,
        "stage": plan.stage if plan else None,
        "scenario": plan.scenario_yaml if plan else None,
        "hold": decision.hold,
        "wait_s": decision.wait_s,
        "why": decision.why or None,
    }


def order_as_dict(order: Order) -> dict[str, Any]:
    decided, ended = order.decided, order.ended
    return {
        "order": decided.order_id,
        "decided": decided.at.time.isoformat(timespec="seconds"),
        "rule": decided.rule,
        "alert": decided.alert_id,
        "why": decided.why,
        "state": ended.outcome if ended else "at_work" if order.started else "decided",
        "run_id": (ended.run_id if ended else "") or None,
        "reason": (ended.reason if ended else "") or None,
    }

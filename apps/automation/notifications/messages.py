"""What people are told."""

from __future__ import annotations

from ..alerts.models import RuleAlert
from ..ledger.state import Order
from ..orders.plans import shown_reading


def of_alert(alert: RuleAlert) -> str:
    when = alert.reading.timestamp.strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{alert.where}: {shown_reading(alert)} (run {alert.reading.run_id}, {when}). "
        f"Rule {alert.rule}, alert {alert.alert_id}."
    )


def of_pause(order: Order) -> str:
    """Of an action that failed as often as is allowed."""
    reason = order.ended.reason if order.ended else ""
    alert_id = order.decided.alert_id
    return (
        f"Rule {order.decided.rule}: its action '{order.decided.action}' failed twice and is "
        f"paused: {reason}. `guardianflow optimize resume {alert_id}` lets it go on."
    )

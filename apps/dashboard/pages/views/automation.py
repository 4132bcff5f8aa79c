"""What automation did: its ledger's orders as its page shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.automation.ledger.state import Order, State
from guardianflow.metrics_store.questions.answers import Place


class ActionState(StrEnum):
    """How far an action is, or how it ended."""

    DECIDED = "decided"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"


@dataclass(frozen=True)
class LoggedAction:
    """An action that automation decided.

    Args:
        why: in the rule's own words.
        source_run_id: whose figure it follows from.
        run_id: that it made; '' where it made none, or not yet.
        reason: why it failed; '' where it did not.
    """

    when: datetime
    state: ActionState
    place: Place
    rule: str
    action: str
    why: str
    source_run_id: str
    run_id: str = ""
    reason: str = ""


def logged_actions(state: State) -> tuple[LoggedAction, ...]:
    """The orders of a ledger, the newest first."""
    return tuple(map(_logged, reversed(state.orders.values())))


def _logged(order: Order) -> LoggedAction:
    decided, ended = order.decided, order.ended
    begun = ActionState.STARTED if order.started else ActionState.DECIDED
    return LoggedAction(
        when=decided.at.time,
        state=ActionState(ended.outcome.value) if ended else begun,
        place=decided.place,
        rule=decided.rule,
        action=decided.action,
        why=decided.why,
        source_run_id=decided.run_id,
        run_id=ended.run_id if ended else "",
        reason=ended.reason if ended else "",
    )


ReadLog = Callable[[], Sequence[LoggedAction]]
"""All of it, the newest first. Raises GuardianFlowError: it can't be read."""

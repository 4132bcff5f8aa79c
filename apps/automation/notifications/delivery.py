"""Sends what is due. A message is written down before its first byte goes out, so that no second
one goes out where nobody knows what became of the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from guardianflow.support.secrets.redaction import redact_text

from ..alerts.board import AlertBoard
from ..ledger.moments import Moment
from ..ledger.records import Notice, NoticeState
from ..ledger.state import FAILURES, NoticeTrail, State
from .channels import Channel, Message, RefusedError, RejectedError, UncertainError
from .messages import of_alert, of_pause

MOST_TRIES = 10
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0
ABANDONED_S = 120.0
"""A message that is being sent for so long is so no more: whoever did it was killed."""
LONGEST_REASON = 300


@dataclass(frozen=True)
class Delivered:
    """What came of one look. `problems`: for people."""

    sent: int
    problems: tuple[str, ...]


def deliver(board: AlertBoard, channels: Sequence[Channel]) -> Delivered:
    """Send what is new, and again what certainly did not arrive.

    Raises:
        MetricsStoreError, AutomationError: the store or the ledger can't be read.
    """
    by_name = {each.name: each for each in channels}
    _queue(board, list(by_name))
    sent, problems = 0, []
    for notice_id in _due(board, by_name):
        trail = _claim(board, notice_id)
        if trail is None:
            continue
        channel = by_name[trail.last.channel]
        state, why = _sent(channel, Message(notice_id, trail.text), trail.tries + 1)
        board.ledger.append(_next(trail, board.clock(), state, why))
        sent += state is NoticeState.SENT
        if why:
            problems.append(f"{channel.name}: {why}")
    return Delivered(sent, tuple(problems))


def _sent(channel: Channel, message: Message, tries: int) -> tuple[NoticeState, str]:
    try:
        return NoticeState.SENT, channel.send(message)
    except RejectedError as exc:
        return NoticeState.GIVEN_UP, _reason(exc)
    except RefusedError as exc:
        over = tries >= MOST_TRIES
        return NoticeState.GIVEN_UP if over else NoticeState.REFUSED, _reason(exc)
    except UncertainError as exc:
        return NoticeState.UNKNOWN, _reason(exc)


def _reason(exc: Exception) -> str:
    return redact_text(str(exc))[:LONGEST_REASON]


def _queue(board: AlertBoard, channels: Sequence[str]) -> None:
    """What people have not been told: alerts that fire, by the run they rest on; and pauses."""
    alerts = board.alerts().alerts
    news = {
        f"alert:{each.alert_id}:{each.reading.run_id}": of_alert(each)
        for each in alerts
        if each.fires and each.acknowledged is None
    }
    state = board.ledger.read()
    news |= _pauses(state)
    wanted = {(notice_id_of(about, name), name): text
              for about, text in news.items() for name in channels}  # fmt: skip
    if not any(notice_id not in state.notices for notice_id, _ in wanted):
        return
    with board.ledger.changing() as change:
        for (notice_id, name), text in wanted.items():
            if notice_id not in change.state.notices:
                change.append(
                    Notice(
                        at=board.clock(),
                        notice_id=notice_id,
                        channel=name,
                        state=NoticeState.QUEUED,
                        text=redact_text(text),
                    )
                )


def _pauses(state: State) -> dict[str, str]:
    last = {
        alert_id: state.orders[orders[-1]]
        for alert_id, orders in state.failed.items()
        if state.paused(alert_id)
    }
    assert all(each.ended and each.ended.outcome in FAILURES for each in last.values())
    return {f"pause:{order.decided.order_id}": of_pause(order) for order in last.values()}


def notice_id_of(about: str, channel: str) -> str:
    return hashlib.sha256(f"{channel}\x1f{about}".encode()).hexdigest()[:24]


def _due(board: AlertBoard, channels: dict[str, Channel]) -> list[str]:
    now, state = board.clock(), board.ledger.read()
    return [
        notice_id
        for notice_id, trail in state.notices.items()
        if trail.last.channel in channels and is_due(trail, state, now)
    ]


def is_due(trail: NoticeTrail, state: State, now: Moment) -> bool:
    """Whether it is to be sent now, or to be told that nobody knows what became of it."""
    waited = state.seconds_since(trail.last.at, now)
    if trail.last.state is NoticeState.REFUSED:
        return waited >= min(FIRST_WAIT_S * 2.0 ** (trail.tries - 1), LONGEST_WAIT_S)
    if trail.last.state is NoticeState.SENDING:
        return waited >= ABANDONED_S
    return trail.last.state is NoticeState.QUEUED


def _claim(board: AlertBoard, notice_id: str) -> NoticeTrail | None:
    """Write that it is being sent; None where it is another process's now."""
    with board.ledger.changing() as change:
        now = board.clock()
        trail = change.state.notices[notice_id]
        if not is_due(trail, change.state, now):
            return None
        if trail.last.state is NoticeState.SENDING:
            lost = "whoever sent it was killed meanwhile"
            change.append(_next(trail, now, NoticeState.UNKNOWN, lost))
            return None
        change.append(_next(trail, now, NoticeState.SENDING))
        return trail


def _next(trail: NoticeTrail, now: Moment, state: NoticeState, why: str = "") -> Notice:
    return trail.last.model_copy(update={"at": now, "state": state, "text": "", "why": why})

"""What the lines of a ledger come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .moments import Moment
from .records import (
    Acknowledged,
    ClockSetBack,
    Decided,
    Ended,
    Notice,
    Outcome,
    Record,
    Resumed,
    Started,
)

FAILURES = (Outcome.FAILED, Outcome.LOST)
NEVER_BEGUN = (Outcome.EXPIRED,)
PAUSED_AFTER = 2


@dataclass(frozen=True)
class Order:
    """An action that was decided."""

    decided: Decided
    started: Started | None = None
    ended: Ended | None = None

    @property
    def in_flight(self) -> bool:
        return self.ended is None

    @property
    def waits(self) -> bool:
        """No process has taken it yet."""
        return self.started is None and self.ended is None

    @property
    def stage(self) -> str:
        """'decided', 'started', or how it ended."""
        if self.ended is not None:
            return self.ended.outcome
        return "started" if self.started else "decided"

    @property
    def counts(self) -> bool:
        """Against cooldown and budget."""
        return self.ended is None or self.ended.outcome not in NEVER_BEGUN


@dataclass(frozen=True)
class NoticeTrail:
    """A message: its last line, the first one's text, and how often it was tried."""

    last: Notice
    text: str
    tries: int = 0


@dataclass
class State:
    """All of it, in the order of the lines.

    Attributes:
        failed: alert → its failures in a row since a person let it go on.
        set_back: moments at which the clock was found behind.
        latest: of the last line.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    acknowledged: dict[tuple[str, str], Acknowledged] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)
    notices: dict[str, NoticeTrail] = field(default_factory=dict)
    set_back: list[Moment] = field(default_factory=list)
    latest: Moment | None = None

    def add(self, record: Record) -> None:
        self.latest = record.at
        if isinstance(record, Decided):
            self.orders[record.order_id] = Order(record)
        elif isinstance(record, Started):
            self._change(record.order_id, started=record)
        elif isinstance(record, Ended):
            self._change(record.order_id, ended=record)
            self._count(record)
        elif isinstance(record, Resumed):
            self.failed.pop(record.alert_id, None)
        elif isinstance(record, Acknowledged):
            self.acknowledged[record.alert_id, record.run_id] = record
        elif isinstance(record, Notice):
            self._notice(record)
        elif isinstance(record, ClockSetBack):
            self.set_back.append(record.at)

    def copy(self) -> State:
        """As it is now, whatever is added later."""
        return State(
            dict(self.orders),
            dict(self.acknowledged),
            {alert: list(orders) for alert, orders in self.failed.items()},
            dict(self.notices),
            list(self.set_back),
            self.latest,
        )

    def paused(self, alert_id: str) -> bool:
        return len(self.failed.get(alert_id, ())) >= PAUSED_AFTER

    def in_flight(self) -> Iterator[Order]:
        return (each for each in self.orders.values() if each.in_flight)

    def of_alert(self, alert_id: str) -> list[Order]:
        return [each for each in self.orders.values() if each.decided.alert_id == alert_id]

    def seconds_since(self, earlier: Moment, now: Moment) -> float:
        """From a line's moment to now.

        Where the clock was set back between two starts of the system, from the moment at which
        that was found; 0 until it is.
        """
        if (passed := now.since(earlier)) >= 0:
            return passed
        found = [now.since(each) for each in self.set_back]
        return max((each for each in found if each >= 0), default=0.0)

    def clock_is_behind(self, now: Moment) -> bool:
        """Whether a line is of a later time than now, and nothing says so yet."""
        if self.latest is None or now.since(self.latest) >= 0:
            return False
        return not any(now.since(each) >= 0 for each in self.set_back)

    def _change(self, order_id: str, **more: Started | Ended) -> None:
        if order_id in self.orders:
            self.orders[order_id] = replace(self.orders[order_id], **more)  # type: ignore[arg-type]

    def _count(self, ended: Ended) -> None:
        if ended.order_id not in self.orders:
            return
        alert_id = self.orders[ended.order_id].decided.alert_id
        if ended.outcome in FAILURES:
            self.failed.setdefault(alert_id, []).append(ended.order_id)
        elif ended.outcome is Outcome.DONE:
            self.failed.pop(alert_id, None)

    def _notice(self, record: Notice) -> None:
        before = self.notices.get(record.notice_id)
        text = record.text or (before.text if before else "")
        tries = (before.tries if before else 0) + (record.state == "sending")
        self.notices[record.notice_id] = NoticeTrail(record, text, tries)

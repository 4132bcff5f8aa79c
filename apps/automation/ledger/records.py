"""The lines of the ledger. Each says its kind; a reader of an older version refuses a newer one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from guardianflow.metrics_store.questions.answers import Place

from .moments import Moment


class Line(BaseModel):
    """`at`: when it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Moment


class Decided(Line):
    """An action is to be started: written before it is."""

    kind: Literal["decided"] = "decided"
    order_id: str
    alert_id: str
    rule: str
    place: Place
    action: str
    run_id: str
    """Of the reading that it follows from."""
    why: str


class Started(Line):
    """A process has taken the order; no other will."""

    kind: Literal["started"] = "started"
    order_id: str
    owner: str
    """Of ProcessIdentity."""


class Outcome(StrEnum):
    """How an order ended."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    """Its process is gone and said nothing."""
    INTERRUPTED = "interrupted"
    """By a person, or with the machine's end."""
    EXPIRED = "expired"
    """No process took it in time."""


class Ended(Line):
    kind: Literal["ended"] = "ended"
    order_id: str
    outcome: Outcome
    run_id: str = ""
    reason: str = ""


class Resumed(Line):
    """A person lets a paused action go on."""

    kind: Literal["resumed"] = "resumed"
    alert_id: str
    who: str


class Acknowledged(Line):
    """A person has seen an alert."""

    kind: Literal["acknowledged"] = "acknowledged"
    alert_id: str
    run_id: str
    note: str
    who: str


class NoticeState(StrEnum):
    """Where a message to a channel is."""

    QUEUED = "queued"
    SENDING = "sending"
    """Written before the first byte goes out: where nothing follows, nobody knows what came."""
    SENT = "sent"
    REFUSED = "refused"
    """It did certainly not arrive; it is tried again."""
    UNKNOWN = "unknown"
    """It may have arrived: it is not sent again."""
    GIVEN_UP = "given_up"


class Notice(Line):
    """A message on its way.

    Args:
        notice_id: of what it is about, and the channel: never two of one.
        text: of it; '' where it was said before.
    """

    kind: Literal["notice"] = "notice"
    notice_id: str
    channel: str
    state: NoticeState
    text: str = ""
    why: str = ""


class ClockSetBack(Line):
    """The clock was found behind the ledger's own times: distances begin here."""

    kind: Literal["clock"] = "clock"


Record = Annotated[
    Decided | Started | Ended | Resumed | Acknowledged | Notice | ClockSetBack,
    Field(discriminator="kind"),
]
RECORD: TypeAdapter[Record] = TypeAdapter(Record)

"""Where a message goes, and how sending it can end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from guardianflow.support.network.addresses import ForbiddenAddressError

DEADLINE_S = 10.0
"""For one message, however slowly the other side answers."""


@dataclass(frozen=True)
class Message:
    """Args:
    message_id: of what it is about; the same at every try.
    """

    message_id: str
    text: str


class RefusedError(Exception):
    """It did certainly not arrive: another try can't make two of it."""


class RejectedError(RefusedError):
    """Nor will it ever, as it is: an address or a login is wrong."""


class UncertainError(Exception):
    """It may have arrived: the answer never came."""


def forbidden(problem: ForbiddenAddressError) -> str:
    """The words for an address that may not be connected to, and what to do."""
    return f"{problem}: name the host in GUARDIANFLOW_PRIVATE_HOSTS if it is meant"


class Channel(Protocol):
    @property
    def name(self) -> str:
        """'webhook', 'mail'"""
        ...

    def send(self, message: Message) -> str:
        """Send it within DEADLINE_S; it has arrived when this returns: '', or what went amiss.

        Raises:
            RefusedError: it has not.
            UncertainError: nobody knows.
        """
        ...

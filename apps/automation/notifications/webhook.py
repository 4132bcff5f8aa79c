"""A message as JSON by POST, signed.

{"text": "…"}                         as Slack's incoming webhooks take it
X-GuardianFlow-Delivery: ID           the same at every try: who gets it twice can tell
X-GuardianFlow-Timestamp: SECONDS
X-GuardianFlow-Signature: v1=HEX      HMAC-SHA256 of 'SECONDS.BODY' with the key
"""

from __future__ import annotations

import hashlib
import hmac
import html
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from urllib.parse import SplitResult

from guardianflow import __version__
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_url
from guardianflow.support.network.addresses import ForbiddenAddressError, guard_connection

from .channels import (
    DEADLINE_S,
    Message,
    RefusedError,
    RejectedError,
    UncertainError,
    forbidden,
)

AGAIN = frozenset({408, 425, 429})
"""Statuses, beside 5xx, at which another try may be taken."""


class Webhook:
    """A webhook.

    Args:
        url: http or https. Redirects are not followed.
        key: '' signs nothing.
        private_hosts: of one's own network, that it may lie in.

    Raises:
        ConfigurationError: it is no such URL.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        key: str = "",
        private_hosts: Sequence[str] = (),
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = given_url(url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ConfigurationError(
                "GUARDIANFLOW_ALERTS_WEBHOOK must be an address like https://HOST/PATH, but its "
                f"scheme is '{self._url.scheme}'"
            )
        if "@" in self._url.netloc or not (url.isascii() and url.isprintable()) or " " in url:
            raise ConfigurationError(
                "GUARDIANFLOW_ALERTS_WEBHOOK must hold no login, space or letter beyond ASCII "
                "(write those as %XX)"
            )
        self._key, self._private_hosts = key, private_hosts
        self._deadline_s, self._clock = deadline_s, clock

    def send(self, message: Message) -> str:
        text = html.escape(message.text, quote=False)  # Slack gives these characters a meaning
        body = json.dumps({"text": text}, ensure_ascii=False).encode()
        connection = _connection(self._url, self._deadline_s)
        with closing(connection):
            guard_connection(connection, self._private_hosts)
            try:
                connection.connect()
            except ForbiddenAddressError as exc:
                raise RefusedError(forbidden(exc)) from exc
            except (OSError, ValueError) as exc:  # names that can't be, refused, no certificate
                raise RefusedError(f"can't be reached: {exc}") from exc
            status = self._answer(connection, body, message)
        if 200 <= status < 300:
            return ""
        kind = RefusedError if status >= 500 or status in AGAIN else RejectedError
        raise kind(f"it answered {status}")

    def _answer(self, connection: http.client.HTTPConnection, body: bytes, message: Message) -> int:
        """The status; the socket is cut at the deadline, however busily the other side drips."""
        path = self._url.path or "/"
        path += f"?{self._url.query}" if self._url.query else ""
        cut = threading.Timer(self._deadline_s, _cut, [connection.sock])
        cut.daemon = True
        cut.start()
        try:
            connection.request("POST", path, body, self._headers(body, message))
            return connection.getresponse().status
        except (OSError, http.client.HTTPException) as exc:
            reason = exc or type(exc).__name__
            raise UncertainError(f"no answer within {self._deadline_s:g} s: {reason}") from exc
        finally:
            cut.cancel()

    def _headers(self, body: bytes, message: Message) -> dict[str, str]:
        moment = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"guardianflow/{__version__}",
            "X-GuardianFlow-Delivery": message.message_id,
            "X-GuardianFlow-Timestamp": moment,
        }
        if self._key:
            headers["X-GuardianFlow-Signature"] = f"v1={signature(self._key, moment, body)}"
        return headers


def signature(key: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 in hexadecimal digits, over '{timestamp}.{body}'."""
    return hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _connection(url: SplitResult, deadline_s: float) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, url.port, timeout=deadline_s, context=context)
    return http.client.HTTPConnection(host, url.port, timeout=deadline_s)


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)

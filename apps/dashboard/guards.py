"""What every request and answer passes, whichever route it is for.

another site's page   can't change anything here: a request that may (POST, PUT, PATCH, DELETE)
                      comes from our own page, or from a program that sends its token in a header
guesses of a token    an address that guessed wrong too often waits, even with the right one
large bodies          are refused unread
answers               tell the browser to show them nowhere else, and to load nothing from elsewhere
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_GUESSES, GUESSES_WITHIN_S = 10, 60.0
MOST_ADDRESSES = 10_000
LARGEST_BODY = 1 << 20
ANSWER_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' "
    "'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Where a route has not set them itself."""


class TooLargeError(Exception):
    """A body that grew beyond what any request of ours has."""


class Guesses:
    """Remembers which addresses gave a wrong token lately.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long the address must wait; 0 where it may ask."""
        with self._lock:
            times = self._wrong.get(_network(address))
            if times is None or len(times) < MOST_GUESSES:
                return 0.0
            return max(0.0, times[0] + GUESSES_WITHIN_S - self._clock())

    def wrong(self, address: str) -> None:
        """It has guessed wrong once more."""
        with self._lock:
            times = self._wrong.setdefault(_network(address), deque(maxlen=MOST_GUESSES))
            self._wrong.move_to_end(_network(address))
            times.append(self._clock())
            while len(self._wrong) > MOST_ADDRESSES:
                self._wrong.popitem(last=False)


def _network(address: str) -> str:
    """One IPv6 user has a whole /64 of addresses."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address
    if number.version == 4:
        return address
    return str(ipaddress.ip_network((int(number), 64), strict=False).network_address)


class Guards:
    """ASGI middleware around all others.

    Args:
        cookie: the name of the one that holds a token.
    """

    def __init__(self, app: ASGIApp, cookie: str, guesses: Guesses | None = None) -> None:
        self._app, self._cookie, self._guesses = app, cookie, guesses or Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, address = Headers(scope=scope), (scope.get("client") or ("", 0))[0]
        changes = scope["method"] not in SAFE_METHODS
        gives_token = "authorization" in headers or self._cookie in headers.get("cookie", "")
        refusal = self._refusal(headers, address, changes, gives_token)
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if refusal is None and _was_wrong(message["status"], gives_token, changes):
                    self._guesses.wrong(address)
                answered = MutableHeaders(scope=message)
                for name, value in ANSWER_HEADERS.items():
                    answered.setdefault(name, value)
            await send(message)

        try:
            await (refusal or self._app)(scope, _bounded(receive), guarded_send)
        except TooLargeError:
            if started:
                raise
            await _too_large()(scope, receive, guarded_send)

    def _refusal(
        self, headers: Headers, address: str, changes: bool, gives_token: bool
    ) -> JSONResponse | None:
        if (gives_token or changes) and (wait_s := self._guesses.wait_s(address)):
            text = "too many wrong tokens came from your address; wait a minute"
            return JSONResponse({"detail": text}, 429, {"Retry-After": str(int(wait_s) + 1)})
        if changes and not comes_from_us(headers):
            text = "this came from another site's page, which may change nothing here"
            return JSONResponse({"detail": text}, 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > LARGEST_BODY:
            return _too_large()
        return None


def _was_wrong(status: int, gives_token: bool, changes: bool) -> bool:
    """Whether an answer says that a token was wrong: of the dashboard, of a form's own."""
    return (status == 401 and (gives_token or changes)) or (status == 403 and changes)


def comes_from_us(headers: Headers) -> bool:
    """Whether a request that may change something comes from our page or from a program.

    A browser says where a request comes from (Sec-Fetch-Site, Origin), and a page can't change
    that; it sends a cookie by itself, but no Authorization header to another site.
    """
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    if (origin := headers.get("origin")) is not None:
        return _netloc(origin) == headers.get("host", "").lower() != ""
    return "cookie" not in headers and "referer" not in headers


def _netloc(origin: str) -> str | None:
    """Host and port of 'http://host:8000'; None for 'null' and what is none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _bounded(receive: Receive) -> Receive:
    """Counts what comes without a length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST_BODY:
            raise TooLargeError
        return message

    return counted


def _too_large() -> JSONResponse:
    return JSONResponse({"detail": f"a body has at most {LARGEST_BODY} bytes here"}, 413)

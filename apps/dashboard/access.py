"""Who may ask.

with a token     whoever sends it: `Authorization: Bearer TOKEN`, or the cookie that a page sets
without one      this machine alone, by one of its own names: a page of another site that a
                 browser shows here can't ask under a name of its own
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "guardianflow_token"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
SIGN_IN = "/sign-in"
OPEN_PATHS = frozenset({"/healthz", SIGN_IN, "/look"})
OPEN_FOLDER = "/static/"
"""A watchdog has no token, nor has who signs in; nothing of a site is told there."""


def is_loopback(host: str) -> bool:
    return host in LOOPBACK_NAMES


class Access:
    """ASGI middleware that answers 401 or 403 to whoever may not ask.

    Args:
        token: '' lets this machine alone ask.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if self._token:
            is_open = path in OPEN_PATHS or path.startswith(OPEN_FOLDER)
            if is_open or same(given_token(headers), self._token):
                return None
            if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
                query = scope["query_string"].decode("latin-1")
                asked = path + (f"?{query}" if query else "")
                return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': asked})}", 303)
            text = "send the dashboard's token: Authorization: Bearer TOKEN"
            return JSONResponse({"detail": text}, 401, {"WWW-Authenticate": "Bearer"})
        if is_loopback(host_of(headers.get("host", ""))):
            return None
        text = "without a token the dashboard answers to localhost alone: start it with --token"
        return JSONResponse({"detail": text}, 403)


def given_token(headers: Headers) -> str:
    """The token of a request; '' where it has none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def same(one: str, other: str) -> bool:
    """Compared in a time that tells nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isdecimal() else header).lower()

"""What a form sends, and whether it came from a page of ours.

A page of another site that a browser shows can send a form here, with our cookies. It can't read
our cookie, so it does not know the text that our own forms carry; and the browser says whose page
it is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from guardianflow.contracts.errors import ConfigurationError

FORM_COOKIE = "guardianflow_form"
MOST_BYTES, MOST_FIELDS = 20_000, 30
_SECRET = secrets.token_bytes(32)


class ForeignFormError(ConfigurationError):
    """The form was not sent by a page of ours, or by one of before a restart."""

    def __init__(self) -> None:
        super().__init__(
            "the form must be sent from a page of this dashboard that was opened since it was "
            "started: open the page anew and try again"
        )


def sent_text(cookie: str) -> str:
    """What a form of a page carries beside the cookie."""
    return hmac.new(_SECRET, cookie.encode(), hashlib.sha256).hexdigest()


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form that a page of ours sent.

    Raises:
        ForeignFormError: another sent it.
        ConfigurationError: it is no form, or too long.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ConfigurationError(f"a form must have at most {MOST_BYTES} bytes")
    try:
        text = body.decode("utf-8")
        fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as exc:
        raise ConfigurationError(f"the form can't be read: {exc}") from exc
    cookie, given = request.cookies.get(FORM_COOKIE, ""), fields.get("sent", "")
    expected = sent_text(cookie)
    ours = bool(cookie) and hmac.compare_digest(given.encode(), expected.encode())
    if not ours or not same_origin(request):
        raise ForeignFormError
    return fields


def same_origin(request: Request) -> bool:
    """Whether the browser says that the form is of this address; an old one may say nothing."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return urlsplit(origin).netloc == request.headers.get("host", "")

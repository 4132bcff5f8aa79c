"""Answers as bytes with their ETags; made once while the store is as it was."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"
MOST_KEPT = 512
MOVING = "days"
"""A question about the last days has another answer as time goes by: it is kept for a minute; any
other for an hour, as a run that a wrong clock has dated ahead counts when its time has come.
"""


class Replies:
    """Keeps what was answered.

    Args:
        state: of the store: another text where any row is another.
    """

    def __init__(self, state: Callable[[], str]) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], tuple[str, bytes]] = OrderedDict()
        self._making: dict[tuple[str, ...], threading.Lock] = {}

    def of_store(
        self, request: Request, make: Callable[[], BaseModel | str], media_type: str = JSON
    ) -> Response:
        """The answer to a request that the store alone decides."""
        moment = str(int(time.time() // (60 if MOVING in request.query_params else 3600)))
        key = (self._state(), request.url.path, request.url.query, moment)
        if (found := self._kept.get(key)) is None:
            with self._lock:
                making = self._making.setdefault(key, threading.Lock())
            with making:  # of many who ask at once, one asks the store
                if (found := self._kept.get(key)) is None:
                    found = self._made(make())
                    self._keep(key, found)
        return reply(request, *found, media_type)

    def fresh(self, request: Request, answer: BaseModel) -> Response:
        """An answer that is not kept."""
        return reply(request, *self._made(answer))

    def _made(self, answer: BaseModel | str) -> tuple[str, bytes]:
        body = (answer if isinstance(answer, str) else answer.model_dump_json()).encode()
        return f'"{hashlib.sha256(body).hexdigest()[:32]}"', body

    def _keep(self, key: tuple[str, ...], found: tuple[str, bytes]) -> None:
        with self._lock:
            self._kept[key] = found
            self._making.pop(key, None)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


def reply(request: Request, tag: str, body: bytes, media_type: str = JSON) -> Response:
    """The body, or 304 where whoever asks has it already."""
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    given = request.headers.get("if-none-match", "")
    if any(each.strip().removeprefix("W/") in (tag, "*") for each in given.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)

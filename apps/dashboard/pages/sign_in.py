"""The dashboard's token as a cookie; a visitor's language and time zone as cookies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from guardianflow.contracts.errors import ConfigurationError

from ..access import COOKIE, same
from .forms import form_of
from .rendering import LANGUAGE_COOKIE, ZONE_COOKIE, render, set_cookie, visitor_of
from .texts.wording import LANGUAGES, ZONES

SIGNED_IN_S = 30 * 86_400
YEAR_S = 365 * 86_400
Fields = Annotated[Mapping[str, str], Depends(form_of)]


def sign_in_routes(token: str) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/sign-in")
    def sign_in(request: Request, next: str = "/") -> Response:
        visitor = visitor_of(request, COOKIE)
        return render(request, visitor, "sign_in", {"next": own_path(next), "wrong": False})

    @routes.post("/sign-in")
    def signed_in(request: Request, fields: Fields) -> Response:
        to = own_path(fields.get("next", "/"))
        if not same(fields.get("token", "").strip(), token):
            values = {"next": to, "wrong": True}
            return render(request, visitor_of(request, COOKIE), "sign_in", values, status=401)
        answer = RedirectResponse(to, 303)
        if token:
            set_cookie(request, answer, COOKIE, token, SIGNED_IN_S)
        return answer

    @routes.post("/sign-out", dependencies=[Depends(form_of)])
    def sign_out() -> Response:
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE)
        return answer

    @routes.post("/look")
    def look(request: Request, fields: Fields) -> Response:
        """Another language or time zone, from now on."""
        language, zone = fields.get("language", ""), fields.get("zone", "")
        answer = RedirectResponse(own_path(fields.get("next", "/")), 303)
        if (language and language not in LANGUAGES) or (zone and zone not in ZONES):
            raise ConfigurationError(
                f"language must be one of {', '.join(LANGUAGES)} and zone one of "
                f"{', '.join(ZONES)} but got '{language}' and '{zone}'"
            )
        if language:
            set_cookie(request, answer, LANGUAGE_COOKIE, language, YEAR_S)
        if zone:
            set_cookie(request, answer, ZONE_COOKIE, zone, YEAR_S)
        return answer

    return routes


def own_path(address: str) -> str:
    """A path of this dashboard; '/' for an address of another, however it is disguised."""
    ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    parts = urlsplit(address) if ours and address.isprintable() else None
    return address if parts is not None and not parts.scheme and not parts.netloc else "/"

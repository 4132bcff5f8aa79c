"""Templates with a visitor's language and time zone; headers that forbid all that is not ours."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from guardianflow import __version__

from .files import address_of
from .forms import FORM_COOKIE, sent_text
from .texts.wording import LANGUAGES, ZONES, Wording, language_of

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGE_COOKIE, ZONE_COOKIE = "guardianflow_language", "guardianflow_zone"
MENU = ("fleet", "compare", "running", "alerts", "automation", "directories")
ADDRESSES = {"fleet": "/"} | {name: f"/{name}" for name in MENU[1:]}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Plotly writes styles into its pictures; scripts are our own files alone."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page.

    Args:
        form_cookie: of which a form's text is made.
        is_new: the cookie is not in the browser yet.
        here: the page's address, to come back to.
        signed_in: by the token's cookie.
    """

    wording: Wording
    form_cookie: str
    is_new: bool
    here: str
    signed_in: bool


def visitor_of(request: Request, token_cookie: str) -> Visitor:
    cookies = request.cookies
    language = cookies.get(LANGUAGE_COOKIE, "")
    if language not in LANGUAGES:
        language = language_of(request.headers.get("accept-language", ""))
    zone = cookies.get(ZONE_COOKIE, "")
    cookie = cookies.get(FORM_COOKIE, "")
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Visitor(
        Wording(language, zone if zone in ZONES else "KST"),
        cookie or secrets.token_urlsafe(24),
        not cookie,
        here if request.method == "GET" else "/",
        token_cookie in cookies,
    )


def render(
    request: Request,
    visitor: Visitor,
    name: str,
    values: Mapping[str, object],
    *,
    status: int = 200,
    live_s: int = 0,
) -> HTMLResponse:
    """The page of a template.

    Args:
        name: of the template, without its ending; the menu's entry of that name is marked.
        live_s: how often the page looks by itself whether there is anything new; 0 never.
    """
    wording = visitor.wording
    page = _environment().get_template(f"{name}.html.j2")
    text = page.render(
        **values,
        t=wording.text,
        w=wording,
        visitor=visitor,
        sent=sent_text(visitor.form_cookie),
        page_name=name,
        menu=[(each, ADDRESSES[each]) for each in MENU],
        live_s=live_s,
        static=address_of,
        query=query_of,
        version=__version__,
        languages=LANGUAGES,
        zones=ZONES,
    )
    answer = HTMLResponse(text, status, HEADERS)
    answer.headers["Content-Language"] = wording.language
    answer.headers["Vary"] = "Accept-Language, Cookie"
    if visitor.is_new:
        set_cookie(request, answer, FORM_COOKIE, visitor.form_cookie)
    return answer


def set_cookie(
    request: Request, answer: Response, name: str, value: str, seconds: int | None = None
) -> None:
    """A cookie that no script reads; a form of another site does not send it."""
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, seconds, httponly=True, samesite="lax", secure=secure)


def query_of(path: str, **values: object) -> str:
    """'/site?customer=…': an address with those parameters that are not None or ''."""
    there = {name: value for name, value in values.items() if value not in (None, "")}
    return f"{path}?{urlencode(there)}" if there else path


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

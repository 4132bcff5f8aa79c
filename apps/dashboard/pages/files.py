"""Style sheet, script and Plotly, from our own address; kept by browsers until they change."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request, Response

from guardianflow.contracts.errors import SourceError
from guardianflow.support.suggestions import did_you_mean

STATIC = Path(__file__).parent / "static"
PLOTLY = "plotly.min.js"
KINDS = {
    "style.css": "text/css; charset=utf-8",
    "pages.js": "text/javascript; charset=utf-8",
    PLOTLY: "text/javascript; charset=utf-8",
}
YEAR_S = 365 * 86_400


@dataclass(frozen=True)
class StaticFile:
    content: bytes
    zipped: bytes
    digest: str


@cache
def static_file(name: str) -> StaticFile:
    """A file of KINDS, read and compressed once."""
    if name == PLOTLY:
        content = files("plotly").joinpath("package_data", PLOTLY).read_bytes()
    else:
        content = (STATIC / name).read_bytes()
    return StaticFile(content, gzip.compress(content, 6), hashlib.sha256(content).hexdigest()[:16])


def address_of(name: str) -> str:
    """'/static/style.css?v=…': another address where the content is another."""
    return f"/static/{name}?v={static_file(name).digest}"


def static_routes() -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/static/{name}")
    def static(request: Request, name: str, v: str = "") -> Response:
        if name not in KINDS:
            raise SourceError(f"there is no file '{name}'{did_you_mean(name, KINDS)}")
        found = static_file(name)
        headers = {"X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
        fits = v == found.digest
        headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable" if fits else "no-cache"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(found.zipped, media_type=KINDS[name], headers=headers)
        return Response(found.content, media_type=KINDS[name], headers=headers)

    return routes

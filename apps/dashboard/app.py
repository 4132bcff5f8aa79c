"""The application. Routes are in api/; what goes wrong becomes a status and a Problem here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from apps.automation.alerts.board import NewerRunError
from guardianflow import __version__
from guardianflow.contracts.errors import (
    AutomationError,
    ConcurrentChangeError,
    ConfigurationError,
    GuardianFlowError,
    MetricsStoreError,
    PromotionRefusedError,
    SourceError,
    TrackingError,
)
from guardianflow.metrics_store.questions.names import UnknownNameError

from .access import COOKIE, Access
from .api.health import health_routes
from .api.metrics import metrics_routes
from .api.models import Problem
from .api.parameters import known_alone
from .api.places import place_routes
from .api.runs import run_routes
from .guards import Guards
from .pages.files import static_routes
from .pages.forms import ForeignFormError
from .pages.promotion import PromotionDoor, PromotionForbiddenError
from .pages.rendering import render, visitor_of
from .pages.routes import ReadLog, page_routes
from .pages.sign_in import sign_in_routes
from .replies import Replies
from .sources import Sources
from .upkeep import Upkeep

FOR_PROGRAMS = ("/api/", "/healthz", "/metrics", "/openapi.json", "/static/", "/state")
STATUSES: tuple[tuple[type[GuardianFlowError], int], ...] = (
    (UnknownNameError, 404),
    (ForeignFormError, 403),
    (PromotionForbiddenError, 403),
    (PromotionRefusedError, 409),
    (ConcurrentChangeError, 409),
    (NewerRunError, 409),
    (SourceError, 404),
    (ConfigurationError, 422),
    (MetricsStoreError, 503),
    (AutomationError, 503),
    (TrackingError, 503),
)
PROBLEMS = {
    401: {"model": Problem, "description": "No token, or a wrong one"},
    403: {
        "model": Problem,
        "description": "Not from this machine, and there is no token; or from another site's page",
    },
    404: {"model": Problem, "description": "No run has that name; the known ones are told"},
    413: {"model": Problem, "description": "A body is too large"},
    422: {"model": Problem, "description": "A parameter can't be what it is"},
    429: {"model": Problem, "description": "Too many wrong tokens came from this address"},
    503: {"model": Problem, "description": "The metrics store or MLflow can't be reached"},
}


def create_app(
    sources: Sources,
    token: str = "",
    *,
    promotion_token: str = "",
    read_log: ReadLog = tuple,
    upkeep_every_s: float | None = None,
    tell: Callable[[str], object] = lambda _text: None,
) -> FastAPI:
    """The dashboard's application.

    Args:
        token: that must be sent with each request; '' serves this machine alone.
        promotion_token: whoever promotes from a page must give it; '' switches that off.
        read_log: gives what automation did.
        upkeep_every_s: how often it catches up with MLflow while it is served; None never.
        tell: told what fails meanwhile.
    """
    upkeep = Upkeep(sources, tell, upkeep_every_s or 0.0)
    replies = Replies(lambda: sources.metrics.state)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if upkeep_every_s is not None:
            upkeep.start()
        yield
        upkeep.stop()

    app = FastAPI(
        title="GuardianFlow",
        version=__version__,
        summary="Figures of detectors at all sites",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load from elsewhere; /openapi.json is served
        redoc_url=None,
        responses=PROBLEMS,  # type: ignore[arg-type]
        dependencies=[Depends(known_alone)],
    )
    for routes in (
        metrics_routes(sources, replies),
        place_routes(sources, replies),
        run_routes(sources, replies),
        health_routes(sources, replies, upkeep),
        static_routes(),
        sign_in_routes(token),
        page_routes(sources, PromotionDoor(sources, promotion_token, tell), read_log),
    ):
        app.include_router(routes)
    app.add_middleware(Access, token=token)
    app.add_middleware(Guards, cookie=COOKIE)  # around Access: added last, asked first
    app.add_exception_handler(GuardianFlowError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_values)
    app.add_exception_handler(HTTPException, _no_such_page)
    return app


def _refuse(request: Request, exc: Exception) -> Response:
    status = next((code for kind, code in STATUSES if isinstance(exc, kind)), 500)
    if isinstance(exc, UnknownNameError):
        problem = Problem(detail=str(exc), known=exc.known)
        return _refusal(request, problem, status, said="problem.name", given=exc.given)
    return _refusal(request, Problem(detail=str(exc)), status)


def _refuse_values(request: Request, exc: Exception) -> Response:
    """All parameters that can't be used, at once."""
    assert isinstance(exc, RequestValidationError)
    told = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in exc.errors())
    return _refusal(request, Problem(detail=told), 422)


def _no_such_page(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    said = "problem.page" if exc.status_code == 404 else ""
    problem = Problem(detail=str(exc.detail))
    return _refusal(request, problem, exc.status_code, exc.headers, said=said)


def _refusal(
    request: Request,
    problem: Problem,
    status: int,
    headers: Mapping[str, str] | None = None,
    *,
    said: str = "",
    **values: object,
) -> Response:
    """For programs as JSON, for people as a page.

    Args:
        said: key of the page's text in place of the detail, and `values` of its places.
    """
    if request.url.path.startswith(FOR_PROGRAMS) or "text/html" not in request.headers.get(
        "accept", ""
    ):
        return JSONResponse(problem.model_dump(), status, headers)
    visitor = visitor_of(request, COOKIE)
    text = visitor.wording.text(said, **values) if said else problem.detail
    shown = {"text": text, "known": problem.known, "status": status}
    return render(request, visitor, "problem", shown, status=status)

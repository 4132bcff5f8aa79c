"""Addresses → pages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from apps.automation.ledger.state import Order
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.questions.answers import Place
from guardianflow.release.promotion.alias_changes import now
from guardianflow.release.report.page import report_name

from ..access import COOKIE
from ..api.parameters import Name
from ..api.places import directory_of
from ..sources import Sources, read_or_told
from .promotion import PromotionDoor
from .rendering import query_of, render, visitor_of
from .sign_in import Fields
from .views.alerts import acknowledge_alert, alerts_view
from .views.champions import Champions
from .views.compare import BY, TYPES, compare_view
from .views.fleet import SORTS, fleet_view
from .views.running import running_view
from .views.site import DAYS, METRICS, SHOWN, site_view
from .views.standing import ORDER

LIVE_S, RUNNING_LIVE_S = 2, 5
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"
)
Sort = Literal["worst", "name", "newest"]
Standing = Literal["", "bad", "watch", "unknown", "good"]
By = Literal["architecture", "site", "variant"]
Kind = Literal["infer", "quant", "train"]
SiteDays = Literal["", "30", "90", "365"]
Sought = Annotated[str, Query(max_length=200)]
ReadLog = Callable[[], Sequence[Order]]
"""What automation did, the newest first. Raises GuardianFlowError: it can't be read."""


def page_routes(sources: Sources, door: PromotionDoor, read_log: ReadLog) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    champions = Champions(sources)

    @routes.get("/")
    def fleet(
        request: Request, sort: Sort = "worst", q: Sought = "", state: Standing = ""
    ) -> Response:
        visitor = visitor_of(request, COOKIE)
        view = fleet_view(sources, champions, visitor.wording, sort=sort, sought=q, state=state)
        values = {"view": view, "sorts": SORTS, "states": ORDER}
        return render(request, visitor, "fleet", values, live_s=LIVE_S)

    @routes.get("/site")
    def site(
        request: Request,
        customer: Name = None,
        site: Name = None,
        zone: Name = None,
        task: Name = None,
        metric: Annotated[str, Query(max_length=300)] = "mAP50",
        days: SiteDays = "",
    ) -> Response:
        visitor = visitor_of(request, COOKIE)
        place = Place(customer=customer, site=site, zone=zone, task=task)
        metric = metric if metric in METRICS else "mAP50"
        view = site_view(sources, champions, visitor.wording, place, metric=metric, days=days)
        values = {
            "view": view,
            "metrics": METRICS,
            "days": DAYS,
            "shown": SHOWN,
            "door": door,
            "mlflow": sources.mlflow_page,
        }
        return render(request, visitor, "site", values, live_s=LIVE_S)

    @routes.post("/promote")
    def promote(request: Request, fields: Fields) -> Response:
        visitor = visitor_of(request, COOKIE)
        address = request.client.host if request.client else "?"
        entry = door.promote(fields, address, now())
        values = {"entry": entry, "model": fields["model"], "next": _site_of(fields)}
        return render(request, visitor, "promoted", values)

    @routes.get("/compare")
    def compare(
        request: Request,
        by: By = "architecture",
        kind: Kind = "infer",
        customer: Name = None,
        task: Name = None,
        days: SiteDays = "",
    ) -> Response:
        visitor = visitor_of(request, COOKIE)
        names = sources.questions.names()
        there = kind if kind in names.experiment_type else None
        asked = RowFilter.last_days(
            float(days) if days else None,
            customer=customer or None,
            task=task or None,
            experiment_type=there,
        )
        values = {
            "view": compare_view(sources, visitor.wording, asked, by) if there else None,
            "names": names,
            "asked": {"by": by, "kind": kind, "customer": customer, "task": task, "days": days},
            "spans": DAYS,
            "bys": BY,
            "kinds": TYPES,
        }
        return render(request, visitor, "compare", values, live_s=LIVE_S)

    @routes.get("/running")
    def running(request: Request) -> Response:
        visitor = visitor_of(request, COOKIE)
        runs, problem = read_or_told(lambda: running_view(sources, visitor.wording))
        values = {"runs": runs or (), "problem": problem, "mlflow": sources.mlflow_page}
        return render(request, visitor, "running", values, live_s=RUNNING_LIVE_S)

    @routes.get("/alerts")
    def alerts(request: Request) -> Response:
        visitor = visitor_of(request, COOKIE)
        view = alerts_view(sources, visitor.wording)
        return render(request, visitor, "alerts", {"view": view}, live_s=LIVE_S)

    @routes.post("/alerts")
    def acknowledge(fields: Fields) -> Response:
        acknowledge_alert(sources, fields)
        return RedirectResponse("/alerts", 303)

    @routes.get("/automation")
    def automation(request: Request) -> Response:
        visitor = visitor_of(request, COOKIE)
        actions, problem = read_or_told(read_log)
        values = {"actions": actions or (), "problem": problem, "mlflow": sources.mlflow_page}
        return render(request, visitor, "automation", values, live_s=LIVE_S)

    @routes.get("/directories")
    def directories(request: Request) -> Response:
        visitor = visitor_of(request, COOKIE)
        found, problem = read_or_told(sources.directories)
        values = {
            "directories": tuple(map(directory_of, found or ())),
            "problem": problem,
            "registry": str(sources.registry),
            "mlflow": sources.mlflow_page,
        }
        return render(request, visitor, "directories", values)

    @routes.get("/report/{run_id}")
    def report(request: Request, run_id: str) -> Response:
        """A release's report, in the visitor's language, as the run keeps it."""
        name = report_name(visitor_of(request, COOKIE).wording.language)
        with tempfile.TemporaryDirectory(prefix="guardianflow-report-") as folder:
            path = sources.ports.store.download(run_id, f"report/{name}", Path(folder))
            text = path.read_text(encoding="utf-8")
        return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})

    @routes.get("/state")
    def state() -> Response:
        """Another text where a page may show anything else."""
        return PlainTextResponse(sources.state, headers={"Cache-Control": "no-store"})

    return routes


def _site_of(fields: Mapping[str, str]) -> str:
    """The page of the model's site."""
    parts = fields["model"].partition("__")[0].split("/")
    names = ("customer", "site", "zone", "task")
    return query_of("/site", **dict(zip(names, parts, strict=False)))

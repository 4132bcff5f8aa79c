"""/api/metrics/…: questions about the rows of finished runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from guardianflow.metrics_store.questions.answers import Alerts, Comparison, Summary, Trend

from ..replies import Replies
from ..sources import Sources
from .parameters import Asked, Limit, Offset

LEAST_MAP50, MOST_LATENCY_MS = 0.75, 30.0
"""Where neither the question nor a rule for all places says."""
Threshold = Annotated[
    float | None,
    Query(
        ge=1e-6,
        le=1e9,
        allow_inf_nan=False,
        description="Default: that of the rules for all places; without one, 0.75 and 30 ms.",
    ),
]


def metrics_routes(sources: Sources, replies: Replies) -> APIRouter:
    routes = APIRouter(prefix="/api/metrics", tags=["metrics"])
    ask = sources.questions

    @routes.get("/summary", response_model=Summary)
    def summary(request: Request, asked: Asked, limit: Limit = 100, offset: Offset = 0) -> Response:
        """Runs and headline metrics of every place, by type of run and evaluator."""
        return replies.of_store(request, lambda: ask.summary(asked, limit=limit, offset=offset))

    @routes.get("/trend", response_model=Trend)
    def trend(
        request: Request,
        asked: Asked,
        metric: Annotated[str, Query(min_length=1, max_length=300)] = "mAP50",
        limit: Limit = 1000,
        offset: Offset = 0,
    ) -> Response:
        """A metric of each run over time: a short name (mAP50) or a whole key (det.ap.helmet)."""
        return replies.of_store(
            request, lambda: ask.trend(metric, asked, limit=limit, offset=offset)
        )

    @routes.get("/comparison", response_model=Comparison)
    def comparison(
        request: Request,
        asked: Asked,
        architectures: Annotated[
            list[str], Query(max_length=50, description="Several, or one text with commas.")
        ] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Architectures beside each other."""
        names = tuple(
            name for text in architectures for each in text.split(",") if (name := each.strip())
        )
        wanted = replace(asked, architectures=names)
        return replies.of_store(request, lambda: ask.comparison(wanted))

    @routes.get("/alerts", response_model=Alerts)
    def alerts(
        request: Request,
        asked: Asked,
        threshold_mAP50: Threshold = None,
        threshold_latency_ms: Threshold = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """Places whose latest mAP50 or latency lies beyond its threshold, the worst first."""
        least = threshold_mAP50 or sources.limit("mAP50") or LEAST_MAP50
        most = threshold_latency_ms or sources.limit("latency_ms") or MOST_LATENCY_MS
        return replies.of_store(
            request,
            lambda: ask.alerts(
                asked,
                threshold_mAP50=least,
                threshold_latency_ms=most,
                limit=limit,
                offset=offset,
            ),
        )

    return routes

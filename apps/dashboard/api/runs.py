"""/api/runs: finished runs of the store, and any run by its id."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.contracts.run_status import RunStatus
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.run_rows import row_as_of

from ..replies import Replies
from ..sources import Sources
from .models import RunDetail, Runs
from .parameters import Asked, Limit, Offset


def run_routes(sources: Sources, replies: Replies) -> APIRouter:
    routes = APIRouter(prefix="/api/runs", tags=["runs"])

    @routes.get("", response_model=Runs)
    def runs(request: Request, asked: Asked, limit: Limit = 50, offset: Offset = 0) -> Response:
        """Finished runs, the newest first."""

        def made() -> Runs:
            sources.questions.check(asked)
            found = sources.metrics.query_metrics(asked, limit=limit + 1, offset=offset)
            return Runs(
                offset=offset,
                next_offset=offset + limit if len(found) > limit else None,
                runs=tuple(detail_of(row, RunStatus.FINISHED) for row in found[:limit]),
            )

        return replies.of_store(request, made)

    @routes.get("/{run_id}", response_model=RunDetail)
    def run(
        request: Request, run_id: Annotated[str, Path(min_length=1, max_length=100)]
    ) -> Response:
        """One run, whether it has finished or not."""
        if rows := sources.metrics.query_metrics(RowFilter(run_ids=(run_id,)), limit=1):
            return replies.fresh(request, detail_of(rows[0], RunStatus.FINISHED))
        run = sources.ports.store.get_run(run_id)  # as MLflow has it
        row = row_as_of(run, run.end_time_ms or int(time.time() * 1000))
        return replies.fresh(request, detail_of(row, run.status, ended=run.end_time_ms is not None))

    return routes


def detail_of(row: MetricsRow, status: RunStatus, *, ended: bool = True) -> RunDetail:
    values = {name: getattr(row, name) for name in RunDetail.model_fields if name != "status"}
    timestamp = row.timestamp if ended else None
    return RunDetail(
        **{**values, "metrics": dict(row.metrics), "timestamp": timestamp}, status=status
    )

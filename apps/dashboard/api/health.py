"""/healthz for watchdogs, /metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from guardianflow.metrics_store.filters import EVERYTHING
from guardianflow.metrics_store.questions.answers import Reading, SiteTile

from ..replies import Replies
from ..sources import Sources
from ..upkeep import Upkeep
from .models import Health
from .places import MOST_SITES

GAUGES = {
    "guardianflow_mAP50": ("accuracy", "mAP50 of the latest run that judged the place"),
    "guardianflow_latency_ms": ("latency", "Inference time of the latest run, ms"),
    "guardianflow_latency_p95_ms": ("latency_p95", "Frame to boxes, p95 of the latest run, ms"),
    "guardianflow_cameras": ("cameras", "Cameras that the device holds"),
    "guardianflow_false_alarms_per_camera_day": ("false_alarms_a_day", "False alarms"),
    "guardianflow_gpu_utilization_pct": ("gpu_utilization", "GPU utilisation of the latest run"),
}
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def health_routes(sources: Sources, replies: Replies, upkeep: Upkeep) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", response_model=Health)
    def healthz(request: Request) -> Response:
        """Whether the store can be read. 503 where it can't."""
        snapshot = sources.metrics.snapshot()
        answer = Health(
            status="ok",
            journal_bytes=snapshot.journal_bytes,
            damaged_lines=snapshot.damaged,
            caught_up=upkeep.caught_up,
            problem=upkeep.problem or None,
        )
        return replies.fresh(request, answer)

    @routes.get("/metrics", response_class=PlainTextResponse)
    def metrics(request: Request) -> Response:
        """The latest figures of every place, in Prometheus' text format."""
        return replies.of_store(request, lambda: prometheus_text(sources), PROMETHEUS)

    return routes


def prometheus_text(sources: Sources) -> str:
    tiles = sources.questions.sites(EVERYTHING, limit=MOST_SITES, history=False).sites
    snapshot = sources.metrics.snapshot()
    lines = [*prometheus_lines(tiles)]
    lines += _gauge("guardianflow_store_journal_bytes", "Not compacted yet")
    lines.append(f"guardianflow_store_journal_bytes {snapshot.journal_bytes}")
    lines += _gauge("guardianflow_store_damaged_lines", "Lines of the journal that are no row")
    lines.append(f"guardianflow_store_damaged_lines {snapshot.damaged}")
    return "\n".join(lines) + "\n"


def prometheus_lines(tiles: tuple[SiteTile, ...]) -> Iterator[str]:
    """Every gauge with its places; a place without a figure has no line."""
    yield from _gauge("guardianflow_runs", "Finished runs")
    yield from (f"guardianflow_runs{labels_of(tile)} {tile.runs}" for tile in tiles)
    last = "guardianflow_last_run_timestamp_seconds"
    yield from _gauge(last, "When the latest run ended")
    yield from (f"{last}{labels_of(tile)} {tile.last.timestamp():.3f}" for tile in tiles)
    for name, (attribute, text) in GAUGES.items():
        yield from _gauge(name, text)
        for tile in tiles:
            reading: Reading | None = getattr(tile, attribute)
            if reading is None:
                continue
            for bound in ("", "low", "high"):
                value = getattr(reading, bound or "value")
                if value is not None:
                    yield f"{name}{labels_of(tile, bound)} {value!r}"


def labels_of(tile: SiteTile, bound: str = "") -> str:
    """'{customer="…",…}'; what is not known is an empty label, as Prometheus has it."""
    values = {**tile.place.model_dump(), **({"bound": bound} if bound else {})}
    inside = ",".join(f'{name}="{_escaped(value or "")}"' for name, value in values.items())
    return f"{{{inside}}}"


def _gauge(name: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} gauge"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

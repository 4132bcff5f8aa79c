"""/api/sites, /api/fleet and /api/models: where detectors are at work, and which."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from fastapi import APIRouter, Request, Response

from guardianflow.contracts.releases import CHAMPION, OUTCOME_TAG
from guardianflow.contracts.results import RegisteredModel
from guardianflow.metrics_store.filters import EVERYTHING
from guardianflow.metrics_store.questions.answers import Place, Sites
from pipelines.wrap_batch.status import DirectoryStatus

from ..replies import Replies
from ..sources import Sources, read_or_told
from .models import Directory, Fleet, FleetSite, Models, ModelVersion
from .parameters import Asked, Limit, Name, Offset

T = TypeVar("T")
MOST_SITES = 10_000


def place_routes(sources: Sources, replies: Replies) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["places"])
    ask = sources.questions

    @routes.get("/sites", response_model=Sites)
    def sites(request: Request, asked: Asked, limit: Limit = 100, offset: Offset = 0) -> Response:
        """Every place with its latest figures."""
        return replies.of_store(request, lambda: ask.sites(asked, limit=limit, offset=offset))

    @routes.get("/models", response_model=Models)
    def models(
        request: Request, customer: Name = None, limit: Limit = 100, offset: Offset = 0
    ) -> Response:
        """Registered models, every version; of a customer, where one is named."""
        found = [
            version_of(each)
            for each in sources.models()
            if customer is None or each.display_name.split("/")[0] == customer
        ]
        part = found[offset : offset + limit]
        following = offset + len(part)
        more = following if part and following < len(found) else None
        return replies.fresh(
            request,
            Models(total=len(found), offset=offset, next_offset=more, models=tuple(part)),
        )

    @routes.get("/fleet", response_model=Fleet)
    def fleet(request: Request) -> Response:
        """All places with their champions, and all directories of old scripts."""
        problems: list[str] = []
        models = _or_told(sources.models, problems, "the registered models")
        directories = _or_told(sources.directories, problems, "the old directories")
        champions = {e.display_name: version_of(e) for e in models or () if CHAMPION in e.aliases}
        tiles = ask.sites(EVERYTHING, limit=MOST_SITES).sites
        answer = Fleet(
            sites=tuple(
                FleetSite(**dict(tile), champion=champions.get(model_of(tile.place)))
                for tile in tiles
            ),
            directories=tuple(map(directory_of, directories or ())),
            problems=tuple(problems),
        )
        return replies.fresh(request, answer)

    return routes


def _or_told(look: Callable[[], T], problems: list[str], what: str) -> T | None:
    """What is found; None, and why, where it can't be looked at."""
    found, problem = read_or_told(look)
    if problem:
        problems.append(f"{what} can't be shown: {problem}")
    return found


def model_of(place: Place) -> str:
    """The name of the model of a place, as people write it."""
    return f"{place.customer}/{place.site}/{place.zone}/{place.task}"


def version_of(model: RegisteredModel) -> ModelVersion:
    return ModelVersion(
        name=model.display_name,
        version=model.version,
        aliases=model.aliases,
        run_id=model.run_id,
        created=time_of(model.created_ms),
        uri=model.uri,
        verdict=model.tags.get(OUTCOME_TAG),
    )


def directory_of(status: DirectoryStatus) -> Directory:
    last, drift, model = status.last, status.drift, status.model
    known = drift is not None and drift.scanned_s is not None
    changed = drift is not None and any((drift.added, drift.removed, drift.changed, drift.missing))
    return Directory(
        name=status.name,
        customer=status.customer,
        path=status.path,
        problem=status.problem or None,
        todo=status.todos,
        last_run_id=last.run_id if last else None,
        last_status=last.status if last else None,
        last_started=time_of(last.start_time_ms) if last else None,
        error=status.error or None,
        mAP50=status.mAP50,
        model=f"{model.display_name}/{model.version}" if model else None,
        drift=(changed or bool(status.script_changed)) if known else None,
    )


def time_of(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

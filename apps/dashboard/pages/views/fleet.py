"""The fleet: a tile for each site, the worst first."""

from __future__ import annotations

from dataclasses import dataclass

from guardianflow.metrics_store.filters import EVERYTHING
from guardianflow.metrics_store.questions.answers import Reading, SiteTile
from guardianflow.release.report.figures import amount, number

from ...api.places import MOST_SITES, model_of
from ...sources import Sources, read_or_told
from ..texts.wording import Wording
from .champions import Champion, Champions
from .charts import Sparkline, sparkline
from .standing import ORDER, Standing, State, alerts_now, standing_of

SORTS = ("worst", "name", "newest")


@dataclass(frozen=True)
class TileView:
    """One site."""

    tile: SiteTile
    standing: Standing
    title: str
    champion: Champion | None
    spark: Sparkline | None
    words: str
    """All that a search may find, in lower case."""

    @property
    def accuracy(self) -> str:
        return number(self.tile.accuracy.value if self.tile.accuracy else None, 3)

    @property
    def interval(self) -> str:
        return interval_text(self.tile.accuracy)

    @property
    def figures(self) -> tuple[tuple[str, str], ...]:
        """Key of the text and value; what is not known has no line."""
        tile = self.tile
        listed = (
            ("p95", tile.latency_p95, lambda v: f"{amount(v)} ms"),
            ("latency", tile.latency if tile.latency_p95 is None else None, _ms),
            ("cameras", tile.cameras, lambda v: number(v, 0)),
            ("false_alarms", tile.false_alarms_a_day, lambda v: number(v, 2)),
        )
        return tuple((key, form(each.value)) for key, each, form in listed if each is not None)


@dataclass(frozen=True)
class FleetView:
    """All tiles that are asked for.

    Args:
        counts: state → tiles of all, whatever is searched.
        problem: why champions can't be shown; '' where they can.
        unsaid: why it is not known who has acknowledged an alert; '' where it is.
    """

    tiles: tuple[TileView, ...]
    total: int
    counts: dict[State, int]
    problem: str
    unsaid: str
    sort: str
    sought: str
    state: str


def fleet_view(
    sources: Sources, champions: Champions, wording: Wording, *, sort: str, sought: str, state: str
) -> FleetView:
    of_models, problem = read_or_told(champions.by_model)
    alerts = alerts_now(sources)
    tiles = [
        tile_view(
            tile,
            standing_of(tile, alerts, wording),
            (of_models or {}).get(model_of(tile.place)),
            sources.limit("mAP50", tile.place),
            wording,
        )
        for tile in sources.questions.sites(EVERYTHING, limit=MOST_SITES).sites
    ]
    counts = {each: sum(t.standing.state is each for t in tiles) for each in ORDER}
    wanted = sought.casefold().split()
    shown = [
        each
        for each in tiles
        if all(word in each.words for word in wanted) and state in ("", each.standing.state)
    ]
    if sort == "worst":
        shown.sort(key=lambda each: (*each.standing.rank, each.words))
    elif sort == "newest":
        shown.sort(key=lambda each: each.tile.last, reverse=True)
    else:
        shown.sort(key=lambda each: each.words)
    return FleetView(tuple(shown), len(tiles), counts, problem, alerts.problem, sort, sought, state)


def interval_text(reading: Reading | None) -> str:
    """'0.712 … 0.772'; '' where there is none."""
    if reading is None or reading.low is None or reading.high is None:
        return ""
    return f"{number(reading.low, 3)} … {number(reading.high, 3)}"


def tile_view(
    tile: SiteTile,
    standing: Standing,
    champion: Champion | None,
    limit: float | None,
    wording: Wording,
) -> TileView:
    """`limit`: of mAP50; None: no rule has one."""
    values = tile.history
    label = ""
    if len(values) > 1:
        first, last = number(values[0].value, 3), number(values[-1].value, 3)
        label = wording.text("spark", count=len(values), first=first, last=last)
    place = tile.place
    words = " ".join(filter(None, (place.customer, place.site, place.zone, place.task)))
    architecture = champion.model.tags.get("architecture", "") if champion else ""
    return TileView(
        tile,
        standing,
        wording.place(place),
        champion,
        sparkline(values, limit, label),
        f"{words} {architecture}".casefold(),
    )


def _ms(value: float) -> str:
    return f"{amount(value)} ms"

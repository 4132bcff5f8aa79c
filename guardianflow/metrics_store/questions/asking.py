"""Questions about the store, each answered by one query.

Aggregates leave out rows without the metric and say on how many they rest. Runs of several types,
or judged by several evaluators, are never put into one figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ..by_file import ByFile
from ..columns import SHORT, Metric, metric_of
from ..filters import EVERYTHING, RowFilter
from ..rollups import added_sql, direct_sql, reading_sql
from ..standing import Kind, Latest, standing, standing_kind
from ..store import MetricsStore
from ..tables import utc
from .aggregates import aggregates_of, reading_of
from .answers import (
    Alert,
    Alerts,
    ArchitectureGroup,
    Certainty,
    Comparison,
    Place,
    Reading,
    Sites,
    SiteTile,
    Summary,
    SummaryGroup,
    Trend,
    TrendPoint,
    VariantGroup,
    Variants,
)
from .histories import ACCURACY, HISTORIES_SQL, HISTORY_DAYS, histories_of, history_of, kind_of
from .names import KnownNames, UnknownNameError

SUMMARISED = tuple(
    SHORT[name]
    for name in (
        *("mAP50", "mAP50_95", "precision", "recall", "latency_ms", "latency_p95_ms", "fps"),
        "gpu_utilization_pct",
    )
)
PLACE = "customer, site, zone, task"
LATEST_ACCURACY = "mAP50.latest"
TILE_METRICS = {
    "latency": SHORT["latency_ms"],
    "latency_p95": SHORT["latency_p95_ms"],
    "cameras": SHORT["cameras"],
    "false_alarms_a_day": SHORT["false_alarms_a_day"],
    "gpu_utilization": SHORT["gpu_utilization_pct"],
}
PAGE = 100


class Questions:
    """Asks a store.

    Every method raises UnknownNameError for a name that no run has, ConfigurationError for a metric
    that none has, and MetricsStoreError where the store can't be read.
    """

    def __init__(self, store: MetricsStore) -> None:
        self.store = store
        self._names: tuple[str, KnownNames] | None = None
        self._histories = ByFile(HISTORIES_SQL, histories_of)

    def names(self) -> KnownNames:
        """Every customer, site, zone, task, type and architecture of the store."""
        state = self.store.state
        if self._names is None or self._names[0] != state:
            kinds = tuple(KnownNames.__dataclass_fields__)
            columns = ", ".join(f"list(DISTINCT {kind}) AS {kind}" for kind in kinds)
            (record,) = self.store.rolled(f"SELECT {columns} FROM parts", EVERYTHING)  # nosec B608
            known = {kind: tuple(sorted(filter(None, record[kind] or ()))) for kind in kinds}
            self._names = state, KnownNames(**known)
        return self._names[1]

    def check(self, asked: RowFilter) -> None:
        """Raises UnknownNameError where a name of the filter is one that no run has."""
        wanted = {
            kind: [value] if (value := getattr(asked, kind)) is not None else []
            for kind in ("customer", "site", "zone", "task", "experiment_type")
        }
        wanted["model_architecture"] = list(asked.architectures)
        if not any(wanted.values()):
            return
        names = self.names()
        for kind, given in wanted.items():
            known = getattr(names, kind)
            for each in given:
                if each not in known:
                    raise UnknownNameError(kind, each, known)

    def summary(
        self, asked: RowFilter = EVERYTHING, *, limit: int = PAGE, offset: int = 0
    ) -> Summary:
        """Runs that may stand for a place and their headline metrics, by type and evaluator."""
        self.check(asked)
        found = list(
            self.store.rolled(
                f"SELECT {PLACE}, {_group_sql()} FROM parts "  # nosec B608
                f"GROUP BY {PLACE}, experiment_type, evaluator "
                f"ORDER BY {PLACE}, experiment_type, evaluator",
                standing(asked),
            )
        )
        part = found[offset : offset + limit]
        return Summary(
            **_page(len(found), offset, len(part)),
            runs=sum(each["runs"] for each in found),
            since=asked.since,
            groups=tuple(SummaryGroup(place=_place(each), **_group(each)) for each in part),
        )

    def trend(
        self, metric: str, asked: RowFilter = EVERYTHING, *, limit: int = 1000, offset: int = 0
    ) -> Trend:
        """A metric of every run that may stand for its place, over time."""
        self.check(asked)
        wanted = self.metric(metric)
        points = self._points(wanted, standing(asked), limit + 1, offset)
        shown = points[:limit]
        return Trend(
            metric=wanted.name,
            keys=wanted.keys,
            higher_is_better=wanted.higher_is_better,
            offset=offset,
            next_offset=offset + limit if len(points) > limit else None,
            points=tuple(reversed(shown)),
        )

    def comparison(self, asked: RowFilter = EVERYTHING) -> Comparison:
        """Architectures beside each other, over the runs asked for: trials as well."""
        self.check(asked)
        found = self.store.rolled(
            f"SELECT model_architecture, {_group_sql()} FROM parts "  # nosec B608
            "GROUP BY model_architecture, experiment_type, evaluator "
            'ORDER BY experiment_type, evaluator, "mAP50.mean" DESC NULLS LAST, model_architecture',
            asked,
        )
        return Comparison(
            groups=tuple(
                ArchitectureGroup(model_architecture=each["model_architecture"], **_group(each))
                for each in found
            )
        )

    def variants(self, asked: RowFilter = EVERYTHING) -> Variants:
        """Backends and precisions beside each other, over the runs asked for that name one."""
        self.check(asked)
        where, values = asked.where()
        kind = "backend, precision, experiment_type, evaluator"
        found = self.store.sql(
            f"SELECT {kind}, count(*) AS runs, min(timestamp) AS first, max(timestamp) AS last, "
            f"{direct_sql(SUMMARISED)} FROM runs WHERE {where} AND backend IS NOT NULL "
            f"GROUP BY {kind} ORDER BY {kind}",  # nosec B608 # own names; values are marks
            values,
            asked.since,
        )
        return Variants(
            groups=tuple(
                VariantGroup(backend=e["backend"], precision=e["precision"], **_group(e))
                for e in found
            )
        )

    def sites(
        self,
        asked: RowFilter = EVERYTHING,
        *,
        limit: int = PAGE,
        offset: int = 0,
        history: bool = True,
    ) -> Sites:
        """A tile for every place.

        Args:
            history: with the last readings of mAP50, which take as long as all else.
        """
        self.check(asked)
        places = self._places(asked)
        shown = dict(list(places.items())[offset : offset + limit])
        tiles = [_tile(place, groups) for place, groups in shown.items()]
        if history:
            tiles = self._with_histories(tiles, asked)
        return Sites(**_page(len(places), offset, len(tiles)), sites=tuple(tiles))

    def alerts(
        self,
        asked: RowFilter = EVERYTHING,
        *,
        threshold_mAP50: float = 0.75,
        threshold_latency_ms: float = 30.0,
        limit: int = PAGE,
        offset: int = 0,
    ) -> Alerts:
        """Places whose latest mAP50 or latency lies beyond its threshold, the worst first."""
        self.check(asked)
        found = []
        for tile in (_tile(*each) for each in self._places(asked).items()):
            for metric, reading, threshold, sign in (
                ("mAP50", tile.accuracy, threshold_mAP50, -1),
                ("latency_ms", tile.latency, threshold_latency_ms, 1),
            ):
                if reading is not None and sign * (reading.value - threshold) > 0:
                    found.append(_alert(tile.place, metric, reading, threshold, sign))
        found.sort(key=lambda each: (-each.excess, each.reading.run_id, each.metric))
        part = found[offset : offset + limit]
        return Alerts(**_page(len(found), offset, len(part)), alerts=tuple(part))

    def metric(self, name: str) -> Metric:
        """The metric of a short name or a key. Raises ConfigurationError."""
        return metric_of(name, self.store.snapshot().other_keys)

    # --- inside -------------------------------------------------------------------------------

    def _points(
        self, metric: Metric, asked: RowFilter, limit: int, offset: int
    ) -> list[TrendPoint]:
        """The newest first. The last year is looked at before all of them: mostly it is enough."""
        year_ago = datetime.now(UTC) - timedelta(days=366)
        if asked.since is None or asked.since < year_ago:
            last_year = replace(asked, since=year_ago)
            if len(found := self._points_of(metric, last_year, limit, offset)) == limit:
                return found
        return self._points_of(metric, asked, limit, offset)

    def _points_of(
        self, metric: Metric, asked: RowFilter, limit: int, offset: int
    ) -> list[TrendPoint]:
        where, values = asked.where()
        more = ", ".join(n for n in TrendPoint.model_fields if n not in Reading.model_fields)
        found = self.store.sql(
            f"SELECT {reading_sql(metric)} AS reading, {more} FROM runs "
            f"WHERE {where} AND {metric.value_sql} IS NOT NULL "  # nosec B608
            "ORDER BY timestamp DESC, run_id DESC LIMIT ? OFFSET ?",
            [*values, limit, offset],
            asked.since,
        )
        return [
            TrendPoint(**reading_of(each.pop("reading")).model_dump(), **each) for each in found
        ]

    def _places(self, asked: RowFilter) -> dict[Place, list[dict[str, Any]]]:
        """Every place with its groups of runs: of one type, one evaluator, that stand or do not."""
        found = self.store.rolled(
            f"SELECT {PLACE}, experiment_type, evaluator, stands, sum(runs) AS runs, "
            f"max(last) AS last, {added_sql((ACCURACY, *TILE_METRICS.values()))} "  # nosec B608
            f"FROM parts GROUP BY {PLACE}, experiment_type, evaluator, stands ORDER BY {PLACE}",
            replace(standing(asked), standing=False),  # a place of trials alone is there, unjudged
        )
        places: dict[Place, list[dict[str, Any]]] = {}
        for each in found:
            places.setdefault(_place(each), []).append(each)
        return places

    def _with_histories(self, tiles: Iterable[SiteTile], asked: RowFilter) -> list[SiteTile]:
        """Tiles with the last readings of mAP50, of the runs that their accuracy is of."""
        recent = datetime.now(UTC) - timedelta(days=HISTORY_DAYS)
        since = max(filter(None, (recent, asked.since)))
        parts = self.store.by_file(self._histories, standing(replace(asked, since=since)))
        return [
            tile.model_copy(update={"history": history_of(kind_of(tile), parts, since)})
            if tile.accuracy
            else tile
            for tile in tiles
        ]


def _group_sql() -> str:
    return (
        "experiment_type, evaluator, sum(runs) AS runs, min(first) AS first, "
        f"max(last) AS last, {added_sql(SUMMARISED)}"
    )


def _group(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "experiment_type": record["experiment_type"],
        "evaluator": record["evaluator"],
        "runs": record["runs"],
        "first": utc(record["first"]),
        "last": utc(record["last"]),
        "metrics": aggregates_of(SUMMARISED, record),
    }


def _place(record: Mapping[str, Any]) -> Place:
    return Place(**{name: record[name] for name in Place.model_fields})


def _page(total: int, offset: int, shown: int) -> dict[str, Any]:
    following = offset + shown
    more = shown > 0 and following < total
    return {"total": total, "offset": offset, "next_offset": following if more else None}


def _tile(place: Place, groups: list[dict[str, Any]]) -> SiteTile:
    """A tile without its history."""
    standing_groups = [each for each in groups if each["stands"]]
    judged = _judged(standing_groups)
    return SiteTile(
        place=place,
        runs=sum(each["runs"] for each in groups),
        last=utc(max(each["last"] for each in groups)),
        accuracy=reading_of(judged[LATEST_ACCURACY]) if judged else None,
        accuracy_type=judged["experiment_type"] if judged else None,
        evaluator=judged["evaluator"] if judged else None,
        history=(),
        **{
            name: _latest(each[f"{metric.name}.latest"] for each in standing_groups)
            for name, metric in TILE_METRICS.items()
        },
    )


def _judged(groups: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The group whose accuracy stands for the place."""
    found = {
        Kind(each["experiment_type"], each["evaluator"]): (each, _latest_of(reading))
        for each in groups
        if (reading := each[LATEST_ACCURACY])
    }
    if not found:
        return None
    return found[standing_kind((kind, latest) for kind, (_, latest) in found.items())][0]


def _latest_of(reading: Mapping[str, Any]) -> Latest:
    return Latest(reading["timestamp"], reading["run_id"])


def _latest(readings: Iterable[Mapping[str, Any] | None]) -> Reading | None:
    there = [reading_of(each) for each in readings if each is not None]
    return max(there, key=lambda each: (each.timestamp, each.run_id), default=None)


def _alert(place: Place, metric: str, reading: Reading, threshold: float, sign: int) -> Alert:
    nearest = reading.low if sign > 0 else reading.high
    if nearest is None:
        certainty = Certainty.NO_INTERVAL
    elif sign * (nearest - threshold) > 0:
        certainty = Certainty.CERTAIN
    else:
        certainty = Certainty.UNDECIDED
    return Alert(
        place=place,
        metric=metric,
        threshold=threshold,
        reading=reading,
        certainty=certainty,
        excess=sign * (reading.value - threshold) / threshold,
    )

"""One site: where it stands, its trend, versions, the last verdict's gates, slices, runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.releases import (
    CHAMPION,
    COMPARED_TAG,
    EVIDENCE_TAG,
    OUTCOME_TAG,
    REPORT_TAG,
    JournalEntry,
)
from guardianflow.contracts.results import RegisteredModel
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.questions.answers import Place, TrendPoint
from guardianflow.metrics_store.questions.names import UnknownNameError
from guardianflow.metrics_store.standing import standing
from guardianflow.release.promotion.journal import DONE
from guardianflow.release.report.figures import number
from guardianflow.release.report.gates import GateRow
from guardianflow.release.report.wording import Badge
from guardianflow.release.report.wording import Wording as ReportWording
from pipelines.registered_models.evidence import evidence_of

from ...sources import Sources, read_or_told
from ..texts.wording import Wording
from .champions import Champions, models_of
from .charts import Figure, trend_figure
from .fleet import TileView, tile_view
from .standing import alerts_now, shown, standing_of

METRICS = (
    *("mAP50", "mAP50_95", "recall", "precision", "latency_ms", "latency_p95_ms", "fps"),
    *("cameras", "false_alarms_a_day", "gpu_utilization_pct", "model_size_mb"),
)
DAYS = ("30", "90", "365", "")
SHOWN = 5
"""So many lines of a list are seen at once, the others by a click."""
SHOWN_VERSIONS = 3
"""Those with an alias are always seen."""
MOST_POINTS, MOST_RUNS, MOST_SLICED = 1000, 20, 200
SLICE, WORST = "det.slice.", "det.slice.worst"
WORST_TAG = "det.slice.worst"


@dataclass(frozen=True)
class VersionView:
    """One version of a model of the place."""

    model: RegisteredModel
    created: datetime
    verdict: Badge | None
    report_run: str
    """Of which the release report can be opened; '' where there is none."""
    may_promote: bool
    is_shown: bool
    """At once; the others by a click."""


@dataclass(frozen=True)
class GatesView:
    """What the newest release of the place judged: variant → its gates."""

    run_id: str
    variants: tuple[tuple[str, Badge, tuple[GateRow, ...]], ...]


@dataclass(frozen=True)
class SliceView:
    """Recall in one slice. `share`: of the bar, percent."""

    name: str
    recall: str
    interval: str
    share: float


@dataclass(frozen=True)
class SlicesView:
    """Of the newest run that judged slices; the worst first."""

    run_id: str
    when: datetime
    rows: tuple[SliceView, ...]
    worst: str
    worst_recall: str


@dataclass(frozen=True)
class SiteView:
    """All of one site. `problems`: what could not be looked at, and why."""

    place: Place
    tile: TileView
    figure: Figure | None
    metric: str
    days: str
    runs: tuple[tuple[MetricsRow, tuple[tuple[str, str], ...]], ...]
    versions: tuple[VersionView, ...]
    gates: GatesView | None
    changes: tuple[tuple[str, JournalEntry], ...]
    slices: SlicesView | None
    problems: tuple[str, ...] = field(default=())


def site_view(
    sources: Sources,
    champions: Champions,
    wording: Wording,
    place: Place,
    *,
    metric: str = "mAP50",
    days: str = "",
) -> SiteView:
    """Raises UnknownNameError: no run is of that place."""
    ask, problems = sources.questions, list[str]()
    asked = RowFilter(customer=place.customer, site=place.site, zone=place.zone, task=place.task)
    tile = next((each for each in ask.sites(asked).sites if each.place == place), None)
    if tile is None:
        raise UnknownNameError("place", wording.place(place), ask.names().site)
    alerts = alerts_now(sources)
    state = standing_of(tile, alerts, wording)
    if alerts.problem:
        problems.append(alerts.problem)
    champion, versions, changes = None, list[RegisteredModel](), list[tuple[str, JournalEntry]]()
    try:
        champion = champions.of_place(place)
        versions = models_of(place, sources.models())
        for name in dict.fromkeys(each.display_name for each in versions):
            changes += [(name, each) for each in champions.changes(name)]
        changes.sort(key=lambda each: each[1].when, reverse=True)
    except GuardianFlowError as exc:
        problems.append(str(exc))
    now = {each.display_name: each.version for each in versions if CHAMPION in each.aliases}
    since = datetime.now(UTC) - timedelta(days=float(days)) if days else None
    timed = replace(asked, since=since)
    rows = sources.metrics.query_metrics(asked, limit=MOST_RUNS)
    return SiteView(
        place=place,
        tile=tile_view(tile, state, champion, sources.limit("mAP50", place), wording),
        figure=_figure(sources, timed, place, metric, changes, wording),
        metric=metric,
        days=days,
        runs=tuple((row, _figures(row)) for row in rows if place_of(row) == place),
        versions=tuple(
            _version(each, now.get(each.display_name, ""), wording, newer=number)
            for number, each in enumerate(versions)
        ),
        gates=_gates(sources, versions, wording, problems),
        changes=tuple(changes),
        slices=_slices(sources, asked, place),
        problems=tuple(problems),
    )


def place_of(row: MetricsRow | TrendPoint) -> Place:
    return Place(customer=row.customer, site=row.site, zone=row.zone, task=row.task)


def _figure(
    sources: Sources,
    asked: RowFilter,
    place: Place,
    metric: str,
    changes: Sequence[tuple[str, JournalEntry]],
    wording: Wording,
) -> Figure | None:
    points = sources.questions.trend(metric, asked, limit=MOST_POINTS).points
    mine = [each for each in points if place_of(each) == place]
    first = mine[0].timestamp if mine else datetime.max.replace(tzinfo=UTC)
    marks = [
        (when, f"v{entry.after[CHAMPION]}")
        for _, entry in changes
        if entry.state == DONE
        and CHAMPION in entry.after
        and (when := datetime.fromisoformat(entry.when)) >= first
    ]
    title = wording.text(f"metric.{metric}")
    return trend_figure(mine, wording, title=title, limit=sources.limit(metric, place), marks=marks)


def _figures(row: MetricsRow) -> tuple[tuple[str, str], ...]:
    """The headline figures of a run: name and text."""
    keys = {
        "mAP50": ("det.mAP50", "det.quantized.mAP50"),
        "latency_p95_ms": ("bench.bs1.latency_p95_ms",),
        "latency_ms": ("sys.inference_time_ms", "sys.quantized.inference_time_ms"),
    }
    found = []
    for name, alternatives in keys.items():
        key = next((each for each in alternatives if each in row.metrics), None)
        found.append((name, shown(name, row.metrics[key] if key else None)))
    return tuple(found)


def _version(model: RegisteredModel, champion: str, wording: Wording, *, newer: int) -> VersionView:
    """A version as the page has it.

    Args:
        champion: the version that is one now; a verdict against another allows nothing.
        newer: how many versions stand before it.
    """
    against = model.tags.get(COMPARED_TAG, "")
    outcome = model.tags.get(OUTCOME_TAG)
    badge = ReportWording(wording.language).badge(outcome) if outcome in OUTCOMES else None
    report = model.tags.get(REPORT_TAG, "").removeprefix("runs:/").partition("/")[0]
    return VersionView(
        model,
        datetime.fromtimestamp(model.created_ms / 1000, UTC),
        badge,
        report,
        outcome == "pass" and CHAMPION not in model.aliases and against == champion,
        newer < SHOWN_VERSIONS or bool(model.aliases),
    )


OUTCOMES = ("pass", "fail", "undecided")


def _gates(
    sources: Sources, versions: Sequence[RegisteredModel], wording: Wording, problems: list[str]
) -> GatesView | None:
    run_id = next((run for each in versions if (run := each.tags.get(EVIDENCE_TAG))), None)
    if run_id is None:
        return None
    words = ReportWording(wording.language)
    evidence, problem = read_or_told(lambda: evidence_of(sources.ports, run_id))
    if evidence is None:
        problems.append(problem)
        return None
    return GatesView(
        run_id,
        tuple(
            (v.variant, words.badge(v.outcome), tuple(GateRow(gate, words) for gate in v.gates))
            for v in evidence.variants
        ),
    )


def _slices(sources: Sources, asked: RowFilter, place: Place) -> SlicesView | None:
    """Of the newest `infer` that has any; a slice without an interval has no figure in a run."""
    sliced = standing(replace(asked, experiment_type="infer"))
    for row in sources.metrics.query_metrics(sliced, limit=MOST_SLICED):
        if place_of(row) != place:
            continue
        names = [
            key.removeprefix(SLICE).removesuffix(".recall")
            for key in row.metrics
            if key.startswith(SLICE) and key.endswith(".recall") and not key.startswith(WORST)
        ]
        if not names:
            continue
        names.sort(key=lambda name: row.metrics[f"{SLICE}{name}.recall"])
        return SlicesView(
            row.run_id,
            row.timestamp,
            tuple(_slice(name, row) for name in names),
            _worst_name(sources, row.run_id),
            number(row.metrics.get(f"{WORST}.recall"), 3),
        )
    return None


def _slice(name: str, row: MetricsRow) -> SliceView:
    key = f"{SLICE}{name}.recall"
    low, high = row.metrics.get(f"{key}_low"), row.metrics.get(f"{key}_high")
    bounds = "" if low is None or high is None else f"{number(low, 3)} … {number(high, 3)}"
    value = row.metrics[key]
    return SliceView(name, number(value, 3), bounds, round(100 * min(1.0, max(0.0, value)), 1))


def _worst_name(sources: Sources, run_id: str) -> str:
    """'night × helmet', which MLflow alone has; '' where it can't be asked."""
    run, _ = read_or_told(lambda: sources.ports.store.get_run(run_id))
    return run.tags.get(WORST_TAG, "") if run else ""

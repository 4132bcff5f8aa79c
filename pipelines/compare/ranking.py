"""From results of stages to a ranked table.

models     the stage 'side_by_side' has all figures; recorded values come from the runs
data sets  each stage 'infer' has its own
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from guardianflow.contracts.estimates import Estimate, difference_of_independent
from guardianflow.contracts.measurements import is_busy
from guardianflow.contracts.recordings.evidence import evidence_in
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus

from ..side_by_side.figures import RankedBy, SideBySide, Value
from ..stage.kinds import SIDE_BY_SIDE
from ..tables import is_wide, row_of
from .ranked_table import RankedRow, Standing

RECORDED = "recorded"
"""Stage of a result that stands for a run whose values are taken as it logged them."""
NAMED = "named"
"""Stage of a result that stands for a model that exists and is measured again."""
COMPARABLE = "recorded.comparable"
"""Metric of a recorded result: 1 where it was judged on the same images by the same evaluator."""


def standing_of(difference: Estimate | None, by: RankedBy) -> Standing:
    """What is certain of a difference, which is better above 0 where more is better."""
    if difference is None:
        return Standing.TOO_LITTLE
    if difference.low == difference.high == 0:
        return Standing.SAME
    gain = difference if by.maximize else -difference
    if gain.low > 0:
        return Standing.BETTER
    return Standing.WORSE if gain.high < 0 else Standing.UNDECIDED


def measured_rows(results: Sequence[StageResult], by: RankedBy) -> list[RankedRow]:
    """A row for each model, in the order of results; ranks are not given yet.

    Args:
        results: of each model one, and of the stage that measured them.
    """
    beside, models = beside_of(results), models_of(results)
    seen = SideBySide.read(beside.metrics) if beside else None
    measured = [each for each in models if is_measured(each)]
    rows = []
    for each in models:
        row = bare_row(each)
        if seen is not None and each in measured:
            place = measured.index(each)
            row = _with_figures(row, seen, place, by)
            assert beside is not None  # seen comes from it
            unit, groups = evidence_in(beside.metrics)
            row = replace(row, latency_busy=seen.busy, spread_wide=is_wide(beside))
            row = replace(row, interval_unit=unit, interval_groups=groups)
        elif each.stage == RECORDED:
            row = _with_recorded(row, each, by)
        rows.append(row)
    return rows


def beside_of(results: Iterable[StageResult]) -> StageResult | None:
    """The stage that measured all models; None where it did not end well."""
    done = (r for r in results if r.stage == SIDE_BY_SIDE and r.status == RunStatus.FINISHED)
    return next(done, None)


def values_by_run(results: Sequence[StageResult]) -> dict[str, float]:
    """Run → the value that ranks, of each model that was measured side by side."""
    beside = beside_of(results)
    if beside is None:
        return {}
    measured = [each for each in models_of(results) if is_measured(each)]
    models = SideBySide.read(beside.metrics).models
    return {
        each.run_id: figures.ranked.value
        for each, figures in zip(measured, models, strict=True)
        if figures.ranked is not None
    }


def models_of(results: Iterable[StageResult]) -> list[StageResult]:
    """Those that stand for a model each."""
    return [each for each in results if each.stage != SIDE_BY_SIDE]


def is_measured(result: StageResult) -> bool:
    """Whether the model of a result takes part in the measurement."""
    return result.status == RunStatus.FINISHED and result.stage != RECORDED


def bare_row(each: StageResult) -> RankedRow:
    """The row of a result, as far as it goes before anything is measured."""
    recorded = each.stage == RECORDED
    reused = each.reused and not recorded
    return replace(row_of(each, RankedRow), reused=reused, recorded=recorded, spread_wide=False)


def _with_figures(row: RankedRow, seen: SideBySide, place: int, by: RankedBy) -> RankedRow:
    figures = seen.models[place]
    latency = figures.latency_p50_ms
    row = with_values(row, figures.ranked, figures.accuracy.get, latency)
    row = replace(row, size_mb=figures.size_mb, learnt=figures.learnt)
    if place == seen.reference:
        return replace(row, standing=Standing.REFERENCE, speedup_ratio=1.0 if latency else None)
    home = seen.reference
    return with_difference(row, figures.deltas.get(home), figures.speedups.get(home), by)


def with_values(
    row: RankedRow,
    ranked: Value | None,
    accuracy: Callable[[str], Value | None],
    latency: Value | None = None,
) -> RankedRow:
    """The row with what was measured of its model; `accuracy` gives the value of a key."""
    precise, recall = accuracy("mAP50_95"), accuracy("recall")
    return replace(
        row,
        value=_value(ranked),
        value_bounds=_bounds(ranked),
        mAP50=_value(accuracy("mAP50")),
        mAP50_95=_value(precise),
        mAP50_95_bounds=_bounds(precise),
        recall=_value(recall),
        recall_bounds=_bounds(recall),
        latency_p50_ms=_value(latency),
        latency_bounds=_bounds(latency),
    )


def with_difference(
    row: RankedRow, delta: Value | None, gain: Value | None, by: RankedBy
) -> RankedRow:
    """The row with what lies between it and the reference.

    Args:
        gain: the time of the reference ÷ that of the row.
    """
    if delta is None:
        return row
    certain = standing_of(delta.estimate, by)
    if by.is_time and gain is not None and gain.estimate is not None:
        longer = gain.estimate  # of 1 both take as long; above it this one is faster
        more = Estimate(longer.value - 1, longer.low - 1, longer.high - 1)
        certain = standing_of(more, RankedBy(by.metric, maximize=True))
    return replace(
        row,
        delta=delta.value,
        delta_bounds=delta.bounds,
        standing=certain,
        speedup_ratio=_value(gain),
        speedup_bounds=_bounds(gain),
    )


def _with_recorded(row: RankedRow, each: StageResult, by: RankedBy) -> RankedRow:
    got = each.metrics
    return replace(
        with_values(row, Value.read(got, by.metric), lambda key: Value.read(got, f"det.{key}")),
        size_mb=got.get("sys.model_size_mb"),
        standing=Standing.NONE if got.get(COMPARABLE) else Standing.OTHER_IMAGES,
    )


def site_rows(results: Iterable[StageResult], by: RankedBy) -> list[RankedRow]:
    """A row for each data set, from the infer stages."""
    rows = []
    for each in results:
        row = bare_row(each)
        if each.status == RunStatus.FINISHED:
            row = replace(
                _with_recorded(row, each, by),
                standing=Standing.NONE,
                latency_p50_ms=each.metrics.get("bench.bs1.latency_p50_ms"),
                latency_busy=is_busy(each.metrics),
                images=int(each.metrics.get("det.images", 0)) or None,
            )
        rows.append(row)
    return rows


def ranked(rows: Sequence[RankedRow], by: RankedBy, reference: str = "") -> list[RankedRow]:
    """The rows with their ranks, the best first; those that can't be ranked come last.

    Args:
        reference: the row that others are held against where no stage has compared them; '' takes
            the one that the stage took, else the best one.
    """
    known = [r for r in rows if r.value is not None and r.standing != Standing.OTHER_IMAGES]
    known.sort(key=lambda row: by.best_first(row.value or 0.0))
    if not known:
        return list(rows)
    taken = next((row for row in known if row.standing is Standing.REFERENCE), None)
    named = next((row for row in known if row.variant == reference), None)
    base = taken or named or known[0]
    done = [_compared(row, base, by) for row in known]
    first = next((row for row in done if not row.recorded), done[0])
    done = [replace(row, rank=n, best=row is first) for n, row in enumerate(done, start=1)]
    return [*done, *(row for row in rows if row not in known)]


def _compared(row: RankedRow, base: RankedRow, by: RankedBy) -> RankedRow:
    """A row that no stage compared with the reference: by both intervals."""
    if row is base:
        return replace(row, standing=Standing.REFERENCE)
    if row.standing is not Standing.NONE or row.value is None or base.value is None:
        return row
    if row.value_bounds is None or base.value_bounds is None:
        return replace(row, delta=row.value - base.value, standing=Standing.TOO_LITTLE)
    found = difference_of_independent(
        Estimate(row.value, *row.value_bounds), Estimate(base.value, *base.value_bounds)
    )
    bounds = found.low, found.high
    return replace(row, delta=found.value, delta_bounds=bounds, standing=standing_of(found, by))


def reference_of(rows: Sequence[RankedRow]) -> str:
    """The label of the reference; '' where there is none."""
    return next((row.variant for row in rows if row.standing is Standing.REFERENCE), "")


def _value(found: Value | None) -> float | None:
    return None if found is None else found.value


def _bounds(found: Value | None) -> tuple[float, float] | None:
    return None if found is None else found.bounds

"""Rows of architectures that were trained several times: one each, by what its trainings say
together.

What is certain comes from the images and from the spread between seeds: another training of either
would have come out otherwise, and an interval over images alone knows nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus

from ..side_by_side.figures import ModelFigures, RankedBy, SideBySide, Value
from ..side_by_side.seeds import CONFIDENCE, over_seeds
from ..tables import is_wide
from .ranked_table import RankedRow, Standing
from .ranking import (
    bare_row,
    beside_of,
    is_measured,
    models_of,
    with_difference,
    with_values,
)

Places = Sequence[int]
"""Of models in a measurement."""


def pooled_rows(
    names: Mapping[str, str], results: Sequence[StageResult], by: RankedBy
) -> list[RankedRow]:
    """A row for each architecture, in the order of results; ranks are not given yet.

    Args:
        names: variant of a training → its architecture.
    """
    beside, models = beside_of(results), models_of(results)
    measured = [each for each in models if is_measured(each)]
    of_name: dict[str, list[StageResult]] = {}
    for each in models:
        of_name.setdefault(names[each.variant], []).append(each)
    places = {
        name: [place for place, each in enumerate(measured) if names[each.variant] == name]
        for name in of_name
    }
    rows = {name: _row_of(name, trained) for name, trained in of_name.items()}
    if beside is None:
        return list(rows.values())
    seen = SideBySide.read(beside.metrics)
    home = names[measured[seen.reference].variant]
    others = sum(bool(found) for found in places.values()) - 1
    confidence = 1 - (1 - CONFIDENCE) / max(1, others)
    for name, found in places.items():
        if not found:
            continue
        best = min(found, key=lambda place: _sorting(seen.models[place], by))
        row = replace(rows[name], run_id=measured[best].run_id)
        row = _with_figures(row, [seen.models[place] for place in found])
        row = replace(row, latency_busy=seen.busy, spread_wide=is_wide(beside))
        if name == home:
            timed = row.latency_p50_ms is not None
            row = replace(row, standing=Standing.REFERENCE, speedup_ratio=1.0 if timed else None)
        else:
            row = _against(row, seen, found, by, confidence)
        rows[name] = row
    return list(rows.values())


def _sorting(figures: ModelFigures, by: RankedBy) -> float:
    return float("inf") if figures.ranked is None else by.best_first(figures.ranked.value)


def _row_of(name: str, trained: Sequence[StageResult]) -> RankedRow:
    """What is known before anything is measured."""
    failed = [each for each in trained if each.status == RunStatus.FAILED]
    row = replace(
        bare_row(trained[0]),
        variant=name,
        status=RunStatus.FINISHED,
        reused=all(each.reused for each in trained),
        trainings=len(trained) - len(failed),
    )
    if not failed:
        return row
    if len(failed) == len(trained):
        return replace(row, status=RunStatus.FAILED, reason=failed[0].reason)
    told = f"{len(failed)} of {len(trained)} trainings failed: {failed[0].reason}"
    return replace(row, reason=told)


def _with_figures(row: RankedRow, mine: Sequence[ModelFigures]) -> RankedRow:
    sizes = [each.size_mb for each in mine if each.size_mb is not None]
    learnt = [each.learnt for each in mine if each.learnt is not None]
    values = [each.ranked.value for each in mine if each.ranked is not None]
    return replace(
        with_values(
            row,
            _pooled(mine, lambda each: each.ranked),
            lambda key: _pooled(mine, lambda each: each.accuracy.get(key)),
            _pooled(mine, lambda each: each.latency_p50_ms),
        ),
        lowest=min(values, default=None),
        highest=max(values, default=None),
        size_mb=fmean(sizes) if sizes else None,
        learnt=max(learnt, default=None),
    )


def _pooled(
    mine: Sequence[ModelFigures], value_of: Callable[[ModelFigures], Value | None]
) -> Value | None:
    """The mean with its bounds; nothing where a training lacks the value."""
    values = [value for each in mine if (value := value_of(each)) is not None]
    return over_seeds(values) if len(values) == len(mine) else None


def _against(
    row: RankedRow, seen: SideBySide, mine: Places, by: RankedBy, confidence: float
) -> RankedRow:
    """The row with the difference between its trainings and those of the reference, by pairs."""
    deltas = [each for place in mine for each in seen.models[place].deltas.values()]
    gains = [each for place in mine for each in seen.models[place].speedups.values()]
    delta, gain = over_seeds(deltas, confidence), over_seeds(gains, confidence)
    return with_difference(row, delta, gain, by)

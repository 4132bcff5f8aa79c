"""The effect of each component, with its interval.

    side by side: each changed trial less the one that differs in that component alone
    ──► effects_of ──► EffectRow, one for each other value of a component ──► EffectTable

An effect of several pairs (other components changed too, or other seeds) is their mean, and so is
its interval over images: that is as wide as it can be, whatever the pairs have in common. Where
each was trained with several seeds, the spread between pairs is in the interval too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import ClassVar, cast

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import AblationConfig, Scenario, Trial, ablation_trials

from ..compare.ranked_table import STANDINGS, Standing
from ..compare.ranking import beside_of, models_of, standing_of
from ..side_by_side.figures import RankedBy, SideBySide, Value
from ..side_by_side.seeds import CONFIDENCE, over_seeds
from ..tables import Bounds, VariantRow, VariantTable, interval_text, number, origin_of
from .settings import Change, changes_among

EFFECT = "<effect>"


@dataclass(frozen=True)
class EffectRow(VariantRow):
    """One value of a component instead of the baseline's.

    Args:
        component, value, base: what is changed, to what, from what.
        effect, effect_bounds: metric with `value` less that with `base`.
        pairs: of trials that it is the mean of; 0 where none was measured.
        lowest, highest: of the pairs; None of one pair alone.
    """

    component: str = ""
    value: str = ""
    base: str = ""
    effect: float | None = None
    effect_bounds: Bounds | None = None
    standing: Standing = Standing.NONE
    pairs: int = 0
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class EffectTable(VariantTable):
    """Effects, the largest first.

    Args:
        metric: that they are effects on.
        baseline: its value, of the first seed.
        repeats: seeds of each.
    """

    COLUMNS = ("component", "change", EFFECT, "verdict", "pairs", "lowest … highest")
    RUN_COLUMNS = ()
    METRICS = ("effect",)
    ABSENT: ClassVar[frozenset[str]] = frozenset(VariantRow.__dataclass_fields__) - {
        "variant", "status", "reason",
    }  # fmt: skip
    WIDTH = 160
    BOUNDS: ClassVar[Mapping[str, str]] = {"effect_bounds": "effect"}
    rows: tuple[EffectRow, ...]

    metric: str
    maximize: bool
    baseline: float | None = None
    repeats: int = 1
    failed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{super().title}: what each component is worth"

    @property
    def shown_metric(self) -> str:
        return self.metric.removeprefix("det.").replace("mAP50_95", "mAP50-95")

    @property
    def metrics(self) -> dict[str, float]:
        """`effect.{component}={value}` and bounds; `baseline` too."""
        found = {} if self.baseline is None else {"baseline": self.baseline}
        for row in self.rows:
            if row.effect is not None:
                each = Value(row.effect, row.effect_bounds)
                found |= each.as_metrics(f"effect.{row.component}.{row.value}")
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        shown = f"effect on {self.shown_metric}"
        return tuple(shown if each == EFFECT else each for each in self.COLUMNS)

    def cell(self, row: VariantRow, heading: str) -> str:
        key = EFFECT if heading.startswith("effect on ") else heading
        return CELLS_OF_EFFECTS[key](cast(EffectRow, row))

    def notes(self) -> list[str]:
        better = "more" if self.maximize else "less"
        base = "" if self.baseline is None else f" The baseline has {self.baseline:.3f}."
        said = [
            f"Effect: {self.shown_metric} with the changed value less that with the baseline's, "
            f"all else equal, on the same images; {better} is better.{base} [ ]: interval over "
            "images or recordings"
            + (" and over trainings" if self.repeats > 1 else "")
            + ", all together at 95 %; of several pairs the mean, which is rather too wide.",
        ]
        if self.repeats < 2:
            said.append(
                "Each was run once: an interval says how much other images would change, not how "
                "much another training would. ablation.repeats trains each with other seeds."
            )
        if self.failed:
            said.append(f"Failed, and so in no effect: {', '.join(self.failed)}.")
        return [*said, *self.remarks]


def effects_of(
    ablation: AblationConfig, trials: Sequence[Trial], results: Sequence[StageResult], by: RankedBy
) -> list[EffectRow]:
    """A row for each other value of each component, the largest effect first.

    Args:
        results: of each trial one, in their order, and of the stage that measured them.
    """
    deltas = deltas_of(ablation, trials, results)
    named: dict[tuple[str, str], list[tuple[Change, Value | None]]] = {}
    for change, delta in deltas:
        named.setdefault((change.component, change.value), []).append((change, delta))
    seeds = 1 - (1 - CONFIDENCE) / max(1, len(named)) if ablation.repeats > 1 else None
    rows = [_row(found, by, seeds) for found in named.values()]
    return sorted(rows, key=lambda row: -abs(row.effect or 0.0))


def deltas_of(
    ablation: AblationConfig, trials: Sequence[Trial], results: Sequence[StageResult]
) -> list[tuple[Change, Value | None]]:
    """Every change, and what was measured between its two trials; None where one failed."""
    beside = beside_of(results)
    seen = SideBySide.read(beside.metrics) if beside else None
    usable = usable_places(results)
    found: list[tuple[Change, Value | None]] = []
    for change in changes_among(ablation, trials):
        delta = None
        if seen is not None and change.changed in usable and change.kept in usable:
            mine = seen.models[usable.index(change.changed)]
            delta = mine.deltas.get(usable.index(change.kept))
        found.append((change, delta))
    return found


def usable_places(results: Sequence[StageResult]) -> list[int]:
    """Places of the trials that ended well, in the order that they stand side by side in."""
    made = enumerate(models_of(results))
    return [place for place, each in made if each.status != RunStatus.FAILED]


def _mean_of(deltas: Sequence[Value]) -> Value:
    """The mean of the values, and of their intervals where all have one."""
    mean = fmean(each.value for each in deltas)
    bounds = [each.bounds for each in deltas if each.bounds is not None]
    if len(bounds) < len(deltas):
        return Value(mean)
    return Value(mean, (fmean(low for low, _ in bounds), fmean(high for _, high in bounds)))


def _row(
    found: Sequence[tuple[Change, Value | None]], by: RankedBy, confidence: float | None
) -> EffectRow:
    """Args: confidence: of the spread between seeds; None where each was trained once."""
    change = found[0][0]
    row = EffectRow(change.label, component=change.component, value=change.value, base=change.base)
    deltas = [delta for _, delta in found if delta is not None]
    if not deltas:
        return row
    values = [each.value for each in deltas]
    pooled = _mean_of(deltas) if confidence is None else over_seeds(deltas, confidence)
    assert pooled is not None  # there are deltas
    standing = standing_of(pooled.estimate, by)
    if min(values) < 0 < max(values) and standing in (Standing.BETTER, Standing.WORSE):
        standing = Standing.UNDECIDED  # what turns with the seed, or the others, is no effect
    several = len(deltas) > 1
    return replace(
        row,
        effect=pooled.value,
        effect_bounds=pooled.bounds,
        standing=standing,
        pairs=len(deltas),
        lowest=min(values) if several else None,
        highest=max(values) if several else None,
    )


def tabulate(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> EffectTable:
    """The table of an ablation's results."""
    assert scenario.ablation is not None
    by, trials = judged_by(scenario.ablation), ablation_trials(scenario)
    beside = beside_of(results)
    seen = SideBySide.read(beside.metrics) if beside else None
    first = seen.models[0].ranked if seen and 0 in usable_places(results) else None
    return EffectTable(
        **origin_of(scenario, run_id, results),
        rows=tuple(effects_of(scenario.ablation, trials, results, by)),
        metric=by.metric,
        maximize=by.maximize,
        baseline=first.value if first else None,
        repeats=scenario.ablation.repeats,
        failed=tuple(each.variant for each in results if each.status == RunStatus.FAILED),
        remarks=tuple(dict.fromkeys(note for each in results for note in each.notes)),
    )


def judged_by(ablation: AblationConfig) -> RankedBy:
    metric, direction = ablation.judged_by
    return RankedBy(metric, maximize=direction == "maximize")


def write_effects(table: EffectTable, folder: Path) -> None:
    """`ablation.md`, `.csv`, `.json`, and where something was measured `.png`."""
    from guardianflow.evaluation.pictures.ranking import RankedPoint, ranked_intervals

    table.write(folder, "ablation")
    table.write_csv(folder / "ablation.csv")
    marks = {Standing.BETTER: "better", Standing.WORSE: "worse", Standing.SAME: "same"}
    points = [
        RankedPoint(
            row.variant, row.effect, row.effect_bounds, marks.get(row.standing, "undecided")
        )
        for row in table.rows
        if row.effect is not None
    ]
    if points:
        axis = f"effect on {table.shown_metric}"
        ranked_intervals(points, folder / "ablation.png", title=table.title, axis=axis, zero=True)


def _spread(row: EffectRow) -> str:
    if row.lowest is None or row.highest is None:
        return "–"
    return f"{number(row.lowest, '+.3f')} … {number(row.highest, '+.3f')}"


CELLS_OF_EFFECTS: Mapping[str, Callable[[EffectRow], str]] = {
    "component": lambda row: row.component,
    "change": lambda row: f"{row.base} → {row.value}",
    EFFECT: lambda row: number(row.effect, "+.3f", interval_text(row.effect_bounds, "+.3f")),
    "verdict": lambda row: STANDINGS[row.standing],
    "pairs": lambda row: str(row.pairs) if row.pairs else "not measured",
    "lowest … highest": _spread,
}

"""Effects from measurements that a test makes up."""

from __future__ import annotations

from typing import Any

import pytest
from detectors_of_a_site import sections

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.ablation.effects import EffectTable, tabulate
from pipelines.compare.ranked_table import Standing
from pipelines.side_by_side.figures import ModelFigures, SideBySide, Value
from scenario import Scenario, build_scenario

Deltas = dict[int, Value]


def ablation(**more: Any) -> Scenario:
    components = {"augmentation": [True, False], "optimizer": ["adamw", "sgd"]}
    return build_scenario(sections(ablation={"components": components, **more}))


def of(*deltas: Deltas, failed: tuple[int, ...] = (), count: int = 0) -> list[StageResult]:
    """Results of `count` trials, those that failed among them, and of the measurement."""
    value = Value(0.7, (0.65, 0.75))
    models = tuple(ModelFigures(value, {"mAP50": value}, deltas=each) for each in deltas)
    made = [
        StageResult(
            "train",
            f"r{place}",
            RunStatus.FAILED if place in failed else RunStatus.FINISHED,
            "e",
            "n",
            variant=f"v{place}",
        )
        for place in range(count or len(deltas))
    ]
    metrics = SideBySide(models, 0).as_metrics()
    return [*made, StageResult("side_by_side", "s", RunStatus.FINISHED, "e", "n", metrics)]


def table(scenario: Scenario, results: list[StageResult]) -> EffectTable:
    return tabulate(scenario, "parent", results)


def test_each_component_has_its_effect_and_what_is_certain_of_it() -> None:
    results = of({}, {0: Value(-0.02, (-0.05, 0.01))}, {0: Value(-0.1, (-0.2, -0.05))})
    made = table(ablation(), results)
    rows = {row.variant: row for row in made.rows}
    assert [row.variant for row in made.rows] == ["optimizer=sgd", "augmentation=false"]
    assert rows["optimizer=sgd"].standing == Standing.WORSE
    assert rows["augmentation=false"].standing == Standing.UNDECIDED
    assert made.baseline == 0.7
    assert made.metrics["effect.augmentation.false_low"] == -0.05
    told = made.to_markdown()
    assert r"| true → false | -0.020 \[-0.050 … +0.010\] | can't tell |" in told
    assert "Each was run once" in told


def test_an_effect_of_several_pairs_is_their_mean_and_must_not_turn() -> None:
    # baseline, optimizer=sgd, augmentation=false, both; in the order of all combinations
    scenario = ablation(all_combinations=True)
    down = Value(-0.10, (-0.14, -0.06)), Value(-0.20, (-0.30, -0.10))
    turning = Value(0.30, (0.2, 0.4)), Value(-0.05, (-0.06, -0.04))
    results = of({}, {0: down[0]}, {0: turning[0]}, {1: turning[1], 2: down[1]})
    made = table(scenario, results)
    rows = {row.variant: row for row in made.rows}
    sgd, plain = rows["optimizer=sgd"], rows["augmentation=false"]
    assert sgd.effect == pytest.approx(-0.15)
    assert sgd.effect_bounds == pytest.approx((-0.22, -0.08))
    assert (sgd.pairs, sgd.lowest, sgd.highest) == (2, -0.20, -0.10)
    assert sgd.standing == Standing.WORSE
    # its mean is above 0 with its whole interval, but it helps in one setting and harms in another
    assert plain.effect_bounds is not None
    assert plain.effect_bounds[0] > 0
    assert plain.standing == Standing.UNDECIDED


def test_with_several_seeds_the_spread_between_them_is_in_the_interval() -> None:
    components = {"optimizer": ["adamw", "sgd"]}
    scenario = build_scenario(sections(ablation={"components": components, "repeats": 3}))
    # baseline, sgd; r2; r3: each sgd against the baseline of its seed
    values = (-0.10, -0.12, -0.11)
    steady = [Value(each, (each - 0.01, each + 0.01)) for each in values]
    results = of({}, {0: steady[0]}, {}, {2: steady[1]}, {}, {4: steady[2]})
    (row,) = table(scenario, results).rows
    assert row.effect == pytest.approx(-0.11)
    assert row.pairs == 3
    # 4.3027 · 0.01 ÷ √3 over the seeds, 0.01 over the images
    half = (0.024841**2 + 0.01**2) ** 0.5
    assert row.effect_bounds == pytest.approx((-0.11 - half, -0.11 + half), abs=1e-5)
    assert row.standing == Standing.WORSE
    loose = [Value(each, (each - 0.01, each + 0.01)) for each in (-0.30, -0.02, -0.04)]
    results = of({}, {0: loose[0]}, {}, {2: loose[1]}, {}, {4: loose[2]})
    (row,) = table(scenario, results).rows
    assert row.standing == Standing.UNDECIDED, "no seed turned it, but it hangs on the seed"
    assert "Each was run once" not in table(scenario, results).to_markdown()


def test_a_trial_that_failed_leaves_its_effect_unmeasured() -> None:
    results = of({}, {0: Value(-0.1, (-0.2, -0.05))}, failed=(1,), count=3)
    made = table(ablation(), results)
    rows = {row.variant: row for row in made.rows}
    assert rows["optimizer=sgd"].effect == -0.1
    assert (rows["augmentation=false"].effect, rows["augmentation=false"].pairs) == (None, 0)
    assert "Failed, and so in no effect: v1." in made.to_markdown()

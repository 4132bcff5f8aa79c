"""Models of known quality side by side: who is ahead, what is certain, what is registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from detectors_of_a_site import NAME, Make, sections, train_run
from inprocess import InProcessExecutor

from guardianflow.contracts.errors import StageFailedError
from guardianflow.contracts.results import DetectorPackage
from pipelines.side_by_side.contenders import Contender, side_by_side
from pipelines.side_by_side.figures import RankedBy, SideBySide
from pipelines.side_by_side.stage import scenario_for
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageRequest
from scenario import build_scenario


def request(
    executor: InProcessExecutor, *contenders: Contender, by: RankedBy | None = None
) -> StageRequest:
    planner = Planner(scenario_for(build_scenario(sections())), executor.settings, RunOptions(), "")
    return side_by_side(planner, contenders, by or RankedBy())


def of(label: str, package: DetectorPackage, **more: Any) -> Contender:
    return Contender(label, str(package.directory), **more)


def test_the_best_is_the_reference_and_what_differs_is_certain(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    contenders = (of("half blind", make(0.6)), of("whole", make(0.0)), of("same", make(0.0)))
    done = executor.run(request(executor, *contenders))
    seen = SideBySide.read(done.metrics)
    assert seen.reference == 1
    assert seen.models[1].deltas == {}
    lost = seen.models[0].deltas[1]
    assert lost.bounds is not None
    assert -1 <= lost.bounds[0] <= lost.value <= lost.bounds[1] < 0
    same = seen.models[2].deltas[1]
    assert (same.value, same.bounds) == (0.0, (0.0, 0.0))
    # each one's own value is what its run would have logged, and the differences are theirs
    ranked = [each.ranked.value for each in seen.models if each.ranked]
    assert ranked[0] - ranked[1] == pytest.approx(lost.value)
    # what a run kept says as much as the result itself
    run = executor.store.get_run(done.run_id)
    assert SideBySide.read(run.metrics) == seen
    assert run.tags["side_by_side.models"] == "half blind, whole, same"
    assert run.tags["data.split"] == "test"
    table = json.loads(
        executor.store.download(done.run_id, "results/side_by_side.json", tmp_path).read_text()
    )
    assert [each["label"] for each in table["models"]] == ["half blind", "whole", "same"]
    assert table["models"][1]["measured"]["det.mAP50"] == ranked[1]
    again = executor.run(request(executor, *contenders))
    assert (again.run_id, again.reused) == (done.run_id, True) or seen.busy


def test_two_alike_in_quality_are_not_told_apart(executor: InProcessExecutor, make: Make) -> None:
    done = executor.run(request(executor, of("a", make(0.3, 1)), of("b", make(0.3, 2))))
    seen = SideBySide.read(done.metrics)
    (delta,) = seen.models[1 - seen.reference].deltas.values()
    assert delta.bounds is not None
    assert delta.bounds[0] < 0 < delta.bounds[1]


def test_who_is_held_against_whom_can_be_said(executor: InProcessExecutor, make: Make) -> None:
    """As an ablation does: the baseline may be the worst of all."""
    contenders = (
        of("baseline", make(0.6)),
        of("better", make(0.3, 1), against=(0,)),
        of("best", make(0.0), against=(0, 1)),
    )
    seen = SideBySide.read(executor.run(request(executor, *contenders)).metrics)
    assert seen.reference == 0
    assert {*seen.models[2].deltas} == {0, 1}
    wide = seen.models[1].deltas[0].bounds
    assert wide is not None
    alone = executor.run(request(executor, *contenders[:2]))
    narrow = SideBySide.read(alone.metrics).models[1].deltas[0].bounds
    assert narrow is not None
    # three pairs hold together at 95 %: each of them is wider than one alone
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_trainings_of_one_architecture_are_judged_by_their_mean(
    executor: InProcessExecutor, make: Make
) -> None:
    """The best single model is of the group that is worse as a whole."""
    runs = [train_run(executor, make(*each)) for each in ((0.0,), (0.3, 1), (0.9,), (0.3, 2))]
    labels = [("a", "lucky"), ("b", "steady"), ("a r2", "lucky"), ("b r2", "steady")]
    contenders = [
        Contender(label, f"runs:/{run}", (), NAME, group)
        for (label, group), run in zip(labels, runs, strict=True)
    ]
    done = executor.run(request(executor, *contenders))
    seen = SideBySide.read(done.metrics)
    means = [sum(seen.models[n].ranked.value for n in group) for group in ((0, 2), (1, 3))]  # type: ignore[union-attr]
    assert means[1] > means[0] and seen.models[0].ranked.value > seen.models[1].ranked.value  # type: ignore[union-attr]
    assert seen.reference in (1, 3)
    # each is held against the training of its seed, and against no other
    assert [{*each.deltas} for each in seen.models] == [{1}, set(), {3}, set()]
    (model,) = executor.registry.list_models()
    assert model.run_id == runs[seen.reference]


def test_less_can_be_better(executor: InProcessExecutor, make: Make) -> None:
    small, large = make(0.6), make(0.0)
    size = RankedBy("sys.model_size_mb", maximize=False)
    seen = SideBySide.read(
        executor.run(request(executor, of("large", large), of("small", small), by=size)).metrics
    )
    sizes = [large.size_bytes, small.size_bytes]
    assert seen.reference == sizes.index(min(sizes))


def test_only_the_best_is_registered(executor: InProcessExecutor, make: Make) -> None:
    runs = [train_run(executor, make(missed)) for missed in (0.6, 0.0)]
    contenders = [Contender(f"m{n}", f"runs:/{run}", (), NAME) for n, run in enumerate(runs)]
    done = executor.run(request(executor, *contenders))
    (model,) = executor.registry.list_models()
    assert (model.run_id, model.aliases) == (runs[1], ("candidate",))
    assert done.models == (model,)
    fetched = executor.registry.fetch(f"models:/{NAME}@candidate", executor.folder / "fetched")
    assert fetched.spec.lineage["run_id"] == runs[1]


def test_all_that_can_not_be_compared_is_said_at_once(
    executor: InProcessExecutor, make: Make
) -> None:
    other = make(0.0, 0, ("fire", "smoke", "person", "car"))
    contenders = (of("fire", other), Contender("gone", "nowhere.pt"), of("whole", make(0.0)))
    with pytest.raises(StageFailedError) as caught:
        executor.run(request(executor, *contenders))
    assert caught.value.exit_code == 2
    said = str(caught.value)
    assert "fire: the model and the data set name different classes" in said
    assert "gone: model 'nowhere.pt' is not a file" in said
    assert executor.store.find_runs() == []


def test_a_metric_that_nothing_measures_is_refused(executor: InProcessExecutor, make: Make) -> None:
    by = RankedBy("mot.hota")
    with pytest.raises(StageFailedError, match=r"'mot.hota' is not measured of models"):
        executor.run(request(executor, of("a", make(0.3, 1)), of("b", make(0.3, 2)), by=by))
    by = RankedBy("det.recall.helmat")
    with pytest.raises(StageFailedError, match=r"did you mean 'det.recall.helmet'"):
        executor.run(request(executor, of("a", make(0.3, 1)), of("b", make(0.3, 2)), by=by))


def test_two_of_one_name_can_not_be_told_apart(executor: InProcessExecutor, make: Make) -> None:
    with pytest.raises(StageFailedError, match="must have different names"):
        executor.run(request(executor, of("same", make(0.0)), of("same", make(0.3, 1))))

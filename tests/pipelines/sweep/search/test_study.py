"""The study asks for each combination once, and as if it had never been killed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pytest

from guardianflow.contracts.errors import AlreadyRunningError, SourceError
from pipelines.sweep.search.combinations import Combination, TrialState
from pipelines.sweep.search.objectives import Objective
from pipelines.sweep.search.storage import StudyPlace, alone
from pipelines.sweep.search.strategies import distribution_of, sampler_of
from pipelines.sweep.search.study import Rules, Study
from scenario.designs.trials import Trial, Value
from scenario.designs.values import ParameterRange

RATE, BATCH = "training.learning_rate", "training.batch_size"
Space = Mapping[str, ParameterRange | tuple[Value, ...]]
CHOICES: Space = {RATE: (0.001, 0.01, 0.1), BATCH: (8, 16)}


def runs_of(index: int, params: Mapping[str, Value]) -> list[Trial]:
    return [Trial(index, f"s-{index:03d}", params)]


def opened(
    work_dir: Path,
    strategy: str = "random",
    most: int = 6,
    space: Space = CHOICES,
    given: list[Mapping[str, Value]] | None = None,
    **more: object,
) -> Study:
    place = StudyPlace(work_dir, "sqlite:///runs.db", "abc")
    rules = Rules(
        objectives=[Objective("det.mAP50")],
        space={name: distribution_of(values) for name, values in space.items()},
        most=most,
        sampler=sampler_of(strategy, most, 1),
        given=given or [],
        **{"seed": 7, **more},  # type: ignore[arg-type]
    )
    return Study(place.open(make=True), place.name, rules, runs_of)


def end(study: Study, combination: Combination, value: float | None) -> None:
    (run,) = combination.runs
    run.state = TrialState.FAILED if value is None else TrialState.COMPLETE
    if value is None:
        study.ended(combination)
    else:
        run.values = (value,)
        study.complete(combination)


def ask_all(study: Study) -> list[dict[str, Value]]:
    asked = []
    while (combination := study.next()) is not None:
        asked.append(dict(combination.params))
        end(study, combination, float(combination.params[RATE]))  # type: ignore[arg-type]
    return asked


@pytest.mark.parametrize("strategy", ["random", "bayesian"])
def test_every_combination_of_lists_is_tried_once_and_then_no_more(
    tmp_path: Path, strategy: str
) -> None:
    study = opened(tmp_path, strategy, most=50)
    assert study.total == 6
    asked = ask_all(study)
    assert sorted((each[RATE], each[BATCH]) for each in asked) == [
        (rate, batch) for rate in (0.001, 0.01, 0.1) for batch in (8, 16)
    ]


def test_where_a_good_one_was_tried_already_the_next_one_is_beside_it(tmp_path: Path) -> None:
    """TPE asks for the best of a list again and again; its neighbours are what is left."""
    numbers = tuple(2.0**place for place in range(16))

    def tries_until_best(strategy: str, seed: int) -> int:
        space: Space = {RATE: numbers, BATCH: ("small", "large")}
        study = opened(tmp_path / f"{strategy} {seed}", strategy, 32, space, seed=seed)
        while (combination := study.next()) is not None:
            place, small = numbers.index(combination.params[RATE]), combination.params[BATCH]  # type: ignore[arg-type]
            if (place, small) == (11, "small"):
                break
            end(study, combination, -abs(place - 11.0) - (small != "small"))
        study.close()
        return study.asked

    by_chance = fmean(tries_until_best("random", seed) for seed in range(8))
    assert fmean(tries_until_best("bayesian", seed) for seed in range(8)) < 0.7 * by_chance


def test_a_grid_is_gone_through_in_its_order(tmp_path: Path) -> None:
    given: list[Mapping[str, Value]] = [{RATE: 0.1, BATCH: 16}, {RATE: 0.001, BATCH: 8}]
    assert ask_all(opened(tmp_path, "grid", given=given)) == given


def test_a_killed_study_asks_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    space: Space = {RATE: ParameterRange(low=1e-4, high=1e-1, log=True), BATCH: (8, 16)}
    whole = ask_all(opened(tmp_path / "whole", "bayesian", most=8, space=space))
    first = opened(tmp_path / "killed", "bayesian", most=8, space=space)
    for _ in range(3):
        combination = first.next()
        assert combination is not None
        end(first, combination, float(combination.params[RATE]))  # type: ignore[arg-type]
    in_flight = first.next()
    assert in_flight is not None
    again = opened(tmp_path / "killed", "bayesian", most=8, space=space)
    (left,) = again.unfinished()
    assert left.params == in_flight.params and left.index == 3
    end(again, left, float(left.params[RATE]))  # type: ignore[arg-type]
    rest = ask_all(again)
    done = [dict(each.params) for each in again.combinations()]
    assert done == whole and done[4:] == rest
    assert [each.index for each in again.combinations()] == list(range(8))


def test_a_proposal_whose_process_ended_before_it_was_taken_is_none(tmp_path: Path) -> None:
    study = opened(tmp_path)
    study.optuna.ask({name: distribution_of(values) for name, values in CHOICES.items()})
    again = opened(tmp_path)
    assert again.unfinished() == [] and again.asked == 0
    assert len(ask_all(again)) == 6


def test_what_failed_is_asked_for_again_by_a_sweep_that_goes_on(tmp_path: Path) -> None:
    study = opened(tmp_path)
    first = study.next()
    assert first is not None
    end(study, first, None)
    again = opened(tmp_path)
    again.try_failed_again()
    (left,) = again.unfinished()
    assert (left.index, left.params) == (0, first.params) and again.asked == 1
    end(again, left, 0.5)
    assert [each.state for each in again.combinations()] == [TrialState.COMPLETE]


def test_numbers_of_a_range_in_steps_are_written_as_people_write_them(tmp_path: Path) -> None:
    space = {RATE: ParameterRange(low=0.1, high=0.7, step=0.1)}
    asked = ask_all(opened(tmp_path, "random", most=50, space=space))
    assert sorted(each[RATE] for each in asked) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]  # type: ignore[type-var]


def test_a_study_that_is_not_on_this_machine_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"can't be gone on with here: .*gone\.db is missing"):
        StudyPlace(tmp_path, "http://server:5000", "gone").open(make=False)


def test_two_sweeps_of_one_name_are_not_at_work_at_once(tmp_path: Path) -> None:
    with (
        alone(tmp_path, "sqlite:///a.db", "site", "ppe"),
        pytest.raises(AlreadyRunningError, match="a sweep 'ppe' of experiment site is at work"),
        alone(tmp_path, "sqlite:///a.db", "site", "ppe"),
    ):
        pass
    with alone(tmp_path, "a.db", "site", "ppe"), alone(tmp_path, "a.db", "site", "fire"):
        pass

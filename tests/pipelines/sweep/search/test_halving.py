"""Which trainings pruning stops, and which of them it goes on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from pipelines.sweep.search.combinations import INDEX, Combination, TrialState
from pipelines.sweep.search.objectives import Objective
from pipelines.sweep.search.storage import StudyPlace
from pipelines.sweep.search.strategies import distribution_of, pruner_of, sampler_of
from pipelines.sweep.search.study import Rules, Study
from scenario.designs.trials import Trial, Value
from scenario.designs.values import ParameterRange

RATE, EPOCHS = "training.learning_rate", 27
RUNGS = (6, 18)


def runs_of(index: int, params: Mapping[str, Value]) -> list[Trial]:
    return [Trial(index, f"s-{index:03d}", params)]


def opened(work_dir: Path, count: int, **more: Any) -> Study:
    values = [0.001 * (1 + place) for place in range(count)]
    place = StudyPlace(work_dir, "sqlite:///runs.db", "abc")
    rules = Rules(
        objectives=[Objective("det.mAP50")],
        space={RATE: distribution_of(tuple(values))},
        most=count,
        seed=7,
        pruner=pruner_of("asha", EPOCHS, 7),
        given=[{RATE: each} for each in values],
    )
    return Study(place.open(make=True), place.name, replace(rules, **more), runs_of)


def train(study: Study, combination: Combination, value: float, fails_at: int = 0) -> int:
    """Epochs of a training that comes to one value all along, until it is stopped or done."""
    (run,) = combination.runs
    for epoch in range(run.epoch + 1, EPOCHS + 1):
        run.epoch = epoch
        if epoch == fails_at:
            run.state = TrialState.FAILED
        elif study.report(combination, epoch, value):
            run.state, run.reason = TrialState.PRUNED, "behind"
        else:
            continue
        study.ended(combination)
        return epoch
    run.state, run.values = TrialState.COMPLETE, (value,)
    study.complete(combination)
    return EPOCHS


def train_all(study: Study, values: list[float]) -> list[tuple[int, int]]:
    """Index of a combination, and the epoch that it is trained to, in the order of asking."""
    found = []
    while (combination := study.next()) is not None:
        found.append((combination.index, train(study, combination, values[combination.index])))
    return found


def test_who_is_stopped_is_gone_on_with_once_it_is_in_the_best_third(tmp_path: Path) -> None:
    study = opened(tmp_path, 9)
    values = [0.5, 0.9, 0.4, 0.6, 0.7, 0.8, 0.3, 0.2, 0.1]
    assert train_all(study, values) == [
        (0, 6), (1, 6), (2, 6),
        (1, 18),  # the best of three
        (3, 6), (4, 6), (5, 18),  # the second of six
        (6, 6), (7, 6), (8, 6),
        (4, 18),  # the third of nine
        (1, 27),  # the best of three at the second rung
    ]  # fmt: skip
    states = {each.index: str(each.state) for each in study.combinations()}
    assert [states[index] for index in (0, 1, 4, 5)] == ["pruned", "complete", "pruned", "pruned"]
    (run,) = study.combinations()[1].runs
    assert (run.reason, run.epoch) == ("", 27)


def test_a_killed_sweep_goes_on_with_the_same_training(tmp_path: Path) -> None:
    study, values = opened(tmp_path, 4), [0.5, 0.9, 0.4, 0.1]
    for each in (0, 1, 2):
        combination = study.next()
        assert combination is not None and combination.index == each
        train(study, combination, values[each])
    assert study.next() is not None  # and killed here
    (open_one,) = opened(tmp_path, 4).unfinished()
    assert open_one.index == 1 and open_one.runs[0].state is TrialState.WAITING
    assert open_one.runs[0].epoch == 6
    again = opened(tmp_path, 4)
    (open_one,) = again.take_over()
    assert not again.report(open_one, 6, 0.1), "an epoch that is told twice counts once"
    assert train(again, open_one, values[1]) == 18


def test_one_at_least_is_trained_to_its_end(tmp_path: Path) -> None:
    """A third of two is none, and of one at the second rung as well."""
    assert train_all(opened(tmp_path, 2), [0.5, 0.6]) == [(0, 6), (1, 6), (1, 18), (1, 27)]


def test_also_where_fewer_can_be_drawn_than_were_asked_for(tmp_path: Path) -> None:
    """A range on a logarithm is no list: nobody knows that it has three values alone."""
    space = {RATE: distribution_of(ParameterRange(low=1, high=3, log=True))}
    sampler = sampler_of("random", 20, 1)
    study = opened(tmp_path, 20, space=space, sampler=sampler, given=())
    found = train_all(study, [0.5, 0.6, 0.7])
    assert sorted(index for index, _ in found if index != 2) == [0, 1]
    assert found[-1] == (2, EPOCHS)


def test_where_the_best_one_fails_the_next_is_gone_on_with(tmp_path: Path) -> None:
    study = opened(tmp_path, 3)
    values, found = [0.5, 0.9, 0.4], []
    while (combination := study.next()) is not None:
        fails_at = 10 if combination.index == 1 else 0
        epoch = train(study, combination, values[combination.index], fails_at)
        found.append((combination.index, epoch))
    assert found == [(0, 6), (1, 6), (2, 6), (1, 10), (0, 18), (0, 27)]


def test_those_are_given_up_that_the_share_can_not_reach_any_more(tmp_path: Path) -> None:
    study = opened(tmp_path, 12)
    given_up = []
    while (combination := study.next()) is not None:
        train(study, combination, 0.9 - 0.1 * combination.index)
        given_up.append(study.given_up(ends=False, own=True))
        if combination.state is TrialState.COMPLETE:
            break
    assert given_up[-2] == set(), "while none has ended well, each may be needed"
    assert given_up[-1] == {4, 5, 6, 7, 8}, "four of twelve go on at most"
    assert study.given_up(ends=True, own=False) == {1, 2, 3, 4, 5, 6, 7, 8}


def test_of_equal_ones_a_third_goes_on_as_well(tmp_path: Path) -> None:
    """At first many a detector finds nothing: mAP50 is 0 for all."""
    found = train_all(opened(tmp_path, 9), [0.0] * 9)
    assert [pair for pair in found if pair[1] > 6] == [(0, 18), (1, 18), (2, 18), (0, 27)]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_best_epoch_so_far_is_what_is_compared(direction: str) -> None:
    """A training leaves the weights of its best epoch; one bad epoch at a rung is chance."""
    sign = 1 if direction == "maximize" else -1
    pruner = pruner_of("asha", EPOCHS, 7)
    study = optuna.create_study(direction=direction, pruner=pruner)

    def is_stopped(*curve: tuple[int, float]) -> list[bool]:
        trial, answers = study.ask(), []
        trial.set_user_attr(INDEX, trial.number)
        for epoch, value in curve:
            trial.report(sign * value, epoch)
            answers.append(trial.should_prune())
        return answers

    for each in (0.1, 0.2):
        assert is_stopped((6, each)) == [True], "of fewer than three none goes on at once"
    assert is_stopped((5, 0.5), (6, 0.6)) == [False, False]
    assert is_stopped((5, 0.55), (6, 0.5), (7, 0.9)) == [False, True, False]
    assert is_stopped((5, 0.7), (6, 0.1)) == [False, False]
    assert is_stopped((4, 0.5), (8, 0.8)) == [False, False], "reported every fourth epoch"
    assert is_stopped((4, 0.5), (8, 0.6), (20, 0.5)) == [False, True, True]


@pytest.mark.parametrize(
    ("epochs", "first"), [(3, 2), (4, 2), (9, 5), (26, 6), (50, 6), (100, 11), (300, 33)]
)
def test_no_training_is_stopped_while_it_warms_up(epochs: int, first: int) -> None:
    """Ultralytics' learning rate rises for three epochs: what wins in the end is behind then."""
    assert set(epochs_of("asha", epochs=epochs)) == {first}


def epochs_of(pruning: str, parent: str = "abc", seed: int = 7, *, epochs: int = 9) -> list[int]:
    """How long each of 24 trials is trained that fall back one after the other."""
    pruner = pruner_of(pruning, epochs, seed)
    study = optuna.create_study(study_name=parent, direction="maximize", pruner=pruner)
    found = []
    for place in range(24):
        trial, epoch = study.ask(), 0
        trial.set_user_attr(INDEX, place)
        for epoch in range(1, epochs + 1):
            trial.report(0.9 - 0.02 * place, epoch)
            if trial.should_prune():
                break
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        found.append(epoch)
    return found


def test_hyperband_gives_a_slow_start_its_chance_in_a_later_bracket() -> None:
    """Behind from the first epoch on: ASHA ends all after five, Hyperband by bracket."""
    asha, hyperband = epochs_of("asha"), epochs_of("hyperband")
    assert set(asha) == {5}, asha
    assert {1, 3} < set(hyperband), hyperband  # and of the last bracket, all nine
    assert pruner_of(None, 9, 7) is None and pruner_of("hyperband", 2, 7) is None


def test_brackets_are_drawn_by_the_seed_and_not_by_the_run_that_holds_the_sweep() -> None:
    one = epochs_of("hyperband", parent="one")
    assert epochs_of("hyperband", parent="another") == one
    assert epochs_of("hyperband", parent="one", seed=8) != one

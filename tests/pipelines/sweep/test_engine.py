"""The engine works through a sweep: crashes are tried again, hopeless trials stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scripted_pool import Answer, ScriptedPool, crash

from guardianflow.contracts.errors import FailureReason, StageFailedError
from pipelines.pools.port import EndedStage
from pipelines.stage.stage import StageRequest
from pipelines.sweep.engine import Engine
from pipelines.sweep.search.combinations import Combination, TrialRun, TrialState
from pipelines.sweep.search.objectives import Objective
from pipelines.sweep.search.storage import StudyPlace
from pipelines.sweep.search.strategies import distribution_of, pruner_of
from pipelines.sweep.search.study import Rules, Study
from scenario.designs.trials import Trial

RATE = "training.learning_rate"


@dataclass
class Heard:
    """Keeps what weights and board are told."""

    told: list[str] = field(default_factory=list)
    ended_runs: list[str] = field(default_factory=list)
    given_up_runs: list[str] = field(default_factory=list)
    concluded_states: list[list[TrialState]] = field(default_factory=list)

    def ended(self, run: TrialRun) -> None:
        self.ended_runs.append(run.trial.name)

    def note(self, run: TrialRun) -> None:
        if run.state is TrialState.PRUNED:
            self.given_up_runs.append(run.trial.name)

    def note_replaced(self, run_id: str, run: TrialRun) -> None:
        self.told.append(f"{run_id} replaced")

    def keep_best(self, combinations: Sequence[Combination]) -> None:
        self.concluded_states.append([each.state for each in combinations])

    def moved(self, combinations: Sequence[Combination], total: int) -> None: ...

    def tell(self, text: str) -> None:
        self.told.append(text)


@dataclass
class Place:
    folder: Path
    count: int = 4
    repeats: int = 1
    pruned: bool = False
    heard: Heard = field(default_factory=Heard)

    def study(self, objectives: Sequence[Objective] = (Objective("det.mAP50"),)) -> Study:
        values = tuple(0.1 * (1 + each) for each in range(self.count))
        rules = Rules(
            objectives=objectives,
            space={RATE: distribution_of(values)},
            most=self.count,
            seed=1,
            pruner=pruner_of("asha", 9, 7) if self.pruned else None,
            given=[{RATE: each} for each in values],
        )
        place = StudyPlace(self.folder, "sqlite:///runs.db", "abc")
        return Study(place.open(make=True), place.name, rules, self.runs_of)

    def runs_of(self, index: int, params: Any) -> list[Trial]:
        first = index * self.repeats
        return [
            Trial(number, f"s-{number:03d}", params, repeat=number - first)
            for number in range(first, first + self.repeats)
        ]

    def run(self, pool: ScriptedPool, **more: Any) -> list[Combination]:
        engine = Engine(
            self.study(), pool, [Objective("det.mAP50")], request_of, self.heard, self.heard, **more
        )
        return engine.run()


def request_of(run: TrialRun) -> StageRequest:
    tags = {"sweep.params": json.dumps(dict(run.trial.changes))}
    return StageRequest("train", run.trial.name, run.trial.name, "e", "", "", "", "", tags=tags)


def good(value: float) -> Callable[[dict[str, Any], int], Answer]:
    return lambda params, before: [value] * 3


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_crashed_trial_is_tried_again_with_its_parameters(place: Place) -> None:
    def script(params: dict[str, Any], before: int) -> Answer:
        return crash() if params[RATE] == 0.2 and before < 2 else [params[RATE]] * 3

    pool = ScriptedPool(script, places=2)
    done = place.run(pool)
    assert [each.state for each in done] == [TrialState.COMPLETE] * 4
    assert [run.tries for each in done for run in each.runs] == [1, 3, 1, 1]
    assert [each.values for each in done] == [(0.1,), (0.2,), (pytest.approx(0.3),), (0.4,)]
    assert len(pool.submitted) == 6
    assert "s-001 crashed" in place.heard.told[0]


def test_a_trial_that_crashes_again_and_again_fails_and_the_others_go_on(place: Place) -> None:
    pool = ScriptedPool(lambda params, _: crash() if params[RATE] == 0.2 else [0.5] * 3)
    done = place.run(pool, retries=1)
    assert [str(each.state) for each in done] == ["complete", "failed", "complete", "complete"]
    assert done[1].reason == "it was killed" and done[1].runs[0].tries == 2


def test_a_training_that_another_process_is_at_is_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sweeps of other names come to the same trial: the second takes the first one's run."""
    monkeypatch.setattr("pipelines.sweep.engine.ELSEWHERE_S", 0.3)
    place.count = 2
    busy = crash(FailureReason.ALREADY_RUNNING)
    pool = ScriptedPool(
        lambda params, before: busy if params[RATE] == 0.2 and before < 5 else [params[RATE]] * 3
    )
    done = place.run(pool, retries=0)
    assert [each.values for each in done] == [(0.1,), (0.2,)]
    assert [run.tries for each in done for run in each.runs] == [1, 1]
    assert place.heard.told == ["s-001: another process is at the same training; it is waited for"]


def test_a_failure_of_the_trial_itself_is_not_tried_again(place: Place) -> None:
    diverged = crash(FailureReason.NAN_LOSS)
    pool = ScriptedPool(lambda params, _: diverged if params[RATE] == 0.2 else [0.5] * 3)
    place.run(pool)
    assert len(pool.submitted) == 4


def test_a_sweep_whose_first_trials_all_fail_ends_and_says_why(place: Place) -> None:
    place.count = 8
    failure = StageFailedError("train", "the data set is empty", exit_code=2)
    pool = ScriptedPool(lambda *_: failure)
    with pytest.raises(StageFailedError, match="the first 3 trials have all failed; s-002: the da"):
        place.run(pool)
    assert len(pool.submitted) == 3


def test_with_fail_fast_the_first_failure_ends_it(place: Place) -> None:
    pool = ScriptedPool(
        lambda params, _: StageFailedError("train", "no") if params[RATE] == 0.2 else [0.5]
    )
    with pytest.raises(StageFailedError, match="a trial failed; s-001: no"):
        place.run(pool, fail_fast=True)


def test_a_full_disk_ends_it_and_the_trial_is_not_counted_as_failed(place: Place) -> None:
    pool = ScriptedPool(lambda *_: crash(FailureReason.DISK_FULL))
    with pytest.raises(StageFailedError, match="The other trials would fail by it as well") as told:
        place.run(pool)
    assert told.value.failure_reason is FailureReason.DISK_FULL
    assert [each.index for each in place.study().unfinished()] == [0]
    assert [str(e.state) for e in place.run(ScriptedPool(good(0.5)))] == ["complete"] * 4


def test_a_metric_that_no_trial_reports_is_told_after_the_first(place: Place) -> None:
    pool = ScriptedPool(lambda *_: {"det.mAP50_95": 0.5, "train.speed": 3.0})
    with pytest.raises(StageFailedError, match=r"got 'det\.mAP50'; did you mean 'det") as e:
        place.run(pool)
    assert len(pool.submitted) == 1 and e.value.exit_code == 2


def test_a_trial_that_is_behind_is_stopped_and_gone_on_with_where_it_was(place: Place) -> None:
    place.pruned = True
    pool = ScriptedPool(lambda params, _: [0.9 - params[RATE]] * 9)
    done = place.run(pool)
    assert [str(each.state) for each in done] == ["complete", "pruned", "pruned", "pruned"]
    assert [each.runs[0].epoch for each in done] == [9, 5, 5, 5]
    assert done[1].reason == "pruned after epoch 5"
    assert pool.trained == 4 * 5 + 4, "the best one's first five epochs are not trained again"
    assert [each[RATE] for each in pool.submitted] == [0.1, 0.2, pytest.approx(0.3), 0.1, 0.4]
    assert place.heard.told == ["s-000 goes on after epoch 5: it is among the best"]
    assert place.heard.given_up_runs == ["s-001", "s-002", "s-003"], "each once, the best never"
    assert done[0].runs[0].tries == 1


@dataclass
class CrashingPool(ScriptedPool):
    """Its second stage crashes while it is stopped, or the sweep is killed before that is known."""

    killed: bool = False

    def next_ended(self, timeout_s: float | None = None) -> EndedStage | None:
        ended = super().next_ended(timeout_s)
        if ended is None or not ended.stopped or ended.ticket != 1:
            return ended
        if self.killed:
            raise KeyboardInterrupt
        return EndedStage(ended.ticket, failure=crash())


@pytest.mark.parametrize("killed", [False, True])
def test_a_repeat_is_not_trained_on_alone_when_its_combination_was_pruned(
    place: Place, killed: bool
) -> None:
    place.pruned, place.repeats, place.count = True, 2, 3
    pool = CrashingPool(lambda params, _: [0.9 - params[RATE]] * 9, places=2, killed=killed)
    if killed:
        with pytest.raises(KeyboardInterrupt):
            place.run(pool)
        assert place.study().combinations()[0].runs[0].state is TrialState.PRUNED
        pool = ScriptedPool(pool.script, places=2)
    done = place.run(pool)
    assert [str(each.state) for each in done] == ["complete", "pruned", "pruned"]
    assert {run.epoch for each in done[1:] for run in each.runs} <= {0, 5}
    assert sorted(place.heard.given_up_runs) == ["s-002", "s-003", "s-004", "s-005"]


def test_a_killed_sweep_goes_on_and_what_has_ended_is_not_done_again(place: Place) -> None:
    class KilledError(Exception): ...

    def script(params: dict[str, Any], before: int) -> Answer:
        if params[RATE] > 0.25:
            raise KilledError
        return [params[RATE]]

    with pytest.raises(KilledError):
        place.run(ScriptedPool(script))
    pool = ScriptedPool(good(0.5))
    done = place.run(pool)
    assert [each[RATE] for each in pool.submitted] == [pytest.approx(0.3), 0.4]
    assert [each.values[0] for each in done] == [0.1, 0.2, 0.5, 0.5]
    assert [each.runs[0].trial.index for each in done] == [0, 1, 2, 3]


def test_the_value_of_several_seeds_is_their_mean_with_an_interval(place: Place) -> None:
    place.repeats, place.count = 3, 1
    values = [[0.4], [0.5], [0.6]]
    (only,) = place.run(ScriptedPool(lambda _, before: values[before], places=3))
    assert list(only.values) == pytest.approx([0.5])
    estimate = only.estimate()
    assert estimate is not None
    # Student's t with 2 degrees of freedom: 4.3027 · 0.1 ÷ √3
    assert estimate.high - 0.5 == pytest.approx(0.24841, abs=1e-4)
    assert only.best_run(Objective("det.mAP50")).trial.name == "s-002"


def test_a_repeat_that_fails_ends_the_others_of_its_parameters(place: Place) -> None:
    place.repeats, place.count = 2, 2
    failure = StageFailedError("train", "no")
    done = place.run(ScriptedPool(lambda params, _: failure if params[RATE] == 0.1 else [0.5]))
    assert [str(each.state) for each in done] == ["failed", "complete"]
    assert done[0].runs[1].reason == "another repeat of the same parameters failed"


def test_what_a_training_does_not_report_is_measured_of_its_model(
    place: Place,
) -> None:
    objectives = [Objective("det.mAP50"), Objective("sys.fps")]

    def script(params: dict[str, Any], before: int) -> Answer:
        if not before:
            return {"det.mAP50": params[RATE]}
        return crash() if before == 1 else {"sys.fps": 100 * params[RATE], "det.mAP50": 0.99}

    pool = ScriptedPool(script, places=2)
    engine = Engine(
        place.study(objectives),
        pool,
        objectives,
        request_of,
        place.heard,
        place.heard,
        judge_of=request_of,
    )
    done = engine.run()
    assert [each.values[0] for each in done] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [each.values[1] for each in done] == pytest.approx([10, 20, 30, 40])
    assert [each.runs[0].run_id for each in done] == [f"run-s-00{index}" for index in range(4)]


def test_a_value_that_is_no_number_is_a_failure(place: Place) -> None:
    place.count = 2
    pool = ScriptedPool(lambda p, _: {"det.mAP50": float("nan") if p[RATE] == 0.1 else 0.5})
    done = place.run(pool)
    assert [str(each.state) for each in done] == ["failed", "complete"]
    assert done[0].reason == "mAP50 is nan"

"""What is shown of a sweep at work."""

from __future__ import annotations

import pytest
from rich.console import Console

from pipelines.sweep.report.board import (
    ROWS,
    LineBoard,
    LiveBoard,
    eta_s,
    shown_runs,
    shown_time,
)
from pipelines.sweep.search.combinations import Combination, TrialRun, TrialState
from pipelines.sweep.search.objectives import Objective
from scenario.designs.trials import Trial

ACCURACY = Objective("det.mAP50")


def combination(index: int, state: TrialState, **more: object) -> Combination:
    run = TrialRun(Trial(index, f"s-{index:03d}"), state, **more)  # type: ignore[arg-type]
    return Combination(index, index, {"training.learning_rate": 0.001 * (index + 1)}, [run])


def test_where_nobody_watches_a_line_tells_of_each_run_that_ends() -> None:
    told: list[str] = []
    board = LineBoard(told.append, ACCURACY, 2)
    done = combination(0, TrialState.COMPLETE, seconds=12.0, latest=0.61234)
    working = combination(1, TrialState.RUNNING)
    board.moved([done, working], 5)
    board.ended(done.runs[0])
    failed = combination(2, TrialState.FAILED, seconds=2.0, reason="it crashed")
    board.moved([done, working, failed], 5)
    board.ended(failed.runs[0])
    assert told == [
        "s-000 complete in 12 s, mAP50 0.6123 (1 of 5 done, about 24 s left)",
        "s-002 failed in 2 s: it crashed (2 of 5 done, about 10 s left)",
    ]


def test_a_live_table_shows_those_at_work_first_with_how_far_they_are() -> None:
    board = LiveBoard(ACCURACY, 2)
    trials = [combination(index, TrialState.COMPLETE, seconds=9.0) for index in range(30)]
    trials.append(combination(30, TrialState.RUNNING, epoch=3, epochs=20, latest=0.25))
    console = Console(width=120, record=True, color_system=None)
    with console.capture() as shown:
        console.print(board._table(trials, 40))
    lines = [line for line in shown.get().splitlines() if "s-0" in line]
    assert "30 of 40 done, about 45 s left" in shown.get()
    assert len(lines) == ROWS
    assert [word.strip() for word in lines[0].strip("│").split("│")] == [
        "s-030", "learning_rate=0.031", "running", "3/20", "0.25", "",
    ]  # fmt: skip
    assert "s-029" in lines[1]


def test_nobody_guesses_a_time_before_a_trial_has_ended() -> None:
    assert eta_s([combination(0, TrialState.RUNNING)], 5, 2) == 0.0
    assert shown_runs([]) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (180, "3 min"), (7500, "2 h 05 min")]
)
def test_times_are_told_as_people_tell_them(seconds: float, text: str) -> None:
    assert shown_time(seconds) == text

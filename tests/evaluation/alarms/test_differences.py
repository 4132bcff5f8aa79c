"""Two models on the same recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.recordings.alarm_results import DAY_S, NoFigure, RecordingOutcome
from guardianflow.contracts.recordings.alarms import Alarm, Incident
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.evaluation.alarms.counting import count_alarms
from guardianflow.evaluation.alarms.differences import paired_differences
from guardianflow.evaluation.alarms.rates import alarm_figures


def outcome(name: int, hits: int, incidents: int, false: int) -> RecordingOutcome:
    alarms = [Alarm(str(name), "r", 100.0 * i, i) for i in range(hits)]
    alarms += [Alarm(str(name), "r", 50_000.0 + i, i) for i in range(false)]
    return count_alarms(
        alarms,
        [Incident(str(name), "r", 100.0 * i, 100.0 * i + 20) for i in range(incidents)],
        recording=str(name),
        camera=f"cam{name % 2}",
        watched_s=DAY_S,
    )


def test_the_second_less_the_first_in_any_order() -> None:
    first = [outcome(i, 3, 4, 1) for i in range(6)]
    second = [outcome(i, 2, 4, 3 if i else 4) for i in range(6)]
    found = paired_differences(first, second[::-1])
    assert found["missed"].value == pytest.approx(0.25)
    assert found["false_per_camera_day"].value == pytest.approx(13 / 6)
    low = found["false_per_camera_day"].low
    assert low is not None and low > 0


def test_models_alike_may_differ_in_recordings_that_were_not_seen() -> None:
    """None of six recordings differs: of others 1 − 0.025^(1/6) = 46 % may. Of 60: 6 %."""
    six, sixty = ([outcome(i, 4, 4, 2) for i in range(count)] for count in (6, 60))
    few, many = (paired_differences(each, each) for each in (six, sixty))
    assert few["missed"].value == 0.0
    assert (few["missed"].low, few["missed"].high) == pytest.approx((-0.4593, 0.4593), abs=1e-4)
    assert many["missed"].high == pytest.approx(0.0596, abs=1e-4)
    # A rate has no end: as many false alarms as could have come by chance.
    false = few["false_per_camera_day"]
    assert (false.low, false.high) == pytest.approx((-3.689 / 6, 3.689 / 6), abs=1e-3)


@pytest.mark.parametrize("recordings", [6, 12, 30])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_intervals_hold_what_is_lost_by_whole_recordings(recordings: int, share: float) -> None:
    """The second model misses all of a recording's incidents, or none: of 200 at least 91 %."""
    rng = np.random.default_rng(recordings)
    held = 0
    first = [outcome(i, 20, 20, 0) for i in range(recordings)]
    blind = [outcome(i, 0, 20, 0) for i in range(recordings)]
    for _ in range(200):
        lost = rng.random(recordings) < share
        second = [blind[i] if lost[i] else first[i] for i in range(recordings)]
        found = paired_differences(first, second)["missed"]
        assert found.low is not None and found.high is not None
        held += found.low <= share <= found.high
    assert held / 200 >= 0.91


def test_hard_recordings_are_hard_for_both() -> None:
    """One of them raises half of all false alarms: paired, that widens nothing."""
    first = [outcome(i, 4, 4, 60 if i == 0 else 4) for i in range(12)]
    second = [outcome(i, 4, 4, 61 if i == 0 else 5) for i in range(12)]
    paired = paired_differences(first, second)["false_per_camera_day"]
    alone = alarm_figures(second)["false_per_camera_day"]
    assert paired.value == pytest.approx(1.0)
    assert paired.low is not None and paired.high is not None and paired.low > 0.4
    assert alone.low is not None and alone.high is not None
    assert paired.high - paired.low < 0.2 * (alone.high - alone.low)


def test_few_recordings_and_no_incidents_give_no_interval() -> None:
    four = [outcome(i, 1, 1, 0) for i in range(4)]
    assert paired_differences(four, four)["missed"].cause is NoFigure.FEW_RECORDINGS
    idle = [outcome(i, 0, 0, 0) for i in range(6)]
    assert paired_differences(idle, idle)["missed"].cause is NoFigure.NO_INCIDENTS
    assert paired_differences(idle, idle)["false_per_camera_day"].value == 0.0
    of_cameras = paired_differences(idle, idle, unit=EvidenceUnit.CAMERA)
    assert of_cameras["false_per_camera_day"].groups == 2


def test_other_recordings_or_another_truth_cannot_be_compared() -> None:
    first = [outcome(i, 1, 2, 0) for i in range(6)]
    with pytest.raises(EvaluationError, match="the same recordings alone"):
        paired_differences(first, first[:5])
    with pytest.raises(EvaluationError, match="recording '0' must have the same incidents"):
        paired_differences(first, [outcome(i, 1, 3, 0) for i in range(6)])
    longer = [replace(each, watched_s=2 * DAY_S) for each in first]
    with pytest.raises(EvaluationError, match="the same incidents and length"):
        paired_differences(first, longer)


def test_intervals_hold_the_true_difference() -> None:
    """Candidates with 1 false alarm a day more, on recordings that differ: of 300 at least 91 %."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        hardness = rng.gamma(2, 1, 8)
        first = [outcome(i, 1, 1, int(rng.poisson(h))) for i, h in enumerate(hardness)]
        second = [outcome(i, 1, 1, int(rng.poisson(h + 1))) for i, h in enumerate(hardness)]
        found = paired_differences(first, second)["false_per_camera_day"]
        assert found.low is not None and found.high is not None
        held += found.low <= 1.0 <= found.high
    assert held / 300 >= 0.91

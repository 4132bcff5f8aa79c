"""Film strips of the worst misses and false alarms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from alarm_timelines import HEIGHT, WIDTH, Box, detections, person_at
from PIL import Image

from guardianflow.contracts.recordings.alarms import AlarmRule, Incident, Recording
from guardianflow.evaluation.alarms.counting import judge_recording
from guardianflow.evaluation.pictures.film_strips import film_strips, frames_at, worst_strips

RULE = AlarmRule(
    "안전모",
    "person",
    zone=((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)),
    min_confidence=0.5,
    cooldown_s=20,
    without="helmet",
)


def footage(
    name: str, incidents: list[tuple[float, float]], boxes: list[Box], read: list[int]
) -> tuple[Recording, object]:
    def frames() -> Iterator[tuple[float, np.ndarray]]:
        for number in range(100):
            read.append(number)
            yield float(number), np.full((HEIGHT, WIDTH, 3), 2 * number, np.uint8)

    told = tuple(Incident(name, RULE.name, *each) for each in incidents)
    recording = Recording(name, "", Path(), 100.0, frames, told)
    return recording, detections([float(i) for i in range(100)], boxes, name=name)


def test_misses_and_false_alarms_by_turns_the_worst_first(tmp_path: Path) -> None:
    read: list[int] = []
    helmet = (70, (95.0, 20.0, 105.0, 30.0), 0.3, 1)
    boxes = [*person_at([50], 0.6), *person_at([70], 0.8), helmet]
    gate, found = footage("문/gate", [(5.0, 9.0), (20.0, 40.0)], boxes, read)
    outcome = judge_recording(gate, found, [RULE])
    strips = worst_strips([outcome], {"문/gate": found}, {RULE.name: RULE}, 8)
    assert [each.said for each in strips] == [
        "MISSED 안전모, 20.0–40.0 s",
        "FALSE 안전모 at 70.0 s",
        "MISSED 안전모, 5.0–9.0 s",
        "FALSE 안전모 at 50.0 s",
    ]
    path = film_strips([gate], {"문/gate": found}, [RULE], [outcome], tmp_path / "f.jpg")
    assert path is not None
    assert max(read) == 74 and read == sorted(read)  # read once, and no further than is shown
    with Image.open(path) as opened:
        picture = np.asarray(opened.convert("RGB"))
    assert picture.shape[1] > 1500
    for at_s in (20, 40 - 10, 70, 66, 5, 50):  # the pictures of those seconds are there
        assert (picture == 2 * at_s).all(axis=2).sum() > 1000


def test_moments_beyond_the_recording_are_left_out() -> None:
    _, found = footage("gate", [], [], [])
    assert frames_at(found, (-5.0, -0.4, 3.4, 98.9, 100.0, 104.0)) == [0, 3, 99, 99]


def test_where_all_was_well_no_picture_is_written(tmp_path: Path) -> None:
    read: list[int] = []
    gate, found = footage("gate", [(10.0, 20.0)], person_at([12]), read)
    outcome = judge_recording(gate, found, [RULE])
    assert film_strips([gate], {"gate": found}, [RULE], [outcome], tmp_path / "f.jpg") is None
    assert read == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_strips_than_asked_for(count: int) -> None:
    gate, found = footage("gate", [(10.0, 20.0)], person_at([40, 70]), [])
    outcome = judge_recording(gate, found, [RULE])
    assert len(worst_strips([outcome], {"gate": found}, {RULE.name: RULE}, count)) == count

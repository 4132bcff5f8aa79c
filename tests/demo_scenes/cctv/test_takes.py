"""Recordings are called as recorders call them, and day and night come on every camera."""

from __future__ import annotations

from datetime import datetime

from demo_scenes.cctv.takes import takes
from demo_scenes.light import INFRARED


def test_cameras_take_turns_and_no_two_recordings_are_called_the_same() -> None:
    made = takes(40, 7)
    assert [take.camera for take in made[:4]] == [1, 2, 1, 2]
    assert len({take.name for take in made}) == len({take.seed for take in made}) == 40
    assert [take.day for take in made] == [i // 4 for i in range(40)]
    assert made[0].name == f"cam1_{made[0].moment}" and made[0].place == f"cam1/{made[0].moment}"
    assert datetime.strptime(made[0].moment, "%Y%m%d_%H%M%S") == made[0].begins


def test_each_camera_works_by_day_at_dusk_and_by_night() -> None:
    made = takes(16, 7)
    for camera in (1, 2):
        kinds = {take.kind for take in made if take.camera == camera}
        assert kinds == {"sun", "overcast", "dusk", INFRARED}
    for take in made:
        hour = take.begins.hour + take.begins.minute / 60
        assert (7 < hour < 17) == (take.kind in ("sun", "overcast")), take


def test_other_days_are_other_recordings_of_the_same_view() -> None:
    early, late = takes(4, 7), takes(4, 7, first_day=30)
    assert not {take.seed for take in early} & {take.seed for take in late}
    assert {take.view_seed for take in early} == {take.view_seed for take in late}
    assert {take.view_seed for take in takes(4, 8)} != {take.view_seed for take in early}

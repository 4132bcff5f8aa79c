"""Frames of a video are told from pictures of their own."""

from __future__ import annotations

from pathlib import Path

from leaking_data import a_step_later, drawn, encoded, scene

from guardianflow.site_data.twins.video import VIDEO_SHARE, by_name, looks_like_video


def test_frames_of_a_recording_look_like_video_and_single_scenes_do_not(tmp_path: Path) -> None:
    there = scene(301, workers=2)
    frames = []
    for number in range(12):
        frames.append(tmp_path / f"frame{number}.jpg")  # 9 comes before 10 as people count
        frames[-1].write_bytes(encoded(drawn(there, number)))
        there = a_step_later(there)
    assert looks_like_video(frames, tmp_path / "cache") == 1.0
    singles = []
    for number in range(12):
        singles.append(tmp_path / f"single{number}.jpg")
        singles[-1].write_bytes(encoded(drawn(scene(600 + number))))
    assert looks_like_video(singles, tmp_path / "cache") == 0.0
    mixed = looks_like_video([*frames[:3], *singles], tmp_path / "cache")
    assert mixed == 3 / 15 >= VIDEO_SHARE
    assert looks_like_video(frames[:1], tmp_path / "cache") == 0.0


def test_names_are_sorted_as_people_count() -> None:
    names = ["a10.jpg", "a9.jpg", "b1.jpg", "a9_2.jpg"]
    assert [p.name for p in sorted(map(Path, names), key=by_name)] == [
        "a9.jpg",
        "a9_2.jpg",
        "a10.jpg",
        "b1.jpg",
    ]

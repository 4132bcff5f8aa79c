"""Recordings as people bring them: opened with their times, or refused with all that is wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from recorded_videos import (
    HEIGHT,
    WIDTH,
    number_in,
    write_frames,
    write_uneven_video,
    write_video,
)

from guardianflow.contracts.errors import DatasetError, EvaluationError
from guardianflow.contracts.recordings.alarms import Incident, Recording
from guardianflow.site_data.footage.recordings import open_recordings

UNEVEN = [0.0, 0.1, 0.2, 0.3, 1.3, 2.3, 3.3, 3.4, 3.5, 63.5, 63.6, 63.7]
"""Ten pictures a second, then one, then a minute without any."""


def only(path: Path, **asked: object) -> Recording:
    (found,) = open_recordings(path, **asked)  # type: ignore[arg-type]
    return found


def problems_of(path: Path, *args: object, **asked: object) -> str:
    with pytest.raises(DatasetError) as caught:
        open_recordings(path, *args, **asked)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return "\n".join(map(str, caught.value.problems))


# --- videos ---


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov", ".ts", ".webm", ".MP4"])
def test_every_container_gives_its_pictures_at_their_times(tmp_path: Path, suffix: str) -> None:
    write_video(tmp_path / f"gate{suffix.lower()}", 25, 12.5)
    (tmp_path / f"gate{suffix.lower()}").rename(tmp_path / f"gate{suffix}")
    found = only(tmp_path / f"gate{suffix}")
    assert found.duration_s == pytest.approx(2.0, abs=0.001)
    frames = list(found.frames())
    assert [at_s for at_s, _ in frames] == pytest.approx([i * 0.08 for i in range(25)], abs=1e-3)
    assert [number_in(image) for _, image in frames] == [i % 20 for i in range(25)]
    assert frames[0][1].shape == (HEIGHT, WIDTH, 3)


def test_times_of_an_uneven_video_are_the_streams(tmp_path: Path) -> None:
    path = write_uneven_video(tmp_path / "gate.mp4", UNEVEN)
    found = only(path)
    frames = list(found.frames())
    assert [at_s for at_s, _ in frames] == pytest.approx(UNEVEN, abs=1e-3)
    assert [number_in(image) for _, image in frames] == list(range(12))
    assert found.duration_s == pytest.approx(63.8, abs=1e-3)


def test_a_video_is_read_anew_each_time(tmp_path: Path) -> None:
    found = only(write_video(tmp_path / "gate.mp4", 10))
    assert [len(list(found.frames())) for _ in range(2)] == [10, 10]


def test_another_rate_than_was_said(tmp_path: Path) -> None:
    write_video(tmp_path / "even.mp4", 30, 10.0)
    write_uneven_video(tmp_path / "uneven.mp4", UNEVEN)
    assert "even.mp4: must have the 25 pictures a second that were said, but its times give 10" in (
        problems_of(tmp_path, fps=25.0)
    )
    assert "its times give 0.1727, unevenly: from 0.0167 to 10" in problems_of(tmp_path, fps=10.0)
    assert only(tmp_path / "even.mp4", fps=10.0).duration_s == pytest.approx(3.0)
    assert "fps must be above 0" in problems_of(tmp_path, fps=0.0)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".webm"])
def test_a_video_that_is_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"gate{suffix}", 60, 10.0)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])
    text = problems_of(path)
    assert text.startswith(str(path))
    assert "is no video that can be decoded" in text or "is cut short or damaged" in text


def test_a_video_that_is_damaged_on_its_way_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "gate.mp4", 60, 10.0)
    content = bytearray(path.read_bytes())
    begin, end = content.index(b"mdat"), content.rindex(b"moov")
    at, size = begin + (end - begin) // 3, (end - begin) // 2
    content[at : at + size] = np.random.default_rng(0).bytes(size)
    path.write_bytes(bytes(content))
    assert "its container tells 60 frames but" in problems_of(path)


def test_a_clock_that_stands_still_is_named(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, *[0.2] * 10, 0.3, 0.4]
    text = problems_of(write_uneven_video(tmp_path / "gate.mp4", times))
    assert "has a clock that stands still or goes back at 10 of 15 frames" in text


def test_what_is_no_video_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "gate.mp4").write_bytes(b"not a video at all" * 100)
    (tmp_path / "note.doc").write_text("x", encoding="utf-8")
    assert "is no video that can be decoded" in problems_of(tmp_path)
    assert "did you mean 'gate.mp4'" in problems_of(tmp_path / "gat.mp4")
    assert "must be a folder or a video" in problems_of(tmp_path / "note.doc")
    (tmp_path / "empty").mkdir()
    assert "holds no recording" in problems_of(tmp_path / "empty")


def test_a_video_that_changes_while_it_is_judged_ends_the_work(tmp_path: Path) -> None:
    found = only(write_video(tmp_path / "gate.mp4", 30))
    write_video(tmp_path / "gate.mp4", 20)
    with pytest.raises(EvaluationError, match="gave 20 pictures but had 30"):
        list(found.frames())


def test_a_remembered_video_is_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = write_video(tmp_path / "site" / "gate.mp4", 20), tmp_path / "cache"
    monkeypatch.setattr("guardianflow.site_data.memory.file_state.RACY_NS", -(10**12))
    first = only(path, cache_dir=cache)
    with monkeypatch.context() as patched:
        patched.setattr("guardianflow.site_data.footage.videos._scanned", _never)
        again = only(path, cache_dir=cache)
    assert (again.fingerprint, again.duration_s) == (first.fingerprint, first.duration_s)
    write_video(path, 21)
    assert only(path, cache_dir=cache).duration_s == pytest.approx(2.1)
    for memory in (cache / "footage").iterdir():
        memory.write_bytes(b"damaged")
    assert only(path, cache_dir=cache).duration_s == pytest.approx(2.1)


def _never(*_: object) -> None:
    raise AssertionError("decoded again")


# --- folders of pictures ---


def test_a_folder_of_pictures_with_times(tmp_path: Path) -> None:
    found = only(write_frames(tmp_path / "문", 12, UNEVEN))
    assert found.name == "문"
    frames = list(found.frames())
    assert [at_s for at_s, _ in frames] == pytest.approx(UNEVEN)
    assert [number_in(image) for _, image in frames] == list(range(12))


def test_a_folder_with_a_rate(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "gate", 10)
    assert "must say when its pictures were taken" in problems_of(folder)
    assert only(folder, fps=4.0).duration_s == pytest.approx(2.5)
    (folder / "fps.txt").write_text("5\n", encoding="utf-8")
    assert only(folder).duration_s == pytest.approx(2.0)
    assert "says 5 but fps is 4; which is right?" in problems_of(folder, fps=4.0)
    (folder / "fps.txt").write_text("fast", encoding="utf-8")
    assert "must hold pictures a second, above 0, but holds 'fast'" in problems_of(folder)


def test_pictures_are_in_order_of_their_numbers(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "gate", 12)
    for number in range(12):
        (folder / f"{number:06d}.png").rename(folder / f"f_{number}.png")
    numbers = [number_in(image) for _, image in only(folder, fps=1.0).frames()]
    assert numbers == list(range(12))


def test_everything_wrong_with_times_is_told_at_once(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "gate", 4, [0, 1, 2, 3])
    (folder / "times.csv").write_text(
        "name,seconds\n000000.png,0\n000001.png,nan\n000009.png,2\n000000.png,3\n", encoding="utf-8"
    )
    text = problems_of(folder)
    assert "times.csv:3: must give seconds but got 'nan'" in text
    assert "times.csv:4: '000009.png' is no picture of this folder; did you mean" in text
    assert "times.csv:5: '000000.png' is there twice" in text
    (folder / "times.csv").write_text("name,seconds\n000000.png,0\n", encoding="utf-8")
    assert "must time every picture but lacks 000001.png, 000002.png" in problems_of(folder)
    (folder / "times.csv").write_text("a,b\n", encoding="utf-8")
    assert "must have the columns name,seconds but has 'a,b'" in problems_of(folder)
    rows = ["000000.png,00:00:00", "000001.png,0:02", "000002.png,1.5", "000003.png,3"]
    (folder / "times.csv").write_text("\n".join(["name,seconds", *rows]), encoding="utf-8")
    assert "000002.png is at 1.5 s after 000001.png at 2 s" in problems_of(folder)


def test_damaged_pictures_and_other_sizes_are_named(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "gate", 4, [0, 1, 2, 3])
    (folder / "000002.png").write_bytes((folder / "000002.png").read_bytes()[:60])
    assert "000002.png" in problems_of(folder)
    write_frames(tmp_path / "small", 1)
    import cv2

    cv2.imwrite(str(folder / "000002.png"), np.zeros((60, 80, 3), np.uint8))
    assert "must be of one size but are" in problems_of(folder)


# --- folders of recordings ---


def test_each_recording_below_a_folder_with_its_camera(tmp_path: Path) -> None:
    write_video(tmp_path / "cam10" / "0104.mp4", 10)
    write_video(tmp_path / "cam2" / "0104.mp4", 10)
    write_frames(tmp_path / "cam2" / "0105", 4, [0, 1, 2, 3])
    (tmp_path / "cam2" / "._0104.mp4").write_bytes(b"of a Mac")
    found = open_recordings(tmp_path)
    assert [(each.name, each.camera) for each in found] == [
        ("cam2/0104", "cam2"),
        ("cam2/0105", "cam2"),
        ("cam10/0104", "cam10"),
    ]


def test_cameras_by_a_pattern(tmp_path: Path) -> None:
    write_video(tmp_path / "cam1_0104.mp4", 10)
    write_video(tmp_path / "cam2_0104.mp4", 10)
    assert [each.camera for each in open_recordings(tmp_path)] == ["", ""]
    pattern = r"^(?P<camera>cam\d+)_"
    named = open_recordings(tmp_path, camera_pattern=pattern)
    assert [each.camera for each in named] == ["cam1", "cam2"]
    write_video(tmp_path / "yard.mp4", 10)
    assert "'yard' does not match the pattern" in problems_of(tmp_path, camera_pattern=pattern)
    assert "must hold (?P<camera>…)" in problems_of(tmp_path, camera_pattern="cam")
    assert "is no regular expression" in problems_of(tmp_path, camera_pattern="(")


def test_names_that_two_recordings_share_and_pictures_beside_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "site" / "gate.mp4", 10)
    write_video(tmp_path / "site" / "gate.avi", 10)
    assert "is called 'gate' as gate.avi is; rename one" in problems_of(tmp_path / "site")
    mixed = write_frames(tmp_path / "mixed", 3, [0, 1, 2])
    write_video(mixed / "gate.mp4", 10)
    assert "gate.mp4: lies beside pictures" in problems_of(mixed)


def test_all_problems_of_all_recordings_at_once(tmp_path: Path) -> None:
    write_frames(tmp_path / "a", 3)
    (tmp_path / "b.mp4").write_bytes(b"x" * 1000)
    (tmp_path / "truth.csv").write_text(
        "recording,rule,start_s,end_s\nc,no_helmet,1,2\na,no_helmet,2,1\n", encoding="utf-8"
    )
    text = problems_of(tmp_path)
    assert "must say when its pictures were taken" in text
    assert "b.mp4: is no video" in text
    assert "truth.csv:2: 'c' is no recording" in text
    assert "truth.csv:3: an incident must start at 0 or later" in text


def test_fingerprints_follow_footage_and_truth(tmp_path: Path, caplog: object) -> None:
    logging.getLogger("guardianflow").setLevel(logging.DEBUG)
    times = [0.0, 1.0, 2.0, 3.0]
    write_frames(tmp_path / "one" / "gate", 4, times)
    write_frames(tmp_path / "two" / "gate", 4, times)
    truth = tmp_path / "truth.csv"
    truth.write_text("recording,rule,start_s,end_s\ngate,no_helmet,1,2\n", encoding="utf-8")
    plain = only(tmp_path / "one")
    assert only(tmp_path / "two").fingerprint == plain.fingerprint  # where it lies says nothing
    told = only(tmp_path / "one", truth=truth)
    assert told.incidents == (Incident("gate", "no_helmet", 1.0, 2.0),)
    assert told.fingerprint != plain.fingerprint
    assert told.footage_fingerprint == plain.footage_fingerprint
    (tmp_path / "two" / "gate" / "times.csv").write_text(
        "name,seconds\n" + "".join(f"{i:06d}.png,{2 * i}\n" for i in range(4)), encoding="utf-8"
    )
    assert only(tmp_path / "two").footage_fingerprint != plain.footage_fingerprint

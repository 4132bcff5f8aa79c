"""demo://incidents: recordings as a site would hand them over, and what truly happened in them."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo_scenes.cctv.acts import RULES
from demo_scenes.cctv.film import Film
from guardianflow.contracts.errors import DatasetError
from guardianflow.site_data.demo import demo_recordings
from guardianflow.site_data.drawn.incidents import COLUMNS, TRUTH, IncidentOptions
from guardianflow.site_data.drawn.videos import TIMES

OPTIONS = IncidentOptions(recordings=7, seconds=40, fps=2, size=96, seed=3)
OTHERS = {"recordings": 8, "seconds": 41, "fps": 3, "size": 100, "seed": 4}
SMALL = "demo://incidents?recordings=7&seconds=40&fps=2&size=96&seed=3"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recordings_in(home: Path, split: str) -> list[Path]:
    return sorted(home.glob(f"{split}/*/*"))


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        rows = list(reader)
        assert tuple(reader.fieldnames or ()) == COLUMNS
    return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_recordings(SMALL, tmp_path_factory.mktemp("cache"))


def test_the_same_seed_records_the_same_bytes(home: Path, tmp_path: Path) -> None:
    again = demo_recordings(SMALL, tmp_path)
    assert again.name == home.name and contents(again) == contents(home)
    keys = {replace(OPTIONS, **{name: value}).key(tmp_path / "k") for name, value in OTHERS.items()}
    assert len(keys) == len(OTHERS) and OPTIONS.key(tmp_path / "k") not in keys


def test_val_and_test_are_other_recordings_of_the_same_cameras(home: Path) -> None:
    found = {
        split: {path.relative_to(home / split) for path in recordings_in(home, split)}
        for split in ("val", "test")
    }
    assert {split: len(paths) for split, paths in found.items()} == {"val": 3, "test": 4}
    assert not found["val"] & found["test"]
    assert all({p.parent.name for p in paths} == {"cam1", "cam2"} for paths in found.values())
    days = {split: {path.name[:8] for path in paths} for split, paths in found.items()}
    assert max(days["val"]) < min(days["test"])


def test_there_are_videos_and_folders_of_even_and_uneven_times(home: Path) -> None:
    videos = list(home.glob("test/*/*.mp4"))
    assert len(videos) == 2
    for video in videos:
        capture = cv2.VideoCapture(str(video))
        times = []
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        capture.release()
        np.testing.assert_allclose(times, np.arange(80) / 2, atol=2e-3)
    uneven = []
    for file in home.glob(f"test/*/*/{TIMES}"):
        rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
        pictures = sorted(path.name for path in file.parent.glob("*.jpg"))
        assert [row["name"] for row in rows] == pictures
        seconds = [float(row["seconds"]) for row in rows]
        assert seconds[0] == 0 and 38 < seconds[-1] < 40
        gaps = np.diff(seconds)
        assert gaps.min() > 0
        uneven.append(bool(np.ptp(gaps) > 0.1))
    assert sorted(uneven) == [False, True]


def test_a_video_shows_what_was_drawn(home: Path) -> None:
    take = OPTIONS.takes()["test"][0]
    capture = cv2.VideoCapture(str(home / "test" / f"{take.place}.mp4"))
    film = Film(take, seconds=40, size=96)
    for number in range(30):
        there, frame = capture.read()
        drawn = film.shot(number, number / 2).picture
        assert there and np.abs(frame[..., ::-1].astype(int) - drawn).mean() < 8
    capture.release()


def test_the_truth_is_what_was_planned(home: Path) -> None:
    told = 0
    for split, takes in OPTIONS.takes().items():
        rows = rows_of(home / split / TRUTH)
        found = recordings_in(home, split)
        places = {path.relative_to(home / split).with_suffix("").as_posix() for path in found}
        assert {row["recording"] for row in rows} <= places == {take.place for take in takes}
        planned = [
            (take.place, act.rule, act.start_s, act.end_s)
            for take in takes
            for act in Film(take, seconds=40, size=96).plan.incidents
        ]
        assert [(row["recording"], row["rule"]) for row in rows] == [p[:2] for p in planned]
        for row, (_, rule, start, end) in zip(rows, planned, strict=True):
            assert rule in RULES
            assert float(row["start_s"]) == pytest.approx(start, abs=0.006)
            assert float(row["end_s"]) == pytest.approx(end, abs=0.006)
            assert 0 <= float(row["start_s"]) < float(row["end_s"]) < 40
        told += len(rows)
    assert told >= 5


def test_two_processes_may_record_one_set_at_once(tmp_path: Path) -> None:
    reference = "demo://incidents?recordings=4&seconds=30&fps=2&size=96"
    program = (
        "import sys; from pathlib import Path;"
        "from guardianflow.site_data.demo import demo_recordings;"
        "from demo_scenes.cctv.film import Film;"
        "sys.stdin.readline(); demo_recordings(sys.argv[1], Path(sys.argv[2]))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, reference, str(tmp_path)], stdin=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in both:  # both have imported all they need when the line comes
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
    assert [process.wait(240) for process in both] == [0, 0]
    left = [path for path in (tmp_path / "demo").iterdir() if path.is_dir()]
    assert len(left) == 1 and demo_recordings(reference, tmp_path) == left[0]


def test_all_bad_options_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        demo_recordings("demo://incidents?recordings=3&seconds=9999&fps=x&sead=1", tmp_path)
    said = str(caught.value)
    assert len(caught.value.problems) == 4 and list(tmp_path.iterdir()) == []
    for part in (
        "'recordings' must be a whole number from 4 to 100 but got '3'",
        "'seconds' must be a whole number from 30 to 600 but got '9999'",
        "'fps' must be a whole number from 2 to 15 but got 'x'",
        "unknown option 'sead'; known: recordings, seconds, fps, size, seed; did you mean",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (
            "demo://ppe",
            "no demo recording 'ppe'; known: demo://incidents; demo://ppe is for dataset",
        ),
        ("demo://incident", "no demo recording 'incident'; known: demo://incidents; did you mean"),
    ],
)
def test_a_data_set_is_no_recording(tmp_path: Path, reference: str, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        demo_recordings(reference, tmp_path)
    assert said in str(caught.value)

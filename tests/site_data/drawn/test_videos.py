"""Videos that can't be written or read whole are an error, never a shorter recording."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.site_data.drawn import videos
from guardianflow.site_data.drawn.videos import write_folder, write_video

PICTURES = [(i / 2, np.full((96, 96, 3), 20 * i, np.uint8)) for i in range(6)]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_video(tmp_path / "게이트 1" / "a.mp4", PICTURES, 2)
    capture = cv2.VideoCapture(str(tmp_path / "게이트 1" / "a.mp4"))
    levels = [float(capture.read()[1].mean()) for _ in PICTURES]
    capture.release()
    np.testing.assert_allclose(levels, [20 * i for i in range(6)], atol=4)


def test_a_codec_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(videos, "CODEC", "zzzz")
    with pytest.raises(DatasetError, match="this OpenCV opens no writer"):
        write_video(tmp_path / "a.mp4", PICTURES, 2)


def test_pictures_of_two_sizes_are_not_lost_in_silence(tmp_path: Path) -> None:
    odd = [*PICTURES, (3.0, np.zeros((64, 64, 3), np.uint8))]
    with pytest.raises(DatasetError, match="reads 6 of 7 pictures"):
        write_video(tmp_path / "a.mp4", odd, 2)


def test_a_folder_lists_the_time_of_each_picture(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", PICTURES[:2])
    listed = (tmp_path / "a" / "times.csv").read_text(encoding="utf-8")
    assert listed == "name,seconds\n000001.jpg,0.000\n000002.jpg,0.500\n"

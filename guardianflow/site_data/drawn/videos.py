"""Pictures with their times → a video file, or a folder of pictures with times.csv beside them.

cam1_20260105_081500.mp4               even times; its stream says them
cam1_20260105_213000/000001.jpg …      and times.csv: name,seconds
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...contracts.errors import DatasetError
from .generator import save_jpeg

if TYPE_CHECKING:
    from demo_scenes.canvas import Pixels

TIMES = "times.csv"
CODEC = "mp4v"  # every OpenCV wheel encodes it alone, without a codec of the system
_QUALITY = 84


def write_folder(folder: Path, pictures: Iterable[tuple[float, Pixels]]) -> None:
    """Write each picture as JPEG, numbered from 1, and the time of each into times.csv."""
    folder.mkdir(parents=True)
    rows = []
    for number, (seconds, picture) in enumerate(pictures, start=1):
        path = folder / f"{number:06d}.jpg"
        save_jpeg(path, picture, _QUALITY)
        rows.append(f"{path.name},{seconds:.3f}\n")
    (folder / TIMES).write_text("name,seconds\n" + "".join(rows), encoding="utf-8")


def write_video(path: Path, pictures: Iterable[tuple[float, Pixels]], fps: float) -> None:
    """Write a video of even times, and count that all of it can be read again.

    Raises:
        DatasetError: this OpenCV can't write or read such a video.
    """
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    written = 0
    try:
        for _, picture in pictures:
            if writer is None:
                height, width = picture.shape[:2]
                code = cv2.VideoWriter.fourcc(*CODEC)
                writer = cv2.VideoWriter(str(path), code, fps, (width, height))
                if not writer.isOpened():
                    raise DatasetError(_unable(path, "opens no writer"))
            writer.write(picture[..., ::-1])
            written += 1
    finally:
        if writer is not None:
            writer.release()
    read = _count(path)
    if read != written:
        raise DatasetError(_unable(path, f"reads {read} of {written} pictures"))


def _count(path: Path) -> int:
    """Pictures that can be decoded."""
    import cv2

    capture, count = cv2.VideoCapture(str(path)), 0
    try:
        while capture.grab():
            count += 1
    finally:
        capture.release()
    return count


def _unable(path: Path, what: str) -> str:
    return (
        f"{path.name} must be written as MPEG-4 video but this OpenCV {what}: it was built "
        "without FFmpeg; install opencv-python from PyPI"
    )

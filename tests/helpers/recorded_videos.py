"""Videos for tests: written by OpenCV, with uneven times where they are asked for.

OpenCV writes even times alone. A picture's time lies in the table stts of an MP4, which is written
anew here (ISO/IEC 14496-12, 8.6.1.2).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 160, 120


def picture(number: int) -> np.ndarray:
    """uint8, H×W×3, RGB: a bar of 8 pixels whose place tells the number, 0…19, on a dark ground."""
    image = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    left = 8 * (number % 20)
    image[:, left : left + 8] = 220
    return image


def number_in(image: np.ndarray) -> int:
    """The number, modulo 20, of a picture that went through a codec."""
    return int(image[:, :, 0].mean(axis=0).reshape(-1, 8).mean(axis=1).argmax())


def write_video(path: Path, count: int = 40, fps: float = 10.0, codec: str = "") -> Path:
    """A video of numbered pictures at even times."""
    codec = codec or {".avi": "MJPG", ".webm": "VP80"}.get(path.suffix, "mp4v")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, (WIDTH, HEIGHT)
    )
    assert writer.isOpened()
    for number in range(count):
        writer.write(picture(number)[..., ::-1])
    writer.release()
    return path


def write_uneven_video(path: Path, times_s: Sequence[float], last_s: float = 0.1) -> Path:
    """An MP4 whose pictures stand at these times; whole milliseconds, the first at 0."""
    write_video(path, len(times_s), 10.0)
    ends = [*times_s[1:], times_s[-1] + last_s]
    steps = [round(1000 * (end - at)) for at, end in zip(times_s, ends, strict=True)]
    content = path.read_bytes()
    start = content.rindex(b"moov") - 4
    moov = _rewritten(content[start:], steps)
    path.write_bytes(content[:start] + moov)
    return path


def write_frames(folder: Path, count: int = 40, times_s: Sequence[float] | None = None) -> Path:
    """A folder of numbered pictures, with times.csv where times are given."""
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:06d}.png"), picture(number)[..., ::-1])
    if times_s is not None:
        rows = [f"{number:06d}.png,{at_s:.3f}\n" for number, at_s in enumerate(times_s)]
        (folder / "times.csv").write_text("name,seconds\n" + "".join(rows), encoding="utf-8")
    return folder


# --- an MP4's boxes: size, kind, content ---

_FOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def _rewritten(boxes: bytes, steps_ms: Sequence[int]) -> bytes:
    found, at = b"", 0
    while at < len(boxes):
        size, kind = struct.unpack_from(">I4s", boxes, at)
        content = boxes[at + 8 : at + size]
        at += size
        total = sum(steps_ms)
        if kind in _FOLDERS:
            content = _rewritten(content, steps_ms)
        elif kind == b"stts":
            rows = b"".join(struct.pack(">II", 1, step) for step in steps_ms)
            content = content[:4] + struct.pack(">I", len(steps_ms)) + rows
        elif kind in (b"mdhd", b"mvhd"):
            assert content[0] == 0  # version: 32-bit times
            content = content[:12] + struct.pack(">II", 1000, total) + content[20:]
        elif kind == b"tkhd":
            content = content[:20] + struct.pack(">I", total) + content[24:]
        elif kind == b"edts":
            kind = b"free"
        found += struct.pack(">I4s", len(content) + 8, kind) + content
    return found

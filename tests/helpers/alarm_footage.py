"""Recordings for tests of alarms, and what a detector that knows them by heart sees in them.

Pictures are noise, each its own, so that recalling_detector tells them apart.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from guardianflow.contracts.results import LabelledImage

SIDE = 96
Spans = Sequence[tuple[int, int]]
"""First and last picture, both included."""


def draw_recordings(
    folder: Path,
    incidents: Mapping[str, Spans],
    *,
    rule: str = "intruder",
    pictures: int = 90,
    step_s: float = 20.0,
) -> Path:
    """Folders of pictures with times.csv each, and truth.csv beside them.

    Args:
        incidents: recording → when somebody is there.
        step_s: from one picture to the next.
    """
    rows: list[tuple[object, ...]] = [("recording", "rule", "start_s", "end_s")]
    for name, spans in incidents.items():
        home = folder / name
        home.mkdir(parents=True)
        times: list[tuple[object, ...]] = [("name", "seconds")]
        for number in range(pictures):
            chance = np.random.default_rng([number, zlib.crc32(name.encode())])
            cells = chance.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            picture = np.repeat(np.repeat(cells, SIDE // 8, axis=0), SIDE // 8, axis=1)
            file = f"{number:06d}.png"
            cv2.imwrite(str(home / file), picture)
            times.append((file, f"{number * step_s:g}"))
        _write(home / "times.csv", times)
        rows += [(name, rule, f"{a * step_s:g}", f"{(b + 1) * step_s:g}") for a, b in spans]
    _write(folder / "truth.csv", rows)
    return folder


def seen(folder: Path, spans: Mapping[str, Spans], class_id: int) -> list[LabelledImage]:
    """Every picture of the recordings, with a box in those of the spans."""
    images = []
    for home in sorted({path.parent for path in folder.rglob("*.png")}):
        name = home.relative_to(folder).as_posix()
        for number, path in enumerate(sorted(home.glob("*.png"))):
            there = any(a <= number <= b for a, b in spans.get(name, ()))
            boxes = np.array([[30, 20, 60, 90]] * there, np.float32).reshape(-1, 4)
            ids = np.full(len(boxes), class_id, np.int64)
            images.append(LabelledImage(path, SIDE, SIDE, boxes, ids))
    return images


def _write(file: Path, rows: Sequence[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)

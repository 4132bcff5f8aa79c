"""Sequences for tests: objects that walk, trackers that err, MOTChallenge's files of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guardianflow.contracts.results import Detections
from guardianflow.contracts.sequences import TrackingSequence, TrackRows

if TYPE_CHECKING:
    from guardianflow.contracts.ports import ImageArray

PEDESTRIAN, CAR, STATIC_PERSON, DISTRACTOR, REFLECTION = 1, 3, 7, 8, 12
Row = tuple[float, ...]  # frame, id, left, top, width, height, mark or confidence, class, …


def rows(*given: Row, class_id: int = PEDESTRIAN) -> TrackRows:
    """Rows in memory; mark 1 and `class_id` where they are not given."""
    whole = [(*row, *(1.0, class_id)[len(row) - 6 :])[:8] for row in given]
    table = np.array(whole, dtype=np.float64).reshape(-1, 8)
    table = table[np.argsort(table[:, 0], kind="stable")]
    return TrackRows(
        table[:, 0].astype(np.int64),
        table[:, 1].astype(np.int64),
        table[:, 2:6],
        table[:, 7].astype(np.int64),
        table[:, 6],
    )


def sequence(truth: TrackRows, length: int, **given: object) -> TrackingSequence:
    """A sequence without pictures."""
    values: dict[str, object] = {
        "name": "gate",
        "directory": Path("/data/gate"),
        "class_names": {1: "pedestrian"},
        "classes": "none",
    }
    return TrackingSequence(truth=truth, length=length, **(values | given))  # type: ignore[arg-type]


def walk(
    rng: np.random.Generator, objects: int, length: int, classes: Sequence[int] = (PEDESTRIAN,)
) -> list[Row]:
    """True boxes of objects that come, walk and go; some marked 0."""
    truth: list[Row] = []
    for number in range(1, objects + 1):
        start, stop = sorted(rng.integers(1, length + 1, 2).tolist())
        left, top, width, height = rng.uniform([0, 0, 20, 40], [300, 200, 60, 120])
        speed = rng.uniform(-8, 8, 2)
        class_id = int(rng.choice(classes))
        for frame in range(start, stop + 1):
            place = np.array([left, top]) + speed * (frame - start)
            box = [round(float(v), 2) for v in (*place, width, height)]
            mark = int(class_id in (PEDESTRIAN, CAR) and rng.random() > 0.1)
            truth.append((frame, number, *box, mark, class_id, 1))
    return truth


def track(rng: np.random.Generator, truth: Sequence[Row], length: int) -> list[Row]:
    """What a mediocre tracker says of them: loose boxes, gaps, switches, false alarms."""
    found: list[Row] = []
    names: dict[float, int] = {}
    fresh = 100
    for frame in range(1, length + 1):
        for row in (each for each in truth if each[0] == frame):
            if row[1] not in names or rng.random() < 0.05:
                fresh += 1
                names[row[1]] = fresh
            if rng.random() < 0.8:
                box = np.array(row[2:6]) + rng.normal(0, 4, 4)
                box[2:] = np.maximum(box[2:], 2)
                found.append((frame, names[row[1]], *np.round(box, 3).tolist(), 0.9, -1, -1, -1))
        if rng.random() < 0.4:
            fresh += 1
            place = rng.uniform([0, 0, 20, 40], [300, 200, 60, 120]).round(3).tolist()
            found.append((frame, fresh, *place, 0.3, -1, -1, -1))
    return found


def write_rows(path: Path, given: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(",".join(f"{v:.10g}" for v in row) + "\n" for row in given)
    path.write_text(text, encoding="utf-8")
    return path


def write_info(folder: Path, length: int, **given: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    values = {"name": folder.name, "seqLength": length} | given
    lines = "".join(f"{key}={value}\n" for key, value in values.items())
    (folder / "seqinfo.ini").write_text(f"[Sequence]\n{lines}", encoding="utf-8")


class TruthTeller:
    """A detector that sees the pictures in order and reports what ground truth says of each.

    Args:
        truth: of the sequence whose frames it will be shown.
        class_names: its own; index = class id.
        class_id: of everything it reports.
        noise: standard deviation of each box corner, pixels.
        first_pixel: number of the leftmost pixel in `truth`.
    """

    def __init__(
        self,
        truth: TrackRows,
        class_names: tuple[str, ...] = ("helmet", "person"),
        class_id: int = 1,
        noise: float = 0.0,
        first_pixel: int = 1,
    ) -> None:
        self.class_names = class_names
        self._truth, self._class_id, self._noise = truth, class_id, noise
        self._first_pixel = first_pixel
        self._rng = np.random.default_rng(0)
        self.frame = 0
        self.confidences: list[float | None] = []

    def predict(
        self,
        images: Sequence[np.ndarray],
        *,
        confidence: float | None = None,
        iou: float | None = None,
        multi_label: bool = False,
    ) -> list[Detections]:
        found = []
        for _ in images:
            self.frame += 1
            self.confidences.append(confidence)
            seen = self._truth.where((self._truth.frames == self.frame) & self._truth.counted)
            boxes = seen.boxes_ltwh.copy()
            boxes[:, :2] -= self._first_pixel
            boxes[:, 2:] += boxes[:, :2]
            boxes += self._rng.normal(0, self._noise, boxes.shape)
            found.append(
                Detections(
                    boxes.astype(np.float32),
                    np.full(len(boxes), 0.9, dtype=np.float32),
                    np.full(len(boxes), self._class_id, dtype=np.int64),
                )
            )
        return found


def with_video(one: TrackingSequence, frames: int | None = None) -> TrackingSequence:
    """The sequence with grey noise to look at, 320×200 pixels."""

    def decode() -> Iterator[ImageArray]:
        picture = np.random.default_rng(0).integers(0, 255, (200, 320, 3)).astype(np.uint8)
        for _ in range(one.length if frames is None else frames):
            yield picture

    return replace(one, width=320, height=200, video_frames=decode)

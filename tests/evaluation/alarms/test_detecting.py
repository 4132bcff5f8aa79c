"""A detector over recordings, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.recordings.alarms import Recording, RecordingDetections
from guardianflow.contracts.results import Detections
from guardianflow.evaluation.alarms.detecting import (
    detect_recording,
    kept_detections,
    load_detections,
    save_detections,
)
from guardianflow.evaluation.images.postprocessing import decode
from guardianflow.evaluation.images.preprocessing import Letterbox


class BrightSpots:
    """Finds each bright column block: as many boxes as the picture's first pixel says."""

    class_names = ("person", "헬멧")

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.asked: list[float | None] = []

    def predict(self, images, *, confidence=None, iou=None, multi_label=False):  # type: ignore[no-untyped-def]
        self.calls.append(len(images))
        self.asked.append(confidence)
        return [self._found(int(image[0, 0, 0])) for image in images]

    def _found(self, count: int) -> Detections:
        boxes = np.array([[i, 0, i + 1, 2] for i in range(count)], np.float32).reshape(-1, 4)
        scores = np.linspace(0.9, 0.1, count, dtype=np.float32)
        return Detections(boxes, scores, np.arange(count, dtype=np.int64) % 2)


def recording(
    counts: list[int], *, times: list[float] | None = None, sizes: dict[int, int] | None = None
) -> Recording:
    def frames() -> Iterator[tuple[float, np.ndarray]]:
        for number, count in enumerate(counts):
            side = (sizes or {}).get(number, 8)
            yield (times[number] if times else number * 0.5), np.full((6, side, 3), count, np.uint8)

    return Recording("문/gate", "문", Path("gate.mp4"), 0.5 * len(counts), frames, fingerprint="f")


def test_boxes_belong_to_their_pictures() -> None:
    detector, seen = BrightSpots(), []
    found = detect_recording(
        detector,
        recording([2, 0, 0, 3, 1]),
        batch_size=2,
        progress=lambda done, whole: seen.append((done, whole)),
    )
    assert found.frames.tolist() == [0, 0, 3, 3, 3, 4]
    assert found.times_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert found.boxes_xyxy.shape == (6, 4)
    assert (found.width, found.height, found.duration_s) == (8, 6, 2.5)
    assert (found.recording, found.camera, found.class_names) == (
        "문/gate",
        "문",
        ("person", "헬멧"),
    )
    assert found.least_confidence == 0.05
    assert set(detector.asked) == {0.05}
    assert detector.calls == [2, 2, 1]
    assert seen[-1] == (2.5, 2.5) and seen == sorted(seen)


def test_pictures_are_not_gathered() -> None:
    """At most a batch of them is alive at a time."""
    alive: list[int] = []

    class Counted(BrightSpots):
        def predict(self, images, **thresholds):  # type: ignore[no-untyped-def]
            alive.append(len(images))
            return super().predict(images, **thresholds)

    detect_recording(Counted(), recording([1] * 50), batch_size=4)
    assert max(alive) == 4


def test_boxes_are_the_same_however_they_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [int(each) for each in np.random.default_rng(1).integers(0, 4, 50)]
    whole = detect_recording(BrightSpots(), recording(counts), batch_size=3)
    monkeypatch.setattr("guardianflow.evaluation.alarms.detecting.BLOCK", 4)
    assert same(detect_recording(BrightSpots(), recording(counts), batch_size=3), whole)
    assert whole.frames.tolist() == [i for i, count in enumerate(counts) for _ in range(count)]


def test_nothing_found_is_kept_as_nothing() -> None:
    found = detect_recording(BrightSpots(), recording([0, 0]))
    assert (found.boxes_xyxy.shape, found.scores.dtype) == ((0, 4), np.float32)
    assert (len(found.frames), len(found.times_s)) == (0, 2)


def test_what_is_no_recording_is_refused() -> None:
    with pytest.raises(EvaluationError, match="'문/gate' has no picture"):
        detect_recording(BrightSpots(), recording([]))
    with pytest.raises(EvaluationError, match=r"one size, but at 0.50 s they become 16×6"):
        detect_recording(BrightSpots(), recording([1, 1], sizes={1: 16}))
    with pytest.raises(EvaluationError, match=r"0.500 s follows 0.500 s"):
        detect_recording(BrightSpots(), recording([1, 1], times=[0.5, 0.5]))


def same(one: RecordingDetections, other: RecordingDetections) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in RecordingDetections.__dataclass_fields__
    )


def test_kept_and_found_again_by_footage_model_and_confidence(tmp_path: Path) -> None:
    footage, made = recording([2, 0, 3]), []

    def detect(one: Recording) -> RecordingDetections:
        made.append(one.name)
        return detect_recording(BrightSpots(), one)

    first = kept_detections(footage, tmp_path, "model A", detect)
    again = kept_detections(footage, tmp_path, "model A", detect)
    assert made == ["문/gate"] and same(first, again)
    kept_detections(footage, tmp_path, "model B", detect)
    kept_detections(replace(footage, fingerprint="g"), tmp_path, "model A", detect)
    kept_detections(footage, tmp_path, "model A", detect, least_confidence=0.01)
    assert len(made) == 4
    # Another truth over the same footage detects nothing anew.
    told = replace(footage, footage_fingerprint="f", fingerprint="with truth")
    kept_detections(told, tmp_path, "model A", detect)
    assert len(made) == 4
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz"] * 4


def test_a_damaged_file_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = detect_recording(BrightSpots(), recording([2, 0, 3]))
    path = tmp_path / "kept.npz"
    save_detections(found, path, "key")
    whole = path.read_bytes()
    assert load_detections(path, "another key") is None
    for cut in (0, 10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        assert load_detections(path, "key") is None
    path.write_bytes(whole[:300] + b"\0" * 40 + whole[340:])
    assert load_detections(path, "key") is None
    assert "is detected anew" in caplog.text
    assert load_detections(tmp_path / "absent.npz", "key") is None


def test_a_detection_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fails(one: Recording) -> RecordingDetections:
        raise EvaluationError("no memory")

    with pytest.raises(EvaluationError, match="no memory"):
        kept_detections(recording([1]), tmp_path, "m", fails)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["grid", "end_to_end"])
def test_what_is_kept_holds_what_the_detector_gives_at_any_higher_threshold(output: str) -> None:
    """Rules may ask for 0.3 of boxes that were kept from 0.05 on: suppression goes from the best
    box down, so unsure ones change nothing above them."""
    rng = np.random.default_rng(7)
    fit = Letterbox(1.0, 0, 0, 640, 640)
    for _ in range(20):
        if output == "grid":
            raw = np.concatenate(
                [rng.uniform(100, 300, (4, 800)), rng.uniform(0, 1, (3, 800)) ** 4]
            )
        else:
            corners = rng.uniform(0, 300, (200, 2))
            columns = [corners, corners + 80, rng.uniform(0, 1, (200, 1)), np.ones((200, 1))]
            raw = np.concatenate(columns, axis=1)
        low, high = (
            decode(raw.astype(np.float32), output, letterbox=fit, confidence=least, iou=0.45)
            for least in (0.05, 0.3)
        )
        sure = low.scores >= np.float32(0.3)
        assert 0 < len(high) < len(low)
        assert np.array_equal(low.boxes_xyxy[sure], high.boxes_xyxy)
        assert np.array_equal(low.scores[sure], high.scores)
        assert np.array_equal(low.class_ids[sure], high.class_ids)

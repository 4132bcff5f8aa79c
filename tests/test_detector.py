"""From decoded images to boxes, with a tiny detector written here.

A real one judges real images in tests/evaluation/images/test_real_images.py.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.ports import ObjectDetector
from guardianflow.contracts.results import DetectorPackage, DetectorSpec, SessionInfo
from guardianflow.detector import Detector
from guardianflow.evaluation.images.preprocessing import load_image

SIZE = 64
COLOURS = ((255, 0, 0), (0, 0, 255))  # class 0 is red, class 1 blue


def spec(output="grid", **changes):
    values = {
        "backend": "pytorch",
        "precision": "fp32",
        "architecture": "squares",
        "class_names": ("red", "blue"),
        "input_size": SIZE,
        "output": output,
        "weights": "none",
        "files": {},
    }
    return DetectorSpec(**(values | changes))


def info(batch_size=1, input_size=SIZE):
    return SessionInfo("pytorch", "fp32", "f32", "cpu", input_size, batch_size, 1, "numpy")


class ColourSession:
    """Finds the one red and the one blue rectangle in an image: a true, if simple, detector."""

    def __init__(self, batch_size=1, output="grid"):
        self.info = info(batch_size)
        self.output = output
        self.calls = []
        self.closed = False

    def infer(self, images):
        assert images.dtype == np.uint8 and images.shape[1:] == (SIZE, SIZE, 3)
        assert 1 <= len(images) <= self.info.batch_size
        self.calls.append(len(images))
        return np.stack([self._one(image.astype(int)) for image in images])

    def _one(self, image):
        columns = []
        for class_id, colour in enumerate(COLOURS):
            ys, xs = np.nonzero(np.abs(image - colour).sum(axis=2) < 60)
            if not len(xs):
                columns.append([0.0] * 6)
                continue
            x1, y1, x2, y2 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
            if self.output == "grid":
                scores = [0.9 if k == class_id else 0.3 for k in range(2)]
                columns.append([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, *scores])
            else:
                columns.append([x1, y1, x2, y2, 0.9, class_id])
        found = np.array(columns, dtype=np.float32)
        return found.T if self.output == "grid" else found

    def close(self):
        self.closed = True


def scene(width, height, red=None, blue=None):
    image = np.full((height, width, 3), 60, dtype=np.uint8)
    for box, colour in ((red, COLOURS[0]), (blue, COLOURS[1])):
        if box:
            x1, y1, x2, y2 = box
            image[y1:y2, x1:x2] = colour
    return image


@pytest.mark.parametrize("output", ["grid", "end_to_end"])
@pytest.mark.parametrize("size", [(256, 128), (128, 256), (64, 64), (32, 16), (200, 133)])
def test_boxes_come_back_in_image_pixels(output, size):
    width, height = size
    red = (width // 8, height // 4, width // 2, height // 2)
    blue = (width // 2, height // 2, width - width // 8, height)
    detector = Detector(ColourSession(output=output), spec(output))
    (found,) = detector.predict([scene(width, height, red, blue)])
    pixel = max(width, height) / SIZE + 1  # what one network pixel is worth, and rounding
    boxes = dict(zip(found.class_ids.tolist(), found.boxes_xyxy, strict=True))
    assert boxes[0] == pytest.approx(np.array(red), abs=pixel)
    assert boxes[1] == pytest.approx(np.array(blue), abs=pixel)
    assert found.boxes_xyxy.dtype == np.float32
    assert found.scores == pytest.approx([0.9, 0.9])


@pytest.mark.parametrize(
    ("count", "calls"), [(0, []), (1, [1]), (4, [4]), (5, [4, 1]), (11, [4, 4, 3])]
)
def test_images_go_through_in_batches_the_session_takes(count, calls):
    session = ColourSession(batch_size=4)
    images = [scene(64, 64, red=(0, 0, 8 + i, 8)) for i in range(count)]
    found = Detector(session, spec()).predict(images)
    assert session.calls == calls
    assert [int(f.boxes_xyxy[0, 2]) for f in found] == [8 + i for i in range(count)]


def test_thresholds_are_the_deployed_ones_unless_given():
    image = scene(64, 64, red=(0, 0, 20, 20))
    detector = Detector(ColourSession(), spec(conf_threshold=0.95))
    assert len(detector.predict([image])[0]) == 0
    assert len(detector.predict([image], confidence=0.5)[0]) == 1
    several = detector.predict([image], confidence=0.2, multi_label=True)[0]
    assert several.class_ids.tolist() == [0, 1]
    assert several.scores == pytest.approx([0.9, 0.3])


@pytest.mark.parametrize("wrong", [{"confidence": 1.2}, {"iou": -0.1}, {"iou": float("nan")}])
def test_impossible_thresholds_are_refused(wrong):
    with pytest.raises(EvaluationError, match="must lie in 0…1"):
        Detector(ColourSession(), spec()).predict([scene(64, 64)], **wrong)


def test_an_output_of_other_classes_is_refused():
    detector = Detector(ColourSession(), spec(class_names=("red", "blue", "green")))
    with pytest.raises(EvaluationError, match=r"7 rows but has shape \(6, 2\)"):
        detector.predict([scene(64, 64)])


def test_a_session_that_drops_an_image_is_refused():
    detector = Detector(ColourSession(batch_size=2), spec())
    batch, letterboxes = detector.preprocess([scene(64, 64), scene(64, 64)])
    raw = detector.infer(batch)
    with pytest.raises(EvaluationError, match="outputs for 1 images but got 2"):
        detector.postprocess(raw[:1], letterboxes)


def test_a_session_of_another_input_size_is_refused():
    with pytest.raises(EvaluationError, match="takes images of 64 px"):
        Detector(ColourSession(), spec(input_size=96))


def test_the_detector_closes_its_session():
    session = ColourSession()
    with Detector(session, spec()) as detector:
        assert isinstance(detector, ObjectDetector)
        assert detector.class_names == ("red", "blue")
        assert detector.info.batch_size == 1
        assert detector.spec.output == "grid"
    assert session.closed


def test_only_light_libraries_are_needed():
    """The detector's files travel inside logged models, where only one backend is installed."""
    heavy = ("torch", "ultralytics", "mlflow", "openvino", "onnxruntime", "matplotlib", "pydantic")
    code = f"import sys, guardianflow.detector\nprint(sorted(set(sys.modules) & set({heavy!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_package_opens_with_its_backend(shared_data, tmp_path):
    weights = shared_data / "weights" / "yolo11n_from_int8.pt"
    shutil.copy(weights, tmp_path / "model.pt")
    names = tuple(f"class {index}" for index in range(80))
    described = spec(architecture="yolo11n", class_names=names, input_size=320, weights="model.pt")
    package = DetectorPackage.create(tmp_path, described)
    photographs = sorted((shared_data / "coco128" / "images" / "val2017").glob("*.jpg"))[:3]
    images = [load_image(path) for path in photographs]
    with Detector.open(package, batch_size=2, device="cpu") as detector:
        assert detector.info.batch_size == 2
        together = detector.predict(images)
        assert sum(len(found) for found in together) > 0
        for image, found in zip(images, together, strict=True):
            (alone,) = detector.predict([image])
            assert found.boxes_xyxy == pytest.approx(alone.boxes_xyxy, abs=0.5)
            assert found.class_ids.tolist() == alone.class_ids.tolist()

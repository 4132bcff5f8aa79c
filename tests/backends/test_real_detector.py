"""A trained detector on real images: every variant must find what PyTorch finds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from guardianflow.backends import catalogue
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.results import DetectorPackage, ExportRequest

pytestmark = pytest.mark.slow
SIDE = 640
CALIBRATION, JUDGED = 12, 6
CONFIDENT = 0.5


def letterboxed(folder: Path, count: int) -> list[np.ndarray]:
    import cv2

    made = []
    for path in islice(sorted(folder.glob("*.jpg")), count):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        scale = SIDE / max(image.shape[:2])
        height, width = (round(s * scale) for s in image.shape[:2])
        canvas = np.full((SIDE, SIDE, 3), 114, np.uint8)
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        canvas[top : top + height, left : left + width] = cv2.resize(image, (width, height))
        made.append(canvas)
    return made


@pytest.fixture(scope="module")
def source(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> DetectorPackage:
    weights = shared_data / "weights" / "yolo11n_from_int8.pt"
    return package_from_weights(weights, tmp_path_factory.mktemp("real") / "pt", input_size=SIDE)


@pytest.fixture(scope="module")
def calibration(shared_data: Path) -> list[np.ndarray]:
    return letterboxed(shared_data / "coco128" / "images" / "train2017", CALIBRATION)


@pytest.fixture(scope="module")
def judged(shared_data: Path) -> np.ndarray:
    return np.stack(letterboxed(shared_data / "coco128" / "images" / "val2017", JUDGED))


@pytest.fixture(scope="module")
def reference(source: DetectorPackage, judged: np.ndarray) -> np.ndarray:
    with catalogue.open_session(source, batch_size=JUDGED) as session:
        return session.infer(judged)


def run(package: DetectorPackage, images: np.ndarray) -> np.ndarray:
    with catalogue.open_session(package) as session:
        return np.concatenate([session.infer(image[None]) for image in images])


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_float32_is_the_same_detector(
    source: DetectorPackage,
    judged: np.ndarray,
    reference: np.ndarray,
    tmp_path: Path,
    backend: str,
) -> None:
    made = catalogue.get_backend(backend).export(source, ExportRequest("fp32"), tmp_path / "made")
    output = run(made, judged)
    np.testing.assert_allclose(output[:, :4], reference[:, :4], rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(output[:, 4:], reference[:, 4:], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("backend", "request_"),
    [
        ("openvino", ExportRequest("fp16")),
        ("onnx", ExportRequest("fp16")),
        ("openvino", ExportRequest("int8", "static", "entropy")),
        ("onnx", ExportRequest("int8", "static", "entropy")),
        ("onnx", ExportRequest("int8", "static", "percentile")),
    ],
    ids=lambda v: v if isinstance(v, str) else f"{v.precision}-{v.calibration_method}",
)
def test_smaller_precisions_find_the_same_things(
    source: DetectorPackage,
    calibration: list[np.ndarray],
    judged: np.ndarray,
    reference: np.ndarray,
    tmp_path: Path,
    backend: str,
    request_: ExportRequest,
) -> None:
    made = catalogue.get_backend(backend).export(source, request_, tmp_path / "made", calibration)
    output = run(made, judged)
    sure = reference[:, 4:].max(axis=1) > CONFIDENT
    assert sure.sum() > 50, "the images must show something"
    same_class = (output[:, 4:].argmax(axis=1) == reference[:, 4:].argmax(axis=1))[sure]
    assert same_class.mean() > 0.95
    score_change = np.abs(output[:, 4:].max(axis=1) - reference[:, 4:].max(axis=1))[sure]
    assert np.median(score_change) < 0.05
    boxes = output[:, :4].transpose(0, 2, 1)[sure]
    expected = reference[:, :4].transpose(0, 2, 1)[sure]
    assert np.median(overlaps(boxes, expected)) > 0.93
    spurious = (output[:, 4:].max(axis=1) > CONFIDENT) & (reference[:, 4:].max(axis=1) < 0.1)
    assert spurious.mean() < 1e-4


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of boxes pair by pair, K×4, centre and size."""
    low = np.maximum(first[:, :2] - first[:, 2:] / 2, second[:, :2] - second[:, 2:] / 2)
    high = np.minimum(first[:, :2] + first[:, 2:] / 2, second[:, :2] + second[:, 2:] / 2)
    shared = np.clip(high - low, 0, None).prod(axis=1)
    total = first[:, 2:].prod(axis=1) + second[:, 2:].prod(axis=1) - shared
    return np.asarray(shared / total)

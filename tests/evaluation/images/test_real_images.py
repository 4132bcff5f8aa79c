"""A real detector on real photographs: our numbers beside Ultralytics' and pycocotools'."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from guardianflow.contracts.results import DetectorSpec, LabelledImage, SessionInfo
from guardianflow.detector import Detector
from guardianflow.evaluation.accuracy.detection import (
    collect_predictions,
    evaluate_detections,
)
from guardianflow.evaluation.images.preprocessing import load_image


class TorchSession:
    """The network of a .pt file, as Ultralytics loads it."""

    def __init__(self, weights, input_size, batch_size):
        import torch
        from ultralytics import YOLO

        self._torch = torch
        self.model = YOLO(str(weights))
        self.network = self.model.model.float().eval().fuse()
        self.info = SessionInfo(
            "pytorch", "fp32", "f32", "cpu", input_size, batch_size, 1, f"torch {torch.__version__}"
        )

    def infer(self, images):
        tensor = self._torch.from_numpy(images.transpose(0, 3, 1, 2) / np.float32(255))
        with self._torch.inference_mode():
            output = self.network(tensor)
        return (output[0] if isinstance(output, (list, tuple)) else output).numpy()

    def close(self):
        pass


@pytest.fixture(scope="module")
def real_detector(shared_data):
    session = TorchSession(shared_data / "weights" / "yolo11n_from_int8.pt", 640, 4)
    names = tuple(session.model.names[i] for i in range(len(session.model.names)))
    described = DetectorSpec(
        "pytorch", "fp32", "yolo11n", names, 640, "grid", "yolo11n_from_int8.pt", {}
    )
    return Detector(session, described)


@pytest.fixture(scope="module")
def coco_val(shared_data):
    """The labelled images of coco128's val split."""
    labelled = []
    for path in sorted((shared_data / "coco128" / "images" / "val2017").glob("*.jpg")):
        height, width = load_image(path).shape[:2]
        label = shared_data / "coco128" / "labels" / "val2017" / f"{path.stem}.txt"
        text = label.read_text() if label.exists() else ""
        rows = np.array([line.split() for line in text.splitlines()], dtype=float).reshape(-1, 5)
        centre, size = rows[:, 1:3] * (width, height), rows[:, 3:] * (width, height)
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32)
        labelled.append(LabelledImage(path, width, height, boxes, rows[:, 0].astype(np.int64)))
    return labelled


@pytest.mark.slow
@pytest.mark.parametrize("thresholds", [(0.25, 0.45), (0.05, 0.7)])
def test_agrees_with_ultralytics_predict(real_detector, coco_val, thresholds):
    confidence, iou = thresholds
    for labelled in coco_val[:6]:
        image = load_image(labelled.path)
        (ours,) = real_detector.predict([image], confidence=confidence, iou=iou)
        theirs = real_detector._session.model.predict(
            cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
            imgsz=640,
            conf=confidence,
            iou=iou,
            rect=False,
            device="cpu",
            verbose=False,
        )[0].boxes
        assert ours.class_ids.tolist() == theirs.cls.int().tolist()
        assert ours.scores == pytest.approx(theirs.conf.numpy(), abs=1e-4)
        assert ours.boxes_xyxy == pytest.approx(theirs.xyxy.numpy(), abs=0.05)


@pytest.mark.slow
def test_accuracy_on_real_images(real_detector, coco_val, pycocotools_map):
    """The figures known for this detector: mAP50 0.609, mAP50-95 0.447 to 0.455."""
    seen = []
    predictions = collect_predictions(
        real_detector, coco_val, batch_size=4, progress=lambda done, total: seen.append(done)
    )
    assert seen == list(range(4, 129, 4))
    metrics = evaluate_detections(predictions, coco_val, real_detector.class_names)
    expected, expected50, _ = pycocotools_map(predictions, coco_val, 80)
    assert metrics.mAP50_95 == pytest.approx(expected, abs=1e-9)
    assert metrics.mAP50 == pytest.approx(expected50, abs=1e-9)
    assert metrics.mAP50 == pytest.approx(0.609, abs=0.01)
    assert 0.445 <= metrics.mAP50_95 <= 0.457

"""Networks to time: yolo11n at its usual size, untrained, for speed does not ask what it learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from guardianflow.backends.catalogue import get_backend
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.backends.weights.ultralytics_models import import_ultralytics
from guardianflow.contracts.results import DetectorPackage, ExportRequest
from guardianflow.evaluation.images.preprocessing import LetterboxedImages
from guardianflow.site_data.demo import demo_data_set
from pipelines.settings import load_settings

SIDE = 640
CALIBRATION_IMAGES = 8
NAMES = ("helmet", "vest", "person", "bare head")


def demo_images() -> list[Path]:
    """The images of demo://ppe at 640 px, drawn once and kept in the user's cache."""
    reference = f"demo://ppe?images=120&size={SIDE}"
    data_yaml = demo_data_set(reference, load_settings().datasets_dir)
    return sorted(data_yaml.parent.rglob("*.jpg"))


def yolo11n(
    folder: Path, side: int = SIDE, names: Sequence[str] = NAMES, *, class_bias: float = 0.0
) -> DetectorPackage:
    """An untrained yolo11n of `names`, made in `folder`.

    Args:
        class_bias: added to the scores before the sigmoid; the lower, the fewer boxes.
    """
    import_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel("yolo11n.yaml", nc=len(names), verbose=False)
    model.names = dict(enumerate(names))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():  # an untrained network fades to a constant unless its norms fit its data
        for norm in norms:
            norm.momentum = 1.0
        random = np.random.default_rng(0).random((4, 3, 320, 320), dtype=np.float32)
        model.train()(torch.from_numpy(random))
        for norm in norms:
            norm.momentum = 0.03
        for branch in model.model[-1].cv3:  # few boxes, as a trained one finds, not thousands
            branch[-1].weight.mul_(0.2)
            branch[-1].bias.add_(class_bias)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "yolo11n.pt"
    torch.save({"model": model.eval().half(), "train_args": {}}, weights)
    return package_from_weights(weights, folder / "pytorch", input_size=side)


def exported(
    source: DetectorPackage, backend: str, precision: str, folder: Path
) -> DetectorPackage:
    """A variant of `source`, made in `folder`; int8 calibrates on a few demo images."""
    calibration = (
        LetterboxedImages(demo_images()[:CALIBRATION_IMAGES], source.spec.input_size)
        if precision == "int8"
        else None
    )
    request = ExportRequest(precision, calibration_method="minmax")
    return get_backend(backend).export(
        source, request, folder / f"{backend}_{precision}", calibration
    )

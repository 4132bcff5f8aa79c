"""Small detectors built from scratch, and their exports, made once and shared by the room's tests.

An untrained network's activations fade layer by layer until its output is a constant, which every
export reproduces. So the batch norms are set from a batch of images first, and the class biases
to zero: then outputs vary, and a wrong export shows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from guardianflow.backends import catalogue, interchange, packages, ultralytics_models
from guardianflow.contracts.results import DetectorPackage, ExportRequest

SIDE = 160
CALIBRATION_IMAGES = 4
NAMES = ("helmet", "vest", "person", "bare head")

MakeWeights = Callable[[str], Path]
MakePackage = Callable[..., DetectorPackage]


def draw_images(count: int, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """uint8, count×side×side×3: smooth blobs of colour with some noise."""
    import cv2

    random = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        noisy = smooth + random.integers(-12, 13, smooth.shape)
        images.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(images)


def build_checkpoint(architecture: str, file: Path, names: tuple[str, ...] = NAMES) -> Path:
    """Write an Ultralytics checkpoint of an untrained model whose outputs vary."""
    ultralytics_models.import_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel(f"{architecture}.yaml", nc=len(names), verbose=False)
    model.names = dict(enumerate(names))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    usual = norms[0].momentum
    for norm in norms:
        norm.momentum = 1.0
    batch = torch.from_numpy(draw_images(8, seed=1)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        model.train()(batch)
    for norm in norms:
        norm.momentum = usual
    head = model.model[-1]
    for name in ("cv3", "one2one_cv3"):
        for branch in getattr(head, name, None) or ():
            torch.nn.init.zeros_(branch[-1].bias)
    torch.save({"model": model.eval().half(), "train_args": {}}, file)
    return file


@pytest.fixture(scope="session", autouse=True)
def traced_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tracing takes seconds and depends on the source alone: do it once for each."""
    trace, folder = interchange.to_onnx, tmp_path_factory.mktemp("traced")

    def copied(source: DetectorPackage, file: Path) -> None:
        kept = folder / f"{source.digest}-{source.spec.output}-{source.spec.input_size}.onnx"
        if not kept.exists():
            trace(source, kept)
        shutil.copyfile(kept, file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interchange, "to_onnx", copied)
        yield


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Three letterboxed images."""
    return draw_images(3)


@pytest.fixture(scope="session")
def calibration() -> list[np.ndarray]:
    return list(draw_images(CALIBRATION_IMAGES, seed=2))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> MakeWeights:
    """architecture → checkpoint file."""
    made: dict[str, Path] = {}
    folder = tmp_path_factory.mktemp("weights")

    def make(architecture: str) -> Path:
        if architecture not in made:
            made[architecture] = build_checkpoint(architecture, folder / f"{architecture}.pt")
        return made[architecture]

    return make


@pytest.fixture(scope="session")
def package(
    weights: MakeWeights,
    calibration: list[np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> MakePackage:
    """(architecture, backend, precision, method, calibration method) → package, made once."""
    made: dict[tuple[str, ...], DetectorPackage] = {}
    folder = tmp_path_factory.mktemp("packages")

    def make(
        architecture: str = "yolo11n",
        backend: str = "pytorch",
        precision: str = "fp32",
        method: str = "static",
        calibration_method: str = "minmax",
    ) -> DetectorPackage:
        key = (architecture, backend, precision, method, calibration_method)
        if key not in made:
            place = folder / "-".join(key)
            if backend == "pytorch":
                made[key] = packages.package_from_weights(
                    weights(architecture), place, input_size=SIDE
                )
            else:
                made[key] = catalogue.get_backend(backend).export(
                    make(architecture),
                    ExportRequest(precision, method, calibration_method),
                    place,
                    calibration,
                )
        return made[key]

    return make

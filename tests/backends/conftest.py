"""Small detectors built from scratch, and their exports, made once for the room's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints import SIDE, build_checkpoint, draw_images

from guardianflow.backends import catalogue, interchange
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.quantisation.detection_tail import Graph
from guardianflow.backends.weights import packages
from guardianflow.contracts.results import DetectorPackage, ExportRequest

CALIBRATION_IMAGES = 4

MakeWeights = Callable[[str], Path]
MakePackage = Callable[..., DetectorPackage]


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


@pytest.fixture(scope="session")
def graphs(
    package: MakePackage, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Graph, Graph]]:
    """architecture → its structure as ONNX and as OpenVINO see it."""
    import onnx
    import openvino

    made: dict[str, tuple[Graph, Graph]] = {}
    folder = tmp_path_factory.mktemp("graphs")

    def read(architecture: str) -> tuple[Graph, Graph]:
        if architecture not in made:
            file = folder / f"{architecture}.onnx"
            interchange.to_onnx(package(architecture), file)
            converted: Any = openvino.convert_model(str(file))
            made[architecture] = (
                recipes.graph_of_onnx(onnx.load(str(file))),
                recipes.graph_of_openvino(converted),
            )
        return made[architecture]

    return read

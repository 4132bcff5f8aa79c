"""Small detectors built from scratch, and their exports, made once for the room's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints import SIDE, build_checkpoint, draw_images
from once_per_run import OncePerRun

from guardianflow.backends import catalogue, interchange
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.quantisation.detection_tail import Graph
from guardianflow.backends.weights import packages
from guardianflow.contracts.results import DetectorPackage, ExportRequest

CALIBRATION_IMAGES = 4

MakeWeights = Callable[[str], Path]
MakePackage = Callable[..., DetectorPackage]


@pytest.fixture(scope="session", autouse=True)
def traced_once(once_per_run: OncePerRun) -> Iterator[None]:
    """Tracing takes seconds and depends on the source alone: do it once for each."""
    trace = interchange.to_onnx

    def copied(source: DetectorPackage, file: Path) -> None:
        name = f"traced-{source.digest}-{source.spec.output}-{source.spec.input_size}"
        kept = once_per_run.made(name, lambda folder: trace(source, folder / "graph.onnx"))
        shutil.copyfile(kept / "graph.onnx", file)

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
def weights(once_per_run: OncePerRun) -> MakeWeights:
    """architecture → checkpoint file."""

    def make(architecture: str) -> Path:
        file = f"{architecture}.pt"
        name = f"weights-{architecture}"
        return once_per_run.made(name, lambda at: build_checkpoint(architecture, at / file)) / file

    return make


@pytest.fixture(scope="session")
def package(
    weights: MakeWeights,
    calibration: list[np.ndarray],
    once_per_run: OncePerRun,
) -> MakePackage:
    """(architecture, backend, precision, method, calibration method) → package, made once."""
    made: dict[tuple[str, ...], DetectorPackage] = {}

    def make(
        architecture: str = "yolo11n",
        backend: str = "pytorch",
        precision: str = "fp32",
        method: str = "static",
        calibration_method: str = "minmax",
    ) -> DetectorPackage:
        key = (architecture, backend, precision, method, calibration_method)

        def fill(folder: Path) -> None:
            if backend == "pytorch":
                file = weights(architecture)
                packages.package_from_weights(file, folder / "package", input_size=SIDE)
                return
            request = ExportRequest(precision, method, calibration_method)
            exporter = catalogue.get_backend(backend)
            exporter.export(make(architecture), request, folder / "package", calibration)

        if key not in made:
            place = once_per_run.made("-".join(("package", *key)), fill) / "package"
            made[key] = DetectorPackage.load(place)
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

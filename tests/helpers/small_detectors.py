"""Small real detectors whose boxes depend on the pixels, without training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from guardianflow.backends.catalogue import backend_info
from guardianflow.contracts.backends import BackendRuntime
from guardianflow.contracts.results import DetectorPackage, DetectorSpec

NAMES = ("안전모", "vest", "person")
SIDE = 64


def write_onnx(file: Path, seed: int = 0) -> Path:
    """One convolution over cells of 8×8 pixels: 64 anchors, boxes and scores from the pixels."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rows, cells = 4 + len(NAMES), (SIDE // 8) ** 2
    random = np.random.default_rng(seed)
    weights = random.normal(0, 0.35, (rows, 3, 8, 8)).astype(np.float32)
    scale = np.array([SIDE] * 4 + [1] * len(NAMES), np.float32).reshape(1, rows, 1)
    graph = helper.make_graph(
        [
            helper.make_node(
                "Conv", ["images", "weights"], ["maps"], kernel_shape=[8, 8], strides=[8, 8]
            ),
            helper.make_node("Reshape", ["maps", "shape"], ["rows"]),
            helper.make_node("Sigmoid", ["rows"], ["shares"]),
            helper.make_node("Mul", ["shares", "scale"], ["output0"]),
        ],
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", rows, cells])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0, rows, cells], np.int64), "shape"),
            numpy_helper.from_array(scale, "scale"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(file))
    return file


def small_package(directory: Path, backend: str, seed: int = 0) -> DetectorPackage:
    """A package of it for 'onnx' or 'openvino', float32."""
    directory.mkdir(parents=True)
    if backend == "onnx":
        weights = write_onnx(directory / "model.onnx", seed)
    else:
        import openvino

        source = write_onnx(directory / "source.onnx", seed)
        weights = directory / "model.xml"
        openvino.save_model(openvino.convert_model(str(source)), str(weights), False)
        source.unlink()
    return described(directory, backend, weights.name)


def described(
    directory: Path, backend: str = "onnx", weights: str = "model.onnx", **more: object
) -> DetectorPackage:
    """The files that lie in a directory, as a package."""
    values: dict[str, object] = {
        "backend": backend,
        "precision": "fp32",
        "architecture": "small",
        "class_names": NAMES,
        "input_size": SIDE,
        "output": "grid",
        "weights": weights,
        "files": {},
        "lineage": {"data_fingerprint": "f" * 64, "run_id": "r" * 32},
    }
    return DetectorPackage.create(directory, DetectorSpec(**(values | more)))  # type: ignore[arg-type]


def runtime_with(*requirements: str) -> Callable[[str], BackendRuntime]:
    """For an MlflowRegistry: each backend's own modules, and these requirements."""
    return lambda backend: BackendRuntime(backend_info(backend).module, requirements)

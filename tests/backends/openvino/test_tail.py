"""The streamlined tail computes what the traced one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from guardianflow.backends import interchange
from guardianflow.backends.openvino import runtime as openvino_runtime
from guardianflow.backends.openvino.tail import streamline
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


def traced(package: DetectorPackage, folder: Path) -> openvino.Model:
    interchange.to_onnx(package, folder / "graph.onnx")
    return openvino_runtime.convert(openvino, folder / "graph.onnx")


def run(model: openvino.Model, *inputs: np.ndarray) -> np.ndarray:
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return np.array(compiled(list(inputs))[0])


def kinds(model: openvino.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


@pytest.mark.parametrize(
    ("architecture", "places"), [("yolov8n", 2), ("yolo11n", 2), ("yolo26n", 1)]
)
def test_the_function_stays_the_same(
    package: MakePackage, images: np.ndarray, tmp_path: Path, architecture: str, places: int
) -> None:
    batch = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    model = traced(package(architecture), tmp_path)
    before = run(model, batch)
    assert streamline(openvino, model) == places
    np.testing.assert_allclose(run(model, batch), before, atol=2e-3, rtol=1e-4)
    assert model.outputs[0].get_partial_shape()[0].is_dynamic, "batches stay free"


def test_doing_it_twice_changes_nothing_more(package: MakePackage, tmp_path: Path) -> None:
    model = traced(package("yolo11n"), tmp_path)
    streamline(openvino, model)
    once = kinds(model)
    assert streamline(openvino, model) == 0
    assert kinds(model) == once


def dfl_network(bins: int, sides: int) -> openvino.Model:
    """Box logits of two levels through the DFL, as PyTorch traces it."""
    levels = [ops.parameter([1, sides * bins, side, side], np.float32) for side in (4, 2)]
    flat = [ops.reshape(level, ops.constant([0, sides * bins, -1]), True) for level in levels]
    parts = ops.reshape(ops.concat(flat, -1), ops.constant([0, sides, bins, 20]), True)
    shares = ops.softmax(ops.transpose(parts, ops.constant([0, 2, 1, 3])), 1)
    weights = ops.constant(np.arange(bins, dtype=np.float32).reshape(1, bins, 1, 1))
    expected = ops.convolution(shares, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    return openvino.Model([ops.reshape(expected, ops.constant([0, sides, -1]), True)], levels)


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (8, 0), (8, 500), (8, -500), (0, 90)])
def test_large_logits_neither_overflow_nor_vanish(scale: float, shift: float) -> None:
    random = np.random.default_rng(0)
    logits = [
        (scale * random.standard_normal((1, 64, side, side)) + shift).astype(np.float32)
        for side in (4, 2)
    ]
    for level in logits:  # each side of a box has a level of its own
        level += np.repeat(np.float32([0, 200, -200, 40]), 16)[:, None, None]
    model = dfl_network(16, 4)
    before = run(model, *logits)
    assert streamline(openvino, model) == 1
    assert "Softmax" not in kinds(model)
    np.testing.assert_allclose(run(model, *logits), before, atol=1e-4)


def test_a_softmax_that_is_no_dfl_stays(tmp_path: Path) -> None:
    image = ops.parameter([1, 3, 8, 8], np.float32)
    shares = ops.softmax(ops.transpose(image, ops.constant([0, 2, 3, 1])), 1)
    model = openvino.Model([ops.sigmoid(ops.concat([shares, shares], 1))], [image])
    before = kinds(model)
    assert streamline(openvino, model) == 0
    assert kinds(model) == before

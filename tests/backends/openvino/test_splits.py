"""Joining what a split took apart: the same numbers, fewer copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from guardianflow.backends.openvino.splits import join_whole
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


def block(order: list[int], axis: int = 1) -> openvino.Model:
    """A C2f block's skeleton: split in two, work on the second half, join in the order given."""
    image = ops.parameter([1, 4, 6, 6], np.float32)
    halves = ops.split(image, ops.constant(axis), 2)
    worked = ops.relu(halves.output(1))
    joined = ops.concat([*(halves.output(index) for index in order), worked], axis)
    return openvino.Model([joined], [image])


def run(model: openvino.Model) -> np.ndarray:
    image = np.random.default_rng(0).standard_normal((1, 4, 6, 6)).astype(np.float32)
    return np.array(openvino.Core().compile_model(model, "CPU")([image])[0])


def kinds(model: openvino.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


def test_halves_that_are_joined_in_their_order_are_the_whole() -> None:
    model = block([0, 1])
    before = run(model)
    assert join_whole(openvino, model) == 1
    assert "Split" not in kinds(model)
    np.testing.assert_array_equal(run(model), before)
    assert join_whole(openvino, model) == 0, "once is enough"


@pytest.mark.parametrize("model", [block([1, 0]), block([0, 0]), block([0]), block([0, 1], axis=2)])
def test_any_other_join_stays(model: openvino.Model) -> None:
    before = kinds(model)
    assert join_whole(openvino, model) == 0
    assert kinds(model) == before


@pytest.mark.parametrize("architecture", ["yolo11n", "yolo26n"])
def test_int8_packages_are_made_so_and_float_ones_are_not(
    package: MakePackage, architecture: str
) -> None:
    core = openvino.Core()
    quantised = core.read_model(package(architecture, "openvino", "int8").weights_path)
    assert join_whole(openvino, quantised) == 0, "nothing is left to join"
    assert join_whole(openvino, core.read_model(package(architecture, "openvino").weights_path)) > 0

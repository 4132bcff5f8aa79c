"""What ONNX Runtime's 8-bit kernels are no faster at stays float."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.backends.onnx import kept_float, quantisation
from guardianflow.backends.quantisation.detection_tail import Graph, Operation
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


def graph(*operations: tuple[str, str, tuple[str, ...]]) -> Graph:
    return Graph({each[0]: Operation(*each) for each in operations}, (operations[-1][0],))


def test_attention_is_float_between_its_products_and_a_silu_before_it_is_not() -> None:
    network = graph(
        ("conv", "Conv", ()),
        ("sigmoid", "Sigmoid", ("conv",)),
        ("silu", "Mul", ("conv", "sigmoid")),
        ("turned", "Transpose", ("silu",)),
        ("query", "Mul", ("turned",)),
        ("parts", "Split", ("silu",)),
        ("products", "MatMul", ("query", "parts")),
        ("scaled", "Mul", ("products",)),
        ("shares", "Softmax", ("scaled",)),
        ("mixed", "MatMul", ("parts", "shares")),
        ("shaped", "Reshape", ("mixed",)),
        ("sum", "Add", ("shaped", "conv")),
        ("rescaled", "Mul", ("sum",)),
    )
    assert kept_float.attention_products(network) == ["query", "products", "scaled", "mixed"]


def test_a_product_with_weights_is_no_attention() -> None:
    network = graph(("conv", "Conv", ()), ("layer", "MatMul", ("conv",)), ("y", "Add", ("layer",)))
    assert kept_float.attention_products(network) == []


@pytest.mark.parametrize(("architecture", "products"), [("yolo11n", 2), ("yolov8n", 0)])
def test_of_a_detector_the_first_layer_attention_and_the_tail_stay(
    package: MakePackage, tmp_path: Path, architecture: str, products: int
) -> None:
    prepared = tmp_path / "prepared.onnx"
    quantisation.prepare(package(architecture, "onnx").weights_path, prepared)
    kept = kept_float.always_float(prepared)
    operations = kept_float.structure_of(prepared).operations
    of_kind = [operations[name].kind for name in kept if "/attn/" in name]
    assert of_kind.count("MatMul") == products
    convolutions = [name for name in kept if operations[name].kind == "Conv"]
    assert "/model.0/conv/Conv" in convolutions
    assert not [name for name in convolutions if "/cv2." in name or "/cv3." in name], (
        "the last convolutions are products, which take 8-bit numbers"
    )

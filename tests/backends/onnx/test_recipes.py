from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from guardianflow.backends import catalogue
from guardianflow.backends.onnx import quantisation
from guardianflow.backends.onnx.kept_float import structure_of
from guardianflow.backends.onnx.recipes import OnnxRecipeExporter
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.contracts.errors import BackendError, BackendUnavailableError
from guardianflow.contracts.quantisation import Recipe
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


@pytest.fixture(scope="module")
def exporter(
    package: MakePackage, calibration: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OnnxRecipeExporter]:
    with OnnxRecipeExporter(
        package(), calibration, tmp_path_factory.mktemp("onnx-recipes")
    ) as opened:
        yield opened


def quantised_convolutions(package: DetectorPackage) -> set[str]:
    """A quantised weight comes through a node of its own; the last ones are matrix products."""
    import onnx

    graph = recipes.graph_of_onnx(onnx.load(str(package.weights_path)))
    return {
        name
        for name in recipes.operations_of_kind(graph, recipes.CONVOLUTIONS | {"Gemm"})
        if len(graph.operations[name].inputs) > 1
    }


@pytest.mark.slow
def test_exactly_the_convolutions_of_float_groups_stay_float(
    exporter: OnnxRecipeExporter, tmp_path: Path
) -> None:
    bold = exporter.make(Recipe(calibration_method="minmax"), tmp_path / "bold")
    every = quantised_convolutions(bold)
    for group in exporter.groups[:2] + exporter.groups[-1:]:
        recipe = Recipe((group.name,), calibration_method="minmax")
        made = exporter.make(recipe, tmp_path / group.name)
        assert quantised_convolutions(made) == every - set(group.operations), group.name
        assert int(made.spec.lineage["float_nodes"]) > int(bold.spec.lineage["float_nodes"])
        floated, of = map(int, made.spec.lineage["float_convolutions"].split(" of "))
        assert of - floated == len(quantised_convolutions(made))
    assert bold.spec.lineage["float_convolutions"] == f"1 of {len(every) + 1}"


def test_bias_correction_is_accepted_and_recorded_as_none(
    exporter: OnnxRecipeExporter, images: np.ndarray, tmp_path: Path
) -> None:
    outputs = []
    for wanted in (True, False):
        recipe = Recipe(bias_correction=wanted, calibration_method="minmax")
        made = exporter.make(recipe, tmp_path / str(wanted))
        assert made.spec.lineage["bias_correction"] == "none"
        with catalogue.open_session(made, batch_size=len(images)) as session:
            outputs.append(session.infer(images))
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_symmetric_activations_are_refused_with_the_reason(
    exporter: OnnxRecipeExporter, tmp_path: Path
) -> None:
    recipe = Recipe(preset="performance", calibration_method="minmax")
    with pytest.raises(BackendUnavailableError, match=r"slower with symmetric int8.*use 'mixed'"):
        exporter.make(recipe, tmp_path / "made")
    with pytest.raises(BackendUnavailableError, match="'performance'"):
        exporter.sensitivity(recipe)


@pytest.mark.slow
def test_an_end_to_end_detector_has_a_exporter_too(
    package: MakePackage, calibration: list[np.ndarray], images: np.ndarray, tmp_path: Path
) -> None:
    with OnnxRecipeExporter(package("yolo26n"), calibration, tmp_path / "cache") as exporter:
        recipe = Recipe(("attention", "heads"), calibration_method="minmax")
        made = exporter.make(recipe, tmp_path / "made")
    with catalogue.open_session(made, batch_size=len(images)) as session:
        assert session.infer(images).shape == (3, 300, 6)
    with catalogue.open_session(package("yolo26n"), batch_size=len(images)) as session:
        reference = session.infer(images)
    with catalogue.open_session(made, batch_size=len(images)) as session:
        output = session.infer(images)
    np.testing.assert_allclose(output[:, :20, 4], reference[:, :20, 4], atol=0.15)


def test_nodes_without_a_name_are_given_one(tmp_path: Path) -> None:
    """As they come out of fusing a HardSwish, or out of another exporter."""
    from onnx import TensorProto, helper

    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, (3, 3, 1, 1), np.eye(3).ravel())
        for name in ("w1", "w2")
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 8, 8)) for name in ("x", "y")
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"]),
        helper.make_node("HardSwish", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(tmp_path / "model.onnx"))
    with pytest.raises(BackendError, match="must have a name of its own"):
        structure_of(tmp_path / "model.onnx")
    quantisation.prepare(tmp_path / "model.onnx", tmp_path / "prepared.onnx")
    operations = structure_of(tmp_path / "prepared.onnx").operations
    assert [each.kind for each in operations.values()].count("Conv") == 2
    assert all(operations)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.backends import interchange
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.quantisation.detection_tail import Graph, Operation
from guardianflow.contracts.errors import BackendError
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


def graph_of(*operations: tuple[str, str, tuple[str, ...]], outputs: tuple[str, ...]) -> Graph:
    return Graph(
        {name: Operation(name, kind, inputs) for name, kind, inputs in operations}, outputs
    )


def test_the_walk_stops_at_convolutions() -> None:
    graph = graph_of(
        ("backbone", "Conv", ()),
        ("activation", "Relu", ("backbone",)),
        ("head", "Conv", ("activation",)),
        ("rows", "Reshape", ("head",)),
        ("scores", "Sigmoid", ("rows",)),
        outputs=("scores",),
    )
    assert recipes.detection_tail(graph) == ["rows", "scores"]


def test_a_convolution_over_a_softmax_is_the_dfl_and_belongs_to_the_tail() -> None:
    graph = graph_of(
        ("head", "Conv", ()),
        ("bins", "Reshape", ("head",)),
        ("weights", "Softmax", ("bins",)),
        ("turned", "Transpose", ("weights",)),
        ("expectation", "Conv", ("turned",)),
        ("boxes", "Reshape", ("expectation",)),
        outputs=("boxes",),
    )
    assert recipes.detection_tail(graph) == ["bins", "weights", "turned", "expectation", "boxes"]


def test_a_convolution_after_attention_is_not_taken_for_a_dfl() -> None:
    graph = graph_of(
        ("query", "Conv", ()),
        ("attention", "Softmax", ("query",)),
        ("mixed", "MatMul", ("attention",)),
        ("projection", "Conv", ("mixed",)),
        ("out", "Reshape", ("projection",)),
        outputs=("out",),
    )
    assert recipes.detection_tail(graph) == ["out"]


def test_reading_a_shape_does_not_draw_the_network_into_the_tail() -> None:
    graph = graph_of(
        ("neck", "Conv", ()),
        ("activation", "Mul", ("neck",)),
        ("batch", "Shape", ("activation",)),
        ("head", "Conv", ("activation",)),
        ("out", "Reshape", ("head", "batch")),
        outputs=("out",),
    )
    assert recipes.detection_tail(graph) == ["batch", "out"]


def test_a_graph_without_convolutions_is_refused() -> None:
    graph = graph_of(("a", "MatMul", ()), ("b", "Sigmoid", ("a",)), outputs=("b",))
    with pytest.raises(BackendError, match="no detection tail can be told"):
        recipes.detection_tail(graph)


def test_nodes_without_a_name_of_their_own_are_refused() -> None:
    from onnx import helper

    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    with pytest.raises(BackendError, match="name of its own"):
        recipes.graph_of_onnx(model)


@pytest.mark.parametrize(("architecture", "dfl"), [("yolo11n", 1), ("yolov8n", 1), ("yolo26n", 0)])
def test_real_heads_by_structure(
    graphs: Callable[[str], tuple[Graph, Graph]], architecture: str, dfl: int
) -> None:
    for graph in graphs(architecture):
        tail = set(recipes.detection_tail(graph))
        kinds = [graph.operations[name].kind for name in tail]
        assert sum(kind in recipes.CONVOLUTIONS for kind in kinds) == dfl
        # every other convolution of the network stays to be quantised
        convolutions = set(recipes.operations_of_kind(graph, recipes.CONVOLUTIONS))
        assert len(convolutions - tail) == len(convolutions) - dfl
        # class scores and, where there is a DFL, its softmax are computed in float
        assert "Sigmoid" in kinds
        assert sum(kind in recipes.SOFTMAXES for kind in kinds) == dfl
        # the tail is the end of the network, not a large part of it
        assert len(tail) < 0.2 * len(graph.operations)
        # it is entered through three box and three class branches
        entries = recipes.last_convolutions(graph)
        assert len(entries) == 6
        assert set(entries) <= convolutions - tail
        assert set(graph.outputs) <= tail


def test_an_end_to_end_head_keeps_its_selection_in_float(
    graphs: Callable[[str], tuple[Graph, Graph]],
) -> None:
    for graph in graphs("yolo26n"):
        kinds = {graph.operations[name].kind for name in recipes.detection_tail(graph)}
        assert "TopK" in kinds
        assert any(kind.startswith("Gather") for kind in kinds)


def test_the_interchange_graph_has_a_free_batch_and_fixed_sides(
    package: MakePackage, tmp_path: Path
) -> None:
    import onnx

    interchange.to_onnx(package(), tmp_path / "graph.onnx")
    model = onnx.load(str(tmp_path / "graph.onnx"))
    sizes = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", 3, 160, 160]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["task"] == "detect"
    assert metadata["imgsz"] == "[160, 160]"
    assert "bare head" in metadata["names"]

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.quantisation.detection_tail import Graph, Operation
from guardianflow.backends.quantisation.layer_groups import (
    QUANTISABLE,
    layer_groups,
    operations_of,
    safely_float,
)
from guardianflow.contracts.errors import BackendError, ConfigurationError
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


def graph_of(*operations: tuple[str, str, tuple[str, ...]], outputs: tuple[str, ...]) -> Graph:
    return Graph(
        {name: Operation(name, kind, inputs) for name, kind, inputs in operations}, outputs
    )


def grouped(graph: Graph, parts: int = 8) -> dict[str, tuple[str, ...]]:
    return {group.name: group.operations for group in layer_groups(graph, parts)}


def check_partition(graph: Graph, parts: int) -> None:
    groups = layer_groups(graph, parts)
    members = [name for group in groups for name in group.operations]
    tail = set(recipes.detection_tail(graph))
    quantisable = [n for n, o in graph.operations.items() if o.kind in QUANTISABLE]
    assert sorted(members) == sorted(set(quantisable) - tail)
    assert all(group.operations for group in groups)
    assert len({group.name for group in groups}) == len(groups)
    order = {name: index for index, name in enumerate(graph.operations)}
    for group in groups:
        assert list(group.operations) == sorted(group.operations, key=order.__getitem__)


TWO_BRANCHES = graph_of(
    ("stem", "Conv", ()),
    ("stem act", "Relu", ("stem",)),
    ("body", "Conv", ("stem act",)),
    ("features", "Relu", ("body",)),
    ("box conv", "Conv", ("features",)),
    ("box gate", "Sigmoid", ("box conv",)),
    ("box act", "Mul", ("box conv", "box gate")),
    ("box", "Conv", ("box act",)),
    ("class conv", "Conv", ("features",)),
    ("class", "Conv", ("class conv",)),
    ("out", "Concat", ("box", "class")),
    outputs=("out",),
)


def test_a_head_is_walked_back_to_the_feature_map_that_its_branches_share() -> None:
    groups = grouped(TWO_BRANCHES, parts=2)
    assert groups["heads"] == (
        "box conv",
        "box gate",
        "box act",
        "box",
        "class conv",
        "class",
    )
    assert groups["part 1 of 2"] == ("stem",)
    assert groups["part 2 of 2"] == ("body",)
    assert "out" not in {name for names in groups.values() for name in names}


def test_a_single_branch_ends_where_feature_maps_are_concatenated() -> None:
    graph = graph_of(
        ("a", "Conv", ()),
        ("b", "Conv", ("a",)),
        ("merged", "Concat", ("a", "b")),
        ("mixed", "Conv", ("merged",)),
        ("end", "Conv", ("mixed",)),
        ("out", "Reshape", ("end",)),
        outputs=("out",),
    )
    assert grouped(graph)["heads"] == ("mixed", "end")


def attention_graph(bias: bool) -> Graph:
    """Queries, keys and values of one convolution, a positional convolution, a projection."""

    def convolution(name: str, source: str) -> list[tuple[str, str, tuple[str, ...]]]:
        if not bias:
            return [(name, "Conv", (source,))]
        return [(f"{name} product", "Convolution", (source,)), (name, "Add", (f"{name} product",))]

    return graph_of(
        *convolution("before", "image"),
        *convolution("qkv", "before"),
        ("rows", "Reshape", ("qkv",)),
        ("split", "Split", ("rows",)),
        ("turned", "Transpose", ("split",)),
        ("likeness", "MatMul", ("turned", "split")),
        ("scaled", "Mul", ("likeness",)),
        ("weights", "Softmax", ("scaled",)),
        ("mixed", "MatMul", ("split", "weights")),
        ("map", "Reshape", ("mixed",)),
        ("values", "Reshape", ("split",)),
        *convolution("position", "values"),
        ("placed", "Add", ("map", "position")),
        *convolution("projection", "placed"),
        ("residual", "Add", ("before", "projection")),
        *convolution("forward", "residual"),
        *convolution("end", "forward"),
        ("out", "Reshape", ("end",)),
        outputs=("out",),
    )


@pytest.mark.parametrize("bias", [False, True])
def test_attention_takes_the_convolutions_that_only_feed_or_read_it(bias: bool) -> None:
    graph = attention_graph(bias)
    graph = Graph(
        {
            name: Operation(name, o.kind, tuple(i for i in o.inputs if i != "image"))
            for name, o in graph.operations.items()
        },
        graph.outputs,
    )
    found = set(grouped(graph)["attention"])
    layers = {"qkv", "position", "projection"}
    assert {"likeness", "scaled", "weights", "mixed", "placed"} | layers <= found
    assert not found & {"before", "residual", "forward", "end"}
    if bias:
        assert {f"{name} product" for name in layers} <= found
    check_partition(graph, 8)


def test_a_product_with_constant_weights_is_no_attention() -> None:
    graph = graph_of(
        ("a", "Conv", ()),
        ("dense", "MatMul", ("a",)),
        ("b", "Conv", ("dense",)),
        ("end", "Conv", ("b",)),
        ("out", "Reshape", ("end",)),
        outputs=("out",),
    )
    assert "attention" not in grouped(graph)


def test_parts_below_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="parts must be 1 or more but got 0"):
        layer_groups(TWO_BRANCHES, 0)


KINDS = ("Conv", "Relu", "Add", "Mul", "Concat", "MatMul", "Softmax", "Split", "Reshape", "Sigmoid")


@st.composite
def random_graphs(draw: st.DrawFn) -> Graph:
    """Any graph of up to 30 operations that ends in a convolution."""
    count = draw(st.integers(1, 30))
    operations = [Operation("0", "Conv", ())]
    for index in range(1, count):
        sources = draw(st.lists(st.integers(0, index - 1), min_size=1, max_size=3))
        kind = draw(st.sampled_from(KINDS))
        operations.append(Operation(str(index), kind, tuple(map(str, sources))))
    operations.append(Operation("end", "Conv", (str(count - 1),)))
    operations.append(Operation("out", "Reshape", ("end",)))
    return Graph({operation.name: operation for operation in operations}, ("out",))


@given(graph=random_graphs(), parts=st.integers(1, 10))
@settings(max_examples=150, deadline=None)
def test_every_quantisable_operation_is_in_exactly_one_group(graph: Graph, parts: int) -> None:
    check_partition(graph, parts)


@given(length=st.integers(3, 60), parts=st.integers(1, 10))
def test_parts_are_about_equal(length: int, parts: int) -> None:
    names = [str(index) for index in range(length)]
    chain = [Operation(n, "Conv", (names[i - 1],) if i else ()) for i, n in enumerate(names)]
    # another reader of what the head reads: the head is its last convolution alone
    side = [Operation("side", "Conv", (names[-2],)), Operation("both", "Add", (names[-1], "side"))]
    graph = Graph({o.name: o for o in [*chain, *side]}, ("both",))
    sizes = [len(o) for name, o in grouped(graph, parts).items() if name.startswith("part ")]
    assert len(sizes) == min(parts, sum(sizes))
    assert max(sizes) - min(sizes) <= 1


# convolutions of each group, as the networks' own definitions have them: 3 sizes × (box: 3,
# class: 3 or, in newer networks, 5), attention blocks × (qkv, position, projection)
@pytest.mark.parametrize(
    ("architecture", "heads", "attention"),
    [("yolov8n", 18, 0), ("yolo11n", 24, 3), ("yolo26n", 24, 6)],
)
def test_real_networks_by_structure(
    graphs: Callable[[str], tuple[Graph, Graph]], architecture: str, heads: int, attention: int
) -> None:
    for graph in graphs(architecture):
        check_partition(graph, 8)
        groups = layer_groups(graph)
        convolutions = {
            group.name: sum(
                graph.operations[n].kind in recipes.CONVOLUTIONS for n in group.operations
            )
            for group in groups
        }
        assert convolutions["heads"] == heads
        assert set(recipes.last_convolutions(graph)) <= operations_of(groups, ["heads"])
        assert convolutions.get("attention", 0) == attention
        parts = [count for name, count in convolutions.items() if name.startswith("part ")]
        assert len(parts) == 8
        assert max(parts) - min(parts) <= 1


@pytest.mark.parametrize("architecture", ["yolo11n", "yolo26n"])
def test_both_formats_of_a_network_have_the_same_attention_and_heads(
    graphs: Callable[[str], tuple[Graph, Graph]], architecture: str
) -> None:
    def sizes(graph: Graph) -> dict[str, int]:
        """Convolutions and activation products of the groups found by structure."""
        counted = recipes.CONVOLUTIONS | {"MatMul", "Softmax", "SoftMax"}
        return {
            name: sum(graph.operations[n].kind in counted for n in operations)
            for name, operations in grouped(graph).items()
            if not name.startswith("part ")
        }

    of_onnx, of_openvino = graphs(architecture)
    assert sizes(of_onnx) == sizes(of_openvino)


def plain_head(*more: Operation) -> Graph:
    """Backbone, head, and nothing that says which output is a score."""
    names = ("image", "deep", "deeper", "out")
    chain = [
        Operation(name, "Conv", (before,) if before else ())
        for before, name in zip(("", *names), names, strict=False)
    ]
    return Graph({each.name: each for each in [*chain, *more]}, ("rows",))


def test_in_a_graph_of_unknown_structure_heads_stay_float_and_what_is_missing_is_named() -> None:
    graph = plain_head(Operation("rows", "Reshape", ("out",)))
    kept, missing = safely_float(graph)
    assert len(missing) == 2
    assert missing[0].startswith("class scores")
    assert missing[1].startswith("separate branches for boxes and classes")
    assert recipes.detection_tail(graph) == ["rows"]
    assert kept == ["out", "rows"]  # one branch from end to end: its end stands for the head


def test_a_known_structure_keeps_its_tail_alone() -> None:
    graph = Graph(
        {
            each.name: each
            for each in (
                Operation("image", "Conv", ()),
                Operation("boxes", "Conv", ("image",)),
                Operation("classes", "Conv", ("image",)),
                Operation("scores", "Sigmoid", ("classes",)),
                Operation("out", "Concat", ("boxes", "scores")),
            )
        },
        ("out",),
    )
    assert safely_float(graph) == (["scores", "out"], ())
    product = Operation("mixed", "MatMul", ("out",))
    mixed = Graph({**graph.operations, "mixed": product}, ("mixed",))
    assert "matrix product" in safely_float(mixed)[1][0]


def test_where_nothing_is_left_to_quantise_that_is_an_error() -> None:
    alone = Graph(
        {"c": Operation("c", "Conv", ()), "rows": Operation("rows", "Reshape", ("c",))}, ("rows",)
    )
    with pytest.raises(BackendError, match=r"unknown structure \(not found: class scores"):
        safely_float(alone)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["openvino", "onnx"])
@pytest.mark.parametrize("architecture", ["yolov8n", "yolo11n", "yolo26n"])
def test_the_families_we_know_miss_nothing(
    package: MakePackage, architecture: str, backend: str
) -> None:
    made = package(architecture, backend, "int8")
    assert "structure_not_found" not in made.spec.lineage

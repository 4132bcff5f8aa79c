"""Ranges are fitted to what the 8-bit kernels do with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from guardianflow.backends.onnx.ranges import fit

Range = tuple[float, float]
HARD_SWISH = {"alpha": 1 / 6, "beta": 0.5}


def network(folder: Path, *nodes: onnx.NodeProto) -> Path:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes),
        "part",
        [value("x", TensorProto.FLOAT, None)],
        [value("y", TensorProto.FLOAT, None)],
    )
    onnx.save(helper.make_model(graph), str(folder / "prepared.onnx"))
    return folder / "prepared.onnx"


def fitted(prepared: Path, **measured: Range) -> Mapping[str, Range]:
    """As the library writes them: numbers, or arrays of one."""
    data = {
        name: {
            "lowest": low,
            "highest": {"CLS": "numpy.array", "data": [high], "dtype": "float32"},
            "CLS": "TensorData",
        }
        for name, (low, high) in measured.items()
    }
    file = prepared.with_name("measured.json")
    file.write_text(json.dumps({"CLS": "TensorsData", "data": data}), encoding="utf-8")
    fit(prepared, file, prepared.with_name("fitted.json"))
    done = json.loads(prepared.with_name("fitted.json").read_text(encoding="utf-8"))["data"]
    return {name: (each["lowest"], each["highest"]) for name, each in done.items()}


def activation(
    operator: str, *readers: str, slopes: Mapping[str, float] = HARD_SWISH
) -> list[onnx.NodeProto]:
    given = slopes if operator == "HardSigmoid" else {}
    return [
        helper.make_node(operator, ["x"], ["s"], "s", **given),
        helper.make_node("Mul", ["x", "s"], ["y"], "y"),
        *(helper.make_node(each, ["x"], [each], each) for each in readers),
    ]


@pytest.mark.parametrize(
    ("operator", "measured", "wanted"),
    [
        ("Sigmoid", (-44.6, 44.9), (-4.75, 44.9)),
        ("Sigmoid", (-2.5, 3.0), (-2.5, 3.0)),
        ("HardSigmoid", (-44.6, 44.9), (-3.0, 44.9)),
        ("HardSigmoid", (-2.5, 3.0), (-3.0, 3.0)),
    ],
)
def test_what_an_activation_makes_zero_of_takes_no_levels(
    tmp_path: Path, operator: str, measured: Range, wanted: Range
) -> None:
    prepared = network(tmp_path, *activation(operator))
    found = fitted(prepared, x=measured, s=(0.0, 1.0), y=(-0.3, 44.9))
    assert found == {"x": wanted, "s": (0.0, 1.0), "y": (-0.3, 44.9)}


def test_the_finer_the_result_the_lower_a_silu_s_range_begins(tmp_path: Path) -> None:
    """Below -9 a SiLU is within -0.0012; of a result up to 1 a quarter of a level is 0.0013."""
    prepared = network(tmp_path, *activation("Sigmoid"))
    assert fitted(prepared, x=(-44.6, 1.0), y=(-0.28, 1.0))["x"] == (-9.0, 1.0)


def test_where_it_is_another_function_the_range_stays(tmp_path: Path) -> None:
    read_by_two = network(tmp_path, *activation("Sigmoid", "Relu"))
    assert fitted(read_by_two, x=(-44.6, 44.9), y=(-0.3, 44.9))["x"] == (-44.6, 44.9)
    other_slope = network(tmp_path, *activation("HardSigmoid", slopes={"alpha": 0.2}))
    assert fitted(other_slope, x=(-44.6, 44.9), y=(-0.3, 44.9))["x"] == (-44.6, 44.9)


def test_what_is_moved_has_one_range_however_often_it_is(tmp_path: Path) -> None:
    prepared = network(
        tmp_path,
        helper.make_node("Split", ["x"], ["a", "b"], "split"),
        helper.make_node("MaxPool", ["b"], ["c"], "pool"),
        helper.make_node("Concat", ["a", "c", "other"], ["whole"], "concat", axis=1),
        helper.make_node("Resize", ["whole", "roi", "scales"], ["larger"], "resize"),
        helper.make_node("Add", ["larger", "apart"], ["y"], "add"),
    )
    found = fitted(
        prepared, x=(-1, 2), a=(-1, 2), b=(-1, 1), c=(0, 1), other=(-3, 1), whole=(-2, 9),
        larger=(-2, 9), apart=(-7, 70), y=(-9, 79), scales=(1, 2),
    )  # fmt: skip
    together = {"x", "a", "b", "c", "other", "whole", "larger"}
    assert {found[name] for name in together} == {(-3.0, 9.0)}
    assert found["apart"] == (-7, 70) and found["y"] == (-9, 79) and found["scales"] == (1, 2)


@pytest.mark.parametrize("limit", ["Relu", "Clip"])
def test_what_a_relu_gives_has_no_range_below_zero_for_the_range_does_its_work(
    tmp_path: Path, limit: str
) -> None:
    """Beside what a SiLU gives it keeps its own; beside its like it is moved as anything else."""
    prepared = network(
        tmp_path,
        helper.make_node(limit, ["x"], ["a"], "first"),
        helper.make_node(limit, ["u"], ["b"], "second"),
        helper.make_node("Split", ["a"], ["c", "d"], "split"),
        helper.make_node("Concat", ["d", "b"], ["alike"], "alike", axis=1),
        helper.make_node("Concat", ["c", "silu", "more"], ["mixed"], "mixed", axis=1),
        helper.make_node("Add", ["alike", "mixed"], ["y"], "add"),
    )
    found = fitted(
        prepared, x=(-7, 2), u=(-7, 5), a=(0, 2), b=(0, 5), c=(0, 2), d=(0, 1), alike=(0, 5),
        silu=(-0.3, 4), more=(-1, 3), mixed=(-1, 4), y=(-1, 9),
    )  # fmt: skip
    assert {found[name] for name in ("a", "b", "c", "d", "alike")} == {(0, 5)}
    assert {found[name] for name in ("silu", "more", "mixed")} == {(-1, 4)}
    assert found["x"] == (-7, 2) and found["u"] == (-7, 5)

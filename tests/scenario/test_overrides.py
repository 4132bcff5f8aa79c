"""`training.epochs=5`: single values set over a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.contracts.errors import ScenarioError
from scenario import Scenario, load_scenario, parse_overrides

BASE = """\
name: demo
site: {customer: sampyo, region: gimhae}
task: {type: ppe, classes: [a, b]}
model: {architecture: yolo11n}
dataset: {path: demo://ppe}
"""


@pytest.fixture
def load(tmp_path: Path):  # type: ignore[no-untyped-def]
    def load(overrides: object, more: str = "") -> Scenario:
        file = tmp_path / "s.yaml"
        file.write_text(BASE + more, encoding="utf-8")
        return load_scenario(file, overrides=overrides)  # type: ignore[arg-type]

    return load


def told(load, overrides: object, more: str = "") -> list[str]:  # type: ignore[no-untyped-def]
    with pytest.raises(ScenarioError) as caught:
        load(overrides, more)
    return [str(problem) for problem in caught.value.problems]


def test_values_are_yaml(load) -> None:  # type: ignore[no-untyped-def]
    made = load(
        [
            "training.epochs=5",
            "training.options.mosaic=0",
            "training.options.augment.hsv_h=0.1",
            "benchmark.batch_sizes=[1, 2]",
            "benchmark.use_tracking=true",
            "benchmark.sequences=[demo://crossing]",
            "model.weights_path=runs:/ab=c/best.pt",
            "dataset.version=1.10",
            "task.classes.1=안전모",
            "name='5'",
            "environment.device=0",
            "source_run_id=",
            "tags.team=safety",
            "tags.7=x",
            " site . zone = bct",
        ]
    )
    assert made.training.epochs == 5
    assert made.training.options == {"mosaic": 0, "augment": {"hsv_h": 0.1}}
    assert made.benchmark.batch_sizes == (1, 2)
    assert made.benchmark.use_tracking is True
    assert made.benchmark.sequences == ("demo://crossing",)
    assert made.model.weights_path == "runs:/ab=c/best.pt"
    assert made.dataset.version == "1.10"
    assert made.task.classes == ("a", "안전모")
    assert (made.name, made.environment.device, made.site.zone) == ("5", "0", "bct")
    assert made.source_run_id is None
    assert made.tags == {"team": "safety", "7": "x"}


def test_a_mapping_holds_values_as_they_are(load) -> None:  # type: ignore[no-untyped-def]
    given = {"training.epochs": 5, "training.options": {"a": [1]}, "training.options.b": 2}
    made = load(given)
    assert made.training.epochs == 5
    assert made.training.options == {"a": [1], "b": 2}
    assert given["training.options"] == {"a": [1]}, "the caller's mapping is left alone"
    assert told(load, {"training.epochs": "5"}) == [
        "override 'training.epochs=\"5\"': training.epochs must be a whole number ≥ 1 "
        'but got "5"; write it without quotes'
    ]


def test_the_last_of_two_counts(load) -> None:  # type: ignore[no-untyped-def]
    assert load(["training.epochs=5", "training.epochs=6"]).training.epochs == 6
    (problem,) = told(load, ["training.epochs=5", "training.epochs=x"])
    assert problem.startswith("override 'training.epochs=x': ")


def test_an_override_mends_the_file(load) -> None:  # type: ignore[no-untyped-def]
    assert load("training.epochs=5", "training: {epochs: many}").training.epochs == 5


@pytest.mark.parametrize(
    ("more", "overrides", "expected"),
    [
        ("", ["quantization.precision=fp16"], ["openvino_fp16"]),
        ("", ["quantization.0.precision=fp16"], ["openvino_fp16"]),
        ("quantization: {precision: fp32}", ["quantization.backend=onnx"], ["onnx_fp32"]),
        ("quantization: {precision: fp32}", ["quantization.0.backend=onnx"], ["onnx_fp32"]),
        (
            "quantization: [{precision: fp32}, {precision: int8}]",
            ["quantization.backend=onnx"],
            ["onnx_fp32", "onnx_int8"],
        ),
        (
            "quantization: [{precision: fp32}, {precision: int8}]",
            ["quantization.1.precision=fp16"],
            ["openvino_fp32", "openvino_fp16"],
        ),
        (
            "quantization: {precision: fp32, variants: [{}, {precision: int8}]}",
            ["quantization.0.precision=fp16"],
            ["openvino_fp16", "openvino_int8"],
        ),
        (
            "quantization: {variants: [{precision: fp32}, {precision: int8, backend: onnx}]}",
            ["quantization.backend=tensorrt"],
            ["tensorrt_fp32", "tensorrt_int8"],
        ),
        (
            "quantization: {variants: [{precision: fp32}, {precision: int8}]}",
            ["quantization.variants.1.backend=onnx"],
            ["openvino_fp32", "onnx_int8"],
        ),
        (
            "quantization: {variants: [{precision: fp32}, {precision: int8}]}",
            ["quantization=[{backend: onnx}]"],
            ["onnx_int8"],
        ),
    ],
)
def test_quantization_in_all_its_forms(  # type: ignore[no-untyped-def]
    load, more: str, overrides: list[str], expected: list[str]
) -> None:
    assert [v.variant for v in load(overrides, more).quantization_variants] == expected


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.epoch=5", "unknown key 'epoch' in 'training'; did you mean 'epochs'?"),
        ("trainig.epochs=5", "unknown key 'trainig'; did you mean 'training'?"),
        ("epochs=5", "unknown key 'epochs'; it belongs to 'training'"),
        ("training.epochs=many", 'training.epochs must be a whole number ≥ 1 but got "many"'),
        ("training.epochs", "must be KEY=VALUE like training.epochs=5"),
        ("=5", "must be KEY=VALUE"),
        ("training..epochs=5", "must be KEY=VALUE"),
        ("", "must be KEY=VALUE"),
        ("training.epochs=[1", "not valid YAML: expected ',' or ']'"),
        ("name=@x", "quote the value if it is text: name='\"…\"'"),
        ("name=!!python/none x", "is not allowed; write a plain value"),
        ("name.x=5", "'name' is \"demo\", so nothing can be set under it"),
        ("task.classes.2=c", "'task.classes' is a list with the indices 0 to 1, not '2'"),
        ("task.classes.x=c", "'task.classes' is a list with the indices 0 to 1, not 'x'"),
        ("benchmark.batch_sizes.0=4", "batch_sizes must be a list of different whole numbers"),
        ("quantization.3.precision=int8", "unknown key '3' in 'quantization'"),
        ("model.num_classes=5", "model.num_classes is 5 but task.classes names 2"),
        ("site=5", "site must be a mapping with the keys customer, region, plant, zone but got 5"),
    ],
)
def test_a_wrong_override_is_named(load, override: str, said: str) -> None:  # type: ignore[no-untyped-def]
    (problem,) = told(load, [override])
    assert problem.startswith(f"override '{override}': ")
    assert said in problem


def test_an_empty_list_has_no_index(load) -> None:  # type: ignore[no-untyped-def]
    found = told(load, ["training.options.a.0=1"], "training: {options: {a: []}}")
    assert found == ["override 'training.options.a.0=1': 'training.options.a' is an empty list"]


def test_all_are_told_at_once_after_the_file(load) -> None:  # type: ignore[no-untyped-def]
    found = told(load, ["x", "a=[1", "training.epoch=5"], "training: {batch_size: 0}")
    assert len(found) == 4
    assert "s.yaml:6:24: training.batch_size must be" in found[0]
    assert all(problem.startswith("override '") for problem in found[1:])


def test_a_long_override_is_shown_in_part(load) -> None:  # type: ignore[no-untyped-def]
    (problem,) = told(load, ["a" * 5_000 + "=" + "b" * 5_000])
    assert len(problem) < 350


def test_parse_overrides() -> None:
    assert parse_overrides(["training.epochs=5", "a.0.b=[x, 1.5]", "c="]) == {
        "training.epochs": 5,
        "a.0.b": ["x", 1.5],
        "c": None,
    }
    with pytest.raises(ScenarioError) as caught:
        parse_overrides(["x", "y"])
    assert len(caught.value.problems) == 2

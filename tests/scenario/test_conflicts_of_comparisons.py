"""A comparison of formats: what may stand in it, and which formats it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.errors import ScenarioError
from scenario import ComparisonVariant, Scenario, build_scenario, dump_scenario, load_scenario

VALUES = {
    "name": "demo",
    "site": {"customer": "동화", "region": "부산"},
    "task": {"type": "ppe"},
    "model": {"architecture": "yolo11n"},
    "dataset": {"path": "demo://ppe"},
}
BACKENDS = ("native", "pytorch", "openvino", "onnx", "tensorrt")
PRECISIONS = ("fp32", "fp16", "int8")
INT8 = {"backend": "openvino", "precision": "int8"}


def build(**sections: object) -> Scenario:
    return build_scenario({**VALUES, **sections})


def compared(*variants: object, **sections: object) -> Scenario:
    return build(comparison={"quantization_variants": list(variants)}, **sections)


def problem_of(**sections: object) -> str:
    with pytest.raises(ScenarioError) as caught:
        build(**sections)
    (problem,) = caught.value.problems
    return problem.message


@given(st.sets(st.tuples(st.sampled_from(BACKENDS[1:]), st.sampled_from(PRECISIONS)), min_size=1))
def test_every_backend_at_every_precision_may_be_asked_for(pairs: set[tuple[str, str]]) -> None:
    named = [{"backend": backend, "precision": precision} for backend, precision in sorted(pairs)]
    made = compared(*named).comparison_variants
    assert [each.variant for each in made] == ["_".join(pair) for pair in sorted(pairs)]


def test_native_is_pytorch() -> None:
    (made,) = compared({"backend": "native", "precision": "fp16"}).comparison_variants
    assert (made.backend, made.variant) == ("pytorch", "pytorch_fp16")
    twice = [{"backend": name, "precision": "fp32"} for name in ("native", "pytorch")]
    said = problem_of(comparison={"quantization_variants": twice})
    assert said.startswith("comparison variants 0 and 1 are both pytorch fp32")


def test_what_a_variant_leaves_open_comes_from_quantization() -> None:
    quantization = [
        {**INT8, "calibration_size": 64, "calibration_method": "minmax", "search": {}},
        {"backend": "onnx", "precision": "int8", "calibration_size": 64},
    ]
    openvino, tensorrt, onnx = compared(
        INT8,
        {"backend": "tensorrt", "precision": "int8"},
        {"backend": "onnx", "precision": "int8", "calibration_size": 32},
        quantization=quantization,
    ).comparison_variants
    assert (openvino.calibration_size, openvino.calibration_method) == (64, "minmax")
    assert openvino.search is not None
    # nobody speaks of TensorRT: what all int8 variants say holds, what they differ in does not
    assert (tensorrt.calibration_size, tensorrt.calibration_method) == (64, "entropy")
    assert tensorrt.search is None
    assert onnx.calibration_size == 32  # its own value goes before


def test_a_search_is_not_taken_over_to_another_method() -> None:
    (made,) = compared(
        {**INT8, "method": "qat"}, quantization={**INT8, "search": {}}
    ).comparison_variants
    assert (made.method, made.search) == ("qat", None)


@pytest.mark.parametrize("design", ["single", "comparison"])
def test_a_comparison_of_nothing_is_refused(design: str) -> None:
    for comparison in ({}, {"quantization_variants": []}):
        assert "names nothing to compare" in problem_of(design=design, comparison=comparison)


def test_the_design_needs_its_section_and_says_what_to_write() -> None:
    said = problem_of(design="comparison")
    assert "quantization_variants: [{backend: openvino, precision: int8}]" in said
    assert "--quant-variants" in said


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ([{"backend": "onx", "precision": "int8"}], "did you mean 'onnx'?"),
        ([{"backend": "onnx"}], "'precision' is missing in 'comparison.quantization_variants.0'"),
        ([{"backend": "onnx"}], "it must be one of fp32, fp16, int8"),
        (["onnx_int8"], "quantization_variants.0 must be a mapping like {backend: openvino"),
        (INT8, "quantization_variants must be a list, each a mapping like"),
        ([{**INT8, "size": 3}], "unknown key 'size' in 'comparison.quantization_variants.0'"),
        ([INT8, INT8], "are both openvino int8, and would have the same name; keep one"),
    ],
)
def test_bad_variants_say_what_was_expected(variants: object, said: str) -> None:
    assert said in problem_of(comparison={"quantization_variants": variants})


def test_a_comparison_from_python_loads_again(tmp_path: Path) -> None:
    made = build().with_quant_comparison(
        [INT8, ComparisonVariant(backend="native", precision="fp32")], max_drop_mAP50=0.02
    )
    assert (made.design, made.to_all_tags()["exp.design"]) == ("comparison", "comparison")
    file = tmp_path / "made.yaml"
    file.write_text(dump_scenario(made), encoding="utf-8")
    assert load_scenario(file) == made
    with pytest.raises(ScenarioError, match="names nothing to compare"):
        build().with_quant_comparison([])
    with pytest.raises(ScenarioError, match="keep one"):
        build().with_quant_comparison([INT8, INT8])


def test_a_stage_of_a_comparison_is_a_single_run_of_any_type() -> None:
    made = compared(INT8, design="comparison").as_type("quant").as_single()
    assert (made.design, made.comparison, made.experiment_type) == ("single", None, None)
    assert made.as_type("infer").name == "demo"


def test_the_command_line_sets_variants_as_json() -> None:
    text = 'comparison.quantization_variants=[{"backend":"openvino","precision":"int8"}]'
    made = build_scenario(VALUES, overrides=[text, "design=comparison"])
    assert [each.variant for each in made.comparison_variants] == ["openvino_int8"]

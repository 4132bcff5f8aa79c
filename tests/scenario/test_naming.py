"""Names of experiments, runs and models, and the two forms of a registered name."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guardianflow.contracts.errors import ScenarioError
from scenario import (
    BaseScenario,
    ModelConfig,
    Scenario,
    SiteConfig,
    to_display_name,
    to_registered_name,
)
from scenario.naming import FORBIDDEN, MAX_PART_LENGTH, check_part, normalise_architecture


def is_part(text: str) -> bool:
    try:
        return check_part(text) == text
    except ValueError:
        return False


def part_of_a_name() -> st.SearchStrategy[str]:
    plain = st.text("abcXYZ가나다동화 -_0123", min_size=1, max_size=12)
    return (plain | st.text(min_size=1, max_size=8)).filter(is_part)


def make(**changes: object) -> Scenario:
    values: dict[str, object] = {
        "name": "welding",
        "version": "v2",
        "site": {
            "customer": "donghwa-entec",
            "region": "busan",
            "plant": "plant1",
            "zone": "welding",
        },
        "task": {"type": "ppe"},
        "model": {"architecture": "yolo11l"},
        "dataset": {"path": "data.yaml"},
    }
    return Scenario.model_validate(values | changes)


def test_the_example_of_the_specification() -> None:
    scenario = make()
    assert scenario.get_experiment_name() == "donghwa-entec/busan-plant1/welding"
    assert scenario.get_run_name("train") == "ppe-yolo11l-train-v2"
    base = "donghwa-entec/busan-plant1/welding/ppe"
    assert scenario.get_registered_model_name() == base
    assert scenario.get_registered_model_name("fp32") == base
    assert scenario.get_registered_model_name("pytorch_fp32") == base
    assert scenario.get_registered_model_name("openvino_int8") == f"{base}__openvino_int8"
    assert scenario.get_registered_model_name("onnx_fp32") == f"{base}__onnx_fp32"


def test_a_run_name_needs_a_type_from_somewhere() -> None:
    written = {"architecture": "yolov11l", "activation": "hardswish"}
    assert make(model=written).get_run_name("train") == "ppe-yolo11l-hardswish-train-v2"
    assert make().as_type("quant").get_run_name() == "ppe-yolo11l-quant-v2"
    assert make(experiment_type="infer").get_run_name() == "ppe-yolo11l-infer-v2"
    with pytest.raises(ScenarioError, match="one of train, infer, quant"):
        make().get_run_name()


@given(st.lists(part_of_a_name(), min_size=1, max_size=6))
def test_the_two_forms_of_a_name_are_inverse(parts: list[str]) -> None:
    name = "/".join(parts)
    assert "/" not in to_registered_name(name)
    assert to_display_name(to_registered_name(name)) == name
    assert to_registered_name(to_display_name(name.replace("/", "."))) == name.replace("/", ".")
    assert to_registered_name(to_registered_name(name)) == to_registered_name(name)
    assert to_display_name(to_display_name(name)) == name


@given(*[part_of_a_name()] * 5)
def test_a_registered_name_tells_its_parts_apart_and_mlflow_can_store_it(
    customer: str, region: str, zone: str, task: str, variant: str
) -> None:
    assume("_" not in variant)
    site = SiteConfig(customer=customer, region=region, zone=zone)
    scenario = make(site=site, task={"type": task})
    name = scenario.get_registered_model_name(f"{variant}_int8")
    assert name.split("/")[0] == customer
    base, suffix = name.split("/")[3].split("__")
    assert (base, suffix) == (task, f"{variant}_int8")
    assert not any(mark in to_registered_name(name) for mark in "/:%@#?\\")
    longest = "x" * MAX_PART_LENGTH
    site = SiteConfig(customer=longest, region=longest, plant=longest, zone=longest)
    full = make(site=site, task={"type": longest}).get_registered_model_name("tensorrt_fp16")
    assert len(full) <= 256


@pytest.mark.parametrize(
    ("part", "said"),
    [(f"a{mark}b", "contains") for mark in FORBIDDEN]
    + [
        ("", "empty"),
        ("  ", "empty"),
        (" a", "space at an end"),
        ("a\n", "space at an end"),
        ("a_", "begins or ends with '_'"),
        ("a\u200bb", "can't be seen"),
        ("a\nb", "can't be seen"),
        ("x" * (MAX_PART_LENGTH + 1), "46 characters"),
    ],
)
def test_what_a_part_of_a_name_may_not_be(part: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check_part(part)
    with pytest.raises(ScenarioError, match="customer must be a name of 1 to 45") as caught:
        SiteConfig(customer=part, region="busan")
    assert said in str(caught.value)


def test_hangul_is_composed_so_that_equal_looking_names_are_equal() -> None:
    decomposed = unicodedata.normalize("NFD", "동화엔텍")
    assert decomposed != "동화엔텍"
    assert SiteConfig(customer=decomposed, region="부산").customer == "동화엔텍"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("yolov11l", "yolo11l"),
        ("yolov12x", "yolo12x"),
        ("yolov26n", "yolo26n"),
        ("yolo11l", "yolo11l"),
        ("yolov8s", "yolov8s"),
        ("yolov10b", "yolov10b"),
        ("yolov5nu", "yolov5nu"),
        ("rtdetr-l", "rtdetr-l"),
    ],
)
def test_architecture_aliases(written: str, read: str) -> None:
    assert normalise_architecture(written) == read
    assert ModelConfig(architecture=written).architecture == read


def test_weights_by_the_name_of_their_architecture() -> None:
    written = ModelConfig(architecture="weights/yolov11l.PT")
    assert written == ModelConfig(architecture="yolo11l", weights_path="weights/yolov11l.PT")
    with pytest.raises(ScenarioError, match="architecture alone"):
        ModelConfig(architecture="yolo11l.yaml")


def test_base_scenario_needs_no_training_section() -> None:
    values = {name: getattr(make(), name) for name in BaseScenario.model_fields}
    base = BaseScenario.model_validate(values)
    assert set(base.to_all_params("train")) == {
        "model.architecture", "model.input_size", "env.device", "env.precision", "env.seed",
    }  # fmt: skip

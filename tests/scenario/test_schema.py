"""What a scenario holds, what it refuses, and what a run is tagged with."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import scenario
from guardianflow.contracts.errors import ScenarioError
from scenario import (
    DatasetConfig,
    EnvironmentConfig,
    InferenceBenchmarkParams,
    InferenceBenchmarkScenario,
    ModelConfig,
    QuantizationParams,
    QuantizationScenario,
    Scenario,
    SiteConfig,
    TaskConfig,
    TrainingParams,
    TrainingScenario,
)
from scenario.explain import _keys_at
from scenario.schema import HOMES


def make(**changes: object) -> Scenario:
    values: dict[str, object] = {
        "name": "demo",
        "site": SiteConfig(customer="sampyo", region="gimhae"),
        "task": TaskConfig(type="collision", classes=("person", "트럭")),
        "model": ModelConfig(architecture="yolo11n"),
        "dataset": DatasetConfig(path="demo://ppe"),
    }
    return Scenario(**(values | changes))  # type: ignore[arg-type]


def problems_of(**changes: object) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        make(**changes)
    return [problem.message for problem in caught.value.problems]


def test_the_defaults_of_the_specification() -> None:
    made = make()
    assert (made.version, made.experiment_type, made.design) == ("v1", None, "single")
    assert (made.site.plant, made.site.zone) == ("plant1", "full")
    assert made.model.input_size == 640
    assert made.environment == EnvironmentConfig(device="auto", precision="fp32", seed=42)
    assert made.training == TrainingParams(
        epochs=100,
        batch_size=16,
        learning_rate=0.001,
        optimizer="adamw",
        scheduler="cosine",
        early_stopping=10,
        options={},
    )
    assert made.benchmark == InferenceBenchmarkParams(
        batch_sizes=(1, 8, 16, 32),
        warmup_runs=10,
        benchmark_runs=100,
        conf_threshold=0.25,
        iou_threshold=0.45,
        use_tracking=False,
    )
    assert made.quantization_variants == (
        QuantizationParams(
            method="static",
            backend="openvino",
            precision="int8",
            calibration_size=500,
            calibration_method="entropy",
        ),
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("train", TrainingScenario),
        ("infer", InferenceBenchmarkScenario),
        ("quant", QuantizationScenario),
    ],
)
def test_as_type(kind: str, expected: type[Scenario]) -> None:
    made = make(training={"epochs": 3}, tags={"team": "safety"})
    typed = made.as_type(kind)  # type: ignore[arg-type]
    assert type(typed) is expected
    assert typed.experiment_type == kind
    assert typed.training.epochs == 3
    assert typed.as_type(kind) == typed  # type: ignore[arg-type]
    assert typed != made
    fields = {name: getattr(typed, name) for name in expected.model_fields}
    assert expected(**(fields | {"experiment_type": kind})) == typed


def test_as_type_refuses_a_scenario_of_another_type() -> None:
    with pytest.raises(ScenarioError, match="is for 'train' but 'quant' was asked"):
        make(experiment_type="train").as_type("quant")
    with pytest.raises(ScenarioError, match="one of train, infer, quant but 'sweep'"):
        make().as_type("sweep")  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match=r"must be infer but got \"train\""):
        InferenceBenchmarkScenario(**(make().__dict__ | {"experiment_type": "train"}))


def test_tags() -> None:
    made = make(
        site={"customer": "donghwa-entec", "region": "busan", "zone": "welding"},
        dataset={"path": "d.yaml", "version": 3, "dvc_hash": "ab12", "split": "val"},
        source_run_id="abc",
        tags={"team": "safety", "담당": "김"},
    )
    assert made.to_all_tags("quant") == {
        "exp.type": "quant",
        "exp.version": "v1",
        "exp.design": "single",
        "scenario.name": "demo",
        "source.run_id": "abc",
        "site.customer": "donghwa-entec",
        "site.region": "busan",
        "site.plant": "plant1",
        "site.zone": "welding",
        "task.type": "collision",
        "task.classes": "person,트럭",
        "data.path": "d.yaml",
        "data.version": "3",
        "data.dvc_hash": "ab12",
        "team": "safety",
        "담당": "김",
    }
    bare = make(task={"type": "ppe"})
    assert not {"exp.type", "source.run_id", "task.classes", "data.version"} & set(
        bare.to_all_tags()
    )
    assert made.site.to_experiment_name() == "donghwa-entec/busan-plant1/welding"


def test_params_come_from_the_sections_that_the_type_uses() -> None:
    made = make(
        training={"options": {"mosaic": 0, "augment": {"hsv h": 0.1}, "cls=pw": [1, 2]}},
        benchmark={"batch_sizes": [1, 4], "use_tracking": True, "sequences": ["a", "b/c"]},
        quantization=[{}, {"backend": "onnx"}],
    )
    prefixes = {
        kind: {name.split(".")[0] for name in made.to_all_params(kind)}
        for kind in ("train", "infer", "quant", None)
    }
    assert prefixes == {
        "train": {"model", "env", "train"},
        "infer": {"model", "env", "bench"},
        "quant": {"model", "env", "quant", "bench"},
        None: {"model", "env", "train", "quant", "bench"},
    }
    assert made.as_type("infer").to_all_params() == made.to_all_params("infer")
    params = made.to_all_params()
    assert params["train.learning_rate"] == 0.001
    assert params["train.options.mosaic"] == 0
    assert params["train.options.augment.hsv h"] == 0.1
    assert params["train.options.cls_pw"] == "[1, 2]"
    assert params["bench.batch_sizes"] == "1,4"
    assert params["bench.use_tracking"] == "true"
    assert params["bench.sequences"] == "a,b/c"
    assert "bench.sequences" not in make().to_all_params()
    assert params["quant.variants"] == "openvino_int8,onnx_int8"
    assert "quant.backend" not in params, "the variants differ in it"
    assert params["quant.calibration_size"] == 500
    assert "model.weights_path" not in params, "absent is absent"
    one = make(quantization={"backend": "onnx"}).to_all_params("quant")
    assert one["quant.backend"] == "onnx"
    assert all(type(value) in (str, int, float) for value in params.values())


@pytest.mark.parametrize(
    "written",
    [
        {"calibration_size": 64, "variants": [{"backend": "onnx"}, {"calibration_size": 8}]},
        [{"backend": "onnx", "calibration_size": 64}, {"calibration_size": 8}],
        (
            QuantizationParams(backend="onnx", calibration_size=64),
            QuantizationParams(calibration_size=8),
        ),
    ],
)
def test_the_forms_of_quantization(written: object) -> None:
    first, second = make(quantization=written).quantization_variants
    assert (first.variant, first.calibration_size) == ("onnx_int8", 64)
    assert (second.variant, second.calibration_size) == ("openvino_int8", 8)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([{}, {"precision": "fp16"}, {"method": "qat"}], "variants 0 and 2 are both openvino int8"),
        ({"variants": [{}, {}]}, "variants 0 and 1 are both openvino int8"),
        ([], "it is empty"),
        ({"variants": []}, "variants must be a list of at least one"),
        ({"variants": "onnx"}, "variants must be a list of at least one"),
        ({"variants": ["onnx"]}, "quantization.variants.0 must be a mapping with the keys method"),
        (["onnx"], 'quantization.0 must be a mapping with the keys method, backend'),
        (5, "quantization must be a mapping, a list of mappings, or a mapping with a list of"),
        ({"variants": [{"precision": "int4"}]}, "quantization.variants.0.precision must be one of"),
        ({"bits": 8, "variants": [{}]}, "unknown key 'bits' in 'quantization'; known are method,"),
        ({"backend": "onnx", "method": "qat"}, "makes int8 for openvino, but this is onnx int8"),
        ({"precision": "fp16", "method": "qat"}, "for openvino, but this is openvino fp16"),
        ([{"backend": "onnx", "search": {"allow_qat": True}}], "allow_qat is for openvino, but"),
        (
            {
                "backend": "onnx",
                "search": {"allow_qat": True, "allow_activations": True},
                "qat": {"epochs": 2},
            },
            "quantization.qat says how to train",
        ),
        ({"qat": {"epochs": 2}}, "quantization.qat says how to train, but nothing is trained"),
        (
            {"search": {"allow_activations": True, "objective": "size"}},
            "makes a network faster, not smaller, but the objective is size",
        ),
        (
            {"calibration_size": 15, "search": {"allow_activations": True}},
            "on at least 16 images, but calibration_size is 15",
        ),
        (
            {"search": {"allow_activation": True}},
            "did you mean 'allow_activations'",
        ),
        ({"activation": "hardswish"}, "is for fp32 and fp16, but this is int8"),
        (
            {"backend": "tensorrt", "precision": "fp16", "activation": "hardswish"},
            "quantization.activation is for openvino or onnx, but this is tensorrt",
        ),
        ({"precision": "fp16", "distil_minutes": 5}, "quantization.activation is not set"),
        ({"method": "qat", "qat": {"epochs": 0}}, "quantization.qat.epochs must be a whole number"),
    ],
)  # fmt: skip
def test_quantization_that_is_refused(written: object, said: str) -> None:
    (message,) = problems_of(quantization=written)
    assert said in message


@pytest.mark.parametrize(
    "variant",
    [
        {"backend": "tensorrt"},
        {"backend": "openvino", "precision": "fp16"},
        {"backend": "onnx", "method": "dynamic"},
    ],
)
def test_a_search_is_for_recipes_that_can_be_searched(variant: dict[str, str]) -> None:
    (message,) = problems_of(quantization={**variant, "search": {}})
    assert "int8 static recipe of openvino or onnx" in message
    found = make(quantization={"search": {"max_drop_mAP50": 0.02}}).quantization_variants[0].search
    assert found is not None
    assert (found.max_drop_mAP50, found.budget_minutes, found.objective) == (
        0.02,
        30.0,
        "latency_p50",
    )


def test_with_backend() -> None:
    made = make(quantization=[{}, {"backend": "onnx"}, {"backend": "onnx", "precision": "fp32"}])
    assert [v.variant for v in made.with_backend("onnx").quantization_variants] == [
        "onnx_int8",
        "onnx_fp32",
    ]
    assert made.with_backend("openvino").quantization == QuantizationParams()
    assert [v.variant for v in made.with_backend("tensorrt").quantization_variants] == [
        "tensorrt_int8",
        "tensorrt_fp32",
    ]
    with pytest.raises(ScenarioError, match="did you mean 'onnx'"):
        made.with_backend("onx")


def test_a_learning_rate_is_not_given_where_ultralytics_chooses_it() -> None:
    (problem,) = problems_of(training={"optimizer": "auto", "learning_rate": 0.01})
    assert "training.learning_rate is 0.01, but with optimizer: auto Ultralytics" in problem
    params = TrainingParams(optimizer="auto").to_params()
    assert params["train.optimizer"] == "auto"
    assert "train.learning_rate" not in params
    assert TrainingParams().to_params()["train.learning_rate"] == 0.001


def test_contradictions_are_told_together_with_wrong_fields() -> None:
    found = problems_of(
        model={"architecture": "yolo11n", "num_classes": 3},
        environment={"seed": -1},
        quantization=[{"calibration_size": 0}, {"backend": "openvino"}],
    )
    assert sorted(found) == [
        "environment.seed must be a whole number from 0 to 4294967295 but got -1",
        "model.num_classes is 3 but task.classes names 2",
        "quantization variants 0 and 1 are both openvino int8, and would have the same name; "
        "keep one",
        "quantization.0.calibration_size must be a whole number ≥ 1 but got 0",
    ]
    assert make(model={"architecture": "yolo11n", "num_classes": 2}).model.num_classes == 2
    without = make(task={"type": "ppe"}, model={"architecture": "yolo11n", "num_classes": 9})
    assert without.task.classes == ()


WRONG = [
    ("training", {"epochs": 0}, "training.epochs must be a whole number ≥ 1 but got 0"),
    ("training", {"epochs": 5.0}, "training.epochs must be a whole number ≥ 1 but got 5.0"),
    ("training", {"epochs": True}, "training.epochs must be a whole number ≥ 1 but got true"),
    ("training", {"epochs": None}, "training.epochs must be a whole number ≥ 1 but got nothing"),
    ("training", {"epochs": "5"}, 'but got "5"; write it without quotes'),
    ("training", {"epochs": [5]}, "training.epochs must be a whole number ≥ 1 but got [5]"),
    ("training", {"learning_rate": 0}, "training.learning_rate must be a number > 0 but got 0"),
    ("training", {"learning_rate": float("inf")}, "must be a number > 0 but got inf"),
    ("training", {"learning_rate": False}, "must be a number > 0 but got false"),
    ("training", {"early_stopping": -1}, "must be a whole number ≥ 0 but got -1"),
    ("training", {"optimizer": "AdamW"}, "one of adam, adamw, sgd, auto but got \"AdamW\"; did"),
    ("training", {"scheduler": "cos"}, "did you mean 'cosine'?"),
    ("training", {"options": [1]}, "training.options must be a mapping of the trainer's own"),
    ("training", {"options": {"a": float("nan")}}, "nan is not a finite number"),
    ("training", {"options": {"a": object()}}, "a object can't be written to YAML"),
    ("training", {"options": {1: 2}}, "'1' can't be a key of 'training.options'"),
    ("training", {"options": {"a": {1: 2}}}, "its keys must be text"),
    ("training", {"batch_sizes": [1]}, "unknown key 'batch_sizes' in 'training'; did you mean"),
    ("training", {"zone": 1}, "unknown key 'zone' in 'training'; it belongs to 'site'"),
    ("training", {"tags": {}}, "unknown key 'tags' in 'training'; it belongs to the top"),
    ("training", 5, "training must be a mapping with the keys epochs, batch_size"),
    ("training", [], "training must be a mapping with the keys epochs, batch_size"),
    ("benchmark", {"batch_sizes": []}, "like [1, 8] but got []; it is empty"),
    ("benchmark", {"batch_sizes": 8}, "benchmark.batch_sizes must be a list of different whole"),
    ("benchmark", {"batch_sizes": "1,8"}, 'whole numbers ≥ 1 like [1, 8] but got "1,8"'),
    ("benchmark", {"batch_sizes": [1, 8, 1]}, "[1, 8, 1]; 1 is there twice"),
    ("benchmark", {"batch_sizes": [1, "x"]}, 'benchmark.batch_sizes.1 must be a whole number ≥ 1'),
    ("benchmark", {"conf_threshold": 1.5}, "must be a number from 0 to 1 but got 1.5"),
    ("benchmark", {"use_tracking": "yes"}, 'use_tracking must be true or false but got "yes"'),
    ("benchmark", {"use_tracking": True}, "true but benchmark.sequences names none"),
    ("benchmark", {"use_tracking": True, "sequences": []}, "write sequences: [DIRECTORY] with"),
    ("benchmark", {"sequences": "cctv"}, "a list of different directories like [cctv/gate]"),
    ("benchmark", {"sequences": ["a", "a"]}, "'a' is there twice"),
    ("benchmark", {"tracker": "sort"}, 'must be one of bytetrack, botsort but got "sort"'),
    ("environment", {"device": "gpu0"}, "an NVIDIA GPU is called cuda, Intel's gpu"),
    ("environment", {"device": "cuda:x"}, "or the number of a GPU like 0 or 0,1"),
    ("environment", {"device": "0,x"}, "or the number of a GPU like 0 or 0,1"),
    ("environment", {"device": [0, 1]}, "or the number of a GPU like 0 or 0,1"),
    ("environment", {"device": "0,1,0"}, "0 is there twice"),
    ("environment", {"precision": "fp23"}, "did you mean 'fp32'?"),
    ("environment", {"seed": 2**32}, "a whole number from 0 to 4294967295"),
    ("task", {"type": "ppe", "classes": []}, "task.classes must be a list of different class"),
    ("task", {"type": "ppe", "classes": ["a", "a"]}, "'a' is there twice"),
    ("task", {"type": "ppe", "classes": ["a", " b"]}, "task.classes.1 must be a class name"),
    ("task", {"type": "ppe", "classes": {0: "a"}}, "but got a mapping with the key 0"),
    ("task", {"classes": ["a", "b"]}, "'type' is missing in 'task'; it must be a name of 1 to 45"),
    ("model", {"architecture": "y", "input_size": 100}, "but got 100; the nearest is 96 or 128"),
    ("model", {"architecture": "y", "input_size": 20}, "must be a multiple of 32 (pixels)"),
    ("model", {"architecture": "y", "weights_path": ""}, "model.weights_path must be one line of"),
    ("dataset", None, "'path' is missing in 'dataset'; it must be one line of text"),
    ("dataset", {"path": "a\nb"}, "a line break or a character that can't be seen"),
    ("dataset", {"path": "x" * 2_000}, "2000 characters, 1000 are enough"),
    ("dataset", {"path": True}, "dataset.path must be one line of text but got true"),
    ("dataset", {"path": "d", "split": "tset"}, "did you mean 'test'?"),
    ("design", "sweep", "design is sweep, but there is no section sweep; write sweep: {param"),
    ("design", "swep", "must be one of single, sweep, comparison, ablation but got \"swep\"; did"),
    ("sweep", {}, "'parameters' is missing in 'sweep'; it must be a mapping like {learning_rate"),
    ("experiment_type", "trian", "one of train, infer, quant but got \"trian\"; did you mean"),
    ("tags", {"exp.type": "x"}, "'exp.type' can't be a key of 'tags'"),
    ("tags", {"a=b": "x"}, "letters, digits and . - _ : may be used"),
    ("tags", {"a": [1]}, "tags.a must be text but got [1]"),
    ("tags", {"a": "x" * 6_000}, "it has 6000 characters, 5000 are the most"),
    ("tags", {"a": "\ud800"}, "broken character"),
    ("tags", "a", "tags must be a mapping of names to text"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "value", "said"), WRONG)
def test_wrong_values_say_what_was_expected_and_what_came(
    section: str, value: object, said: str
) -> None:
    (message,) = problems_of(**{section: value})
    assert said in message


def test_a_key_that_is_a_slip_of_a_needed_one_is_told_once() -> None:
    (message,) = problems_of(site={"custmer": "a", "region": "b"})
    assert message == "unknown key 'custmer' in 'site'; did you mean 'customer'?"
    # … but when the right key is there too and wrong, both are told.
    found = problems_of(site={"custmer": "a", "customer": "a.b", "region": "b"})
    assert len(found) == 2


def test_a_message_is_bounded_however_large_the_input() -> None:
    found = problems_of(
        name="x" * 100_000,
        training={"k" * 50_000: 1, "epochs": list(range(10_000))},
        dataset={"path": {str(i): 0 for i in range(10_000)}},
        tags={"t" * 1_000: "x"},
        environment={"device": {"a": "y" * 10_000}, "seed": [["z" * 100_000]]},
    )
    assert len(found) == 7
    assert max(map(len, found)) < 500


def test_python_gets_the_same_errors_as_a_file() -> None:
    with pytest.raises(ScenarioError) as caught:
        SiteConfig(customer="a.b", regon="x")  # type: ignore[call-arg]
    where = {problem.where for problem in caught.value.problems}
    assert where == {"SiteConfig"}
    text = str(caught.value)
    assert "it contains '.'" in text and "did you mean 'region'?" in text
    assert "pydantic" not in text and "Input should" not in text


def test_numbers_and_paths_become_text_where_text_is_wanted() -> None:
    made = make(version=2, environment={"device": 0}, dataset={"path": Path("a/b.yaml")})
    assert (made.version, made.environment.device, made.dataset.path) == ("2", "0", "a/b.yaml")
    assert make(environment={"device": "cuda:1"}).environment.device == "cuda:1"
    assert make(environment={"device": "0,1"}).environment.device == "0,1"
    assert make(environment={"device": "2 , 01"}).environment.device == "2,1"


def test_empty_sections_take_their_defaults() -> None:
    made = make(training=None, benchmark=None, quantization=None, environment=None, tags=None)
    assert made == make()
    assert make(training={"options": None}).training.options == {}


def test_a_scenario_is_frozen_and_travels() -> None:
    made = make(training={"options": {"a": [1, {"b": None}]}})
    with pytest.raises(ValidationError):
        made.name = "x"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made
    assert made.source_path is None
    assert made != make() and made != "demo"
    with pytest.raises(TypeError):
        hash(made)


@pytest.mark.parametrize("mode", ["json", "python"])
def test_what_pydantic_dumps_is_accepted_again(mode: str) -> None:
    for made in (make(), make(task={"type": "ppe"}), make(quantization=[{}, {"backend": "onnx"}])):
        dumped = made.model_dump(mode=mode)
        assert scenario.build_scenario(dumped) == made


def test_names_are_loaded_when_they_are_used() -> None:
    for name in scenario.__all__:
        assert getattr(scenario, name).__name__ == name
    assert set(scenario.__all__) <= set(dir(scenario))
    with pytest.raises(AttributeError, match="no attribute 'Sweep'"):
        scenario.Sweep  # noqa: B018
    code = "import sys, scenario; print('pydantic' in sys.modules, 'ruamel.yaml' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["False", "False"]


def test_heavy_libraries_stay_out() -> None:
    code = (
        "import sys; from scenario import load_scenario, Scenario;"
        "print([m for m in ('torch', 'mlflow', 'ultralytics', 'numpy') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_hints_know_every_key_of_a_scenario() -> None:
    fields = Scenario.model_fields
    laid_out = {"": list(fields)} | {
        name: keys for name in fields if (keys := _keys_at(Scenario, (name,)))
    }
    assert {place: list(keys) for place, keys in HOMES.items()} == laid_out
    with pytest.raises(ScenarioError, match="unknown key 'epochs'; it belongs to 'training'"):
        SiteConfig(customer="sampyo", region="gimhae", epochs=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("gpu", "openvino:GPU"),
        ("NPU", "openvino:NPU"),
        ("openvino:gpu.1", "openvino:GPU.1"),
        ("OpenVINO:auto", "openvino:AUTO"),
        ("openvino:CPU", "openvino:CPU"),
        ("openvino", "openvino"),
    ],
)
def test_devices_of_intel(written: str, read: str) -> None:
    assert EnvironmentConfig(device=written).device == read


@pytest.mark.parametrize("device", ["openvino:", "openvino:cuda", "onnx:GPU", "npu:0", "cpu:GPU"])
def test_what_is_no_device_of_intel(device: str) -> None:
    with pytest.raises(ScenarioError, match="device must be"):
        EnvironmentConfig(device=device)

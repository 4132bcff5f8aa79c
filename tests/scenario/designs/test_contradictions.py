"""What contradicts itself in a design is told when the scenario is read, all of it at once."""

from __future__ import annotations

import pytest
from designed import designed, problems

from guardianflow.contracts.errors import ScenarioError
from scenario.designs.flags import as_design_overrides, tried_among

TWO = ["yolo11n", "yolo11s"]


def test_a_grid_of_a_million_asks_for_max_runs() -> None:
    many = {"parameters": {f"options.{name}": list(range(10)) for name in "abcdef"}}
    (said,) = problems(sweep=many)
    assert said.startswith("sweep.parameters has 1,000,000 combinations; write max_runs")
    sweep = designed(sweep={**many, "max_runs": 12}).sweep
    assert sweep is not None
    assert (sweep.combinations, sweep.planned_combinations) == (1_000_000, 12)
    drawn = designed(sweep={**many, "strategy": "bayesian"}).sweep
    assert drawn is not None
    assert drawn.planned_combinations == 20


def test_a_grid_needs_values_that_can_be_counted() -> None:
    endless = {"parameters": {"lr": {"low": 0.001, "high": 0.1}}}
    (said,) = problems(sweep=endless)
    assert "a grid tries every value; give it a step, write a list" in said
    assert designed(sweep={**endless, "strategy": "random"}).design == "sweep"
    (said,) = problems(sweep={"parameters": {}})
    assert said.startswith("sweep.parameters names nothing to try")


@pytest.mark.parametrize(
    ("declared", "parameter", "said"),
    [
        (None, "conf_threshold", "train does not look at benchmark; write experiment_type: infer"),
        ("infer", "lr", "infer does not look at training; write experiment_type: train"),
        ("quant", "epochs", "quant does not look at training"),
        ("train", "calibration_size", "write experiment_type: quant, or leave it out"),
    ],
)
def test_a_parameter_that_the_stage_does_not_look_at(
    declared: str | None, parameter: str, said: str
) -> None:
    values = {"conf_threshold": [0.1, 0.2]}.get(parameter, [1, 2])
    found = problems(experiment_type=declared, sweep={"parameters": {parameter: values}})
    assert any(said in each for each in found), found


def test_each_type_can_be_swept() -> None:
    for declared, parameter, values in (
        ("train", "lr", [0.1, 0.2]),
        ("infer", "conf_threshold", [0.1, 0.2]),
        ("quant", "calibration_method", ["entropy", "minmax"]),
    ):
        made = designed(experiment_type=declared, sweep={"parameters": {parameter: values}})
        assert made.design == "sweep"
    said = problems(
        experiment_type="infer",
        sweep={"parameters": {"conf_threshold": [0.1, 0.2]}, "pruning": True},
    )
    assert said == ["sweep.pruning looks at epochs, but infer has none; leave it out"]


def test_values_that_contradict_other_fields_are_told_with_their_reason() -> None:
    (said,) = problems(
        experiment_type="quant",
        quantization={"method": "qat"},
        sweep={"parameters": {"quantization.backend": ["openvino", "onnx"]}},
    )
    assert "quantization.method qat makes int8 for openvino, but this is onnx int8" in said
    (said,) = problems(
        training={"learning_rate": 0.01}, sweep={"parameters": {"optimizer": ["sgd", "auto"]}}
    )
    assert "with optimizer: auto Ultralytics chooses it" in said


@pytest.mark.parametrize(
    "model",
    [
        {"architecture": "yolo11n", "weights_path": "yolo11n.pt"},
        {"architecture": "yolo11n.pt"},
    ],
)
def test_architectures_of_one_file_of_weights_are_no_sweep(model: dict[str, object]) -> None:
    swept = {"parameters": {"architecture": TWO}}
    (said,) = problems(model=model, sweep=swept)
    assert "every run would start from model.weights_path" in said
    made = designed(sweep={"parameters": {"weights": ["a/yolo11n.pt", "b/yolo11n.pt"]}})
    assert made.design == "sweep"


def test_a_sweep_of_quant_makes_one_format_a_run() -> None:
    variants = [{"backend": "openvino"}, {"backend": "onnx"}]
    (said,) = problems(
        experiment_type="quant",
        quantization=variants,
        sweep={"parameters": {"calibration_size": [8, 16]}},
    )
    assert said.startswith(
        "a sweep of quant makes one format in each run, but quantization names 2"
    )


@pytest.mark.parametrize(
    ("kind", "items", "declared", "needed"),
    [
        ("architectures", TWO, "quant", "train"),
        ("datasets", ["demo://ppe", "demo://cctv"], "train", "infer"),
        ("run_ids", ["a1", "b2"], "train", "infer"),
        ("model_versions", ["m/1", "m@champion"], "quant", "infer"),
        ("quantization_variants", [{"backend": "onnx", "precision": "int8"}], "infer", "quant"),
    ],
)
def test_a_comparison_is_of_one_type_and_says_why_not_of_others(
    kind: str, items: list[object], declared: str, needed: str
) -> None:
    (said,) = problems(comparison={kind: items}, experiment_type=declared)
    assert said.startswith(f"experiment_type is {declared}, but a comparison of {kind}")
    assert f"which is {needed}'s work; write experiment_type: {needed}" in said
    for fitting in (needed, None):
        made = designed(comparison={kind: items}, experiment_type=fitting)
        assert made.comparison is not None
        assert made.comparison.of == kind


def test_a_design_taken_as_another_type_says_what_it_is_for() -> None:
    swept = designed(sweep={"parameters": {"lr": [0.001, 0.01]}})
    assert swept.as_type("train").design == "sweep"
    with pytest.raises(ScenarioError, match=r"this sweep is for 'train' but 'infer' was asked"):
        swept.as_type("infer")
    sites = designed(comparison={"datasets": ["demo://ppe", "demo://cctv"]})
    assert sites.as_type("infer").design == "comparison"
    with pytest.raises(ScenarioError, match="this comparison is for 'infer' but 'quant'") as caught:
        sites.as_type("quant")
    assert "design=single" in str(caught.value)
    once = designed(design="single", sweep={"parameters": {"lr": [0.001, 0.01]}})
    assert once.as_type("infer").design == "single"


def test_a_comparison_of_two_kinds_or_of_one_thing() -> None:
    (said,) = problems(comparison={"architectures": TWO, "run_ids": ["a1", "b2"]})
    assert said == "the comparison names architectures and run_ids; keep one of them"
    (said,) = problems(comparison={"architectures": ["yolo11n"]})
    assert said == "comparison.architectures names one alone; name at least two to compare"
    (said,) = problems(comparison={"architectures": ["yolo11n", "yolov11n"]})
    assert "'yolo11n' is there twice" in said


def test_data_sets_have_a_path_and_a_name_of_their_own() -> None:
    (said,) = problems(comparison={"datasets": ["a/busan.yaml", "a/busan.yaml"]})
    assert "datasets 0 and 1 have the same path" in said
    (said,) = problems(comparison={"datasets": ["x/busan/data.yaml", "y/busan/data.yaml"]})
    assert 'have the same name, "busan"; keep one, or give each a name' in said
    named = [{"name": "old", "path": "x/busan/data.yaml"}, "y/busan/data.yaml"]
    assert designed(comparison={"datasets": named}).design == "comparison"
    found = problems(comparison={"datasets": [{"pth": "a"}, "b"]})
    assert any("unknown key 'pth' in 'comparison.datasets.0'" in each for each in found)


def test_a_version_names_a_model_and_which() -> None:
    (said,) = problems(comparison={"model_versions": ["a/b/ppe/3", "a/b/ppe"]})
    assert said.startswith("comparison.model_versions.1 must be a version like NAME/3 or NAME@cham")


@pytest.mark.parametrize(
    ("ablation", "said"),
    [
        ({"components": {}}, "ablation.components names nothing"),
        ({"components": {"optimizer": ["sgd"]}}, "has one value; give at least two"),
        ({"components": {"optimzer": ["sgd", "adam"]}}, "did you mean 'optimizer'?"),
        ({"components": {"augmentation": [True, "no"]}}, "must be true (as the scenario has it)"),
        ({"components": {"pretrained": [True, False]}}, "model.weights_path, which is not there"),
        ({"components": {"optimizer": ["sgd", "agd"]}}, "did you mean 'sgd'?"),
        ({"components": {"conf_threshold": [0.1, 0.2]}}, "train does not look at benchmark"),
        (
            {"components": {"optimizer": ["sgd", "adam"]}, "baseline": {"lr": 1}},
            "ablation.baseline names 'lr', but ablation.components has optimizer",
        ),
        (
            {"components": {"optimizer": ["sgd", "adam"]}, "baseline": {"optimizer": "adamw"}},
            'ablation.baseline.optimizer must be one of ["sgd", "adam"] but got "adamw"',
        ),
    ],
)
def test_an_ablation_says_what_is_wrong_with_it(ablation: dict[str, object], said: str) -> None:
    found = problems(ablation=ablation)
    assert any(said in each for each in found), found


def test_infer_has_nothing_to_take_away() -> None:
    found = problems(
        experiment_type="infer", ablation={"components": {"conf_threshold": [0.1, 0.2]}}
    )
    assert found == [
        "an ablation shows what a part of training or quantising is worth, but infer makes "
        "nothing; try settings of benchmark with a sweep"
    ]


def test_everything_wrong_is_told_at_once() -> None:
    found = problems(
        training={"epoch": 3},
        sweep={
            "parameters": {"lrr": [0.1, 0.2], "epochs": [0, 1]},
            "strategy": "gird",
            "direction": ["minimize", "maximize"],
        },
    )
    assert len(found) == 5, found


def test_components_of_an_ablation_are_given_with_p_too() -> None:
    given = ["augmentation=[true, false]", "optimizer=[adamw, sgd]", "epochs=5", "odd=[1, 2]"]
    assert as_design_overrides(given, "ablation") == [
        "ablation.components.augmentation=[true, false]",
        "ablation.components.training.optimizer=[adamw, sgd]",
        "training.epochs=5",
        "ablation.components.odd=[1, 2]",
    ]
    assert tried_among([*given, "sweep.parameters.lr=[1, 2]", "benchmark.batch_sizes=[1]"]) == [
        "augmentation=[true, false]", "optimizer=[adamw, sgd]", "odd=[1, 2]",
    ]  # fmt: skip


def test_lists_given_with_p_are_tried_and_single_values_are_fixed() -> None:
    given = [
        "learning_rate=[0.001, 0.01]", "lr={low: 0.001, high: 0.1}", "epochs=5", "options.nbs=[8]",
        "training.batch_size=[8, 16]", "benchmark.batch_sizes=[1]", "batch_sizes=[1]",
        "tags={a: b}",
        "bacth=[8, 16]", "sweep.max_runs=3", "name=x", "broken=[",
    ]  # fmt: skip
    assert as_design_overrides(given, "sweep") == [
        "sweep.parameters.training.learning_rate=[0.001, 0.01]",
        "sweep.parameters.training.learning_rate={low: 0.001, high: 0.1}",
        "training.epochs=5",
        "sweep.parameters.training.options.nbs=[8]",
        "sweep.parameters.training.batch_size=[8, 16]",
        "benchmark.batch_sizes=[1]",
        "batch_sizes=[1]",
        "tags={a: b}",
        "sweep.parameters.bacth=[8, 16]",
        "sweep.max_runs=3",
        "name=x",
        "broken=[",
    ]

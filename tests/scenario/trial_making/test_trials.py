"""The trials of each design, and the scenario that each runs."""

from __future__ import annotations

import pytest
from designed import designed

from guardianflow.contracts.errors import ScenarioError
from scenario import (
    Scenario,
    Trial,
    ablation_trials,
    comparison_trials,
    dump_scenario,
    grid,
    parse_scenario,
    scenario_of,
)
from scenario.designs.components import OFF


def grid_of(scenario: Scenario) -> list[Trial]:
    assert scenario.sweep is not None
    return grid(scenario.sweep, scenario)


def test_a_grid_is_every_combination_the_last_parameter_fastest() -> None:
    made = designed(sweep={"parameters": {"lr": [0.001, 0.01], "batch": [8, 16]}})
    trials = grid_of(made)
    assert [each.name for each in trials] == ["demo-000", "demo-001", "demo-002", "demo-003"]
    assert [list(each.changes.values()) for each in trials] == [
        [0.001, 8],
        [0.001, 16],
        [0.01, 8],
        [0.01, 16],
    ]
    third = scenario_of(made, trials[2])
    assert (third.design, third.sweep, third.experiment_type) == ("single", None, None)
    assert (third.training.learning_rate, third.training.batch_size) == (0.01, 8)
    assert parse_scenario(dump_scenario(third), "a trial") == third


def test_repeats_are_the_same_values_with_the_seeds_that_follow() -> None:
    made = designed(sweep={"parameters": {"lr": [0.1, 0.2]}, "repeats": 3})
    trials = grid_of(made)
    assert [(each.index, each.repeat) for each in trials] == [
        (0, 0), (1, 1), (2, 2), (3, 0), (4, 1), (5, 2),
    ]  # fmt: skip
    assert [scenario_of(made, each).environment.seed for each in trials[:3]] == [42, 43, 44]
    last = designed(
        environment={"seed": 2**32 - 1}, sweep={"parameters": {"lr": [0.1, 0.2]}, "repeats": 2}
    )
    assert scenario_of(last, grid_of(last)[1]).environment.seed == 0


def test_max_runs_of_a_grid_draws_the_same_ones_for_the_same_seed() -> None:
    many = {f"options.{name}": list(range(10)) for name in "abcdef"}

    def drawn(seed: int) -> list[Trial]:
        return grid_of(designed(sweep={"parameters": many, "max_runs": 12, "seed": seed}))

    once = drawn(1)
    assert once == drawn(1) != drawn(2)
    assert len({tuple(each.changes.values()) for each in once}) == 12
    assert [tuple(t.changes.values()) for t in once] == sorted(  # type: ignore[type-var]
        tuple(t.changes.values()) for t in once
    )


def test_a_change_leaves_the_rest_of_its_section() -> None:
    made = designed(
        model={"architecture": "yolo11n", "weights_path": "w.pt"},
        training={"epochs": 3, "options": {"nbs": 8}},
        quantization={"search": {"budget_minutes": 5.0, "max_drop_mAP50": 0.02}},
        benchmark={"cameras": {"fps": 10.0}},
    )
    changes = {
        "training.options.mosaic": 0.5, "model.input_size": 320,
        "quantization.search.budget_minutes": 7.0, "benchmark.cameras.fps": 5.0,
    }  # fmt: skip
    found = scenario_of(made, Trial(0, "t", changes))
    assert found.training.options == {"nbs": 8, "mosaic": 0.5}
    assert (found.training.epochs, found.model.weights_path) == (3, "w.pt")
    (quantization,) = found.quantization_variants
    assert quantization.search is not None
    assert quantization.search.model_dump()["budget_minutes"] == 7.0
    assert quantization.search.max_drop_mAP50 == 0.02
    assert found.benchmark.cameras is not None
    assert (found.benchmark.cameras.fps, found.benchmark.cameras.latency_budget_ms) == (5.0, 200.0)


def test_combinations_that_contradict_themselves_are_named_before_any_runs() -> None:
    made = designed(
        experiment_type="quant",
        sweep={
            "parameters": {
                "quantization.backend": ["openvino", "onnx"],
                "quantization.method": ["static", "qat"],
            }
        },
    )
    with pytest.raises(ScenarioError) as caught:
        grid_of(made)
    (problem,) = caught.value.problems
    assert problem.where == "demo-003 (quantization.backend=onnx, quantization.method=qat)"
    assert "quantization.method qat makes int8 for openvino" in problem.message


def test_architectures_are_trained_from_scratch_each() -> None:
    made = designed(
        model={"architecture": "yolo11n", "weights_path": "yolo11n.pt"},
        comparison={"architectures": ["yolo11n", "yolo26n"], "repeats": 2},
    )
    trials = comparison_trials(made)
    assert [each.name for each in trials] == [
        "arch-yolo11n-r1", "arch-yolo26n-r1", "arch-yolo11n-r2", "arch-yolo26n-r2",
    ]  # fmt: skip
    second = scenario_of(made, trials[1])
    assert (second.model.architecture, second.model.weights_path) == ("yolo26n", None)
    assert (trials[1].variable, trials[1].value) == ("architecture", "yolo26n")
    assert scenario_of(made, trials[3]).environment.seed == 43


def test_architectures_may_be_weights_to_start_from() -> None:
    made = designed(comparison={"architectures": ["yolo11n", "weights/yolo11s.pt"]})
    first, second = comparison_trials(made)
    assert (second.name, second.value) == ("arch-yolo11s.pt", "yolo11s.pt")
    model = scenario_of(made, second).model
    assert (model.architecture, model.weights_path) == ("yolo11s", "weights/yolo11s.pt")
    assert scenario_of(made, first).model.weights_path is None


def test_a_data_set_is_taken_whole() -> None:
    ulsan = {"name": "ulsan", "path": "u.yaml", "split": "val", "groups": "folder"}
    made = designed(
        dataset={"path": "demo://ppe", "split": "test", "version": "v7"},
        comparison={"datasets": ["sites/busan/data.yaml", ulsan]},
    )
    first, second = comparison_trials(made)
    assert [first.name, second.name] == ["dataset-busan", "dataset-ulsan"]
    assert (first.variable, first.value) == ("dataset", "busan")
    busan, other = scenario_of(made, first).dataset, scenario_of(made, second).dataset
    assert (busan.path, busan.split, busan.version) == ("sites/busan/data.yaml", "test", None)
    assert (other.split, other.group_rule is not None) == ("val", True)


def test_runs_and_versions_are_sources() -> None:
    runs = comparison_trials(designed(comparison={"run_ids": ["runs:/" + "a1" * 16, "b2" * 16]}))
    assert [each.name for each in runs] == ["run-a1a1a1a1", "run-b2b2b2b2"]
    assert [each.changes["source_run_id"] for each in runs] == ["a1" * 16, "b2" * 16]
    made = designed(
        comparison={"model_versions": ["a/b-c/d/ppe/3", "models:/a.b-c.d.ppe@champion"]}
    )
    versions = comparison_trials(made)
    assert [each.changes["source_run_id"] for each in versions] == [
        "models:/a.b-c.d.ppe/3",
        "models:/a.b-c.d.ppe@champion",
    ]
    assert scenario_of(made, versions[0]).source_run_id == "models:/a.b-c.d.ppe/3"


def test_an_ablation_changes_one_component_at_a_time() -> None:
    made = designed(
        model={"architecture": "yolo11n", "weights_path": "w/best.pt"},
        training={"options": {"nbs": 8}},
        ablation={
            "components": {
                "augmentation": [True, False],
                "pretrained": [True, False],
                "optimizer": ["adamw", "sgd", "adam"],
            },
            "baseline": {"optimizer": "sgd"},
        },
    )
    trials = ablation_trials(made)
    assert [(each.name, each.variable, each.value) for each in trials] == [
        ("ablation-baseline", "baseline", "baseline"),
        ("ablation-augmentation_false", "augmentation", "false"),
        ("ablation-pretrained_false", "pretrained", "false"),
        ("ablation-optimizer_adamw", "training.optimizer", "adamw"),
        ("ablation-optimizer_adam", "training.optimizer", "adam"),
    ]
    baseline, plain, scratch, adamw, _ = (scenario_of(made, each) for each in trials)
    assert (baseline.training.optimizer, baseline.model.weights_path) == ("sgd", "w/best.pt")
    assert plain.training.options == {"nbs": 8, **OFF}
    assert (plain.training.optimizer, scratch.model.weights_path) == ("sgd", None)
    assert (adamw.training.optimizer, adamw.training.options) == ("adamw", {"nbs": 8})


def test_augmentations_off_are_options_that_ultralytics_takes() -> None:
    from ultralytics.cfg import DEFAULT_CFG_DICT, check_cfg

    assert set(OFF) <= set(DEFAULT_CFG_DICT)
    check_cfg(dict(OFF))  # raises for a value of the wrong type


def test_all_combinations_on_demand() -> None:
    made = designed(
        ablation={
            "components": {"augmentation": [True, False], "optimizer": ["adamw", "sgd"]},
            "all_combinations": True,
            "repeats": 2,
        }
    )
    trials = ablation_trials(made)
    assert [each.name for each in trials[:4]] == [
        "ablation-baseline-r1",
        "ablation-optimizer_sgd-r1",
        "ablation-augmentation_false-r1",
        "ablation-augmentation_false-optimizer_sgd-r1",
    ]
    assert trials[3].variable == "combination"
    assert trials[3].value == "augmentation=false,training.optimizer=sgd"
    assert [each.repeat for each in trials] == [0] * 4 + [1] * 4

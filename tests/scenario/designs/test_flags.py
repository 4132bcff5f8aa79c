"""An override goes before what a file tries of the same field, by whichever name."""

from __future__ import annotations

import pytest
from designed import VALUES

from guardianflow.contracts.errors import ScenarioError
from scenario import Scenario, build_scenario
from scenario.designs.flags import as_design_overrides

FILES = {
    "by a short name": {"lr": [0.1, 0.2], "batch_size": [8, 16]},
    "by its field": {"learning_rate": [0.1, 0.2], "batch_size": [8, 16]},
    "by its path": {"training.learning_rate": [0.1, 0.2], "batch_size": [8, 16]},
    "nested": {"training": {"learning_rate": [0.1, 0.2], "batch_size": [8, 16]}},
}


def overridden(design: str, section: dict[str, object], *given: str) -> Scenario:
    values = {**VALUES, design: section}
    return build_scenario(values, overrides=as_design_overrides(given, design))


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize("name", ["lr", "learning_rate", "training.learning_rate"])
def test_values_given_take_the_place_of_those_of_the_file(written: str, name: str) -> None:
    made = overridden("sweep", {"parameters": FILES[written]}, f"{name}=[0.5, 0.6, 0.7]")
    assert made.sweep is not None
    assert made.sweep.parameters == {
        "training.learning_rate": (0.5, 0.6, 0.7), "training.batch_size": (8, 16),
    }  # fmt: skip


@pytest.mark.parametrize("written", FILES)
def test_one_value_given_is_the_only_one_that_is_tried(written: str) -> None:
    """Else each trial would overwrite it, and nobody would be told."""
    made = overridden("sweep", {"parameters": FILES[written]}, "lr=0.5", "epochs=3")
    assert made.sweep is not None
    assert made.sweep.parameters["training.learning_rate"] == (0.5,)
    assert "training.epochs" not in made.sweep.parameters
    assert (made.training.learning_rate, made.training.epochs) == (0.5, 3)


def test_a_bound_of_a_range_can_be_given() -> None:
    ranged: dict[str, object] = {
        "parameters": {"lr": {"low": 0.001, "high": 0.1}},
        "strategy": "random",
    }
    made = overridden("sweep", ranged, "sweep.parameters.learning_rate.high=0.5")
    assert made.sweep is not None
    assert made.sweep.parameters["training.learning_rate"].ends == (0.001, 0.5)  # type: ignore[union-attr]


def test_of_a_format_the_file_calls_it_as_it_likes() -> None:
    sweep = {"parameters": {"calibration_method": ["minmax", "entropy"]}}
    values = {**VALUES, "experiment_type": "quant", "source_run_id": "abc", "sweep": sweep}
    given = as_design_overrides(["calibration_method=[percentile, minmax]"], "sweep")
    made = build_scenario(values, overrides=given)
    assert made.sweep is not None
    assert made.sweep.parameters == {"quantization.calibration_method": ("percentile", "minmax")}


def test_components_of_a_file_are_replaced_and_one_value_alone_shows_no_effect() -> None:
    section: dict[str, object] = {"components": {"optimizer": ["adamw", "sgd"]}}
    made = overridden(
        "ablation", section, "augmentation=[true, false]", "training.optimizer=[adam, sgd]"
    )
    assert made.ablation is not None
    assert made.ablation.components == {
        "training.optimizer": ("adam", "sgd"), "augmentation": (True, False),
    }  # fmt: skip
    with pytest.raises(ScenarioError, match="has one value; give at least two"):
        overridden("ablation", section, "optimizer=sgd")


def test_short_names_are_taken_where_nothing_is_tried_too() -> None:
    assert as_design_overrides(["lr=0.5", "imgsz=96", "batch_sizes=[1]", "tags={a: b}"]) == [
        "training.learning_rate=0.5", "model.input_size=96", "batch_sizes=[1]", "tags={a: b}",
    ]  # fmt: skip

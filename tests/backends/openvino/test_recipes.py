from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardianflow.backends import catalogue
from guardianflow.backends.openvino import recipes as openvino_recipes
from guardianflow.backends.openvino.recipes import (
    OpenvinoRecipeExporter,
    convolutions,
    quantised_convolutions,
)
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.quantisation.calibration import network_input
from guardianflow.backends.quantisation.layer_groups import operations_of
from guardianflow.contracts.errors import BackendError
from guardianflow.contracts.quantisation import Recipe
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]
MINMAX = Recipe(calibration_method="minmax")


@pytest.fixture(scope="module")
def open_recipe_exporter(
    package: MakePackage, calibration: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], OpenvinoRecipeExporter]:
    cache = tmp_path_factory.mktemp("openvino-recipes")
    return lambda name: OpenvinoRecipeExporter(package(name), calibration, cache)


@pytest.fixture(scope="module")
def exporter(
    open_recipe_exporter: Callable[[str], OpenvinoRecipeExporter],
) -> Iterator[OpenvinoRecipeExporter]:
    with open_recipe_exporter("yolo11n") as opened:
        yield opened


def computed(model: Any, image: np.ndarray) -> np.ndarray:
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return np.array(compiled(network_input(image))[0])


def relative_difference(output: np.ndarray, reference: np.ndarray) -> float:
    """Largest deviation of each row (box side, class) relative to that row's largest value."""
    scale = np.abs(reference).max(axis=(0, 2), keepdims=True)
    return float((np.abs(output - reference) / scale).max())


def test_all_groups_put_back_give_the_float_network(
    exporter: OpenvinoRecipeExporter, package: MakePackage, images: np.ndarray
) -> None:
    every = operations_of(exporter.groups, [group.name for group in exporter.groups])
    model = exporter.calibrated(MINMAX).with_float(every)
    assert quantised_convolutions(model) == []
    assert not [op for op in model.get_ops() if op.get_type_name() == "FakeQuantize"]
    with catalogue.open_session(package("yolo11n", "openvino")) as session:
        reference = session.infer(images[:1])
    assert relative_difference(computed(model, images[0]), reference) < 1e-3
    quantised = computed(exporter.calibrated(MINMAX).with_float([]), images[0])
    assert relative_difference(quantised, reference) > 1e-2, "or the check shows nothing"


def check_each_group_floats_its_own(exporter: OpenvinoRecipeExporter) -> dict[str, tuple[int, int]]:
    """Group → convolutions that it holds, and that floating it floats."""
    calibrated = exporter.calibrated(MINMAX)
    every = set(convolutions(calibrated.model))
    assert set(quantised_convolutions(calibrated.model)) == every
    counts = {}
    for group in exporter.groups:
        own = set(group.operations) & every
        left = set(quantised_convolutions(calibrated.with_float(group.operations)))
        assert not own & left, group.name
        counts[group.name] = len(own), len(every - left)
    assert quantised_convolutions(calibrated.model), "the calibrated network itself is unchanged"
    return counts


def test_each_group_floats_at_least_its_own_convolutions(exporter: OpenvinoRecipeExporter) -> None:
    counts = check_each_group_floats_its_own(exporter)
    total = sum(own for own, _ in counts.values())
    assert all(floated < total for _, floated in counts.values()), "never the whole network"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["yolov8n", "yolo26n"])
def test_other_architectures_too(
    open_recipe_exporter: Callable[[str], OpenvinoRecipeExporter], architecture: str
) -> None:
    with open_recipe_exporter(architecture) as exporter:
        check_each_group_floats_its_own(exporter)


def test_a_package_counts_its_float_convolutions(
    exporter: OpenvinoRecipeExporter, tmp_path: Path
) -> None:
    every = len(convolutions(exporter.calibrated(MINMAX).model))
    none = exporter.make(MINMAX, tmp_path / "none").spec.lineage
    assert none["float_convolutions"] == f"0 of {every}"
    recipe = Recipe(("heads",), calibration_method="minmax")
    made = exporter.make(recipe, tmp_path / "heads")
    floated, of = map(int, made.spec.lineage["float_convolutions"].split(" of "))
    heads = next(group for group in exporter.groups if group.name == "heads")
    assert of == every
    assert floated >= len(set(heads.operations) & set(convolutions(exporter._float)))


@pytest.mark.slow
def test_presets_and_bias_correction_make_other_networks(
    exporter: OpenvinoRecipeExporter, images: np.ndarray, tmp_path: Path
) -> None:
    made = [
        exporter.make(recipe, tmp_path / recipe.calibration_key)
        for recipe in (
            MINMAX,
            Recipe(preset="performance", calibration_method="minmax"),
            Recipe(bias_correction=False, calibration_method="minmax"),
        )
    ]
    outputs = []
    for package in made:
        with catalogue.open_session(package) as session:
            outputs.append(session.infer(images[:1]))
    assert not np.allclose(outputs[0], outputs[1])
    assert not np.allclose(outputs[0], outputs[2])
    assert made[1].spec.lineage["preset"] == "performance"
    assert made[2].spec.lineage["bias_correction"] == "none"


@pytest.mark.slow
def test_a_range_too_narrow_for_a_histogram_is_said(
    package: MakePackage,
    calibration: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import nncf

    quantize, asked = nncf.quantize, []

    def narrow_at_first(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs)
        if len(asked) == 1:
            raise ValueError("Too many bins for data range. Cannot create 2048 finite-sized bins.")
        return quantize(*args, **kwargs)

    monkeypatch.setattr(nncf, "quantize", narrow_at_first)
    with OpenvinoRecipeExporter(package(), calibration[:2], tmp_path / "cache") as exporter:
        lineage = exporter.make(Recipe(), tmp_path / "made").spec.lineage
    assert lineage["calibration_method"] == "entropy"
    assert lineage["calibration_method_used"].startswith("nncf minmax (a layer's range")
    # what is read from the cache says it too
    with OpenvinoRecipeExporter(package(), calibration[:2], tmp_path / "cache") as exporter:
        again = exporter.make(Recipe(), tmp_path / "again").spec.lineage
    assert again == lineage
    assert len(asked) == 2


def test_a_recipe_whose_neighbours_take_everything_along_is_no_int8_model(
    exporter: OpenvinoRecipeExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_recipes, "quantised_convolutions", lambda model: [])
    with pytest.raises(BackendError, match="leaves no convolution quantised"):
        exporter.make(MINMAX, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_the_tail_is_in_no_group(exporter: OpenvinoRecipeExporter) -> None:
    tail = set(recipes.detection_tail(recipes.graph_of_openvino(exporter._float)))
    assert not tail & operations_of(exporter.groups, [group.name for group in exporter.groups])

"""Quantisation-aware training: the network read into PyTorch, trained, and written back as INT8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.backends import catalogue, interchange
from guardianflow.backends.openvino import runtime as openvino_runtime
from guardianflow.contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
)
from guardianflow.contracts.quantisation import Recipe, RecipeExporter, Training
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]
TRAINED = Recipe(calibration_method="minmax", training=Training(epochs=1))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qat")


@pytest.fixture
def exporter(package: MakePackage, calibration: list[np.ndarray], cache: Path) -> RecipeExporter:
    return catalogue.open_recipe_exporter("openvino", package(), calibration, cache)


def compiled(model: Any) -> Any:
    core = openvino_runtime.library().Core()
    return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def fake_quantise(values: np.ndarray, low: np.ndarray, high: np.ndarray, levels: int) -> np.ndarray:
    """What OpenVINO itself makes of it."""
    from openvino import Model, opset13

    given = opset13.parameter(values.shape, np.float32)
    bounds = [opset13.constant(each) for each in (low, high, low, high)]
    node = opset13.fake_quantize(given, *bounds, levels)
    result: np.ndarray = compiled(Model([node], [given]))(values)[0]
    return result


@settings(deadline=None, max_examples=25)  # each compiles a network
@given(
    zero=st.integers(0, 255),
    step=st.floats(1e-4, 1.0),
    channels=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_a_quantiser_rounds_as_openvino_does(
    zero: int, step: float, channels: int, seed: int
) -> None:
    import torch

    from guardianflow.backends.openvino.trainable_network import Quantiser

    steps = step * np.arange(1, channels + 1).reshape(1, -1, 1, 1)
    low, high = (-zero * steps).astype(np.float32), ((255 - zero) * steps).astype(np.float32)
    quantiser = Quantiser(low, high, 256)
    read = quantiser.range()
    assert np.allclose(read[0], low, rtol=1e-5)
    assert np.allclose(read[1], high, rtol=1e-5)
    # From end to end of the range and beyond, never half-way between two levels.
    level = np.random.default_rng(seed).integers(-20, 280, (1, channels, 4, 4))
    values = ((level + 0.2 - zero) * steps).astype(np.float32)
    with torch.no_grad():
        found = quantiser(torch.from_numpy(values)).numpy()
    assert np.allclose(found, fake_quantise(values, low, high, 256), atol=1e-3 * step * channels)


def test_ranges_that_can_t_be_trained_are_refused() -> None:
    from guardianflow.backends.openvino.trainable_network import Quantiser

    with pytest.raises(BackendError, match="empty or not finite"):
        Quantiser(np.zeros(1, np.float32), np.zeros(1, np.float32), 256)
    with pytest.raises(BackendError, match="along one axis"):
        Quantiser(np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32), 256)


@pytest.mark.slow
def test_the_module_computes_what_the_network_computes(
    package: MakePackage, images: np.ndarray, tmp_path: Path
) -> None:
    """An end-to-end head and attention; the others' operations are among its."""
    import torch

    from guardianflow.backends.openvino.trainable_network import TrainableNetwork

    interchange.to_onnx(package("yolo26n"), tmp_path / "float.onnx")
    model = openvino_runtime.convert(openvino_runtime.library(), tmp_path / "float.onnx")
    network = TrainableNetwork(model)
    inputs = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    with torch.no_grad():
        found = network(torch.from_numpy(inputs))
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    model.add_outputs([nodes[branch.node].output(0) for branch in network.branches])
    wanted = list(compiled(model)(inputs).values())[1:]
    for scores, key in ((False, "boxes"), (True, "scores")):
        parts = [
            output.reshape(*output.shape[:2], -1)
            for output, branch in zip(wanted, network.branches, strict=True)
            if branch.scores is scores
        ]
        assert np.allclose(found[key].numpy(), np.concatenate(parts, 2), atol=2e-3)
    assert [tuple(each.shape[2:]) for each in found["feats"]] == [(20, 20), (10, 10), (5, 5)]


def shift_all(network: Any) -> Mapping[str, str]:
    """Stands for training: every weight, bias and range moves a little."""
    import torch

    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01)
    return {"qat_epochs": "1"}


def integer_convolutions(package: DetectorPackage) -> int:
    """How many convolutions the CPU really computes on 8-bit numbers."""
    model = openvino_runtime.library().Core().read_model(str(package.weights_path))
    precisions = [
        node.get_rt_info()["runtimePrecision"].astype(str)
        for node in compiled(model).get_runtime_model().get_ops()
        if node.get_rt_info()["layerType"].astype(str) == "Convolution"
    ]
    return sum(precision in ("u8", "i8") for precision in precisions)


@pytest.mark.slow
def test_what_was_trained_is_exported_as_int8(
    exporter: RecipeExporter, images: np.ndarray, tmp_path: Path
) -> None:
    plain = exporter.make(Recipe(calibration_method="minmax"), tmp_path / "plain")
    same = exporter.make_trained(TRAINED, tmp_path / "same", lambda _: {}, "no steps")
    moved = exporter.make_trained(TRAINED, tmp_path / "moved", shift_all, "all moved")
    assert integer_convolutions(moved) == integer_convolutions(plain) > 60
    lineage = moved.spec.lineage
    assert lineage["quantization_method"] == "qat"
    assert lineage["qat_epochs"] == "1"
    assert lineage["float_convolutions"] == "0 of 87"
    assert "trained 1 epoch" in lineage["recipe_label"]

    def outputs(one: DetectorPackage) -> np.ndarray:
        with catalogue.open_session(one, batch_size=len(images)) as session:
            return session.infer(images)

    scores = [outputs(one)[:, 4:] for one in (plain, same, moved)]
    assert np.abs(scores[1] - scores[0]).mean() < 0.2 * np.abs(scores[2] - scores[0]).mean()


@pytest.mark.slow
def test_what_was_trained_once_is_not_trained_again(
    exporter: RecipeExporter, tmp_path: Path
) -> None:
    first = exporter.make_trained(TRAINED, tmp_path / "first", shift_all, "kept")

    def refuse(_: Any) -> Mapping[str, str]:
        raise AssertionError("trained anew")

    again = exporter.make_trained(TRAINED, tmp_path / "again", refuse, "kept")
    weights = first.spec.weights.replace(".xml", ".bin")
    assert again.spec.files[weights] == first.spec.files[weights]
    with pytest.raises(AssertionError, match="trained anew"):
        exporter.make_trained(TRAINED, tmp_path / "other", refuse, "other data")


def become_nan(network: Any) -> Mapping[str, str]:
    import torch

    with torch.no_grad():
        next(iter(network.parameters())).fill_(float("nan"))
    return {}


def interrupted(network: Any) -> Mapping[str, str]:
    raise KeyboardInterrupt("as by Ctrl-C")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "raised", "words"),
    [
        (become_nan, BackendError, "1 weights or ranges that are not finite.*learning_rate"),
        (interrupted, KeyboardInterrupt, "as by Ctrl-C"),
    ],
)
def test_a_training_that_went_wrong_leaves_nothing(
    exporter: RecipeExporter,
    cache: Path,
    tmp_path: Path,
    train: Callable[[Any], Mapping[str, str]],
    raised: type[BaseException],
    words: str,
) -> None:
    before = sorted(cache.iterdir())
    with pytest.raises(raised, match=words):
        exporter.make_trained(TRAINED, tmp_path / "made", train, "wrong")
    assert not list(tmp_path.iterdir())
    after = [path for path in cache.iterdir() if path not in before]
    assert not [path for path in after if "training" in path.name]


@pytest.mark.slow
def test_training_is_asked_for_where_it_can_be(
    exporter: RecipeExporter, package: MakePackage, calibration: list[np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="made by make_trained"):
        exporter.make(TRAINED, tmp_path / "a")
    with pytest.raises(ConfigurationError, match="made by make, not"):
        exporter.make_trained(Recipe(), tmp_path / "a", shift_all, "")
    onnx = catalogue.open_recipe_exporter("onnx", package(), calibration, tmp_path / "cache")
    with pytest.raises(BackendUnavailableError, match="not available for onnx, only for openvino"):
        onnx.make_trained(TRAINED, tmp_path / "a", shift_all, "")

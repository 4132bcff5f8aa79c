"""A network is trained with the activation that the scenario asks for, from scratch and on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments_adapters.ultralytics_isolation import ultralytics_isolated
from experiments_adapters.yolo.activation import ACTIVATIONS, described_with
from experiments_adapters.yolo.train import Trainer
from guardianflow.backends.weights import ultralytics_models

QUIET = {"plots": False}
Configs = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_a_description_builds_the_same_network_with_another_activation(
    activation: str, tmp_path: Path
) -> None:
    with ultralytics_isolated(offline=True):
        from ultralytics.nn.tasks import DetectionModel

        source = described_with(activation, "yolo11n.yaml", tmp_path / "model")
        model = DetectionModel(source, nc=80, verbose=False)
        plain = DetectionModel("yolo11n.yaml", nc=80, verbose=False)
    assert ultralytics_models.activations_in(model) == (activation,)
    assert ultralytics_models.activations_in(plain) == ("silu",)
    assert ultralytics_models.architecture(model) == "yolo11n"
    shapes = [{name: value.shape for name, value in m.state_dict().items()} for m in (model, plain)]
    assert shapes[0] == shapes[1]


def test_weights_bring_their_own_description(tmp_path: Path) -> None:
    assert described_with("hardswish", "/data/best.pt", tmp_path / "model") == "/data/best.pt"
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_training_from_scratch_one_from_weights_and_one_gone_on_with_keep_the_activation(
    configs: Configs, tmp_path: Path
) -> None:
    class StopsAfterOne(Trainer):
        def on_epoch_end(self, epoch: int, metrics: Any) -> None:
            raise KeyboardInterrupt

    first = StopsAfterOne(
        **configs(activation="hardswish", options=QUIET), work_dir=tmp_path / "first"
    )
    with pytest.raises(KeyboardInterrupt):
        first.train()
    resumed = Trainer(
        **configs(activation="hardswish", options=QUIET),
        work_dir=tmp_path / "second",
        resume_from=first.get_last_checkpoint_path(),
    )
    resumed.train()
    assert activations_of(resumed) == ("hardswish",)
    weights = resumed.get_best_model_path()
    on = Trainer(
        **configs(activation="relu6", weights_path=weights, epochs=1, options=QUIET),
        work_dir=tmp_path / "third",
    )
    on.train()
    assert activations_of(on) == ("relu6",)


def activations_of(trainer: Trainer) -> tuple[str, ...]:
    model = ultralytics_models.load_detector(Path(trainer.get_best_model_path()))
    return ultralytics_models.activations_in(model)

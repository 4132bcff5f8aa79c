"""A short further training: of a small module that predicts as a detection head does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments_adapters.yolo.finetune import FinetuneSettings, NoTimeToTrainError, finetune
from guardianflow.contracts.errors import ConfigurationError, NonFiniteLossError, TrainerError

SIDE = 64
NAMES = ("helmet", "head")


@pytest.fixture(scope="module")
def data_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images, each with one bright square."""
    import cv2

    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    for index in range(6):
        image = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        left, top = rng.integers(4, 28, 2)
        image[top : top + 28, left : left + 28] = 230
        for name in ("images", "labels"):
            (folder / name).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "images" / f"{index}.jpg"), image)
        row = f"{index % 2} {(left + 14) / SIDE} {(top + 14) / SIDE} {28 / SIDE} {28 / SIDE}\n"
        (folder / "labels" / f"{index}.txt").write_text(row, encoding="utf-8")
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(NAMES))
    yaml = folder / "data.yaml"
    yaml.write_text(f"path: {folder}\ntrain: images\nval: images\nnames:\n{names}", "utf-8")
    return yaml


@pytest.fixture
def detector() -> Any:
    from guardianflow.backends.weights.ultralytics_models import import_ultralytics

    import_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    return DetectionModel("yolo11n.yaml", nc=len(NAMES), verbose=False)


def predictor(classes: int = len(NAMES)) -> Any:
    """A convolution for each level and kind, on the image made small."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Predictor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.boxes = nn.ModuleList(nn.Conv2d(3, 64, 3, padding=1) for _ in range(3))
            self.scores = nn.ModuleList(nn.Conv2d(3, classes, 3, padding=1) for _ in range(3))

        def forward(self, images: torch.Tensor) -> dict[str, Any]:
            levels = [functional.avg_pool2d(images, stride) for stride in (8, 16, 32)]
            boxes = [conv(x) for conv, x in zip(self.boxes, levels, strict=True)]
            scores = [conv(x) for conv, x in zip(self.scores, levels, strict=True)]
            return {
                "boxes": torch.cat([x.flatten(2) for x in boxes], 2),
                "scores": torch.cat([x.flatten(2) for x in scores], 2),
                "feats": scores,
            }

    return Predictor()


def settings(**changes: Any) -> FinetuneSettings:
    given = {"epochs": 3, "batch_size": 3, "learning_rate": 0.01, "input_size": SIDE}
    return FinetuneSettings(**(given | {"device": "cpu"} | changes))


@pytest.mark.parametrize("end_to_end", [False, True])
def test_it_learns_and_tells_every_epoch(data_yaml: Path, detector: Any, end_to_end: bool) -> None:
    told: list[tuple[int, dict[str, float]]] = []
    facts = finetune(
        predictor(),
        detector,
        data_yaml,
        settings(end_to_end=end_to_end, epochs=6),
        lambda epoch, metrics: told.append((epoch, dict(metrics))),
    )
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4, 5, 6]
    assert told[-1][1]["loss"] < told[0][1]["loss"]
    assert {"box_loss", "cls_loss", "dfl_loss", "learning_rate", "seconds"} <= told[0][1].keys()
    assert told[0][1]["learning_rate"] == pytest.approx(0.01)
    assert told[-1][1]["learning_rate"] < 0.001
    assert facts["qat_images"] == "6"
    assert facts["qat_epochs"] == "6"


def test_ranges_learn_faster_than_weights(data_yaml: Path, detector: Any) -> None:
    import torch

    network = predictor()
    quick = network.boxes[0].bias
    network.ranges = lambda: [quick]
    before = [p.detach().clone() for p in (quick, network.boxes[0].weight)]
    finetune(network, detector, data_yaml, settings(epochs=1, learning_rate=1e-4))
    moves = [
        float(torch.abs(p.detach() - old).max())
        for p, old in zip((quick, network.boxes[0].weight), before, strict=True)
    ]
    assert moves[0] > 10 * moves[1] > 0


def test_the_same_seed_trains_the_same_and_leaves_the_callers_randomness(
    data_yaml: Path, detector: Any
) -> None:
    import torch

    def trained(seed: int) -> Any:
        network = predictor()
        finetune(network, detector, data_yaml, settings(seed=seed, epochs=1))
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    first = trained(1)
    random.seed(5)
    wanted = random.random()
    random.seed(5)
    again = trained(1)
    assert random.random() == wanted
    assert torch.equal(first, again)
    assert not torch.equal(first, trained(2))


def test_a_loss_that_is_no_number_is_named(data_yaml: Path, detector: Any) -> None:
    import torch

    network = predictor()
    torch.nn.init.constant_(network.scores[1].bias, float("nan"))
    with pytest.raises(NonFiniteLossError, match=r"in epoch 1 the loss became nan\. Lower quantiz"):
        finetune(network, detector, data_yaml, settings())


def test_what_does_not_fit_the_time_is_not_trained(data_yaml: Path, detector: Any) -> None:
    epochs: list[int] = []
    with pytest.raises(NoTimeToTrainError, match=r"900 epochs would take about .* 0\.0 are left"):
        finetune(
            predictor(),
            detector,
            data_yaml,
            settings(epochs=900, seconds=0.001),
            lambda epoch, _: epochs.append(epoch),
        )
    assert epochs == [1]  # it is known at the third step, in the second epoch


def test_a_network_of_other_classes_is_refused(data_yaml: Path, detector: Any) -> None:
    with pytest.raises(TrainerError, match=r"64 box and 2 class channels, .* gives 64 and 5"):
        finetune(predictor(classes=5), detector, data_yaml, settings())


def test_a_device_that_is_not_there(data_yaml: Path, detector: Any) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigurationError, match="'cuda', but this machine has no GPU"):
        finetune(predictor(), detector, data_yaml, settings(device="cuda"))

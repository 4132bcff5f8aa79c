"""A handful of drawn images: enough for a trainer to run on, made in a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from experiments_adapters.code_path import ExperimentCode, load_experiment
from experiments_adapters.trainers import build_trainer
from guardianflow.contracts.errors import ExperimentCodeError

SIDE = 96


def draw_dataset(
    root: Path, *, train: int = 8, val: int = 4, names: tuple[str, ...] = ("box", "disc")
) -> Path:
    """Squares and discs on noise, in YOLO's layout; returns the data.yaml."""
    rng = np.random.default_rng(7)
    for split, count in (("train", train), ("val", val)):
        images, labels = root / "images" / split, root / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for index in range(count):
            image = rng.integers(90, 140, (SIDE, SIDE, 3), dtype=np.uint8)
            rows = []
            for class_id in (0, 1):
                half = int(rng.integers(10, 18))
                x, y = (int(v) for v in rng.integers(half, SIDE - half, 2))
                colour = ((40, 40, 220), (220, 60, 40))[class_id]
                if class_id == 0:
                    cv2.rectangle(image, (x - half, y - half), (x + half, y + half), colour, -1)
                else:
                    cv2.circle(image, (x, y), half, colour, -1)
                box = (x / SIDE, y / SIDE, 2 * half / SIDE, 2 * half / SIDE)
                rows.append(f"{class_id} " + " ".join(f"{v:.5f}" for v in box))
            _, encoded = cv2.imencode(".png", image)
            (images / f"{index:03d}.png").write_bytes(encoded.tobytes())
            (labels / f"{index:03d}.txt").write_text("\n".join(rows) + "\n")
    listed = "".join(f"  {i}: {name}\n" for i, name in enumerate(names))
    data_yaml = root / "data.yaml"
    data_yaml.write_text(
        f"path: {root}\ntrain: images/train\nval: images/val\nnames:\n{listed}", encoding="utf-8"
    )
    return data_yaml


@pytest.fixture(scope="session")
def data_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def configs(data_yaml: Path) -> Callable[..., dict[str, Any]]:
    """The configurations a trainer is built with; keyword arguments change single fields."""

    def make(**changes: Any) -> dict[str, Any]:
        fields = {
            "architecture": "yolo11n",
            "input_size": SIDE,
            "weights_path": None,
            "num_classes": 2,
            "activation": None,
            "epochs": 2,
            "batch_size": 4,
            "learning_rate": 0.002,
            "optimizer": "adamw",
            "scheduler": "cosine",
            "early_stopping": 0,
            "options": {},
            "path": str(data_yaml),
            "device": "cpu",
            "seed": 1,
        } | changes

        def section(*names: str) -> SimpleNamespace:
            return SimpleNamespace(**{name: fields[name] for name in names})

        return {
            "model_config": section(
                "architecture", "input_size", "weights_path", "num_classes", "activation"
            ),
            "training_config": section(
                "epochs",
                "batch_size",
                "learning_rate",
                "optimizer",
                "scheduler",
                "early_stopping",
                "options",
            ),
            "dataset_config": section("path"),
            "environment_config": section("device", "seed"),
        }

    return make


@pytest.fixture
def write_experiment(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Writes files of an experiment's directory; each call another directory."""

    def write(files: dict[str, str], name: str = "experiment") -> Path:
        directory = tmp_path / name
        for relative, text in files.items():
            path = directory / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return directory

    yield write


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., ExperimentCode]:
    def load(reference: Path | str, **arguments: Any) -> ExperimentCode:
        return load_experiment(str(reference), cache_dir=tmp_path / "cache", **arguments)

    return load


@pytest.fixture
def refusal(load: Callable[..., ExperimentCode]) -> Callable[..., str]:
    """The message with which a reference is refused."""

    def refusal(reference: Path | str, **arguments: Any) -> str:
        with pytest.raises(ExperimentCodeError) as caught:
            load(reference, **arguments)
        return str(caught.value)

    return refusal


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Any]:
    """Builds a trainer; configurations that a test does not care about are single letters."""

    def build(code: ExperimentCode, **arguments: Any) -> Any:
        given: dict[str, Any] = {
            "model_config": "M",
            "training_config": "T",
            "dataset_config": "D",
            "environment_config": "E",
            "work_dir": tmp_path / "work",
            "resume_from": None,
            "on_epoch_end": lambda epoch, metrics: None,
        }
        return build_trainer(code, **(given | arguments))

    return build

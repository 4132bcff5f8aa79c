"""The names of detectors against the installed libraries: what they write must be on the list."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guardianflow.backends.weights import checkpoints, detector_names, ultralytics_models
from guardianflow.contracts.errors import SourceError

MakeWeights = Callable[[str], Path]
FAMILIES = ("torch.nn.modules", "ultralytics.nn.modules")
ARCHITECTURES = ("yolo11n", "yolov8n", "yolov10n", "yolo26n", "yolov5nu", "yolo12n", "yolov9t")


@pytest.fixture(autouse=True)
def ultralytics() -> None:
    ultralytics_models.import_ultralytics()


def module_classes(module: str) -> set[str]:
    """Subclasses of torch.nn.Module that a module defines, made and restored in the usual way."""
    import torch

    unusual = {"__new__", "__reduce__", "__reduce_ex__", "__del__"}
    return {
        name
        for name, value in vars(importlib.import_module(module)).items()
        if isinstance(value, type)
        and issubclass(value, torch.nn.Module)
        and (value.__module__, value.__qualname__) == (module, name)
        and not unusual & set(vars(value))
    }


def test_the_list_is_what_the_installed_libraries_define() -> None:
    """After an update: read what the new classes do when they are restored, then enter them."""
    found = {"ultralytics.nn.tasks": module_classes("ultralytics.nn.tasks")}
    for family in FAMILIES:
        for part in pkgutil.iter_modules(importlib.import_module(family).__path__):
            found[f"{family}.{part.name}"] = module_classes(f"{family}.{part.name}")
    listed = {module: set(names.split()) for module, names in detector_names.NETWORK_PARTS.items()}
    new = {m: sorted(names - listed.get(m, set())) for m, names in found.items()}
    gone = {m: sorted(names - found.get(m, set())) for m, names in listed.items()}
    assert {m: names for m, names in new.items() if names} == {}
    assert {m: names for m, names in gone.items() if names} == {}


def test_every_other_class_on_the_list_is_a_class_without_a_hook_of_its_own() -> None:
    renamed = {"Silence", "YOLOv10DetectionModel", "v10DetectLoss"}  # by Ultralytics, as it opens
    for table in (detector_names.OLDER_PARTS, detector_names.TRAINING_PARTS):
        for module, names in table.items():
            for name in set(names.split()) - renamed:
                value = getattr(importlib.import_module(module), name)
                assert inspect.isclass(value), name
                assert not {"__del__", "__reduce__", "__reduce_ex__"} & set(vars(value)), name


def networks() -> Iterator[tuple[str, Any]]:
    """Every detector that Ultralytics can build, at its smallest."""
    from experiments_adapters.yolo.arguments import known_architectures

    seen: set[str] = set()
    for name in known_architectures():
        family = next(
            (name.replace(size, "") for size in ("n", "t", "s") if size in name[4:]), name
        )
        if family not in seen:
            seen.add(family)
            yield family, name


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_every_architecture_is_made_of_listed_classes() -> None:
    from ultralytics.nn.tasks import DetectionModel

    families = list(networks())
    assert len(families) > 10
    for _, architecture in families:
        model = DetectionModel(f"{architecture}.yaml", nc=2, verbose=False)
        parts = {f"{type(m).__module__}.{type(m).__qualname__}" for m in model.modules()}
        assert parts <= detector_names.CLASSES, architecture


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_checkpoint_names_nothing_else_and_opens(architecture: str, weights: MakeWeights) -> None:
    file = weights(architecture)
    assert checkpoints.look(file).names == ()
    assert ultralytics_models.architecture(ultralytics_models.load_detector(file)) in architecture


def test_a_network_in_the_format_before_pytorch_1_6_needs_somebodys_word(
    weights: MakeWeights, tmp_path: Path
) -> None:
    """It refers to classes by ids that can't be followed; numbers alone need nobody's."""
    import torch

    content = torch.load(weights("yolo11n"), weights_only=False)
    file = tmp_path / "old.pt"
    torch.save(content, file, _use_new_zipfile_serialization=False)
    with pytest.raises(SourceError, match=r"Save it anew with torch\.save; --trust-weights"):
        ultralytics_models.load_detector(file)
    assert ultralytics_models.load_detector(file, [checkpoints.ANYTHING]).names[0] == "helmet"
    torch.save(content["model"].state_dict(), file, _use_new_zipfile_serialization=False)
    assert checkpoints.look(file).names == ()


def test_what_a_checkpoint_may_hold_beside_its_network(
    weights: MakeWeights, tmp_path: Path
) -> None:
    import collections

    import numpy as np
    import torch

    content = torch.load(weights("yolo11n"), weights_only=False)
    content |= {
        "train_args": {"data": Path("data.yaml"), "imgsz": torch.Size([96, 96]), "set": {1, 2}},
        "train_metrics": {"fitness": np.float64(0.5), "epochs": np.int64(3), "f": np.float32(1)},
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "state": collections.OrderedDict(a=torch.ones(2, dtype=torch.bool), b=b"bytes"),
    }
    file = tmp_path / "x.pt"
    torch.save(content, file)
    assert checkpoints.look(file).names == ()
    assert ultralytics_models.load_detector(file).names[0] == "helmet"

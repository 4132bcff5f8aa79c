"""A data set's pickled label cache is read, and runs nothing."""

from __future__ import annotations

import logging
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_pickles import Command, description

from experiments_adapters.label_caches import load_label_cache
from experiments_adapters.ultralytics_isolation import ultralytics_isolated
from experiments_adapters.yolo.train import Trainer

Configs = Callable[..., dict[str, Any]]
CONTENT = {
    "labels": [{"im_file": "a.jpg", "shape": (96, 96), "cls": np.zeros((2, 1), np.float32)}],
    "hash": "abc",
    "results": (1, 0, 0, 0, np.int64(1)),
    "msgs": [],
    "version": "1.0.3",
}


def save(file: Path, content: Any) -> Path:
    with file.open("wb") as stream:
        np.save(stream, content)
    return file


def test_a_cache_is_read_as_ultralytics_reads_it(tmp_path: Path) -> None:
    from ultralytics.data.utils import load_dataset_cache_file

    file = save(tmp_path / "train.cache", CONTENT)
    ours, theirs = load_label_cache(file), load_dataset_cache_file(file)
    assert str(ours) == str(theirs)
    assert ours["labels"][0]["cls"].dtype == np.float32


@pytest.mark.parametrize("number", range(6))
def test_a_cache_that_would_run_something_is_not_used(
    number: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker, file = tmp_path / "marker", tmp_path / "train.cache"
    start = save(file, CONTENT).read_bytes()[:128]
    file.write_bytes(start + pickle.dumps({**CONTENT, "msgs": Command(marker)}, number))
    for _ in range(2):
        with pytest.raises(pickle.UnpicklingError, match="it would run"):
            load_label_cache(file)
    file.write_bytes(pickle.dumps(Command(marker), number))  # numpy would open a bare pickle too
    with pytest.raises(ValueError, match="magic string"):
        load_label_cache(file)
    assert not marker.exists()
    with caplog.at_level(logging.WARNING):
        assert [r.message for r in caplog.records if "read anew" in r.message][1:] == []


@pytest.mark.slow
def test_a_training_reads_the_labels_anew_and_runs_nothing(
    configs: Configs, data_yaml: Path, tmp_path: Path
) -> None:
    from ultralytics.data.utils import load_dataset_cache_file

    marker, data = tmp_path / "marker", tmp_path / "data" / "data.yaml"
    shutil.copytree(data_yaml.parent, data.parent)
    data.write_text(data.read_text().replace(str(data_yaml.parent), str(data.parent)))
    hostile = save(data.parent / "labels" / "train.cache", Command(marker))
    load_dataset_cache_file(hostile)  # Ultralytics' own way
    assert marker.exists()
    marker.unlink()
    given = configs(path=str(data), epochs=1)
    trainer = Trainer(
        given["model_config"], given["training_config"], given["dataset_config"],
        given["environment_config"], tmp_path / "work",
    )  # fmt: skip
    trainer.train()
    assert Path(trainer.get_best_model_path()).is_file()
    assert not marker.exists()
    assert load_label_cache(hostile)["labels"]  # written anew


def test_a_networks_description_is_never_evaluated(tmp_path: Path) -> None:
    """A checkpoint brings one along, which a training builds its network from."""
    from ultralytics.nn.tasks import DetectionModel

    marker = tmp_path / "marker"
    with pytest.raises(TypeError, match="activation"), ultralytics_isolated():
        DetectionModel(description(marker), verbose=False)
    assert not marker.exists()
    layer = [-1, 1, "Conv", [8, 3, 2]]
    usual = {"activation": "nn.SiLU()", "backbone": [layer], "head": [[-1, 1, "Detect", ["nc"]]]}
    with ultralytics_isolated():
        DetectionModel("yolo11n.yaml", nc=2, verbose=False)
        with pytest.raises(TypeError, match="not a permitted model layer"):
            DetectionModel(
                {**usual, "nc": 1, "backbone": [[-1, 1, "torch_safe_load", ["x.pt"]]]},
                verbose=False,
            )

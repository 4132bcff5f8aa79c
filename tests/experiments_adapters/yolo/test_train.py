"""Real trainings of a few images: what is reported when, what lies where afterwards."""

from __future__ import annotations

import csv
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from experiments_adapters.code_path import load_experiment
from experiments_adapters.outputs import collect_outputs
from experiments_adapters.trainers import build_trainer, check_result
from experiments_adapters.yolo.train import Trainer, training_threads
from guardianflow.contracts.errors import ScenarioError, TrackingError, TrainerError

Configs = Callable[..., dict[str, Any]]
VALIDATED = {"mAP50", "mAP50_95", "precision", "recall"}
LOSSES = {"box_loss", "cls_loss", "dfl_loss"}


@dataclass
class Listener:
    """Writes down what arrives, and how far results.csv was by then."""

    work_dir: Path
    stop_after: int | None = None
    error: type[BaseException] = KeyboardInterrupt
    reports: dict[int, Mapping[str, float]] = field(default_factory=dict)
    rows_then: list[int] = field(default_factory=list)
    on_epoch: Callable[[], None] = lambda: None

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.reports[epoch] = metrics
        self.on_epoch()
        with (self.work_dir / "results.csv").open() as stream:
            self.rows_then.append(len(list(csv.DictReader(stream))))
        if epoch == self.stop_after:
            raise self.error


def training(
    repository: Path, configs: dict[str, Any], work_dir: Path, resume_from: Path | None = None
) -> tuple[Any, Listener]:
    code = load_experiment(str(repository / "experiments_adapters/yolo"), cache_dir=work_dir)
    listener = Listener(work_dir)
    trainer = build_trainer(
        code, **configs, work_dir=work_dir, resume_from=resume_from, on_epoch_end=listener
    )
    return trainer, listener


@pytest.mark.slow
def test_metrics_arrive_while_it_trains_and_files_lie_in_the_work_directory(
    repository: Path,
    configs: Configs,
    data_yaml: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    work_dir = tmp_path / "작업 폴더"
    trainer, listener = training(repository, configs(epochs=3), work_dir)
    before = {p for p in data_yaml.parent.rglob("*") if p.suffix != ".cache"}
    trainer.train()

    assert list(listener.reports) == [1, 2, 3]  # and no fourth for the final evaluation
    assert listener.rows_then == [1, 2, 3]
    for metrics in listener.reports.values():
        assert set(metrics) == VALIDATED | LOSSES | {f"val_{n}" for n in LOSSES} | {"lr"}
        assert all(metrics[name] > 0 for name in LOSSES)
    with (work_dir / "results.csv").open() as stream:
        last = list(csv.DictReader(stream))[-1]
    assert listener.reports[3]["box_loss"] == pytest.approx(float(last["train/box_loss"]), abs=1e-4)
    assert listener.reports[3]["mAP50"] == pytest.approx(float(last["metrics/mAP50(B)"]), abs=1e-5)
    assert listener.reports[3]["lr"] == pytest.approx(float(last["lr/pg0"]), rel=1e-4)

    best = check_result(trainer)
    assert best == work_dir / "weights" / "best.pt"
    kinds = collect_outputs(work_dir, best)
    assert [p.name for p in kinds["weights"]] == ["best.pt", "last.pt"]
    assert [p.name for p in kinds["results"]] == ["results.csv"]
    assert [p.name for p in kinds["config"]] == ["args.yaml"]
    assert {"results.png", "confusion_matrix.png"} <= {p.name for p in kinds["plots"]}
    assert list(elsewhere.iterdir()) == []
    assert {p for p in data_yaml.parent.rglob("*") if p.suffix != ".cache"} == before


@pytest.mark.slow
def test_with_optimizer_auto_ultralytics_chooses_it_and_its_learning_rate(
    repository: Path, configs: Configs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer, listener = training(repository, configs(epochs=1, optimizer="auto"), tmp_path)
    logger = logging.getLogger("ultralytics")  # its own handler writes to the stdout of its import
    logger.addHandler(caplog.handler)
    try:
        trainer.train()
    finally:
        logger.removeHandler(caplog.handler)
    assert list(listener.reports) == [1]
    assert check_result(trainer).is_file()
    assert "optimizer: auto" in (tmp_path / "args.yaml").read_text()
    chosen = round(0.002 * 5 / (4 + 2), 6)  # Ultralytics' rule for two classes and few steps
    assert f"AdamW(lr={chosen}," in caplog.text


@pytest.mark.acceptance
def test_it_trains_on_the_threads_asked_for_and_twice_the_same(
    repository: Path, configs: Configs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    threads, weights = [], []
    given = configs(epochs=1, options={"plots": False, "val": False})
    for name in ("once", "again"):
        trainer, listener = training(repository, given, tmp_path / name)
        monkeypatch.setattr(sys.modules[type(trainer).__module__], "_THREADS_ASKED", "2")
        listener.on_epoch = lambda: threads.append(torch.get_num_threads())
        trainer.train()
        saved = torch.load(tmp_path / name / "weights/last.pt", weights_only=False)
        weights.append((saved["ema"] or saved["model"]).state_dict())  # stripped at the end
    assert threads == [2, 2]
    assert all(torch.equal(weights[0][key], value) for key, value in weights[1].items())


def test_as_many_threads_as_asked_for_else_as_ultralytics_takes() -> None:
    assert training_threads("3") == 3
    assert training_threads("4,2") == 4
    assert training_threads("") is training_threads("many") is training_threads("0") is None


@pytest.mark.acceptance
def test_an_interrupted_training_goes_on_where_it_was(
    repository: Path, configs: Configs, tmp_path: Path
) -> None:
    given = configs(epochs=3, options={"plots": False})
    trainer, listener = training(repository, given, tmp_path / "first")
    listener.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    last = tmp_path / "first" / "weights" / "last.pt"
    assert last.is_file()

    resumed, listener = training(repository, given, tmp_path / "second", resume_from=last)
    resumed.train()
    assert list(listener.reports) == [2, 3]
    assert check_result(resumed) == tmp_path / "second" / "weights" / "best.pt"
    assert (tmp_path / "second" / "results.csv").is_file()

    finished = tmp_path / "second" / "weights" / "last.pt"
    again, _ = training(repository, given, tmp_path / "third", resume_from=finished)
    with pytest.raises(TrainerError, match="nothing to resume"):
        again.train()


@pytest.mark.slow
def test_epochs_without_validation_report_no_accuracy(
    repository: Path, configs: Configs, tmp_path: Path
) -> None:
    given = configs(epochs=2, options={"plots": False, "val": False})
    trainer, listener = training(repository, given, tmp_path / "work")
    trainer.train()
    assert set(listener.reports[1]) == LOSSES | {"lr"}
    assert set(listener.reports[2]) >= VALIDATED


@pytest.mark.acceptance
def test_a_listeners_own_error_is_not_dressed_up(
    repository: Path, configs: Configs, tmp_path: Path
) -> None:
    trainer, listener = training(repository, configs(options={"plots": False}), tmp_path / "work")
    listener.stop_after, listener.error = 1, TrackingError
    with pytest.raises(TrackingError):
        trainer.train()


@pytest.mark.slow
def test_hangul_class_names_fine_tuning_and_class_change(
    repository: Path, configs: Configs, data_yaml: Path, tmp_path: Path
) -> None:
    from ultralytics import YOLO

    weights = tmp_path / "start.pt"
    YOLO("yolo11n.yaml").save(str(weights))
    renamed = tmp_path / "data.yaml"
    renamed.write_text(
        data_yaml.read_text(encoding="utf-8").replace("box", "안전모").replace("disc", "머리"),
        encoding="utf-8",
    )
    given = configs(epochs=1, weights_path=str(weights), path=str(renamed))
    trainer, _ = training(repository, given, tmp_path / "work")
    trainer.train()
    assert YOLO(check_result(trainer)).names == {0: "안전모", 1: "머리"}


def test_a_model_that_is_no_detector_is_refused(configs: Configs, tmp_path: Path) -> None:
    from ultralytics.utils import ROOT

    description = tmp_path / "yolo11n-seg.yaml"
    shutil.copy(ROOT / "cfg/models/11/yolo11-seg.yaml", description)
    trainer = Trainer(**configs(weights_path=str(description)), work_dir=tmp_path / "work")
    with pytest.raises(ScenarioError, match="holds a model for 'segment' with the head Segment"):
        trainer.train()


def test_an_input_size_ultralytics_would_change_is_refused(
    configs: Configs, tmp_path: Path
) -> None:
    trainer = Trainer(**configs(input_size=80), work_dir=tmp_path / "work")
    with pytest.raises(ScenarioError, match="Ultralytics would train at 96"):
        trainer.train()


def test_what_ultralytics_raises_is_told_with_its_words(
    configs: Configs, data_yaml: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "data.yaml"
    broken.write_text(data_yaml.read_text().replace("images/val", "images/nowhere"))
    trainer = Trainer(**configs(path=str(broken)), work_dir=tmp_path / "work")
    with pytest.raises(TrainerError, match=r"Ultralytics stopped with \w+: .*images/nowhere"):
        trainer.train()


def test_resuming_from_nothing_is_refused(configs: Configs, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="resume_from must be the last"):
        Trainer(**configs(), work_dir=tmp_path, resume_from=tmp_path / "last.pt")


def test_the_three_configurations_are_enough(configs: Configs) -> None:
    given = configs()
    del given["environment_config"]
    trainer = Trainer(**given)
    with pytest.raises(TrainerError, match="has not finished an epoch"):
        trainer.get_best_model_path()
    trainer.work_dir.rmdir()


def test_last_weights_stand_in_only_where_no_best_was_written(
    configs: Configs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = Trainer(**configs(), work_dir=tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "last.pt").write_bytes(b"x")
    assert trainer.get_best_model_path().endswith("last.pt")
    assert "no epoch was judged the best" in caplog.text
    (tmp_path / "weights" / "best.pt").write_bytes(b"x")
    assert trainer.get_best_model_path().endswith("best.pt")


ALONE = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
from experiments_adapters.code_path import load_experiment
from experiments_adapters.trainers import build_trainer

configs = {k: SimpleNamespace(**v) for k, v in json.loads(sys.argv[1]).items()}
code = load_experiment(sys.argv[2], cache_dir=Path("cache"))
trainer = build_trainer(
    code, **configs, work_dir=Path(sys.argv[3]), resume_from=None,
    on_epoch_end=lambda epoch, metrics: print("EPOCH", epoch),
)
import ultralytics.utils as utils
before = dict(utils.SETTINGS)
assert before["mlflow"] is True
trainer.train()
assert dict(utils.SETTINGS) == before
assert "mlflow" not in sys.modules, "Ultralytics' tracker was loaded"
"""


@pytest.mark.slow
def test_nothing_is_tracked_or_written_elsewhere(
    repository: Path, configs: Configs, tmp_path: Path
) -> None:
    """In a process of its own: under pytest, Ultralytics switches its trackers off by itself."""
    home, cwd, work_dir = (tmp_path / name for name in ("home", "cwd", "work"))
    home.mkdir()
    cwd.mkdir()
    given = configs(epochs=1, options={"plots": False})
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "PYTEST"))}
    environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            ALONE,
            json.dumps({name: vars(section) for name, section in given.items()}),
            str(repository / "experiments_adapters/yolo"),
            str(work_dir),
        ],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "EPOCH 1" in done.stdout
    assert list(cwd.iterdir()) == []
    settings = json.loads((home / "config/Ultralytics/settings.json").read_text())
    assert settings["mlflow"] is True

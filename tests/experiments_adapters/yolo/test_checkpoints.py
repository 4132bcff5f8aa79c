"""A built-in training that was cut off goes on as if nothing had been: state, weights, table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from experiments_adapters.code_path import load_experiment
from experiments_adapters.trainers import build_trainer, check_result
from experiments_adapters.yolo.checkpoints import LeftTraining, is_over, write_results
from guardianflow.contracts.errors import TrainerError

Configs = Callable[..., dict[str, Any]]
EPOCHS = 4


class CutOff(BaseException):
    """Ends the process' work."""


def train(
    repository: Path,
    configs: dict[str, Any],
    work_dir: Path,
    resume_from: Path | None = None,
    *,
    cut_after: int = 0,
) -> dict[int, Mapping[str, float]]:
    """Train; what was reported, by epoch. An epoch that was reported twice is a mistake."""
    reports: dict[int, Mapping[str, float]] = {}

    def listen(epoch: int, metrics: Mapping[str, float]) -> None:
        assert epoch not in reports
        reports[epoch] = metrics
        if epoch == cut_after:
            raise CutOff

    code = load_experiment(str(repository / "experiments_adapters/yolo"), cache_dir=work_dir)
    trainer = build_trainer(
        code, **configs, work_dir=work_dir, resume_from=resume_from, on_epoch_end=listen
    )
    try:
        trainer.train()
    except CutOff:
        return reports
    assert not cut_after
    assert check_result(trainer).is_file()
    return reports


def rows(work_dir: Path) -> list[dict[str, str]]:
    with (work_dir / "results.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_the_table_the_stopper_and_the_best_weights_go_on(
    repository: Path, configs: Configs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from ultralytics.engine.trainer import BaseTrainer

    given = configs(epochs=EPOCHS, early_stopping=50)
    work, last = tmp_path / "work", tmp_path / "work/weights/last.pt"
    first = train(repository, given, work, cut_after=2)
    saved = torch.load(last, weights_only=False)
    # The row of an epoch that is trained again, as a kill between table and checkpoint leaves it.
    with (work / "results.csv").open("a") as stream:
        stream.write(",".join(["3", *(["9"] * (len(rows(work)[0]) - 1))]) + "\n")

    seen: dict[str, Any] = {}
    load = BaseTrainer._load_checkpoint_state

    def watched(engine: Any, content: Any) -> None:
        load(engine, content)
        seen.update(stopper=dict(vars(engine.stopper)), fitness=engine.best_fitness)
        seen["updates"] = engine.ema.updates
        seen["moments"] = engine.optimizer.state_dict()["state"][0]["exp_avg"].clone()

    monkeypatch.setattr(BaseTrainer, "_load_checkpoint_state", watched)
    second = train(repository, given, work, last)

    assert [*first, *second] == [1, 2, 3, 4]
    assert seen["stopper"]["best_epoch"] == saved["stopper"]["best_epoch"]
    assert seen["stopper"]["patience"] == 50
    assert seen["fitness"] == saved["best_fitness"]
    assert seen["updates"] == saved["updates"] > 0
    assert torch.allclose(seen["moments"], saved["optimizer"]["state"][0]["exp_avg"].float())
    table = rows(work)
    assert [int(row["epoch"]) for row in table] == [1, 2, 3, 4]
    times = [float(row["time"]) for row in table]
    assert times == sorted(times)
    assert float(table[2]["train/box_loss"]) == pytest.approx(second[3]["box_loss"], abs=1e-4)
    assert (work / "results.png").is_file()


@pytest.mark.slow
def test_where_no_epoch_is_left_the_last_evaluation_is_made_up_for(
    repository: Path, configs: Configs, tmp_path: Path
) -> None:
    import torch

    given, whole = configs(epochs=2), tmp_path / "whole"
    train(repository, given, whole)
    work, last = tmp_path / "work", tmp_path / "work/weights/last.pt"
    train(repository, given, work, cut_after=2)
    assert train(repository, given, work, last) == {}
    assert {path.name for path in work.iterdir()} == {path.name for path in whole.iterdir()}
    expected, made = (
        torch.load(each / "weights/best.pt", weights_only=False) for each in (whole, work)
    )
    assert made["optimizer"] is None and made["epoch"] == -1
    state = made["model"].state_dict()
    assert all(torch.equal(state[k], v) for k, v in expected["model"].state_dict().items())
    assert [row["epoch"] for row in rows(work)] == ["1", "2"]

    with pytest.raises(TrainerError, match="nothing to resume"):
        train(repository, given, work, last)


def left(epoch: int, best_epoch: int, patience: float) -> LeftTraining:
    return LeftTraining(epoch, 10, best_epoch, patience, {})


def test_a_training_is_over_after_its_last_epoch_or_once_it_had_stopped_early() -> None:
    assert is_over(left(10, 9, 0))
    assert not is_over(left(9, 1, 0))
    assert is_over(left(6, 3, 3))
    assert not is_over(left(5, 3, 3))
    assert not is_over(left(5, 0, 3)), "nothing was judged"


def test_the_table_is_written_as_ultralytics_writes_it(tmp_path: Path) -> None:
    text = "epoch,time,train/box_loss,metrics/mAP50(B)\n1,1.25,3.14159,0\n2,2.5,1e-06,0.5\n"
    columns = {
        "epoch": [1, 2],
        "time": [1.25, 2.5],
        "train/box_loss": [3.14159, 1e-06],
        "metrics/mAP50(B)": [0, 0.5],
    }
    path = tmp_path / "results.csv"
    path.write_text(text + "3,9,9,9\n", encoding="utf-8")
    write_results(path, LeftTraining(2, 10, 0, 0, columns))
    assert path.read_text(encoding="utf-8") == text
    write_results(path, LeftTraining(2, 10, 0, 0, {}))
    assert path.read_text(encoding="utf-8") == text

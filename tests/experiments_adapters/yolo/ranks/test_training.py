"""Real trainings by two processes: on the CPU by gloo, and on GPUs where there are two."""

from __future__ import annotations

import csv
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiments_adapters.yolo.arguments import CPU_RANKS_VARIABLE
from experiments_adapters.yolo.train import Trainer
from guardianflow.contracts.errors import NativeCrashError, ScenarioError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
Configs = Callable[..., dict[str, Any]]
STEPS = {"nbs": 4, "warmup_epochs": 0}
"""A step of the optimizer for each batch."""


@pytest.fixture(params=["cpu", "0,1"])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "cpu":
        monkeypatch.setenv(CPU_RANKS_VARIABLE, "2")
        return "cpu"
    import torch

    if not torch.cuda.is_available() or torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    return str(request.param)


def ranks() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [each for each in children if "yolo.ranks.rank" in " ".join(each.cmdline())]


@dataclass
class Listener:
    """Writes down what arrives, and how far results.csv and last.pt were by then."""

    work_dir: Path
    do: Callable[[int], None] = lambda epoch: None
    reports: dict[int, Mapping[str, float]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    checkpoints: list[tuple[int, int]] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        import torch

        self.reports[epoch] = metrics
        self.rows.append(len(rows_of(self.work_dir)))
        last = torch.load(self.work_dir / "weights" / "last.pt", weights_only=False)
        self.checkpoints.append((last["epoch"] + 1, last["updates"]))
        self.processes.append(len(ranks()))
        self.do(epoch)


def rows_of(work_dir: Path) -> list[dict[str, str]]:
    with (work_dir / "results.csv").open() as stream:
        return list(csv.DictReader(stream))


def trainer_of(
    configs: dict[str, Any], work_dir: Path, resume_from: Path | None = None
) -> tuple[Trainer, Listener]:
    trainer = Trainer(**configs, work_dir=work_dir, resume_from=resume_from)
    listener = Listener(work_dir)
    trainer.on_epoch_end = listener  # type: ignore[method-assign]
    return trainer, listener


def test_two_ranks_share_the_work_and_the_first_reports_for_both(
    configs: Configs, device: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trainer, listener = trainer_of(configs(epochs=2, device=device, options=STEPS), tmp_path)
    (tmp_path / "results.csv").write_text("of another training\n")
    trainer.train()
    assert ranks() == []
    assert list(listener.reports) == listener.rows == [1, 2]
    assert listener.processes == [2, 2]
    # 8 images in batches of 4 are two steps an epoch where each rank takes half of each batch.
    assert listener.checkpoints == [(1, 2), (2, 4)]
    for row, metrics in zip(rows_of(tmp_path), listener.reports.values(), strict=True):
        assert metrics["box_loss"] == pytest.approx(float(row["train/box_loss"]), rel=1e-4)
        assert metrics["val_box_loss"] == pytest.approx(float(row["val/box_loss"]), rel=1e-4)
        assert metrics["mAP50"] == pytest.approx(float(row["metrics/mAP50(B)"]), abs=1e-5)
    # Each rank looks at two of the four images; all 8 boxes are judged together, thrice.
    assert len(re.findall(r"^ +all +4 +8 ", capfd.readouterr().out, re.MULTILINE)) == 3
    assert trainer.get_best_model_path() == str(tmp_path / "weights" / "best.pt")
    assert trainer.batch_size_used == 4


def test_a_killed_rank_ends_the_training_which_then_goes_on_from_its_checkpoint(
    configs: Configs, device: str, tmp_path: Path
) -> None:
    given = configs(epochs=3, device=device, options={**STEPS, "plots": False})

    def kill_the_second(epoch: int) -> None:
        (second,) = (each for each in ranks() if each.environ()["RANK"] == "1")
        os.kill(second.pid, signal.SIGKILL)

    trainer, listener = trainer_of(given, tmp_path)
    listener.do = kill_the_second
    with pytest.raises(NativeCrashError, match=r"^rank 1 of 2 \(.*\) of the training .* SIGKILL"):
        trainer.train()
    assert ranks() == []
    assert list(listener.reports) == [1]

    def interrupt(epoch: int) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    last = tmp_path / "weights" / "last.pt"
    trainer, listener = trainer_of(given, tmp_path, last)
    listener.do = interrupt
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert ranks() == []
    assert listener.checkpoints == [(2, 4), (3, 6)]

    trainer, listener = trainer_of(given, tmp_path, last)  # one process judges what is trained
    trainer.train()
    assert listener.reports == {}
    assert [int(row["epoch"]) for row in rows_of(tmp_path)] == [1, 2, 3]
    assert Path(trainer.get_best_model_path()).name == "best.pt"


def test_what_is_wrong_with_the_scenario_is_told_as_on_one_device(
    configs: Configs, device: str, tmp_path: Path
) -> None:
    trainer, _ = trainer_of(configs(device=device, input_size=100), tmp_path)
    with pytest.raises(ScenarioError, match=r"^model\.input_size must be a multiple of this model"):
        trainer.train()
    assert ranks() == []

"""Trainings that fail in the ways users meet: tried again, or ended with what helps."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inprocess import InProcessExecutor
from mounts import mounted
from workplace import QUICK_TRAINER

from demo_scenes.scene import CLASS_NAMES
from guardianflow.contracts.errors import StageFailedError
from guardianflow.contracts.results import RunRecord, StageResult
from pipelines.settings import BUILTIN_EXPERIMENT
from pipelines.stage.plan import Planner, RunOptions
from scenario import build_scenario

EPOCHS = """        for epoch in range(1, self.training.epochs + 1):
            time.sleep(self.training.options.get("seconds_per_epoch", 0.0))
            self.on_epoch_end(epoch, {"mAP50": epoch / 10, "box_loss": 1.0 / epoch, "speed": 3.0})
"""
HEAD = """        import torch

        def note(text):
            with open(r"{trained}", "a") as stream:
                stream.write(text)

"""
REPORT = "self.on_epoch_end(epoch, {'mAP50': epoch / 10, 'box_loss': 1.0 / epoch})"


class Desk:
    """Trains an author's code in this process, on a store in memory."""

    def __init__(self, executor: InProcessExecutor, folder: Path) -> None:
        self.executor, self.folder = executor, folder
        self.trained = folder / "trained.txt"

    def write(self, loop: str) -> str:
        """The quick trainer with another loop over its epochs; it notes what it trains."""
        head = HEAD.replace("{trained}", str(self.trained))
        code = QUICK_TRAINER.replace(EPOCHS, head + loop)
        code = code.replace("work_dir=None):", "work_dir=None, resume_from=None):").replace(
            "self.work_dir = Path(work_dir)",
            "self.work_dir, self.last = Path(work_dir), resume_from",
        )
        assert loop in code
        assert "self.last" in code
        folder = self.folder / "author"
        folder.mkdir()
        (folder / "train.py").write_text(f"NAMES = {list(CLASS_NAMES)!r}\n{code}", "utf-8")
        return str(folder)

    def train(self, code: str, **training: Any) -> StageResult:
        given = {"epochs": 4, "batch_size": 8, "optimizer": "sgd", **training}
        scenario = build_scenario(
            {
                "name": "demo",
                "site": {"customer": "demo", "region": "seoul"},
                "task": {"type": "ppe"},
                "model": {"architecture": "yolo11n", "input_size": 96},
                "dataset": {"path": "demo://ppe?images=14&size=96"},
                "environment": {"device": "cpu"},
                "training": given,
            }
        )
        options = RunOptions(code_path=code, register=False)
        return self.executor.run(Planner(scenario, self.executor.settings, options, "").train())

    def failure(self, code: str, **training: Any) -> tuple[StageFailedError, RunRecord]:
        with pytest.raises(StageFailedError) as caught:
            self.train(code, **training)
        assert caught.value.run_id is not None
        return caught.value, self.executor.store.get_run(caught.value.run_id)

    def steps(self, run_id: str, key: str = "det.mAP50") -> list[int]:
        return [step for step, _ in self.stored(run_id).metrics[key]]

    def stored(self, run_id: str) -> Any:
        store: Any = self.executor.store
        return store._run(run_id)


@pytest.fixture
def desk(executor: InProcessExecutor, tmp_path: Path) -> Desk:
    return Desk(executor, tmp_path)


OUT_OF_MEMORY = """
        for epoch in range(1, self.training.epochs + 1):
            note(f"{epoch}x{self.training.batch_size} ")
            if epoch == 3 and self.training.batch_size > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            REPORT
""".replace("REPORT", REPORT)


def test_out_of_gpu_memory_the_batch_is_halved_until_it_fits(desk: Desk) -> None:
    result = desk.train(desk.write(OUT_OF_MEMORY))
    run = desk.executor.store.get_run(result.run_id)
    assert desk.trained.read_text().split() == [
        "1x8",
        "2x8",
        "3x8",
        "1x4",
        "2x4",
        "3x4",
        "1x2",
        "2x2",
        "3x2",
        "4x2",
    ]
    assert desk.steps(run.run_id) == [1, 2, 3, 4], "each epoch's point stands once"
    assert run.params["train.batch_size"] == "8", "what was asked for"
    assert run.tags["train.batch_size_used"] == "2"
    assert json.loads(run.tags["train.recovery"]) == [
        {"reason": "out_of_memory", "epoch": 3, "batch_size": size, "loader_processes": True}
        | {"from": "start"}
        for size in (4, 2)
    ]
    assert "failure.reason" not in run.tags
    assert len(result.notes) == 2
    assert "a batch of 2 instead of 4" in result.notes[1]


STOPPING_EARLY = """
        first = self.training.batch_size == 8
        (self.work_dir / f"of{self.training.batch_size}.csv").write_text("x")
        for epoch in range(1, 5 if first else 3):
            self.on_epoch_end(epoch, {"mAP50": 0.8 if first else 0.1 * epoch})
        if first:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
"""


def test_a_later_attempt_that_stops_earlier_does_not_show_the_others_numbers(desk: Desk) -> None:
    result = desk.train(desk.write(STOPPING_EARLY))
    assert result.metrics["det.mAP50"] == 0.2
    assert desk.steps(result.run_id) == [1, 2, 3, 4]
    assert "trained to epoch 2; the run's points after it are those" in result.notes[-1]
    stored = desk.stored(result.run_id).artifacts
    assert [p for p in stored if p.startswith("results/of")] == ["results/of4.csv"]


MAKE = """def too_much(on_gpu):
    import torch

    return torch.OutOfMemoryError("CUDA out of memory. Tried") if on_gpu else MemoryError()


class Trainer"""
TAKES = """
        if self.training.batch_size > 4:
            raise too_much(on_gpu=not self.training.options)
"""


def test_what_does_not_fit_while_the_trainer_is_built_is_halved_too(desk: Desk) -> None:
    code = desk.write(f"        for epoch in (1, 2):\n            {REPORT}\n")
    file = Path(code, "train.py")
    text = file.read_text().replace("class Trainer", MAKE)
    built = "= Path(work_dir), resume_from\n"
    assert built in text
    file.write_text(text.replace(built, built + TAKES))
    result = desk.train(code)
    assert desk.executor.store.get_run(result.run_id).tags["train.batch_size_used"] == "4"
    error, run = desk.failure(code, options={"host": True})
    assert "MemoryError" in str(error)
    assert run.tags["failure.reason"] == "host_out_of_memory"


RESUMING = """
        done = torch.load(self.last)["epoch"] if self.last else 0
        for epoch in range(done + 1, self.training.epochs + 1):
            note(f"{epoch}x{self.training.batch_size} ")
            if epoch == 3 and self.training.batch_size > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            torch.save({"epoch": epoch, "optimizer": {}}, self.work_dir / "last.pt")
            REPORT
""".replace("REPORT", REPORT)


def test_a_trainer_that_can_resume_goes_on_from_its_last_checkpoint(desk: Desk) -> None:
    result = desk.train(desk.write(RESUMING))
    assert desk.trained.read_text().split() == ["1x8", "2x8", "3x8", "3x4", "4x4"]
    assert desk.steps(result.run_id) == [1, 2, 3, 4]
    (tried,) = json.loads(desk.executor.store.get_run(result.run_id).tags["train.recovery"])
    assert tried["from"] == "last.pt"


def test_what_fits_with_no_batch_fails_with_its_reason(desk: Desk) -> None:
    loop = OUT_OF_MEMORY.replace("epoch == 3 and self.training.batch_size > 2", "epoch == 2")
    error, run = desk.failure(desk.write(loop), batch_size=64)
    assert desk.trained.read_text().split()[1::2] == ["2x64", "2x32", "2x16", "2x8", "2x4"]
    assert run.status == "FAILED"
    assert run.tags["failure.reason"] == "out_of_memory"
    assert run.tags["train.batch_size_used"] == "4"
    assert "Lower the batch size or the input size" in str(error)
    assert desk.steps(run.run_id) == [1]


BROKEN = """
        for epoch in range(1, self.training.epochs + 1):
            loss = float("nan") if epoch >= 3 else 1.0
            torch.save({"w": torch.tensor(loss)}, self.work_dir / f"epoch{epoch}.pt")
            (self.work_dir / "results.csv").write_text(f"epoch\\n{epoch}\\n")
            try:
                self.on_epoch_end(epoch, {"mAP50": 0.1, "val_loss": float("nan"), "box_loss": loss})
            finally:
                note(f"{epoch} ")
"""


@pytest.mark.parametrize("caught", [False, True])
def test_a_loss_that_is_no_number_stops_at_the_last_good_checkpoint(
    desk: Desk, caught: bool
) -> None:
    loop = BROKEN.replace(
        "finally:", "except Exception:\n                pass\n            finally:"
    )
    error, run = desk.failure(desk.write(loop if caught else BROKEN))
    assert desk.trained.read_text().split() == (["1", "2", "3", "4"] if caught else ["1", "2", "3"])
    assert desk.steps(run.run_id) == [1, 2], "the broken epoch leaves no point"
    assert run.tags["failure.reason"] == "nan_loss"
    assert run.tags["failure.last_good_checkpoint"] == "weights/partial/epoch2.pt"
    stored = desk.stored(run.run_id).artifacts
    assert [path for path in stored if path.startswith("weights/")] == ["weights/partial/epoch2.pt"]
    assert "results/results.csv" in stored
    assert "in epoch 3: box_loss = nan" in str(error)
    assert "The last good epoch was 2" in str(error)
    assert "epoch2.pt" in str(error)
    assert desk.executor.registry.list_models() == []


KILLED_LOADER = """
        import os, signal
        from torch.utils.data import DataLoader

        class Images(torch.utils.data.Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, index):
                if torch.utils.data.get_worker_info() is not None and index == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return index

        for epoch in range(1, self.training.epochs + 1):
            for batch in DataLoader(Images(), num_workers=1, prefetch_factor=2):
                note(f"{int(batch)} ")
            REPORT
""".replace("REPORT", REPORT)


@pytest.mark.slow
def test_a_killed_process_of_a_data_loader_is_done_without(desk: Desk) -> None:
    result = desk.train(desk.write(KILLED_LOADER), epochs=2)
    assert desk.trained.read_text().split()[-8:] == ["0", "1", "2", "3"] * 2
    assert desk.steps(result.run_id) == [1, 2]
    (tried,) = json.loads(desk.executor.store.get_run(result.run_id).tags["train.recovery"])
    assert (tried["reason"], tried["loader_processes"]) == ("loader_killed", False)
    assert "data loaded in the training's own process" in result.notes[0]


BROKEN_CONNECTION = KILLED_LOADER.replace(
    "        for epoch in range(1,",
    """        if torch.utils.data.DataLoader.__init__.__module__ == "torch.utils.data.dataloader":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # it comes too late
            loader = iter(DataLoader(Images(), num_workers=1, prefetch_factor=2))
            if loader.__class__.__name__ == "_MultiProcessingDataLoaderIter":
                (worker,) = loader._workers
                os.kill(worker.pid, signal.SIGKILL)
                raise ConnectionResetError(104, "Connection reset by peer")

        for epoch in range(1,""",
)


@pytest.mark.slow
def test_a_connection_that_a_killed_loader_breaks_is_told_as_its_death(desk: Desk) -> None:
    try:
        result = desk.train(desk.write(BROKEN_CONNECTION), epochs=1)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    (tried,) = json.loads(desk.executor.store.get_run(result.run_id).tags["train.recovery"])
    assert tried["reason"] == "loader_killed"


# --- the built-in trainer -------------------------------------------------------------------


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[Any], None]], None]:
    """Does something to Ultralytics' trainer at one of its events."""
    from ultralytics.utils.callbacks import base

    def add(event: str, do: Callable[[Any], None]) -> None:
        known = base.default_callbacks[f"on_{event}"]
        monkeypatch.setitem(base.default_callbacks, f"on_{event}", [*known, do])

    return add


QUIET = {"plots": False}


@pytest.mark.slow
def test_ultralytics_goes_on_from_its_checkpoint_when_a_loaders_process_is_killed(
    desk: Desk, on: Any
) -> None:
    def use_a_process(engine: Any) -> None:
        engine.args.workers = 1  # which Ultralytics does not on a CPU

    def kill_it(engine: Any) -> None:
        workers = getattr(engine.train_loader.iterator, "_workers", [])
        if engine.epoch == 1 and workers:
            os.kill(workers[0].pid, signal.SIGKILL)

    on("pretrain_routine_start", use_a_process)
    on("train_batch_start", kill_it)
    result = desk.train(BUILTIN_EXPERIMENT, epochs=3, options=QUIET)
    assert desk.steps(result.run_id) == [1, 2, 3]
    (tried,) = json.loads(desk.executor.store.get_run(result.run_id).tags["train.recovery"])
    assert tried.pop("from") in ("last.pt", "best.pt")
    assert tried == {
        "reason": "loader_killed", "epoch": 2, "batch_size": 8, "loader_processes": False,
    }  # fmt: skip


@pytest.mark.slow
def test_a_batch_that_ultralytics_lowers_by_itself_or_we_do_is_recorded(
    desk: Desk, on: Any
) -> None:
    import torch

    def fill_memory_in_the_first_epoch(engine: Any) -> None:
        forward = engine.model.forward

        def limited(batch: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(batch, dict) and len(batch["img"]) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return forward(batch, *args, **kwargs)

        engine.model.forward = limited

    def fill_memory_later(engine: Any) -> None:
        if engine.epoch == 1 and engine.batch_size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB")

    on("train_start", fill_memory_in_the_first_epoch)
    on("train_batch_start", fill_memory_later)
    result = desk.train(BUILTIN_EXPERIMENT, epochs=3, options=QUIET)
    run = desk.executor.store.get_run(result.run_id)
    assert desk.steps(run.run_id) == [1, 2, 3]
    assert run.params["train.batch_size"] == "8"
    assert run.tags["train.batch_size_used"] == "2"
    (tried,) = json.loads(run.tags["train.recovery"])
    assert (tried["epoch"], tried["batch_size"]) == (2, 2), "4 were Ultralytics' own"
    assert tried["from"] != "start"


@pytest.mark.slow
def test_when_ultralytics_gives_up_on_nan_the_last_good_checkpoint_is_kept(
    desk: Desk, on: Any
) -> None:
    def spoil(engine: Any) -> None:
        if engine.epoch >= 2:
            next(iter(engine.model.parameters())).data.fill_(float("nan"))

    on("train_batch_start", spoil)
    error, run = desk.failure(BUILTIN_EXPERIMENT, epochs=4, options=QUIET)
    assert "NaN persisted for 4 epochs" in str(error)
    assert "The last good epoch was 2; the last good checkpoint of epoch 2 is" in str(error)
    assert run.tags["failure.reason"] == "nan_loss"
    assert run.tags["failure.last_good_epoch"] == "2"
    stored = desk.stored(run.run_id).artifacts
    assert run.tags["failure.last_good_checkpoint"] in stored
    assert stored["results/results.csv"].decode().count("\n") == 3, "a head and two epochs"
    assert desk.steps(run.run_id) == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "loss"), [(1e38, "1"), (3e38, "inf")])
def test_a_first_epoch_that_breaks_down_is_the_end(desk: Desk, gain: float, loss: str) -> None:
    """Ultralytics would train on, and save zeros for what is no number.

    With the smaller gain the last batch, which is smaller than the others, has a loss still.
    """
    options = {**QUIET, "box": gain}  # of a loss, which becomes infinite
    error, run = desk.failure(BUILTIN_EXPERIMENT, epochs=1, options=options)
    assert f"broke down in epoch 1: weights became NaN or infinite; loss = {loss}" in str(error)
    assert "No good checkpoint was written before" in str(error)
    assert run.tags["failure.reason"] == "nan_loss"
    assert not [p for p in desk.stored(run.run_id).artifacts if p.startswith("weights/")]


@pytest.mark.slow
def test_on_a_disk_that_fills_up_the_checkpoint_that_is_whole_is_kept(
    desk: Desk, tmp_path: Path
) -> None:
    """last.pt has 10 MB; best.pt finds no room beside it.

    The estimate looks at the work directory, which has room; all that is written lies elsewhere.
    """
    with mounted(tmp_path / "disk", "16m") as disk:
        desk.executor.folder, desk.executor.work_dir = disk / "stages", tmp_path / "work"
        desk.executor.work_dir.mkdir()
        (desk.executor.work_dir / "trainings").symlink_to(disk)
        error, run = desk.failure(BUILTIN_EXPERIMENT, epochs=2, options=QUIET)
    assert "No space left on device" in str(error)
    assert "GUARDIANFLOW_WORK_DIR" in str(error)
    assert run.tags["failure.reason"] == "disk_full"
    assert run.tags["failure.last_good_checkpoint"] == "weights/partial/last.pt"
    stored = desk.stored(run.run_id).artifacts
    assert len(stored["weights/partial/last.pt"]) > 10_000_000
    assert "results/results.csv" in stored


@pytest.mark.parametrize("again", [False, True])
def test_too_small_a_disk_is_refused_before_a_run_is_made(
    desk: Desk, tmp_path: Path, again: bool
) -> None:
    with mounted(tmp_path / "disk", "12m") as disk:
        desk.executor.work_dir = disk
        with pytest.raises(StageFailedError, match="must have at least 22 MiB free") as caught:
            desk.train(BUILTIN_EXPERIMENT)
        assert caught.value.exit_code == 2
        assert desk.executor.store.find_runs() == []
        if again:  # an author's trainer may write less: nothing is known of it
            assert desk.train(desk.write(OUT_OF_MEMORY), batch_size=1).status == "FINISHED"

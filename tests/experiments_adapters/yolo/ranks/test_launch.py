"""Ranks that fail, crash, hang and are abandoned: what is told, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import scripted_rank

from experiments_adapters.failures.loading import loading_in_process
from experiments_adapters.yolo.engine import Order
from experiments_adapters.yolo.ranks import launch
from experiments_adapters.yolo.ranks.launch import train_on_ranks
from guardianflow.contracts.errors import (
    FailureReason,
    NativeCrashError,
    OutOfMemoryError,
    ScenarioError,
    TrainerError,
)

IMPORTS = """
import os, signal, time
from experiments_adapters.yolo.ranks.messages import Done, Epoch, Failed
from guardianflow.contracts.errors import *
"""
HANGS = "time.sleep(600)"
FULL = "tell(Failed(OutOfMemoryError('CUDA out of memory. Lower the batch size'))); os._exit(1)"
CUT_OFF = "tell(Failed(TrainerError('Connection closed by peer'))); os._exit(1)"


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self, on_epoch: Callable[[], None] = lambda: None) -> None:
        self.batch_size_used, self.broken_epochs = 8, list[int]()
        self.epochs: dict[int, Mapping[str, float]] = {}
        self._on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.epochs[epoch] = metrics
        self._on_epoch()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Heard]:
    """Carries scripts out, a rank each, and looks that no rank is left."""
    monkeypatch.setattr(launch, "rank_module", SimpleNamespace(__name__="scripted_rank"))
    monkeypatch.setenv("PYTHONPATH", str(Path(scripted_rank.__file__).parent))

    def run(*scripts: str, heard: Heard | None = None) -> Heard:
        heard = heard or Heard()
        order = Order("", {str(n): IMPORTS + script for n, script in enumerate(scripts)}, 96)
        try:
            train_on_ranks(order, [str(n) for n in range(len(scripts))], heard)
        finally:
            assert ranks_left() == []
        return heard

    return run


def ranks_left(of: int | None = None) -> list[int]:
    children = psutil.Process(of).children(recursive=True)
    return [each.pid for each in children if "scripted_rank" in " ".join(each.cmdline())]


def test_the_first_rank_reports_and_waits_until_its_report_is_dealt_with(
    run: Callable[..., Heard], tmp_path: Path
) -> None:
    mark = tmp_path / "dealt with"
    heard = Heard(on_epoch=mark.touch)
    reporting = (
        "tell(Epoch(1, {'mAP50': 0.5}, 6, (1,))); ask();"
        f"tell(Epoch(2, {{'seen': float(os.path.exists({str(mark)!r}))}}, 6, (1,))); ask();"
        "tell(Done())"
    )
    run(reporting, "tell(Done())", heard=heard)
    assert heard.epochs == {1: {"mAP50": 0.5}, 2: {"seen": 1.0}}
    assert (heard.batch_size_used, heard.broken_epochs) == (6, [1])


def test_each_rank_knows_its_place_and_meets_the_others_on_this_machine_alone(
    run: Callable[..., Heard], tmp_path: Path
) -> None:
    told = (
        "names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'GLOO_SOCKET_IFNAME',"
        " 'NCCL_SOCKET_IFNAME')\n"
        f"path = {str(tmp_path)!r} + '/' + os.environ['RANK']\n"
        "open(path, 'w').write(' '.join(os.environ[name] for name in names))\n"
        "tell(Done())"
    )
    run(told, told)
    assert (tmp_path / "0").read_text() == "0 0 2 127.0.0.1 lo lo"
    assert (tmp_path / "1").read_text() == "1 1 2 127.0.0.1 lo lo"


def test_an_error_names_rank_and_gpu_and_keeps_its_cause(run: Callable[..., Heard]) -> None:
    with pytest.raises(OutOfMemoryError, match=r"^rank 1 of 2 \(GPU 1\): CUDA out of mem") as found:
        run(HANGS, FULL)
    assert found.value.failure_reason == FailureReason.OUT_OF_MEMORY


def test_the_cause_is_told_and_not_what_follows_from_it(run: Callable[..., Heard]) -> None:
    with pytest.raises(OutOfMemoryError, match="rank 1"):
        run(CUT_OFF, "time.sleep(0.3);" + FULL)
    with pytest.raises(NativeCrashError, match=r"rank 1 of 3 \(GPU 1\) of the training was"):
        run(CUT_OFF, "time.sleep(0.3); os.kill(os.getpid(), signal.SIGSEGV)", HANGS)


def test_a_rank_that_is_killed_or_crashes_ends_the_training(run: Callable[..., Heard]) -> None:
    with pytest.raises(NativeCrashError, match="SIGKILL") as killed:
        run(HANGS, "os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.value.failure_reason == FailureReason.KILLED
    with pytest.raises(NativeCrashError, match="SIGABRT") as crashed:
        run("os.abort()", HANGS)
    assert crashed.value.failure_reason == FailureReason.NATIVE_CRASH
    with pytest.raises(NativeCrashError, match="ended with code 0 and no result"):
        run("os._exit(0)", HANGS)


def test_the_callers_mistake_is_told_once_and_in_the_same_words(run: Callable[..., Heard]) -> None:
    mistake = "tell(Failed(ScenarioError('model.input_size must be a multiple of 32')))"
    with pytest.raises(ScenarioError, match=r"^model\.input_size must be"):
        run(mistake, mistake)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TrainerError("the store is gone")])
def test_what_is_raised_while_a_report_is_dealt_with_ends_every_rank(
    run: Callable[..., Heard], error: BaseException | type[BaseException]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        run("tell(Epoch(1, {}, 8, ())); ask();" + HANGS, HANGS, heard=Heard(fail))


def test_a_rank_that_hangs_after_the_last_word_of_the_first_is_ended(
    run: Callable[..., Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "ENDED_IN_S", 1.0)
    run("tell(Done())", HANGS)


def test_ranks_are_told_to_load_images_without_processes(
    run: Callable[..., Heard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(scripted_rank.__file__).read_text()
    told = tmp_path / "told"
    (tmp_path / "telling_rank.py").write_text(
        source + f"    open({str(told)!r}, 'w').write(str(loads_in_process))\n"
    )
    monkeypatch.setattr(launch, "rank_module", SimpleNamespace(__name__="telling_rank"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run("tell(Done())")
    assert told.read_text() == "False"
    with loading_in_process():
        run("tell(Done())")
    assert told.read_text() == "True"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_ranks_end_with_the_process_that_started_them(
    tmp_path: Path, number: signal.Signals
) -> None:
    started = tmp_path / "started"
    script = IMPORTS + f"open({str(started)!r} + os.environ['RANK'], 'w');" + HANGS
    starter = f"""
from types import SimpleNamespace
from experiments_adapters.yolo.engine import Order
from experiments_adapters.yolo.ranks import launch
launch.rank_module = SimpleNamespace(__name__="scripted_rank")
launch.train_on_ranks(Order("", dict.fromkeys("01", {script!r}), 96), ["0", "1"], None)
"""
    helpers = str(Path(scripted_rank.__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", starter],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(launch.ROOT), helpers])},
        stderr=subprocess.DEVNULL,
    )
    while len(list(tmp_path.glob("started*"))) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    ranks = [psutil.Process(each) for each in ranks_left(process.pid)]
    assert len(ranks) == 2
    process.send_signal(number)
    process.wait(60)
    assert psutil.wait_procs(ranks, timeout=60)[1] == []

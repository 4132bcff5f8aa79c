"""How quiet the machine was: what a measurement says of its surroundings, and warns of."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.measurements import Conditions, Timing
from guardianflow.evaluation.timing import conditions, process_load
from guardianflow.evaluation.timing.conditions import ConditionsRecorder, conditions_tags
from guardianflow.evaluation.timing.order_statistics import timing_of
from guardianflow.evaluation.timing.process_load import MachineTime, ProcessTree, usable_cores


class Machine:
    """Clocks and load that a test moves by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_s = self.own_s = self.busy_s = 0.0
        self.stolen_s: float | None = 0.0
        self.load = 0.5
        monkeypatch.setattr(conditions, "time", SimpleNamespace(perf_counter=lambda: self.at_s))
        monkeypatch.setattr(conditions, "process_tree", lambda: ProcessTree(self.own_s, 1.0))
        monkeypatch.setattr(
            conditions, "machine_time", lambda: MachineTime(self.busy_s, 1e9, self.stolen_s)
        )
        monkeypatch.setattr(
            conditions,
            "psutil",
            SimpleNamespace(getloadavg=lambda: (self.load, 9.0, 9.0), cpu_count=lambda: 4),
        )

    def work(self, seconds: float, own: float, others: float, stolen: float = 0.0) -> None:
        self.at_s += seconds
        self.own_s += own
        self.busy_s += own + others
        if self.stolen_s is not None:
            self.stolen_s += stolen


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def recorder(machine: Machine) -> ConditionsRecorder:
    recorder = ConditionsRecorder(
        cpu="Xeon", gpus=("A", "B"), physical_cores=2, libraries={"openvino": "2026.4"}
    )
    recorder.start()
    return recorder


def test_a_quiet_machine_gives_no_warning(machine: Machine, recorder: ConditionsRecorder) -> None:
    machine.work(10, own=20, others=1, stolen=0.1)
    machine.load = 2.5
    found = recorder.finish({"batch 1": timing_of([10.0, 11.0] * 50)})
    assert found.warnings == ()
    assert found.other_cores == pytest.approx(0.1)
    assert found.stolen_cores == pytest.approx(0.01)
    assert (found.load_before, found.load_after) == (0.5, 2.5)
    tags = conditions_tags(found)
    assert tags == {
        "sys.cpu": "Xeon",
        "sys.gpu": "A, B",
        "sys.cores": "2",
        "sys.logical_cores": str(found.logical_cores),
        "sys.load_before": "0.50",
        "sys.load_after": "2.50",
        "sys.other_cores": "0.10",
        "sys.stolen_cores": "0.01",
        "sys.quiet": "true",
    }


def test_everything_that_spoils_the_figures_is_told_with_its_own(
    machine: Machine, recorder: ConditionsRecorder
) -> None:
    machine.load = 5.5
    recorder.start()
    machine.work(10, own=20, others=7, stolen=2)
    spread = timing_of([10.0] * 90 + [40.0] * 10)
    found = recorder.finish({"batch 1": spread, "batch 8": timing_of([5.0] * 100)})
    assert found.warnings == (
        "the machine was busy before it began: load 5.5 on 4 cores",
        "other processes kept 0.70 cores busy meanwhile",
        "the hypervisor gave 0.20 cores to other machines meanwhile",
        "batch 1 is spread wide: p95 40.0 ms is 4.0 times the median 10.0 ms",
    )
    tags = conditions_tags(found)
    assert tags["sys.quiet"] == "false"
    assert tags["sys.warnings"].count(";") == 3


@pytest.mark.parametrize(
    ("others", "stolen", "warned"), [(2.5, 0.5, 0), (2.6, 0.5, 1), (2.5, 0.6, 1)]
)
def test_the_bounds_themselves_are_quiet(
    machine: Machine, recorder: ConditionsRecorder, others: float, stolen: float, warned: int
) -> None:
    machine.work(10, own=1, others=others, stolen=stolen)
    assert len(recorder.finish().warnings) == warned


def test_a_spread_that_few_calls_can_t_show_is_not_judged(
    machine: Machine, recorder: ConditionsRecorder
) -> None:
    machine.work(1, own=1, others=0)
    few: Timing = timing_of([1.0] * 9 + [100.0])
    assert recorder.finish({"batch 1": few}).warnings == ()


def test_a_system_that_does_not_count_us_tells_nothing_of_others(
    machine: Machine, recorder: ConditionsRecorder
) -> None:
    machine.work(10, own=20, others=-20)  # some containers show an idle machine
    machine.stolen_s = None
    found = recorder.finish()
    assert found.other_cores is None
    assert found.stolen_cores is None
    assert not {"sys.other_cores", "sys.stolen_cores"} & conditions_tags(found).keys()


def test_clocks_that_differ_by_some_ticks_are_no_negative_load(
    machine: Machine, recorder: ConditionsRecorder
) -> None:
    machine.work(10, own=20, others=-0.15)
    assert recorder.finish().other_cores == 0


def test_without_a_start_there_is_nothing_to_finish(machine: Machine) -> None:
    with pytest.raises(EvaluationError, match="start"):
        ConditionsRecorder(cpu="Xeon", physical_cores=1).finish()
    standing = ConditionsRecorder(cpu="Xeon", physical_cores=1)
    standing.start()
    with pytest.raises(EvaluationError, match="no time has passed"):
        standing.finish()


def test_a_real_machine_is_read_and_our_children_are_no_others() -> None:
    recorder = ConditionsRecorder(cpu="this one", physical_cores=1, isa_cap="AVX2")
    recorder.start()
    burn = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", burn], check=True)
    wall_s = time.perf_counter() - began
    found = recorder.finish()
    assert isinstance(found, Conditions)
    assert found.logical_cores >= 1
    assert conditions_tags(found)["sys.isa_cap"] == "AVX2"
    if found.other_cores is not None:
        import psutil

        # All cores could be busy with others, but for what our own child took of them.
        assert found.other_cores <= (psutil.cpu_count() or 1) - 0.4 / wall_s + 0.3


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({}, None),
    ],
)
def test_a_container_s_quota_bounds_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(process_load, "CGROUP", tmp_path)
    monkeypatch.setattr(process_load.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert usable_cores() == (cores or 4)

"""A process is taken for dead only where that is certain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guardianflow.support import process_identity
from guardianflow.support.process_identity import ProcessIdentity

TELL = (
    "from guardianflow.support.process_identity import ProcessIdentity;"
    "print(ProcessIdentity.of_this_process().to_json(), flush=True);"
    "input()"
)
OTHER_START = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[str], ProcessIdentity]]:
    """A living process that has said who it is."""
    process = subprocess.Popen(
        [sys.executable, "-c", TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, ProcessIdentity.from_json(process.stdout.readline())
    process.kill()
    process.communicate()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine-id and one network card, as Linux shows them."""
    card = tmp_path / "net" / "eth0"
    (card / "device").mkdir(parents=True)
    (card / "address").write_text("aa:bb:cc:dd:ee:01\n")
    (card / "addr_assign_type").write_text("0\n")
    (tmp_path / "machine-id").write_text("f00d\n")
    monkeypatch.setattr(process_identity, "_MACHINE_ID", tmp_path / "machine-id")
    monkeypatch.setattr(process_identity, "_NETWORK", tmp_path / "net")
    process_identity._hardware.cache_clear()
    yield tmp_path
    process_identity._hardware.cache_clear()


def before_the_last_start(process: ProcessIdentity) -> ProcessIdentity:
    _, _, namespace = process.machine.partition(" ")
    return replace(process, machine=f"{OTHER_START} {namespace}")


def test_a_living_process_is_not_dead_and_a_killed_one_is(
    child: tuple[subprocess.Popen[str], ProcessIdentity],
) -> None:
    process, identity = child
    assert identity.is_here()
    assert not identity.is_dead()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    assert identity.is_dead()


def test_a_zombie_is_dead(child: tuple[subprocess.Popen[str], ProcessIdentity]) -> None:
    process, identity = child
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # nobody has taken its end yet
    assert identity.is_dead()


def test_a_number_that_was_used_again_is_another_process() -> None:
    mine = ProcessIdentity.of_this_process()
    assert replace(mine, started=str(int(mine.started) - 1)).is_dead()


def test_what_is_elsewhere_or_unknown_is_not_dead() -> None:
    mine = ProcessIdentity.of_this_process()
    gone = replace(mine, pid=2**22 + 5)
    assert gone.is_dead()
    for elsewhere in (
        replace(gone, machine=mine.machine + "0"),  # another container on this machine
        replace(gone, machine=""),
        replace(gone, started=""),
        replace(before_the_last_start(gone), hardware=""),
    ):
        assert not elsewhere.is_dead()
        assert not elsewhere.is_here()


def test_a_machine_that_was_started_anew_runs_nothing_of_before(machine: Path) -> None:
    mine = ProcessIdentity.of_this_process()
    assert mine.hardware
    assert not mine.is_dead()
    assert before_the_last_start(mine).is_dead()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("net/eth0/address", "aa:bb:cc:dd:ee:02"),  # made from the same image
        ("machine-id", "beef"),  # a virtual machine with the address that all of its kind have
        ("net/eth0/addr_assign_type", "1"),  # drawn at each start: says nothing
        ("machine-id", ""),
    ],
)
def test_another_machine_is_not_this_one_started_anew(
    machine: Path, file: str, content: str
) -> None:
    there = before_the_last_start(ProcessIdentity.of_this_process())
    (machine / file).write_text(content + "\n")
    process_identity._hardware.cache_clear()
    assert not there.is_dead()


def test_another_name_is_another_machine(machine: Path) -> None:
    there = before_the_last_start(ProcessIdentity.of_this_process())
    assert not replace(there, host="another-host").is_dead()


def test_it_is_read_again_as_it_was_written() -> None:
    mine = ProcessIdentity.of_this_process()
    assert ProcessIdentity.from_json(mine.to_json()) == mine
    older = '{"host": "gate", "machine": "m", "pid": 3, "started": "9"}'  # without `hardware`
    assert ProcessIdentity.from_json(older).hardware == ""
    for broken in ("", "[]", "{}", '{"host": "a"}', "null", '{"pid": "x"}'):
        with pytest.raises(ValueError):
            ProcessIdentity.from_json(broken)

"""A lock between processes: held by one, given free however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guardianflow.support.locks import take_lock

HOLDER = """
import sys, time
from pathlib import Path
from guardianflow.support.locks import take_lock
with take_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


def test_a_lock_that_another_process_holds_is_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with holder(file), pytest.raises(TimeoutError):
        take_lock(file)
    with take_lock(file):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with holder(file) as process:
        process.kill()
        process.wait()
        with take_lock(file), pytest.raises(TimeoutError):
            take_lock(file)


def test_a_patient_one_gets_it_when_the_holder_ends(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with holder(file) as process:
        assert process.stdin is not None
        ending = threading.Timer(0.2, process.stdin.close)
        ending.start()
        with take_lock(file, patience_s=60.0):
            assert process.wait(60) == 0
        ending.join()


def test_a_signal_ends_the_wait(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with holder(file):
        asking = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        asking.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            take_lock(file, patience_s=300.0)
        assert time.monotonic() - began < 200
        asking.join()


def test_what_the_file_says_stays(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text("who was here")
    with take_lock(file):
        assert file.read_text() == "who was here"
    assert file.read_text() == "who was here"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        take_lock(tmp_path / "lock")
    assert not (tmp_path / "elsewhere").exists()

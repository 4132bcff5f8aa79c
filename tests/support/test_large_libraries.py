"""Libraries come quickly and a process goes quickly, and nothing is lost by it."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from guardianflow.support.large_libraries import importing


def test_nothing_is_collected_while_libraries_load() -> None:
    with importing():
        assert not gc.isenabled()
        with importing():
            pass
        assert not gc.isenabled(), "the inner one leaves it to the outer one"
    assert gc.isenabled()
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()


def test_who_has_switched_the_collector_off_finds_it_off() -> None:
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


ENDING = """
import atexit, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from guardianflow.support.large_libraries import end_process

class Object:
    def __del__(self):
        print("taken apart")

def late():
    time.sleep(0.2)
    Path(sys.argv[1]).write_text("whole")

here = Object()
atexit.register(print, "registered")
threading.Thread(target=late).start()
pool = ThreadPoolExecutor()
pool.submit(print, "an idle thread is left")
sys.stdout.write("not flushed ")
end_process(7)
"""


def test_a_process_that_is_ended_waits_for_threads_and_does_what_was_registered(
    tmp_path: Path,
) -> None:
    left = tmp_path / "left"
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(left)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    assert done.stderr == ""
    assert left.read_text() == "whole"
    assert "not flushed" in done.stdout
    assert done.stdout.endswith("registered\n"), "and no object is taken apart"

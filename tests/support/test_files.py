"""A scratch folder lives as long as its block, also under a thread that the process leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from guardianflow.support.files import files_in, scratch_folder

LEAVES_A_THREAD = """
import atexit, sys, threading, time
from pathlib import Path
from guardianflow.support.files import scratch_folder

begun = threading.Event()

def at_work():  # as the one does that sends to a slow server
    with scratch_folder("guardianflow-test-", Path(sys.argv[1])) as folder:
        (folder / "weights").write_text("whole")
        begun.set()
        time.sleep(60)

threading.Thread(target=at_work, daemon=True).start()
begun.wait(10)
"""


def test_a_folder_goes_with_its_block(tmp_path: Path) -> None:
    with scratch_folder("guardianflow-test-", tmp_path) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "한글.txt").write_text("x")
        (folder / "b").write_text("x")
        assert list(files_in(folder)) == ["a/한글.txt", "b"]
    assert not list(tmp_path.iterdir())


def test_the_end_of_the_interpreter_takes_no_folder_from_a_thread(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVES_A_THREAD, str(tmp_path)], check=True, timeout=60)
    (folder,) = tmp_path.iterdir()
    assert (folder / "weights").read_text() == "whole"

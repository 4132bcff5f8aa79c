"""Whoever reads the output goes away, or can't read it: nothing is decided by that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PRINTS = """
import sys
from guardianflow.support.output_streams import surviving_output
from rich.console import Console
with surviving_output():
    for number in range(20_000):
        print("line", number)
    Console().print("표", number)
    print("careful", file=sys.stderr)
sys.exit(3)
"""


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = line.replace("PRINTS", f"{sys.executable} -c '{PRINTS}'")
    words = ["env", *(f"{k}={v}" for k, v in environment.items()), "bash", "-c", command]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_reader_that_leaves_changes_neither_the_exit_code_nor_stderr() -> None:
    done = shell("PRINTS | head -1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stdout, done.stderr) == (3, "line 0\n", "careful\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_and_changes_no_exit_code() -> None:
    done = shell("PRINTS > /dev/full")
    assert done.returncode == 3
    assert done.stderr.startswith("careful\nwhat stdout should hold could not all be written:")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_closed_streams_are_no_matter() -> None:
    assert shell("PRINTS >&- 2>&-").returncode == 3
    assert shell("PRINTS 2>&- | tail -1; exit ${PIPESTATUS[0]}").returncode == 3


def test_a_terminal_without_hangul_gets_escapes() -> None:
    done = shell("PRINTS | tail -1; exit ${PIPESTATUS[0]}", PYTHONIOENCODING="ascii", COLUMNS="80")
    assert (done.returncode, done.stdout) == (3, "\\ud45c 19999\n")
    assert done.stderr == "careful\n"

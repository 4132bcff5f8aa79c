"""A signal is answered while a child is waited for, whatever a library did to the handlers."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardianflow.support.child_processes import (
    join,
    process_number,
    read_lines,
    wait_at_most,
    wait_for,
)

WAITS = """
import subprocess, sys, threading, time
import mlflow.pyfunc  # with it comes polars, which sets a SIGINT handler of its own
from guardianflow.support.child_processes import join, read_lines, wait_for

assert "polars" in sys.modules
child = subprocess.Popen(["sleep", "120"], stdout=subprocess.PIPE, start_new_session=True)
thread = threading.Thread(target=child.wait, daemon=True)
thread.start()
for wait in (lambda: wait_for(child), lambda: join(thread), lambda: list(read_lines(child.stdout))):
    print("waiting", flush=True)
    try:
        wait()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
child.kill()
"""


@pytest.mark.slow
def test_ctrl_c_is_answered_beside_the_real_mlflow() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        for _ in range(3):
            assert process.stdout.readline() == "waiting\n"
            time.sleep(0.3)  # now it waits
            process.send_signal(signal.SIGINT)
            assert within(10.0, process.stdout) == "interrupted\n"
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def within(seconds: float, stream: object) -> str:
    """A line, or '' where none comes in time."""
    lines: list[str] = []
    thread = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)  # type: ignore[attr-defined]
    thread.start()
    thread.join(seconds)
    return lines[0] if lines else ""


def test_a_child_s_end_comes_with_its_code() -> None:
    slow = subprocess.Popen(["sleep", "0.3"])
    assert wait_at_most(slow, 0.01) is None
    assert wait_for(slow) == 0
    assert wait_for(subprocess.Popen(["sh", "-c", "exit 7"])) == 7


def test_a_thread_is_waited_for_as_long_as_was_said() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, daemon=True)
    thread.start()
    assert not join(thread, 0.05)
    ended.set()
    assert join(thread)


def test_lines_come_whole_and_the_last_one_without_its_end() -> None:
    code = r"import sys; sys.stdout.buffer.write('가나\n'.encode()[:4]); sys.stdout.flush();"
    code += r"sys.stdout.buffer.write('가나\n\nend'.encode()[4:] + b'\xff')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert list(read_lines(process.stdout)) == ["가나", "", "end\ufffd"]


# A box's own script: it runs without this project and without mlflow.
STANDALONE = {"guardianflow/release/bundle/run_detector.py"}


def test_no_wait_of_the_product_blocks(repository: Path) -> None:
    """`.wait()`, `.join()` and subprocess.run without a timeout don't return for a signal."""
    found = [
        f"{path}:{call.lineno}"
        for package in (
            "guardianflow",
            "scenario",
            "experiments_adapters",
            "pipelines",
            "apps",
            "demo_scenes",
        )
        for path, call in blocking_calls(repository, package)
        if path not in STANDALONE
    ]
    assert found == []


def blocking_calls(repository: Path, package: str) -> Iterator[tuple[str, ast.Call]]:
    for file in sorted((repository / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name, owner = node.func.attr, node.func.value
                waits = name in ("wait", "join", "communicate") and not node.args
                runs = name in ("run", "call", "check_call", "check_output") and (
                    isinstance(owner, ast.Name) and owner.id == "subprocess"
                )
                bounded = any(keyword.arg == "timeout" for keyword in node.keywords)
                if (waits or runs) and not bounded:
                    yield file.relative_to(repository).as_posix(), node


def test_a_descriptor_tells_its_process_s_number_until_that_has_ended() -> None:
    with subprocess.Popen(["sleep", "120"]) as process:
        descriptor = os.pidfd_open(process.pid)
        try:
            assert process_number(descriptor) == process.pid
            process.kill()
            process.wait()
            assert process_number(descriptor) == -1
        finally:
            os.close(descriptor)

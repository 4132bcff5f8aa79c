"""Why a script failed, from what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from experiments_adapters.legacy.outcome.last_error import LONGEST, LastError
from experiments_adapters.legacy.output_log import OutputLog
from experiments_adapters.legacy.process import ScriptCommand, ScriptResult, run_script
from guardianflow.support.secrets.redaction import learn_mapping


def result_of(code: str, folder: Path) -> ScriptResult:
    script = folder / "train.py"
    script.write_text(code, encoding="utf-8")
    command = ScriptCommand([sys.executable, str(script)], folder, dict(os.environ))
    with closing(OutputLog(folder / "log")) as log:
        return run_script(command, log, terminal=False)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ValueError('빈 데이터')", "exit code 1: ValueError: 빈 데이터"),
        (
            "class 없는데이터(Exception): pass\nraise 없는데이터('현장 3')",
            "exit code 1: 없는데이터: 현장 3",
        ),
        ("raise KeyError", "exit code 1: KeyError"),
        ("import no_such_module", "exit code 1: ModuleNotFoundError: No module named "),
        ("x = (\n", "exit code 1: SyntaxError: '(' was never closed"),
        (
            "try: 1 / 0\nexcept ZeroDivisionError as e: raise RuntimeError('later') from e",
            "exit code 1: RuntimeError: later",
        ),
        (
            # As Ultralytics says that a data set is missing: the first line says nothing.
            "raise RuntimeError(\"Dataset 'a.yaml' error ❌\\nimages not found, missing '/a'\")",
            "exit code 1: RuntimeError: Dataset 'a.yaml' error ❌ images not found, missing '/a'",
        ),
        ("import sys; sys.exit('데이터가 없습니다')", "exit code 1: 데이터가 없습니다"),
        ("print('no camera'); raise SystemExit(3)", "exit code 3: no camera"),
        ("import sys; sys.exit(3)", "exit code 3"),
        (
            "import argparse; p = argparse.ArgumentParser(); p.parse_args(['--foo'])",
            "exit code 2: train.py: error: unrecognized arguments: --foo",
        ),
        (
            # A traceback that was printed on the way is not why it ended.
            "import sys, traceback\n"
            "try: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()\n"
            "for i in range(200): print('step', i, file=sys.stderr)\n"
            "sys.exit('no data')",
            "exit code 1: no data",
        ),
        (
            # The exception of a worker, which a launcher only reports.
            "import subprocess, sys\n"
            "subprocess.run([sys.executable, '-c', 'raise ValueError(7)'], check=True)",
            "exit code 1: ValueError: 7",
        ),
        ("import os; os.abort()", "it was ended by SIGABRT"),
    ],
)
def test_the_error_that_ended_it_is_the_reason(tmp_path: Path, code: str, reason: str) -> None:
    found = result_of(code, tmp_path).reason
    if "SIGABRT" in reason:
        assert found == reason
    else:
        assert found.startswith(f"it ended with {reason}")
    assert "\n" not in found


def test_a_script_that_ends_well_has_no_error(tmp_path: Path) -> None:
    code = "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()"
    result = result_of(code, tmp_path)
    assert (result.reason, result.last_error) == ("", "")


def test_secrets_are_hidden_before_a_long_message_is_cut(tmp_path: Path) -> None:
    learn_mapping({"token": "hf_notsosecretatall"})
    code = f"raise ValueError('x' * {LONGEST - 30} + ' hf_notsosecretatall ' + 'y' * 5000)"
    found = result_of(code, tmp_path).last_error
    assert len(found) == LONGEST
    assert found.startswith("ValueError: xxx") and found.endswith("…")
    assert "hf_" not in found and "REDACTED"[:4] in found


PRINTED = {
    "torch, in C++": (
        b"terminate called after throwing an instance of 'c10::Error'\n"
        b"  what():  CUDA error: out of memory\n",
        "what(): CUDA error: out of memory",
    ),
    "a worker of a data loader": (
        b"Traceback (most recent call last):\n"
        b'  File "a.py", line 1, in <module>\n    next(it)\n'
        b"RuntimeError: Caught ValueError in DataLoader worker process 0.\n"
        b"Original Traceback (most recent call last):\n"
        b'  File "b.py", line 3, in x\n    y\n'
        b"ValueError: label class 7 exceeds nc 2\n\n",
        "ValueError: label class 7 exceeds nc 2",
    ),
    "torchrun": (
        b"Traceback (most recent call last):\n"
        b'  File "train.py", line 1, in <module>\n'
        b"AssertionError: no images in /mnt/old\n"
        b"Traceback (most recent call last):\n"
        b'  File "run.py", line 1, in <module>\n'
        b"torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
        b"=====\ntrain.py FAILED\n-----\nFailures:\n  <NO_OTHER_FAILURES>\n",
        "AssertionError: no images in /mnt/old",
    ),
    "rich": (
        "╭───── Traceback (most recent call last) ─────╮\n"
        "│ /a/train.py:3 in <module>                   │\n"
        "│ ❱ 3 raise ValueError('x')                   │\n"
        "╰─────────────────────────────────────────────╯\n"
        "ValueError: 라벨 없음\n".encode(),
        "ValueError: 라벨 없음",
    ),
    "colours": (
        b"Traceback (most recent call last):\n  File \x1b[35m\"a\"\x1b[0m, line 1\n"
        b"\x1b[1;35mValueError\x1b[0m: \x1b[35mx\x1b[0m\n",
        "ValueError: x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_errors_as_other_programs_print_them(name: str) -> None:
    printed, expected = PRINTED[name]
    last = LastError()
    for line in printed.splitlines(keepends=True):
        last.feed(line, is_error=True)
    last.feed(b"epoch 3: loss=0.2\n", is_error=False)
    assert last.found(only_errors=True) == expected


def test_a_flood_of_output_is_not_kept() -> None:
    last = LastError()
    for number in range(50_000):
        last.feed(b"iter %d loss=0.1\n" % number, is_error=False)
    last.feed(b"Traceback (most recent call last):\n  x\nValueError: late\n", is_error=True)
    assert last.found() == "ValueError: late"
    assert sum(map(len, last._tails[False])) < 220_000


def test_python_itself_prints_what_is_found(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "raise ExceptionGroup('여럿', [ValueError(1)])"],
        capture_output=True,
        check=False,
    )
    last = LastError()
    last.feed(done.stderr, is_error=True)
    assert last.found() == "ExceptionGroup: 여럿 (1 sub-exception)"

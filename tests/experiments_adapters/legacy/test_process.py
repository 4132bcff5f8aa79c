"""Scripts that print too much, never end, fork daemons or die, run as they are."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from experiments_adapters.legacy.output_log import LineAssembler, OutputLog
from experiments_adapters.legacy.process import ScriptCommand, ScriptResult, run_script
from guardianflow.contracts.errors import ConfigurationError


def run(
    folder: Path,
    code: str,
    *,
    timeout_s: float | None = None,
    grace_s: float = 5.0,
    log: OutputLog | None = None,
    **options: object,
) -> tuple[ScriptResult, str]:
    """Run the code as a script; how it ended, and its log."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    log = log or OutputLog(folder / "out.log")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = ScriptCommand([sys.executable, "-S", "script.py"], folder, environment, timeout_s)
    result = run_script(command, log, grace_s=grace_s, **options)  # type: ignore[arg-type]
    log.close()
    return result, log.path.read_text(encoding="utf-8")


def test_output_and_exit_code_come_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[bytes] = []
    result, log = run(
        tmp_path,
        """
        import os, sys
        print("학습 시작", os.getcwd())
        print("careful", file=sys.stderr)
        sys.exit(3)
        """,
        listeners=[heard.append],
    )
    assert (result.returncode, result.exit_code) == (3, 3)
    assert result.reason == "it ended with exit code 3: careful"
    shown = capsys.readouterr()
    assert shown.out == f"학습 시작 {tmp_path}\n"
    assert shown.err == "careful\n"
    assert sorted(log.splitlines()) == sorted([f"학습 시작 {tmp_path}", "careful"])
    assert sorted(b"".join(heard).decode().splitlines()) == sorted(log.splitlines())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_has_no_newline_yet_is_shown_at_once_and_each_signal_ends_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    runner = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from experiments_adapters.legacy.output_log import OutputLog
        from experiments_adapters.legacy.process import ScriptCommand, run_script
        code = "import time; print('half', end='', flush=True); time.sleep(60)"
        command = ScriptCommand([sys.executable, "-S", "-c", code], Path({str(tmp_path)!r}), {{}})
        result = run_script(command, OutputLog(Path({str(tmp_path / "log")!r})), grace_s=1.0)
        print("ended", result.exit_code, result.interrupted_by, flush=True)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", runner], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.read(4) == b"half"
        (child,) = psutil.Process(process.pid).children()
        process.send_signal(number)
        assert process.stdout.read().strip().endswith(f"ended 130 {number.name}".encode())
        assert not child.is_running()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_under_nohup_a_closed_terminal_ends_no_script(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code = "import os, signal; os.kill(os.getppid(), signal.SIGHUP); print('on')"
        result, log = run(tmp_path, code)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (result.exit_code, result.interrupted_by, log) == (0, "", "on\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_ends_no_script(tmp_path: Path) -> None:
    log = OutputLog(Path("/dev/full"), head_bytes=10, tail_bytes=0)
    command = ScriptCommand([sys.executable, "-S", "-c", "print('x' * 99)"], tmp_path, {})
    assert run_script(command, log, terminal=False).exit_code == 0
    log.close()
    assert log.left_out > 0


def test_bytes_that_are_no_utf8_are_replaced(tmp_path: Path) -> None:
    _, log = run(
        tmp_path,
        r"""
        import sys
        sys.stdout.buffer.write(b"good \xff\xfe bad\n\xea")
        sys.stdout.buffer.flush()
        sys.stdout.buffer.write(b"\xb0\x80 split\nend \xea\xb0")
        """,
    )
    assert log == "good \ufffd\ufffd bad\n가 split\nend \ufffd\n"


def test_hundreds_of_megabytes_neither_fill_the_disk_nor_the_memory(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "out.log", head_bytes=100_000, tail_bytes=100_000)
    heard = 0

    def listen(lines: bytes) -> None:
        nonlocal heard
        heard += len(lines)

    before = psutil.Process().memory_info().rss
    result, text = run(
        tmp_path,
        """
        import os
        block = (b"x" * 99 + b"\\n") * 10_000
        os.write(1, b"first line\\n")
        for _ in range(200):
            view = block
            while view:
                view = view[os.write(1, view):]
        os.write(1, b"last line\\n")
        """,
        log=log,
        listeners=[listen],
        terminal=False,
    )
    assert result.exit_code == 0
    assert heard == log.written == 200_000_021
    assert psutil.Process().memory_info().rss - before < 60e6
    assert len(text) < 2_500_000
    assert text.startswith("first line\n")
    assert text.endswith("last line\n")
    assert f"{log.left_out / 1e6:.1f} MB of output left out" in text
    assert log.left_out > 197e6


def test_of_a_progress_bar_the_last_state_is_kept(tmp_path: Path) -> None:
    _, log = run(
        tmp_path,
        r"""
        for i in range(1, 4):
            print(f"\r{i}/3", end="", flush=True)
        print("\r\nwindows\r\ndone")
        """,
    )
    assert log == "3/3\nwindows\ndone\n"


def test_a_line_that_never_ends_is_handed_on_in_pieces() -> None:
    assembler = LineAssembler()
    given = sum(len(assembler.add(b"x" * 100_000)) for _ in range(50))
    assert given + len(assembler.rest()) == 5_000_001


def test_a_script_that_never_ends_is_ended_at_its_timeout(tmp_path: Path) -> None:
    result, _ = run(tmp_path, "import time; time.sleep(600)", timeout_s=0.5)
    assert result.timed_out
    assert (result.returncode, result.exit_code) == (-signal.SIGTERM, 124)
    assert result.seconds < 10
    assert "timeout" in result.reason


def test_one_that_does_not_listen_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready")
        time.sleep(600)
        """
    result, log = run(tmp_path, code, timeout_s=1.5, grace_s=0.3)
    assert log == "ready\n"
    assert (result.returncode, result.exit_code) == (-signal.SIGKILL, 124)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_signal_that_ended_it_is_named(tmp_path: Path, number: signal.Signals) -> None:
    result, _ = run(tmp_path, f"import os; os.kill(os.getpid(), {int(number)})")
    assert result.exit_code == 128 + number
    assert number.name in result.reason


@pytest.mark.parametrize("leaves_the_group", [False, True])
def test_a_daemon_is_ended_and_named(tmp_path: Path, leaves_the_group: bool) -> None:
    code = f"""
        import os, time
        if os.fork() == 0:
            if {leaves_the_group}:
                os.setsid()
                if os.fork():
                    os._exit(0)
            with open("daemon.pid", "w") as file:
                file.write(str(os.getpid()))
            time.sleep(600)
        while not (os.path.exists("daemon.pid") and open("daemon.pid").read()):
            time.sleep(0.01)
        print("done")
        """
    began = time.monotonic()
    result, log = run(tmp_path, code)
    daemon = int((tmp_path / "daemon.pid").read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(daemon).status() == psutil.STATUS_ZOMBIE
    assert (result.exit_code, log) == (0, "done\n")
    assert any(each.startswith(f"{daemon} ") for each in result.left_running)
    assert time.monotonic() - began < 20


def test_what_cannot_be_started_is_the_callers_mistake(tmp_path: Path) -> None:
    missing = ScriptCommand(["no-such-python", "x.py"], tmp_path, {})
    log = OutputLog(tmp_path / "log")
    with pytest.raises(ConfigurationError, match="no-such-python can't be started"):
        run_script(missing, log)
    log.close()

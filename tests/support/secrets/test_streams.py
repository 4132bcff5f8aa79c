"""Whatever a process of ours prints goes through redaction, and looks as it did."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import traceback

import click
import pytest
from rich.console import Console

from guardianflow.support.secrets import redaction
from guardianflow.support.secrets.redaction import MARK
from guardianflow.support.secrets.streams import RedactingStream, redacted_output

SECRET = "pl4nted-S3cret"


@pytest.fixture(autouse=True)
def learnt(secrets_forgotten: None) -> None:
    redaction.learn(SECRET)


def test_prints_logs_and_tracebacks_are_redacted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with redacted_output():
        print("a", SECRET, end="")
        print("", "b")
        sys.stdout.buffer.write(f"bytes {SECRET}\n".encode())
        click.echo(f"click {SECRET}")
        Console().print(f"rich {SECRET}")
        handler = logging.StreamHandler()
        handler.emit(logging.makeLogRecord({"msg": f"log {SECRET}"}))
        try:
            raise ValueError(f"raised {SECRET}")
        except ValueError:
            traceback.print_exc()
        print("no end", SECRET, end="")
    handler.emit(logging.makeLogRecord({"msg": f"late {SECRET}"}))
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    assert told.out == (f"a {MARK} b\nbytes {MARK}\nclick {MARK}\nrich {MARK}\nno end {MARK}")
    for words in ("log", "raised", "late"):
        assert f"{words} {MARK}" in told.err


def test_what_is_flushed_without_an_end_is_shown_at_once() -> None:
    target = io.StringIO()
    stream = RedactingStream(target)
    for piece in ("10%", " 20%", " pl4n", "ted-S3", "cret 30%", "\r40%"):
        stream.write(piece)
        stream.flush()
        assert SECRET[:5] not in target.getvalue()
    assert target.getvalue() == f"10% 20% {MARK} 30%\r40%"


def test_a_stream_stays_what_it_was() -> None:
    with redacted_output():
        ours = sys.stderr
        with redacted_output():
            assert sys.stderr is ours
        assert sys.stderr is ours
        assert ours.encoding
        assert ours.isatty() is False
    assert not isinstance(sys.stderr, RedactingStream)


def test_a_reader_that_went_away_is_told_as_before() -> None:
    code = (
        "import sys\nfrom guardianflow.support.secrets.streams import redacted_output\n"
        "with redacted_output():\n    try:\n        for _ in range(100_000): print('x' * 100)\n"
        "    except BrokenPipeError:\n        sys.stderr.write('gone'); sys.stderr.flush()\n"
        "import os; os._exit(3)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 3
    assert told == b"gone"

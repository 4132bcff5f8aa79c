"""What we say never drives the terminal that shows it; what is JSON stays JSON."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.table import Table

from apps.cli.main import cli
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.support.terminal import (
    ArgumentParser,
    escape_log_lines,
    make_console,
    printable,
    write,
)
from pipelines.command_line import run_guarded

PROJECT = Path(__file__).resolve().parents[2]
CLEAR = "\x1b[2J\x1b]0;owned\x07"
TURNED = "\u202etxt.exe"
ALLOWED = {"\n", "\t"}


def drives(text: str) -> list[str]:
    """Characters that a terminal obeys, or that turn the order of what is read."""
    return [
        each
        for each in text
        if each not in ALLOWED
        and (
            unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(each) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")
        )
    ]


@given(st.text(st.characters()))
def test_no_text_drives_a_terminal(text: str) -> None:
    assert drives(printable(text)) == []
    assert printable(printable(text)) == printable(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "M"])))
def test_what_people_write_is_left_alone(text: str) -> None:
    assert printable(f"{text}\n\t") == f"{text}\n\t"


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()), max_size=3))
def test_json_stays_json(value: dict[str, str]) -> None:
    assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value


@pytest.mark.parametrize("value", [CLEAR, TURNED, "a\rb", "\x9b31m", "\u2028", "\ud800", "\x00"])
def test_a_command_s_error_is_escaped_and_its_own_newlines_stay(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise ConfigurationError([f"the name is {value}", "another"])

    assert run_guarded(work, as_json=True) == 2
    said = capsys.readouterr()
    assert drives(said.err) == drives(said.out) == []
    assert said.err.count("\n") == 3
    assert value in json.loads(said.out)["error"]["message"]


def test_what_click_repeats_of_the_command_line_is_escaped() -> None:
    for words in ([CLEAR], ["list", CLEAR], [f"--{CLEAR}"], ["list", "runs", CLEAR]):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 2
        assert drives(done.output) == []
    assert "unexpected extra argument (\\u001b]0;owned\\u0007)" in done.output


def test_what_argparse_repeats_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ArgumentParser().parse_args([CLEAR])
    said = capsys.readouterr().err
    assert "\\u001b[2J" in said and drives(said) == []


def test_a_warning_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert logging.lastResort is not None
    escape_log_lines()
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "file %s", (CLEAR,), None)
    assert drives(logging.lastResort.format(record)) == []


def test_a_table_shows_markup_and_control_characters_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = make_console()
    table = Table(title=f"[/x]{CLEAR}")
    table.add_column("[red]name")
    table.add_row(f"[/y]{TURNED}{CLEAR}")
    console.print(table)
    console.print(f"[bold]{CLEAR}")
    said = capsys.readouterr().out
    assert drives(said) == []
    assert all(each in said for each in ("[/x]", "[red]name", "[/y]", "[bold]", "\\u001b[2J"))


def test_a_terminal_still_gets_the_colours_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    make_console().print("a", style="red")
    assert re.fullmatch("\x1b\\[31ma\x1b\\[0m\n", shown.getvalue())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters()))
def test_no_text_can_t_be_written(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    for encoding in ("utf-8", "ascii", "cp949"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            write(text)


def test_the_product_prints_by_this_door_alone() -> None:
    product = (
        "apps",
        "pipelines",
        "experiments_adapters",
        "scenario",
        "guardianflow",
        "demo_scenes",
    )
    files = [file for room in product for file in (PROJECT / room).rglob("*.py")]
    printing = {
        file.relative_to(PROJECT).as_posix()
        for file in files
        if re.search(r"noqa: T20|(?<![\w.])Console\(|ArgumentParser\(desc", file.read_text("utf-8"))
    }
    assert printing == {
        "guardianflow/release/bundle/run_detector.py",  # goes to the box as it is, alone
        "pipelines/wrap/package_weights.py",  # a child's answer to its parent
    }

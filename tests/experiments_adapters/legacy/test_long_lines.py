"""Lines of any length cost time in proportion to it.

Nothing is timed: of 300 KB and more, a pattern that takes the square of its length does not come to
an end within a test's limit.
"""

from __future__ import annotations

import pytest

from experiments_adapters.legacy.live_metrics import printed
from experiments_adapters.legacy.live_metrics.printed import PrintedMetrics
from experiments_adapters.legacy.output_log import LineAssembler
from guardianflow.support.secrets.redaction import redact_text

LONG = 3_000_000


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"x" * LONG + b"\r\r\n", b"x" * LONG + b"\n"),
        (b"x" * LONG + b"\r\n", b"x" * LONG + b"\n"),
        (b"\r" * LONG + b"\n", b"\n"),
        (b"50%\r" * LONG + b"100%\r\r\ndone\n", b"100%\ndone\n"),
        (b"a\r\r\nb\rc\n\r\n", b"a\nc\n\n"),
    ],
)
def test_of_what_was_written_over_the_last_state_is_kept(data: bytes, lines: bytes) -> None:
    assert LineAssembler().add(data) == lines


def test_a_line_that_comes_byte_by_byte_is_joined_once() -> None:
    assembler = LineAssembler()
    for _ in range(500_000):
        assert assembler.add(b".") == b""
    assert assembler.add(b"\n") == b"." * 500_000 + b"\n"


@pytest.mark.parametrize(
    "unit",
    ["a(", "가(", "a", "1", "1.", "a:1", "a:1:", "a=", "a b ", " ", "epoch ", "epoch" + " " * 300,
     "Results saved to a ", "\x1b[0;", "all 1 1 1 ", "9/9 ", "-", "/"],
)  # fmt: skip
@pytest.mark.parametrize("start", ["", "a=", "epoch", "Results saved to "])
def test_no_pattern_for_printed_lines_is_quadratic(unit: str, start: str) -> None:
    line = start + unit * (300_000 // len(unit))
    for pattern in (
        *(printed._PAIR, printed._EPOCH, printed._RESULTS, printed._TABLE_ROW),
        *(printed._VALUES_ROW, printed._ANSI, printed._ULTRALYTICS_BEGINS, printed._LEVELS),
    ):
        pattern.sub("", line)


def test_a_line_that_is_too_long_is_not_searched_at_all() -> None:
    """A declared pattern is the user's own, and may well be quadratic."""
    seen: list[int] = []

    class Counting:
        def search(self, line: str) -> None:
            seen.append(len(line))

    metrics = PrintedMetrics([Counting()])  # type: ignore[list-item]
    metrics.feed(b"x" * LONG + b"\n" + b"loss=0.5\n")
    assert [(each.name, each.value) for each in metrics.poll()] == [("loss", 0.5)]
    assert seen == [8]


@pytest.mark.parametrize("unit", ["sk-", "-eyJabcdefgh", 'token="abc ', "token=abc ", "a://b@@@"])
def test_no_rule_for_secrets_is_quadratic(unit: str) -> None:
    redact_text(unit * (300_000 // len(unit)))


def test_bounded_rules_still_find_secrets() -> None:
    key = "sk-" + "a" * 150 + "7" + "b" * 150
    token = "eyJ" + "a" * 4000 + "." + "b" * 4000 + ".c1"
    said = redact_text(f"got {key} and {token} here")
    assert said == "got REDACTED and REDACTED here"

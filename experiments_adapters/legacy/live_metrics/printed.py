"""Metrics in printed lines: declared patterns, Ultralytics' tables, `key: value`, `key=value`.

Lines come as fast as a script prints them. Up to LINES_A_LOOK are read one by one at each look;
of more, the last one of each shape (the line without its digits) is kept, so that a script that
prints 100,000 lines a second costs little and a rare line is still seen.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence

from .metric_keys import DECLARED, PRINTED, Reading

LINES_A_LOOK = 2_000
COLLAPSE_BYTES = 1_000_000
LONGEST_LINE = 2_000
MOST_SHAPES = 1_000
PAIRS_OF_A_CONFIGURATION = 20
"""A line with more pairs prints settings, as Ultralytics does when it starts."""

_DIGITS = b"0123456789.+-"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Every repetition is bounded, or can be read in one way only: else a long line of `a(a(a(` or of
# digits would take the square of its length.
_NUMBER = r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,4})?"
_WORD = r"[^\W\d_][\w@./()\-]{0,80}(?::\.?\d[\d.]{0,12})?"
_PAIR = re.compile(
    rf"(?<![\w./:@\-])((?:{_WORD} )?{_WORD})\s{{0,3}}[:=]\s{{0,8}}({_NUMBER})(?=$|[\s,;|\])}}%'\"])"
)
_EPOCH = re.compile(
    r"(?i)(?<![^\W_])(?:epoch|에포크|에폭)(?!s)"
    r"(?:\((?:train|val|test)\))?\s{0,8}[:=#\[(]?\s{0,8}(\d{1,7})(?:\s{0,8}/\s{0,8}\d{1,9})?"
    r"(?![\d.])"
)
_PROGRESS = ("it/s", "s/it", "━", "█", "|#")
_LEVELS = re.compile(r"^(?:INFO|DEBUG|WARNING|WARN|ERROR|CRITICAL|TRACE) ")
_COUNTERS = frozenset(
    {"epoch", "epochs", "에포크", "에폭", "step", "global_step", "iter", "iteration"}
)
# Settings that scripts and Ultralytics print: no measurements.
_SETTINGS = frozenset(
    {"nc", "imgsz", "batch", "batch_size", "epochs", "workers", "seed", "device", "lr0", "lrf"}
)
_ULTRALYTICS_BEGINS = re.compile(r"^(?:yolo/)?engine/trainer: ")
_RESULTS = re.compile(r"(?:Logging results to|Results saved to)\s+(\S.*)")

_TABLE_ROW = re.compile(r"^\s*(\d+)/(\d+)\s+([\d.]+[GMK]?B?)\s+(.*)")
_VALUES_ROW = re.compile(rf"^\s*all\s+\d+\s+\d+((?:\s+{_NUMBER}){{4}})")
_BOX_METRICS = (
    "metrics/precision(B)",
    "metrics/recall(B)",
    "metrics/mAP50(B)",
    "metrics/mAP50-95(B)",
)


class PrintedMetrics:
    """Takes lines as they are printed and gives the values in them.

    `feed` is called by who reads the script's output and returns at once; `poll` by another
    thread.

    Args:
        patterns: regular expressions whose named groups are metrics; a group `epoch` or `step`
            is the step.
    """

    def __init__(self, patterns: Sequence[re.Pattern[str]] = ()) -> None:
        self._patterns = list(patterns)
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._collapsed = False
        self.lines_left_out = 0
        self._epoch: int | None = None
        self._columns: list[str] = []
        self._judging_again = False
        self._inside_ultralytics = False
        self.results_directories: list[str] = []
        """Where Ultralytics says that it writes to; relative to the script's directory or not."""

    def feed(self, lines: bytes) -> None:
        """Whole lines, each with its newline."""
        with self._lock:
            self._waiting.append(lines)
            self._waiting_bytes += len(lines)
            if self._waiting_bytes > COLLAPSE_BYTES:
                self._collapse()

    def poll(self) -> list[Reading]:
        """The values in what was printed since the last time, in their order."""
        with self._lock:
            if sum(each.count(b"\n") for each in self._waiting) > LINES_A_LOOK:
                self._collapse()
            taken, self._waiting, self._waiting_bytes = self._waiting, [], 0
            collapsed, self._collapsed = self._collapsed, False
        found: list[Reading] = []
        for line in b"".join(taken).decode("utf-8", "replace").splitlines():
            if line and len(line) <= LONGEST_LINE:
                found += self._read(_ANSI.sub("", line), alone=collapsed)
        return found

    def _collapse(self) -> None:
        """Keep the last line of each shape, in the order of these last lines."""
        text = b"".join(self._waiting).removesuffix(b"\n")
        lines = text.split(b"\n")
        shapes = text.translate(None, _DIGITS).split(b"\n")
        last = sorted(dict(zip(shapes, range(len(shapes)), strict=True)).values())
        kept = [lines[i] for i in last[-MOST_SHAPES:] if len(lines[i]) <= LONGEST_LINE]
        self.lines_left_out += len(lines) - len(kept)
        self._waiting = [b"\n".join(kept) + b"\n"]
        self._waiting_bytes = len(self._waiting[0])
        self._collapsed = True

    # --- one line -------------------------------------------------------------------------------

    def _read(self, line: str, *, alone: bool) -> Iterator[Reading]:
        """Values of a line.

        Args:
            alone: lines before it were left out, so it can't take its epoch from them.
        """
        if _ULTRALYTICS_BEGINS.match(line):
            self._inside_ultralytics = True  # its settings follow; its numbers stand in its tables
        elif "Results saved to" in line:
            self._inside_ultralytics = False
        if said := _RESULTS.search(line):
            place = said[1].rstrip()
            if place not in self.results_directories[-50:]:
                self.results_directories.append(place)
        declared = [m for pattern in self._patterns if (m := pattern.search(line))]
        epoch = _EPOCH.search(line)
        if epoch:
            self._epoch = int(epoch[1])
        step = int(epoch[1]) if epoch else None if alone else self._epoch
        if declared:
            for match in declared:
                yield from self._declared(match, step)
        elif self._is_table(line):
            if not alone:
                yield from self._table(line)
        elif not self._inside_ultralytics and not any(mark in line for mark in _PROGRESS):
            yield from _pairs(line, step)

    @staticmethod
    def _declared(match: re.Match[str], step: int | None) -> Iterator[Reading]:
        values = {}
        for name, text in match.groupdict().items():
            try:
                values[name] = float(text)
            except (TypeError, ValueError):
                continue  # the group took no part, or is no number
        for counter in ("epoch", "step"):
            if counter in values:
                step = int(values.pop(counter))
        for name, value in values.items():
            yield Reading(name, value, step, DECLARED)

    def _is_table(self, line: str) -> bool:
        """A line of what Ultralytics prints while it trains."""
        head = line.split(maxsplit=2)
        if len(head) > 1 and head[0] == "Epoch" and head[1] in ("GPU_mem", "gpu_mem"):
            self._columns = line.split()[2:]
            self._judging_again = False
            return True
        if line.startswith("Validating "):
            self._judging_again = True  # the best weights once more: no epoch's values
        return (
            (bool(self._columns) and _TABLE_ROW.match(line) is not None)
            or _VALUES_ROW.match(line) is not None
            or (bool(head) and head[0] == "Class")
        )

    def _table(self, line: str) -> Iterator[Reading]:
        if match := _TABLE_ROW.match(line):
            self._epoch = int(match[1])
            for name, cell in zip(self._columns, match[4].split(), strict=False):
                if not name.endswith("loss") or re.fullmatch(_NUMBER, cell) is None:
                    break
                yield Reading(f"train/{name}", float(cell), self._epoch, PRINTED)
        elif (match := _VALUES_ROW.match(line)) and not self._judging_again:
            for name, cell in zip(_BOX_METRICS, match[1].split(), strict=True):
                yield Reading(name, float(cell), self._epoch, PRINTED)


def _pairs(line: str, step: int | None) -> Iterator[Reading]:
    pairs = _PAIR.findall(line)
    if len(pairs) > PAIRS_OF_A_CONFIGURATION:
        return
    for name, number in pairs:
        plain = _LEVELS.sub("", name)
        if plain.lower() not in _COUNTERS and plain.split()[-1] not in _SETTINGS:
            yield Reading(plain, float(number), step, PRINTED)

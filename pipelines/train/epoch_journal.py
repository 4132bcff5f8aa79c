"""Writes down what a training reported, line by line on the medium, before the tracker is told.

Each line is one report with its own digest. A line that is cut off or damaged is left out when the
file is read; all others count.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guardianflow.contracts.results import MetricPoint
from guardianflow.support.files import replace_file, sync_directory

DIGITS = 16
"""Of a line's sha256."""


@dataclass(frozen=True)
class Report:
    """What was reported at one step.

    Args:
        step: the epoch; for the whole training one more than the last.
        time_ms: when it was reported, milliseconds since 1970.
        metrics: by the keys of the store.
        whole: it is about the training, not about an epoch.
    """

    step: int
    time_ms: int
    metrics: Mapping[str, float]
    whole: bool = False

    def points(self) -> list[MetricPoint]:
        return [MetricPoint(k, v, self.step, self.time_ms) for k, v in self.metrics.items()]

    def to_line(self) -> str:
        values = asdict(self)
        return json.dumps({"report": values, "sha256": _digest(values)}, ensure_ascii=False) + "\n"


class EpochJournal:
    """The reports of a training, in the order in which they came.

    Attributes:
        damaged: lines that could not be read.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._cut = path, False
        self.reports: list[Report] = []
        self.damaged = 0
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for line in text.splitlines():
            if (report := read_report(line)) is not None:
                self.reports.append(report)
            elif line.strip():
                self.damaged += 1
        if self.damaged or (text and not text.endswith("\n")):
            self._rewrite()

    def append(self, report: Report) -> None:
        """Add a report; it is on the medium when this returns.

        Raises:
            OSError: it can't be written; it is among the reports nevertheless.
        """
        self.reports.append(report)
        is_new = not self._path.exists()
        # What a full disk cut off must not swallow the line after it.
        line = "\n" * self._cut + report.to_line()
        self._cut = True
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        self._cut = False
        if is_new:
            sync_directory(self._path.parent)

    @property
    def last_epoch(self) -> int:
        """0 where none was reported."""
        return max((each.step for each in self.reports if not each.whole), default=0)

    def _rewrite(self) -> None:
        text = "".join(each.to_line() for each in self.reports)
        replace_file(self._path.parent, self._path.name, text, f".{self._path.name}.")


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def read_report(line: str) -> Report | None:
    """The report of a line; None where the line is cut off or damaged."""
    try:
        entry = json.loads(line)
        if entry["sha256"] == _digest(entry["report"]):
            return Report(**entry["report"])
    except (ValueError, TypeError, KeyError):
        pass
    return None

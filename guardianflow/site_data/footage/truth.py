"""Truth files → incidents, checked against the recordings that they are about.

    .csv            a table: truth_tables.py
    .xml            CVAT: truth_tracks.py
    .txt            VIRAT's events: truth_tracks.py
    a folder        of such files

A recording may be named with its suffix or by the last part of its name, where that is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import DatasetError, Problem, Problems
from ...contracts.recordings.alarms import Incident
from ...support.suggestions import did_you_mean
from ...support.text.spelling import nfc
from .truth_tables import ToldInterval, read_table
from .truth_tracks import read_cvat, read_virat
from .videos import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from ...contracts.sequences import Float64Array

READERS = {".csv": read_table, ".xml": read_cvat, ".txt": read_virat}
DEFAULT_NAME = "truth.csv"
ROUNDED_S = 0.5
"""People write whole seconds: an end so little beyond the recording's is its end."""


@dataclass(frozen=True, eq=False)
class Clock:
    """A recording's times, that truth is told in.

    Args:
        times_s: float64, of each picture.
    """

    times_s: Float64Array
    duration_s: float

    def seconds_at(self, frame: float) -> float:
        """The moment of a picture, counted from 0; the end for the first number beyond the last."""
        number = int(frame)
        if number < len(self.times_s):
            return float(self.times_s[number])
        beyond = number - len(self.times_s)
        step = float(np.median(np.diff(self.times_s))) if len(self.times_s) > 1 else 1.0
        return self.duration_s + beyond * step


def find_truth(path: Path, truth: Path | None) -> Path | None:
    """The truth that is given, else truth.csv in the folder or beside the video; None without any.

    Raises:
        DatasetError: what is given is not there.
    """
    if truth is not None:
        if not truth.exists():
            siblings = truth.parent.iterdir() if truth.parent.is_dir() else ()
            near = did_you_mean(truth.name, [each.name for each in siblings])
            raise DatasetError(Problem(f"there is no such truth file{near}", str(truth)))
        return truth
    beside = (path if path.is_dir() else path.parent) / DEFAULT_NAME
    return beside if beside.is_file() else None


def read_truth(
    truth: Path,
    clocks: Mapping[str, Clock | None],
    rules: Sequence[str] | None,
    labels: Mapping[str, str] | None,
    problems: Problems,
) -> dict[str, tuple[Incident, ...]]:
    """Recording → its incidents, by start; what is wrong is added to `problems`.

    Args:
        clocks: by the recording's name; None of one that can't be used, whose truth is not checked.
        rules: that may be spoken of; None lets every name be one.
        labels: the truth's label → rule; other labels are then not read. None takes labels as they
            are.
    """
    told: list[ToldInterval] = []
    for file in _files(truth, problems):
        told += READERS[file.suffix.lower()](file, problems)
    found: dict[str, list[tuple[Incident, str]]] = {name: [] for name in clocks}
    names = _names(clocks)
    for each in told:
        if labels is not None and each.label not in labels:
            continue
        rule = labels[each.label] if labels is not None else each.label
        placed = _placed(each, rule, names, clocks, rules, problems)
        if placed is not None:
            found[placed.recording].append((placed, each.where))
    for incidents in found.values():
        incidents.sort(key=lambda one: (one[0].rule, one[0].start_s, one[0].end_s))
        _refuse_overlaps(incidents, problems)
    return {
        name: tuple(sorted((one for one, _ in mine), key=lambda one: (one.start_s, one.rule)))
        for name, mine in found.items()
    }


def _files(truth: Path, problems: Problems) -> list[Path]:
    inside = [truth] if truth.is_file() else sorted(truth.iterdir())
    found = [p for p in inside if p == truth or (p.is_file() and not p.name.startswith("."))]
    known = [path for path in found if path.suffix.lower() in READERS]
    if not known:
        kinds = "a CSV, CVAT's .xml or VIRAT's .events.txt"
        problems.add(f"must be {kinds}, or a folder of them", truth)
    return known


def _names(clocks: Mapping[str, Clock | None]) -> dict[str, str | None]:
    """What a recording may be called → its name; None where several are called so."""
    names: dict[str, str | None] = {}
    for name in clocks:
        last = PurePath(name).name
        if last != name:
            names[last] = None if last in names else name
    return names | {name: name for name in clocks}


def _placed(
    told: ToldInterval,
    rule: str,
    names: Mapping[str, str | None],
    clocks: Mapping[str, Clock | None],
    rules: Sequence[str] | None,
    problems: Problems,
) -> Incident | None:
    before = len(problems)
    recording = _recording(told, names, clocks, problems)
    if rules is not None and rule not in rules:
        problems.add(
            f"'{rule}' is no rule; known: {', '.join(rules)}{did_you_mean(rule, rules)}", told.where
        )
    if not 0 <= told.start < told.end:
        unit = "pictures" if told.in_frames else "s"
        problems.add(
            f"an incident must start at 0 or later and end after its start, but got {told.start:g} "
            f"to {told.end:g} {unit}",
            told.where,
        )
    clock = clocks[recording] if recording is not None else None
    if len(problems) > before or recording is None or clock is None:
        return None
    start, end = told.start, told.end
    if told.in_frames:
        start, end = clock.seconds_at(start), clock.seconds_at(end)
    if end > clock.duration_s + ROUNDED_S or start >= clock.duration_s:
        problems.add(
            f"an incident from {start:g} to {end:g} s lies beyond the end of '{recording}', which "
            f"is {clock.duration_s:.2f} s long",
            told.where,
        )
        return None
    return Incident(recording, rule, start, min(end, clock.duration_s))


def _recording(
    told: ToldInterval,
    names: Mapping[str, str | None],
    clocks: Mapping[str, Clock | None],
    problems: Problems,
) -> str | None:
    for name in (told.recording, _without_suffix(told.recording)):
        # A tool's path may begin anywhere ('/data/cam1/gate.mp4'), but must end in the whole name.
        parts = name.split("/")
        tails = ("/".join(parts[i:]) for i in range(len(parts)))
        if (tail := next((each for each in tails if each in clocks), None)) is not None:
            return tail
        if len(parts) == 1 and names.get(name) is not None:
            return names[name]
    if _without_suffix(told.recording) in names:
        problems.add(
            f"'{told.recording}' is the name of several recordings; write the folder too",
            told.where,
        )
        return None
    problems.add(
        f"'{told.recording}' is no recording{did_you_mean(told.recording, clocks)}", told.where
    )
    return None


def _without_suffix(name: str) -> str:
    suffix = PurePath(name).suffix
    return nfc(name.removesuffix(suffix) if suffix.lower() in VIDEO_SUFFIXES else name)


def _refuse_overlaps(incidents: list[tuple[Incident, str]], problems: Problems) -> None:
    longest: dict[str, Incident] = {}
    for one, where in incidents:
        before = longest.get(one.rule)
        if before is not None and one.start_s < before.end_s:
            problems.add(
                f"incidents of '{one.rule}' in '{one.recording}' must not overlap, but one from "
                f"{one.start_s:g} s begins before the one from {before.start_s:g} s ends at "
                f"{before.end_s:g} s; make them one",
                where,
            )
        if before is None or one.end_s > before.end_s:
            longest[one.rule] = one

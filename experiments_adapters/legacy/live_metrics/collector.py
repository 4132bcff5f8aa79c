"""The thread that looks for a script's metrics now and then and brings them to the run."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path, PurePosixPath

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import MetricPoint
from guardianflow.support.child_processes import join

from ..changes import EVENT_FILE
from ..outcome.written import WrittenRecord
from ..scan.versions import glob_pattern
from ..walk import FoundFile, found_file, is_passed_by, walk
from .buffer import MetricBuffer
from .metric_keys import Follower
from .printed import PrintedMetrics
from .tables import CsvFollower, JsonFollower
from .tensorboard import EventFileFollower

LOOK_EVERY_S = 1.0
LONGEST_PAUSE_S = 10.0
SHARE_OF_A_CORE = 1 / 100
"""A look that takes longer is followed by a longer pause, so that the script keeps its cores."""
SEARCH_EVERY_S = 3.0
MOST_FOLLOWED = 200
RESULTS_CSV = "results.csv"

Log = Callable[[Sequence[MetricPoint]], None]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class LiveSummary:
    """The result of following a script.

    Args:
        logged: points in the run.
        keys: metrics of the run.
        main: directory whose tables gave `det.*`; None where no table was followed.
        others: directories of further trainings of the same script.
        announced: directories that Ultralytics said it writes to.
        notes: what people should know: lines left out, damaged files.
    """

    logged: int
    keys: frozenset[str]
    main: Path | None
    others: tuple[Path, ...]
    announced: tuple[Path, ...]
    notes: tuple[str, ...]


class LiveMetrics:
    """Follows what a script prints and writes until it is stopped.

    Args:
        root: the script's directory.
        before: its files before the script ran, by path below root: what they held is old.
        log: brings points to the run; TrackingError: they are tried again.
        tell: called with a line for people, from the thread.
        working_directory: where relative paths that the script prints begin.
        record: what the script notes that it writes, wherever that is.
        files: declared globs below root; `**` for any directories.
        patterns: declared regular expressions, see PrintedMetrics.
        look_every_s: between two looks, at least.
    """

    def __init__(
        self,
        root: Path,
        before: Mapping[str, FoundFile],
        log: Log,
        *,
        tell: Tell,
        working_directory: Path | None = None,
        record: WrittenRecord | None = None,
        files: Sequence[str] = (),
        patterns: Sequence[str] = (),
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._root, self._before = root, before
        self._working_directory = working_directory or root
        self._record = record
        self._log, self._tell = log, tell
        self._globs = [glob_pattern(each) for each in files]
        self._printed = PrintedMetrics([re.compile(each) for each in patterns])
        self._buffer = MetricBuffer()
        self._followers: dict[Path, Follower] = {}
        self._main: Path | None = None
        self._series: dict[Path, str] = {}
        self._noted: set[Path] = set()
        self._look_every_s = look_every_s
        self._search_at = 0.0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._refused = ""

    def feed(self, lines: bytes) -> None:
        """Whole lines that the script printed; returns at once."""
        self._printed.feed(lines)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._keep_looking, name="live-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> LiveSummary:
        """Look a last time, log everything and say what came of it.

        Raises:
            TrackingError: the last points could not be logged.
        """
        self._stopped.set()
        if self._thread is not None:
            join(self._thread)
        if self._failure is not None:
            raise self._failure
        self._search_at = 0.0
        while self._read():
            pass  # a follower takes a bounded piece at each look
        self._bring(last=True)
        return LiveSummary(
            logged=self._buffer.logged,
            keys=self._buffer.keys,
            main=self._main,
            others=tuple(self._series),
            announced=tuple(self._announced()),
            notes=tuple(self._notes()),
        )

    def abandon(self) -> None:
        """End the thread; nothing more is logged."""
        self._stopped.set()

    def _announced(self) -> list[Path]:
        """Directories that Ultralytics said it writes to, inside the root and elsewhere."""
        places = [(self._working_directory / each).resolve()
                  for each in self._printed.results_directories]  # fmt: skip
        return [each for each in dict.fromkeys(places) if each.is_dir()]

    # --- looking ----------------------------------------------------------------------------------

    def _keep_looking(self) -> None:
        pause_s = self._look_every_s
        try:
            while not self._stopped.wait(pause_s):
                began = time.thread_time()
                self._read()
                try:
                    self._bring()
                except TrackingError as exc:
                    if str(exc) != self._refused:
                        self._refused = str(exc)
                        self._tell(f"metrics wait, they are tried again: {exc}")
                cost_s = (time.thread_time() - began) / SHARE_OF_A_CORE
                pause_s = max(self._look_every_s, min(cost_s, LONGEST_PAUSE_S))
        except BaseException as exc:  # handed to who stops us: a silent end would lose metrics
            self._failure = exc

    def _read(self) -> int:
        """Take what is new from every place; how many readings that were."""
        readings = self._printed.poll()
        self._buffer.add(readings)
        count = len(readings)
        self._follow_announced()
        self._follow_noted()
        if time.monotonic() >= self._search_at:
            began = time.monotonic()
            self._search()
            took_s = time.monotonic() - began
            self._search_at = time.monotonic() + max(SEARCH_EVERY_S, took_s / SHARE_OF_A_CORE)
        for follower in self._followers.values():
            readings = follower.poll()
            self._buffer.add(readings, str(follower.path.parent))
            count += len(readings)
        return count

    def _bring(self, *, last: bool = False) -> None:
        points = self._buffer.take(last=last)
        if points:
            self._log(points)
            self._buffer.done()
            self._refused = ""

    # --- finding files ----------------------------------------------------------------------------

    def _search(self) -> None:
        found = [
            (each, self._root / each.path)
            for each in walk(self._root)
            if (_is_table(each.path) or self._is_declared(each.path))
            and not _same(each, self._before.get(each.path))
        ]
        root = self._root.resolve()
        for folder in self._announced():
            if not folder.is_relative_to(root):
                found += [(each, folder / each.path) for each in tables_in(folder)]
        for each, path in sorted(found, key=lambda pair: pair[0].mtime_ns):
            if path not in self._followers and len(self._followers) < MOST_FOLLOWED:
                self._follow(each, path)

    def _follow_noted(self) -> None:
        """Tables that the script noted, where the walk of its directory does not come by."""
        if self._record is None:
            return
        self._record.read()
        root = self._root.resolve()
        for path, size in list(self._record.files.items()):
            if path in self._noted or not _is_table(path.name) or not path.is_file():
                continue
            self._noted.add(path)
            if path.is_relative_to(root):
                inner = path.relative_to(root)
                if not any(is_passed_by(part) for part in inner.parts[:-1]):
                    continue
            if path not in self._followers and len(self._followers) < MOST_FOLLOWED:
                self._follow(found_file(path.parent, path), path, size)

    def _follow_announced(self) -> None:
        """Tables where Ultralytics says it writes: found at once, however large the directory."""
        for each in self._printed.results_directories:
            folder = self._working_directory / each
            if folder.is_relative_to(self._root):
                path = folder / RESULTS_CSV
                if path not in self._followers and path.is_file():
                    self._follow(found_file(self._root, path), path)

    def _is_declared(self, path: str) -> bool:
        return any(pattern.fullmatch(path) for pattern in self._globs)

    def _follow(self, file: FoundFile, path: Path, kept: int | None = None) -> None:
        """Begin to read a file; `kept`: bytes that it held before, where the script noted that."""
        old = self._before.get(file.path) if path.is_relative_to(self._root) else None
        # A table that goes on from an earlier run is read on; one that was replaced from its start.
        start = old.size if old and old.inode == file.inode and file.size >= old.size else 0
        start = start if kept is None else kept
        declared = self._is_declared(file.path)
        follower: Follower
        if path.name.startswith(EVENT_FILE):
            follower = EventFileFollower(path, start, self._series_of(path.parent))
        elif path.suffix.lower() in (".json", ".jsonl"):
            follower = JsonFollower(path, start)
        else:
            own = path.name == RESULTS_CSV
            series = self._series_of(path.parent) if own else ""
            follower = CsvFollower(path, start, series, declared=declared and not own)
        self._followers[path] = follower

    def _series_of(self, folder: Path) -> str:
        """'' for the first training of the script; a second one's values are kept apart."""
        if self._main is None:
            self._main = folder
        if folder == self._main:
            return ""
        if folder not in self._series:
            taken = set(self._series.values())
            full = folder.relative_to(self._root).as_posix() if folder.is_relative_to(
                self._root) else folder.name  # fmt: skip
            self._series[folder] = full if folder.name in taken else folder.name
            series = self._series[folder]
            self._tell(f"a further training writes to {full}: its metrics are script.{series}/…")
        return self._series[folder]

    def _notes(self) -> list[str]:
        buffer, notes = self._buffer, []
        if self._printed.lines_left_out:
            notes.append(
                f"{self._printed.lines_left_out} printed lines came too fast to be read one by "
                "one: of lines alike the last one of an interval counts"
            )
        if buffer.overwritten:
            notes.append(f"{buffer.overwritten} values gave way to a later one of the same metric")
        if buffer.refused_keys:
            some = ", ".join(list(buffer.refused_keys)[:5])
            notes.append(f"too many metrics: {len(buffer.refused_keys)} were not logged ({some} …)")
        notes += [f"{f.path}: {f.problem}" for f in self._followers.values() if f.problem]
        return notes


_STAMP = attrgetter("size", "mtime_ns", "inode")


def tables_in(folder: Path) -> list[FoundFile]:
    """The tables of one directory; none where it can't be listed."""
    try:
        return [found_file(folder, each) for each in folder.iterdir()
                if _is_table(each.name) and each.is_file()]  # fmt: skip
    except OSError:
        return []


def _is_table(path: str) -> bool:
    name = PurePosixPath(path).name
    return name == RESULTS_CSV or name.startswith(EVENT_FILE)


def _same(now: FoundFile, before: FoundFile | None) -> bool:
    return before is not None and _STAMP(now) == _STAMP(before)

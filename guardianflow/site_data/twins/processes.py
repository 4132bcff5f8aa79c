"""Looks for many judged pictures in several processes at once.

Comparing two pictures is some thirty steps of microseconds, between which Python's lock goes round:
threads gain nothing, a process for each core does. What is looked among is written once and mapped
by every process; the judged pictures are in parts, of which each process takes the next one that
nobody has: this process while others start, and whoever has a core to itself takes more.

Run as `python -m guardianflow.site_data.twins.processes FOLDER PARTS` it is one of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...contracts.errors import GuardianFlowError
from ...contracts.recordings.leaks import Likeness
from ...support.child_processes import wait_for
from .comparison import Compared
from .search import Learnt, Match, Pictures, Progress, find_matches

ROOT = Path(__file__).resolve().parents[3]
LEAST_EACH = 200
"""Judged pictures that a process takes a second for; starting one takes half of that."""
MOST_PROCESSES = 8
PARTS_EACH = 8
"""Of a process: the last one to end has so little left, and none is smaller than it need be."""
LARGEST_PART = 1024
"""Judged pictures: blocks of them are looked for at once."""
LIKENESSES = tuple(Likeness)


def find_all_matches(
    judged: Pictures,
    learnt: Learnt,
    hints: Sequence[Sequence[int]],
    progress: Progress | None = None,
    cores: int | None = None,
) -> list[Match]:
    """As find_matches, with a process for each core where there is enough to do.

    Args:
        cores: None: those that this process may use.

    Raises:
        GuardianFlowError: one of the processes ended before it was done.
    """
    count = min(cores or _cores(), MOST_PROCESSES, len(judged) // LEAST_EACH)
    if count < 2:
        return find_matches(judged, learnt, hints, progress)

    parts = max(count * PARTS_EACH, -(-len(judged) // LARGEST_PART))
    with tempfile.TemporaryDirectory(prefix="guardianflow-twins-") as place:
        folder = Path(place)
        try:
            _write(folder, judged, learnt, hints)
        except OSError:  # no room there: one process comes to the same answers
            return find_matches(judged, learnt, hints, progress)
        with _children(folder, count, parts) as children:
            found = [Match()] * len(judged)
            mine = set()
            for part in _taken(folder, parts):
                found[part::parts] = find_matches(judged[part::parts], learnt, hints[part::parts])
                mine.add(part)
                if progress is not None:
                    progress((part + 1) * len(judged) // parts, len(judged))
            for number, child in enumerate(children):
                _check(wait_for(child), folder, number)
            for part in set(range(parts)) - mine:
                found[part::parts] = _read_matches(folder, part)
    if progress is not None:
        progress(len(judged), len(judged))
    return found


def _taken(folder: Path, parts: int) -> Iterator[int]:
    """The parts that nobody has, one after the other; each is this process' from then on."""
    for part in range(parts):
        with suppress(FileExistsError):
            os.close(os.open(folder / f"{part}.taken", os.O_CREAT | os.O_EXCL))
            yield part


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _children(folder: Path, count: int, parts: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """They end with this process, whatever ends it: their standard input ends."""
    module = f"{__package__}.{Path(__file__).stem}"
    children: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count - 1):
            command = [sys.executable, "-m", module, str(folder), str(parts)]
            with _log_of(folder, number).open("wb") as log:
                children.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL,
                        stderr=log,
                        cwd=ROOT,
                    )
                )
        yield children
    finally:
        for child in children:
            child.kill()
            wait_for(child)
            if child.stdin is not None:
                child.stdin.close()


def _check(code: int, folder: Path, number: int) -> None:
    if code:
        said = _log_of(folder, number).read_text("utf-8", "replace").splitlines() or ["(silent)"]
        raise GuardianFlowError(
            f"one of the processes that look for twins ended with code {code}: {said[-1][:400]}"
        )


def _log_of(folder: Path, number: int) -> Path:
    return folder / f"{number}.log"


def _write(folder: Path, judged: Pictures, learnt: Learnt, hints: Sequence[Sequence[int]]) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "judged": judged,
        "pictures": learnt.pictures,
        "fine": learnt.fine,
        "broad": learnt.broad,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "hints.json").write_text(json.dumps([list(each) for each in hints]), "utf-8")


def _read_matches(folder: Path, part: int) -> list[Match]:
    rows = json.loads((folder / f"{part}.json").read_text("utf-8"))
    return [
        Match(other, Compared(LIKENESSES[likeness], agreement, different, still))
        for other, likeness, agreement, different, still in rows
    ]


def _work(folder: Path, parts: int) -> None:
    names = ("judged", "pictures", "fine", "broad")
    judged, *known = (
        np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray) for name in names
    )
    hints = json.loads((folder / "hints.json").read_text("utf-8"))
    learnt = Learnt(*known)
    for part in _taken(folder, parts):
        matches = find_matches(judged[part::parts], learnt, hints[part::parts])
        rows = [
            [other, LIKENESSES.index(kind), float(agreement), different, still]
            for other, (kind, agreement, different, still) in matches
        ]
        (folder / f"{part}.json").write_text(json.dumps(rows), "utf-8")


def _end_with_starter() -> None:
    os.read(0, 1)  # nobody writes: it ends with the starter
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, daemon=True).start()
    try:
        _work(Path(sys.argv[1]), int(sys.argv[2]))
    except KeyboardInterrupt:  # the starter answers it
        sys.exit(130)

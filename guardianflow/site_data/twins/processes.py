"""Looks for many judged pictures in several processes at once.

Comparing two pictures is some thirty steps of microseconds, between which Python's lock goes round:
threads gain nothing, a process for each core does. What is looked among is written once and mapped
by every process; each takes every n-th judged picture, this process the first.

Run as `python -m guardianflow.site_data.twins.processes FOLDER FIRST STEP` it is one of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

    def tell(done: int, mine: int) -> None:
        if progress is not None:
            progress(done * len(judged) // mine, len(judged))

    with tempfile.TemporaryDirectory(prefix="guardianflow-twins-") as place:
        folder = Path(place)
        try:
            _write(folder, judged, learnt, hints)
        except OSError:  # no room there: one process comes to the same answers
            return find_matches(judged, learnt, hints, progress)
        with _children(folder, count) as children:
            found = [Match()] * len(judged)
            found[::count] = find_matches(judged[::count], learnt, hints[::count], tell)
            for first, child in enumerate(children, start=1):
                _check(wait_for(child), folder, first)
                found[first::count] = _read_matches(folder, first)
    return found


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _children(folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """They end with this process, whatever ends it: their standard input ends."""
    module = f"{__package__}.{Path(__file__).stem}"
    children: list[subprocess.Popen[bytes]] = []
    try:
        for first in range(1, count):
            command = [sys.executable, "-m", module, str(folder), str(first), str(count)]
            with _log_of(folder, first).open("wb") as log:
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


def _check(code: int, folder: Path, first: int) -> None:
    if code:
        said = _log_of(folder, first).read_text("utf-8", "replace").splitlines() or ["(silent)"]
        raise GuardianFlowError(
            f"one of the processes that look for twins ended with code {code}: {said[-1][:400]}"
        )


def _log_of(folder: Path, first: int) -> Path:
    return folder / f"{first}.log"


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


def _read_matches(folder: Path, first: int) -> list[Match]:
    rows = json.loads((folder / f"{first}.json").read_text("utf-8"))
    return [
        Match(other, Compared(LIKENESSES[likeness], agreement, different, still))
        for other, likeness, agreement, different, still in rows
    ]


def _work(folder: Path, first: int, step: int) -> None:
    names = ("judged", "pictures", "fine", "broad")
    judged, *known = (
        np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray) for name in names
    )
    hints = json.loads((folder / "hints.json").read_text("utf-8"))
    matches = find_matches(judged[first::step], Learnt(*known), hints[first::step])
    rows = [
        [other, LIKENESSES.index(kind), float(agreement), different, still]
        for other, (kind, agreement, different, still) in matches
    ]
    (folder / f"{first}.json").write_text(json.dumps(rows), "utf-8")


def _end_with_starter() -> None:
    os.read(0, 1)  # nobody writes: it ends with the starter
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, daemon=True).start()
    try:
        _work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except KeyboardInterrupt:  # the starter answers it
        sys.exit(130)

"""Too little room on a disk: found before a training starts, watched while it works.

The estimate is a lower bound, so that what is refused would surely have failed: as many checkpoints
as a training holds at once, and the copies of the weights that are packed and uploaded.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from guardianflow.contracts.errors import DiskSpaceError, Problem

MEBIBYTE = 1 << 20
# Parameters in millions, the fewest that a YOLO detector of that size has in any generation.
FEWEST_PARAMETERS_M = {"n": 1.8, "t": 1.8, "s": 7, "m": 15, "b": 19, "l": 24, "x": 29}
_SIZE = re.compile(r"yolo(?:v?\d+)([ntsmblx])(?![a-z])", re.IGNORECASE)
BYTES_A_WEIGHT = 2  # saved in half precision
CHECKPOINTS = 2  # last and best
STATES_A_CHECKPOINT = 2  # the weights, and at least one number of the optimizer's for each
COPIES = 2  # the weights as the run's file and as its model
BESIDE = 8 * MEBIBYTE  # plots, logs, results
LOW = 256 * MEBIBYTE


@dataclass(frozen=True)
class DiskNeed:
    """Room that is needed at a place for certain."""

    place: Path
    needed_bytes: int
    what: str


def needs_of_training(
    architecture: str, weights: Path | None, work_dir: Path, tracking_uri: str
) -> tuple[DiskNeed, ...]:
    """What a training by the built-in trainer writes at least, by place.

    Args:
        weights: those it starts from; they say more of the size than a name does.
        tracking_uri: of the store; one in a file keeps its artifacts beside it.
    """
    model = _model_bytes(architecture, weights)
    working = CHECKPOINTS * STATES_A_CHECKPOINT * model + BESIDE
    needs = [DiskNeed(work_dir, working, f"{CHECKPOINTS} checkpoints, plots and logs")]
    if (store := store_folder(tracking_uri)) is not None:
        needs.append(DiskNeed(store, COPIES * model + BESIDE, "the run's files and its model"))
    return tuple(needs)


def refuse_too_little_room(needs: Iterable[DiskNeed]) -> None:
    """Add up what is needed on each file system and compare it with what is free.

    Raises:
        DiskSpaceError: names every one that is too small, with both numbers.
    """
    by_device: dict[int, list[DiskNeed]] = {}
    for need in needs:
        by_device.setdefault(_there(need.place).stat().st_dev, []).append(need)
    problems = [problem for each in by_device.values() if (problem := _problem(each))]
    if problems:
        raise DiskSpaceError(problems)


class DiskWatch:
    """Tells, once, that a training's disk is nearly full, while there is time to make room."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder, self._tell, self._told = folder, tell, False

    def look(self) -> None:
        if self._told:
            return
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:  # nobody can tell; the training goes on
            return
        if free < LOW:
            self._told = True
            self._tell(
                f"the disk of {self._folder} is nearly full: {_mib(free)} are free. Make room, or "
                "the training fails when it next saves a checkpoint"
            )


def store_folder(tracking_uri: str) -> Path | None:
    """The folder of a store that lies in a file; None for a server's."""
    parts = urlsplit(tracking_uri)
    if not parts.scheme.startswith("sqlite"):
        return None
    return Path(parts.path.removeprefix("/")).parent.absolute()


def _model_bytes(architecture: str, weights: Path | None) -> int:
    if weights is not None and weights.is_file():
        # A file with its optimizer is three times as large as the weights alone.
        return weights.stat().st_size // 3
    known = _SIZE.match(Path(architecture).stem)
    millions = FEWEST_PARAMETERS_M[known[1].lower()] if known else 0
    return int(millions * 1e6 * BYTES_A_WEIGHT)


def _problem(needs: list[DiskNeed]) -> Problem | None:
    place, needed = needs[0].place, sum(need.needed_bytes for need in needs)
    try:
        free = shutil.disk_usage(_there(place)).free
    except OSError:
        return None
    if free >= needed:
        return None
    what = "; ".join(f"{need.what} in {need.place}" for need in needs)
    return Problem(
        f"its disk must have at least {_mib(needed)} free ({what}) but has {_mib(free)}. Make "
        "room, or name another place in GUARDIANFLOW_WORK_DIR",
        str(place),
    )


def _there(place: Path) -> Path:
    """The place, or the nearest folder above it that exists."""
    return next(each for each in (place, *place.parents) if each.exists())


def _mib(count: int) -> str:
    return f"{count / MEBIBYTE:,.0f} MiB"

"""A script's results that lie where the comparison of its directory does not look.

Ultralytics puts a relative `project` below its `runs_dir`, wherever that is; others write to a
disk of their own, through a link, or into a directory of data. Two scripts may do so side by side:
what counts as this one's is

    what it noted        files that it opened for writing, directories that it made
    what it announced    "Results saved to …": what is younger there than the script
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..changes import EVENT_FILE, WEIGHTS, category_of
from ..walk import (
    DATA_DIRECTORIES,
    IMAGES,
    IMAGES_OF_A_DATA_SET,
    MACHINERY,
    PAIRED,
    FoundFile,
    found_file,
    walk,
)
from .written import WrittenRecord

NAME = "outside"
"""The first part of such a file's path in the run."""
RESULTS_CSV = "results.csv"
MOST_FILES = 20_000
_DIGITS = "0123456789"
_PAIR = (".xml", ".bin")
_PASSING = re.compile(r"tmp|torchinductor|matplotlib-|pymp-|wandb", re.I)
"""Beginnings of names that programs give to what they put into the directory for passing files."""


@dataclass(frozen=True)
class OutsideFiles:
    """Results outside.

    Args:
        files: (path in the run below its category, the file), and where each lies.
        places: the directories, as people know them.
    """

    files: tuple[tuple[FoundFile, Path], ...] = ()
    places: tuple[Path, ...] = ()


def outside_files(
    root: Path, record: WrittenRecord, announced: Iterable[Path], since_ns: int
) -> OutsideFiles:
    """Find them.

    Args:
        root: the script's directory; what a walk of it lists is left to find_changes.
        record: what the script noted.
        announced: directories that it said it writes to.
        since_ns: its start, nanoseconds since 1970.
    """
    record.read()
    real = root.resolve()
    found: dict[Path, Path] = {}
    made = frozenset(record.folders)
    for file, place in _candidates(record, announced, since_ns):
        if len(found) >= MOST_FILES:
            break
        if file not in found and _is_result(file, _top(file.parent, made), real):
            found[file] = place
    if not found:
        return OutsideFiles()
    listed = {real / each.path for each in walk(real)}
    found = {file: place for file, place in found.items() if file not in listed}
    places = tuple(dict.fromkeys(found.values()))
    if not places:
        return OutsideFiles()
    base = Path(os.path.commonpath([place.parent for place in places]))
    name = NAME
    while (root / name).exists():  # no file of the directory is written over in the run
        name += "_"
    files = []
    for file in found:
        try:
            at = found_file(base, file)
        except OSError:  # it went away meanwhile
            continue
        files.append((replace(at, path=f"{name}/{at.path}"), file))
    return OutsideFiles(tuple(files), places)


def _candidates(
    record: WrittenRecord, announced: Iterable[Path], since_ns: int
) -> Iterator[tuple[Path, Path]]:
    """(file, the directory that is told for it).

    Of a directory that the script made only the files in it are its own: another run may have put
    a directory of its own there since, as Ultralytics does with `train2` beside `train`.
    """
    made = {folder: _files_in(folder) for folder in _made(record)}
    noted = [each for each in record.files if _is_file(each)]
    pictures = Counter(each.parent for each in noted if _is_picture(each))
    holding = {folder for folder, files in made.items() if files}
    for folder, files in made.items():
        yield from ((file, _top(folder, holding)) for file in files)
    for file in noted:
        if not (_is_picture(file) and pictures[file.parent] > IMAGES_OF_A_DATA_SET):
            yield file, _top(file.parent, holding)
    for folder in dict.fromkeys(each.resolve() for each in announced):
        for file in _files_of_announced(folder):
            if _mtime_ns(file) >= since_ns:
                yield file, folder


def _made(record: WrittenRecord) -> list[Path]:
    """The directories that the script made, without those that another made just before it.

    A directory is noted before it is made. Where two trainings begin at one moment, the second
    finds `train` taken, and takes `train2`: nothing of it lies in the first.
    """
    folders = list(record.folders)
    used = {above for each in (*folders, *record.files) for above in each.parents}

    def given_up(place: int) -> bool:
        folder = folders[place]
        stem = folder.name.rstrip(_DIGITS)
        return folder not in used and any(
            later.parent == folder.parent
            and later.name != folder.name
            and later.name.rstrip(_DIGITS) == stem
            for later in folders[place + 1 :]
        )

    return [folder for place, folder in enumerate(folders) if not given_up(place)]


def _files_of_announced(folder: Path) -> Iterator[Path]:
    """Those of a training or an export; nothing else below it: "Results saved to /data"."""
    yield from _files_in(folder)
    for each in (folder / "weights", *folder.glob("*_model"), *folder.glob("weights/*_model")):
        yield from _files_in(each)


def _top(folder: Path, among: Container[Path]) -> Path:
    """The highest of these directories that a directory lies in; else itself."""
    above = [each for each in folder.parents if each in among]
    return above[-1] if above else folder


def _files_in(folder: Path) -> list[Path]:
    """The files of one directory, without the pictures of a data set."""
    try:
        with os.scandir(folder) as entries:
            files = [Path(each.path) for each in entries if each.is_file(follow_symlinks=False)]
    except OSError:
        return []
    if sum(map(_is_picture, files)) > IMAGES_OF_A_DATA_SET:
        return [each for each in files if not _is_picture(each)]
    return files


def _mtime_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # it went away meanwhile
        return 0


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in IMAGES


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _is_result(file: Path, top: Path, real: Path) -> bool:
    """Whether a file is of a kind that is kept, and no other program's bookkeeping or data."""
    category = category_of(file.name)
    if not category or _is_passing(file, real):
        return False
    near = file.relative_to(Path(os.path.commonpath([file, real]))).parts[:-1]
    if any(part in MACHINERY or part.startswith(".") for part in near):
        return False
    # An .xml is a network only with its .bin; others are labels.
    alone = file.suffix.lower() in _PAIR and not all(map(_is_file, map(file.with_suffix, _PAIR)))
    if category == WEIGHTS and not alone:
        return True
    if file.name == RESULTS_CSV or file.name.startswith(EVENT_FILE):
        return True
    if file.is_relative_to(real):  # what its walk passes by is data
        return False
    own = file.relative_to(top.parent).parts[:-1]
    return not any(part.lower() in DATA_DIRECTORIES or part in PAIRED for part in own)


def _is_passing(file: Path, real: Path) -> bool:
    passing = Path(tempfile.gettempdir()).resolve()
    if not file.is_relative_to(passing) or real.is_relative_to(passing):
        return False
    parts = file.relative_to(passing).parts
    return len(parts) == 1 or _PASSING.match(parts[0]) is not None

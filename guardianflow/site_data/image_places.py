"""The images that an entry of a data.yaml names: a directory, walked, or a list, read.

A directory is read once, whatever links lead to it: by device and number, as names say nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..contracts.errors import Problems
from ..support.text.encodings import NotUtf8Error, decode_utf8
from ..support.text.spelling import spelled_on_disk

IMAGE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".tif",
     ".tiff", ".webp")
)  # fmt: skip
SHOWN_NAMES = 3


def walk_once(
    top: Path,
    links: list[Path] | None = None,
    leave_out: Callable[[str, str], bool] = lambda _path, _name: False,
) -> Iterator[tuple[str, list[str]]]:
    """Every directory at `top` and below with the names of its files; what is hidden is left out.

    Links to directories are followed, after the directories beside them; one that leads to a
    directory that was read already is added to `links` instead.

    Args:
        leave_out: (path, name) → whether a directory is not entered.
    """
    seen: set[tuple[int, int]] = set()
    itself = os.path.realpath(top)
    waiting = [(str(top), False)]
    linked: list[tuple[str, bool]] = []
    while waiting or linked:
        folder, is_link = waiting.pop() if waiting else linked.pop(0)
        try:
            state = os.stat(folder)  # noqa: PTH116
            key = state.st_dev, state.st_ino
            if key in seen or (is_link and _holds(folder, itself)):
                if is_link and links is not None:
                    links.append(Path(folder))
                continue
            seen.add(key)
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError:  # closed to us, or gone: as os.walk has it
            continue
        names: list[str] = []
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                if not leave_out(entry.path, entry.name):
                    waiting.append((entry.path, False))
            elif entry.is_symlink() and _leads_to_directory(entry):
                if not leave_out(entry.path, entry.name):
                    linked.append((entry.path, True))
            else:
                names.append(entry.name)
        yield folder, names


def _holds(folder: str, inner: str) -> bool:
    """Whether a directory is one that `inner` lies in."""
    return Path(inner).is_relative_to(os.path.realpath(folder))


def _leads_to_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that names itself
        return False


def images_in(folder: Path, links: list[Path]) -> Iterator[Path]:
    """Images in a directory and below, each once; hidden files and folders are not looked at."""
    for place, names in walk_once(folder, links):
        for name in names:
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122 - fast
                yield Path(place, name)


def images_listed(
    listing: Path,
    root: Path,
    usable: Callable[[str, str], Path | None],
    lacks: Callable[[Path, str, str], None],
    problems: Problems,
) -> Iterator[Path]:
    """The images that a list names, as often as it names them.

    Args:
        root: of the data set.
        usable: (text, where) → whether a file can have such a path; adds a problem where not.
        lacks: (path, message, where): an image that is not there.
        problems: everything else that is wrong.
    """
    try:
        lines = decode_utf8(listing.read_bytes(), listing.name).splitlines()
    except (OSError, NotUtf8Error) as exc:
        problems.add(str(exc), listing)
        return
    for number, line in enumerate(lines, start=1):
        text = line.strip().lstrip("\ufeff")  # lists put together keep their marks inside
        where = f"{listing}:{number}"
        if not text or usable(text, where) is None:
            continue
        # Beside the listing, as './x.jpg' means; else below the root; else as Ultralytics reads
        # any other relative path: from the working directory.
        candidates = [absolute(base / text) for base in (listing.parent, root, Path())]
        spelled = (spelled_on_disk(path) for path in candidates)
        image = next((path for path in spelled if path.is_file()), None)
        if image is None:
            lacks(candidates[0], f"image {text} is missing{slash_hint(text)}", where)
        elif image.suffix.lower() not in IMAGE_SUFFIXES:
            problems.add(f"{text} is not an image by its suffix", where)
        else:
            yield image


def slash_hint(text: str) -> str:
    """What to write instead of a path of Windows that is not there."""
    return "; write / instead of \\, also on Windows" if "\\" in text else ""


def is_one_line(text: str) -> bool:
    """Whether a list can hold it: neither bytes that are not UTF-8, nor the end of a line."""
    if text.isascii() and text.isprintable():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return len(text.splitlines()) == 1


def absolute(path: Path) -> Path:
    """Absolute and without '..', links kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links

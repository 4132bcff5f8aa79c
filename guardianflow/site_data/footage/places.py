"""Where recordings lie, and what each is called.

a video                      one recording, called by its name without suffix
a folder of pictures         one, called by the folder
a folder of these            each: 'gate', or of folders within 'cam1/gate'
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...contracts.errors import DatasetError, Problem, Problems
from ...support.suggestions import did_you_mean
from ...support.text.spelling import nfc
from .frame_folders import natural, pictures_in
from .videos import VIDEO_SUFFIXES

DEEPEST = 3
"""Folders below the one given that are looked into."""
CAMERA = "camera"


@dataclass(frozen=True)
class Place:
    """A recording's file or folder.

    Args:
        name: below the folder given, '/' between, without a video's suffix.
        camera: '' where it is not known.
    """

    name: str
    path: Path
    is_video: bool
    camera: str = ""


def find_places(path: Path, camera_pattern: str | None, problems: Problems) -> list[Place]:
    """Every recording at or below a path, by name.

    Raises:
        DatasetError: there is no such path.
    """
    if not path.exists():
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        near = did_you_mean(path.name, [each.name for each in siblings])
        raise DatasetError(Problem(f"there is no such file or folder{near}", str(path)))
    if path.is_file():
        if not is_video(path):
            problems.add(
                f"must be a folder or a video ({', '.join(VIDEO_SUFFIXES)}) but is neither", path
            )
            return []
        found = [Place(nfc(path.stem), path, True)]
    elif pictures_in(path):
        found = [Place(nfc(path.name), path, False)]
        for inside in _below(path, path, 0):
            problems.add(
                "lies beside pictures: a folder holds either a recording's pictures or recordings; "
                "move the pictures into a folder of their own",
                inside.path,
            )
    else:
        found = sorted(_below(path, path, 0), key=lambda each: natural(each.name))
    if not found:
        problems.add(
            "holds no recording: neither a video nor a folder of pictures was found in it", path
        )
    _refuse_same_names(found, problems)
    return _with_cameras(found, camera_pattern, problems)


def is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def _below(root: Path, folder: Path, depth: int) -> Iterator[Place]:
    for path in sorted(folder.iterdir(), key=lambda each: natural(each.name)):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if pictures_in(path):
                yield Place(_name(path, root), path, False)
            elif depth < DEEPEST:
                yield from _below(root, path, depth + 1)
        elif is_video(path):
            yield Place(_name(path.with_suffix(""), root), path, True)


def _name(path: Path, root: Path) -> str:
    return nfc(path.relative_to(root).as_posix())


def _refuse_same_names(found: list[Place], problems: Problems) -> None:
    first: dict[str, Path] = {}
    for place in found:
        other = first.setdefault(place.name, place.path)
        if other is not place.path:
            problems.add(
                f"is called '{place.name}' as {other.name} is; rename one, as the truth names "
                "recordings so",
                place.path,
            )


def _with_cameras(
    found: list[Place], camera_pattern: str | None, problems: Problems
) -> list[Place]:
    if camera_pattern is None:
        return [replace(each, camera=each.name.rpartition("/")[0]) for each in found]
    try:
        pattern = re.compile(camera_pattern)
    except re.error as exc:
        problems.add(f"the pattern of cameras '{camera_pattern}' is no regular expression: {exc}")
        return found
    if CAMERA not in pattern.groupindex:
        problems.add(f"the pattern of cameras '{camera_pattern}' must hold (?P<{CAMERA}>…)")
        return found
    cameras = []
    for each in found:
        matched = pattern.search(each.name)
        if matched and matched[CAMERA]:
            cameras.append(replace(each, camera=nfc(matched[CAMERA])))
        else:
            problems.add(
                f"'{each.name}' does not match the pattern of cameras '{camera_pattern}'", each.path
            )
    return cameras

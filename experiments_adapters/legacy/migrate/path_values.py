"""Paths that a script puts together: `ROOT / "cfg" / "x.yaml"`, os.path.join, __file__.

Nothing is looked up on disk. A path is a PurePosixPath while it is computed; a relative one begins
in the directory that the script runs in.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ..scan.syntax import UNKNOWN

_CLASSES = frozenset(
    f"pathlib.{name}" for name in ("Path", "PurePath", "PosixPath", "PurePosixPath")
)
_PARTS = ("parent", "name", "stem", "suffix", "parents")


class ScriptPaths:
    """Values of a script's expressions about paths.

    Args:
        script: where it lies.
        directory: where it runs.
    """

    def __init__(self, script: Path, directory: Path) -> None:
        self.file = str(script)
        self._directory = str(directory)

    def called(self, name: str, given: list[object]) -> object:
        """The value of a function's call; UNKNOWN for one that is none of these.

        Args:
            name: in full, as it was imported: 'pathlib.Path', 'os.path.join'.
        """
        texts = [os.fspath(each) for each in given if isinstance(each, (str, PurePosixPath))]
        if len(texts) != len(given):
            return UNKNOWN
        if name in ("os.getcwd", "pathlib.Path.cwd") and not texts:
            return PurePosixPath(self._directory) if name.startswith("pathlib") else self._directory
        if name == "pathlib.Path.home" and not texts:
            return PurePosixPath(Path.home())
        if name in _CLASSES:
            return PurePosixPath(*texts)
        if name == "os.path.join" and texts:
            return os.path.join(*texts)  # noqa: PTH118 - as the script does
        if len(texts) != 1:
            return UNKNOWN
        return self._of_one(name, texts[0])

    def method(self, path: PurePosixPath, name: str, given: list[object]) -> object:
        """The value of a path's method."""
        if name in ("resolve", "absolute"):
            return PurePosixPath(self._absolute(str(path)))
        if name == "expanduser" and not given:
            return PurePosixPath(os.path.expanduser(path))  # noqa: PTH111
        if name in ("as_posix", "__str__", "__fspath__") and not given:
            return str(path)
        texts = [os.fspath(each) for each in given if isinstance(each, (str, PurePosixPath))]
        if len(texts) != len(given) or name not in ("joinpath", "with_name", "with_suffix",
                                                    "with_stem", "relative_to"):  # fmt: skip
            return UNKNOWN
        made: object = getattr(path, name)(*texts)
        return made

    def _of_one(self, name: str, text: str) -> object:
        if name in ("os.path.abspath", "os.path.realpath"):
            return self._absolute(text)
        if name == "os.fspath":
            return text
        plain: dict[str, Callable[[str], str]] = {
            "os.path.dirname": os.path.dirname,
            "os.path.basename": os.path.basename,
            "os.path.normpath": os.path.normpath,
            "os.path.expanduser": os.path.expanduser,
        }
        return plain[name](text) if name in plain else UNKNOWN

    def _absolute(self, text: str) -> str:
        whole = os.path.join(self._directory, text)  # noqa: PTH118 - no link is followed
        return os.path.normpath(whole)


def part_of(path: PurePosixPath, name: str) -> object:
    """`parent`, `stem` and so on of a path; UNKNOWN for another attribute."""
    if name not in _PARTS:
        return UNKNOWN
    part: object = getattr(path, name)
    return list(path.parents) if name == "parents" else part


def joined(left: object, right: object) -> object:
    """`left / right`, one of which is a path; UNKNOWN where that is no path."""
    paths = [each for each in (left, right) if isinstance(each, PurePosixPath)]
    fits = all(isinstance(each, (str, PurePosixPath)) for each in (left, right))
    return PurePosixPath(str(left), str(right)) if paths and fits else UNKNOWN


def plain(value: object) -> object:
    """A value without path objects: text, as a scenario and Ultralytics take it."""
    if isinstance(value, PurePosixPath):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value

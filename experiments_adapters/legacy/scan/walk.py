"""Finds the scripts below a directory, without going where only data lies.

Directories are told from their names (data, weights, runs, .venv, …); what they hold is not even
listed. Links to directories are not followed, so a loop can't catch us.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .around.copies import copied_library

SUFFIXES = (".py", ".ipynb", ".sh", ".bash", ".bat")
MAX_DEPTH = 8
PASSED_BY = re.compile(
    r"(?:data|datas|dataset|images?|imgs?|labels?|annotations?|frames?|videos?|videoset"
    r"|weights?|checkpoints?|ckpts?|models?_?zoo|pretrained"
    r"|runs?|mlruns|mlartifacts|wandb|tensorboard|tb_logs|logs?|outputs?|results?"
    r"|venv|env|virtualenv|site-packages|node_modules|__pycache__|build|dist|.*\.egg-info"
    r"|third[-_ ]?party|3rd[-_ ]?party|3rdparty|vendor|vendored|submodules?"
    r"|데이터|데이터셋|이미지|영상|라벨|라벨링|가중치|결과|로그)[-_ ]?v?\d*",
    re.I,
)


@dataclass(frozen=True)
class ScriptFile:
    """A file that may be a script.

    Args:
        path: where it is.
        name: below its experiment's directory, with '/', in composed Hangul.
        modified_s: of the file a link leads to.
    """

    path: str
    name: str
    modified_s: float


@dataclass
class Walk:
    """The scripts of one directory, the directories not searched, and what went wrong."""

    scripts: list[ScriptFile] = field(default_factory=list)
    passed_by: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)

    def cannot_read(self, name: str, error: OSError) -> None:
        self.unreadable.add(name)
        self.problems.append(f"{name} can't be read: {error.strerror or error}")


def find_scripts(directory: Path) -> Walk:
    """Every script below a directory, by name."""
    walk = Walk()
    waiting = [(str(directory), "", 0)]
    while waiting:
        folder, prefix, depth = waiting.pop()
        entries = list(_entries(folder, prefix or ".", walk))
        copied = copied_library(folder, [entry.name for entry in entries], inside=depth > 0)
        if copied is not None and depth:
            walk.passed_by.append(f"{prefix}: a copy of {copied.name}, but for scripts of your own")
        for entry in entries:
            name = prefix + unicodedata.normalize("NFC", _readable(entry.name))
            if copied is not None and copied.is_its_own(entry.name, inside=depth > 0):
                continue
            if entry.name.lower().endswith(SUFFIXES):
                _take(entry, name, walk)
            elif _is_directory(entry):
                if _without_scripts(entry.name) or depth + 1 >= MAX_DEPTH:
                    if not entry.name.startswith("."):
                        walk.passed_by.append(f"{name}/")
                else:
                    waiting.append((entry.path, f"{name}/", depth + 1))
    walk.scripts.sort(key=lambda each: each.name)
    walk.passed_by.sort()
    return walk


def top_directories(directory: Path) -> tuple[list[Path], list[str], list[str]]:
    """The experiments' directories below one, the scripts beside them, and what went wrong.

    A link to a directory that stands here by its own name too is that one, not a second.
    """
    walk = Walk()
    found: list[os.DirEntry[str]] = []
    loose = []
    for entry in _entries(str(directory), ".", walk):
        if entry.name.startswith(".") or _without_scripts(entry.name):
            continue
        if os.path.isdir(entry.path):  # noqa: PTH112 - a loop of links is none
            found.append(entry)
        elif entry.name.lower().endswith(SUFFIXES) and os.path.isfile(entry.path):  # noqa: PTH113
            loose.append(unicodedata.normalize("NFC", _readable(entry.name)))
    own = {os.path.realpath(each.path) for each in found if not each.is_symlink()}
    experiments = []
    root = os.path.realpath(directory)
    for entry in sorted(found, key=lambda each: each.name):
        target = os.path.realpath(entry.path)
        if entry.is_symlink():
            if target in own:
                continue
            if root == target or root.startswith(target + os.sep):
                walk.problems.append(f"{entry.name} is a link to a directory around it; left out")
                continue
            own.add(target)
        experiments.append(Path(entry.path))
    return experiments, sorted(loose), walk.problems


def _entries(folder: str, shown: str, walk: Walk) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        walk.cannot_read(shown, error)


def can_be_written(path: str) -> bool:
    """Whether a registry can hold a path: it has no line break and no space at an end."""
    shown = _readable(path)
    return shown == shown.strip() and all(each == " " or each.isprintable() for each in shown)


def _take(entry: os.DirEntry[str], name: str, walk: Walk) -> None:
    try:
        status = entry.stat()
        if not entry.is_file():
            if not entry.is_dir():
                walk.problems.append(f"{name} is no regular file")
            return
    except OSError as error:
        if entry.is_symlink():
            walk.problems.append(f"{name} leads nowhere: {error.strerror or error}")
        else:
            walk.cannot_read(name, error)
        return
    if not can_be_written(name):
        shown = "".join(each if each.isprintable() else "?" for each in name)
        walk.problems.append(f"'{shown}': a registry can't hold its name; rename it")
        return
    walk.scripts.append(ScriptFile(entry.path, name, status.st_mtime))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # it went away meanwhile
        return False


def _without_scripts(name: str) -> bool:
    plain = unicodedata.normalize("NFC", name)
    return plain.startswith(".") or PASSED_BY.fullmatch(plain) is not None


def _readable(name: str) -> str:
    """A name whose bytes are no UTF-8 (a CP949 disk), with its odd bytes shown."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

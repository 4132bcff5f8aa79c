"""When files were last changed, as Git knows it: after a clone all file times are alike."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from experiments_adapters.git.command import GitFailedError, read_git

WAIT_S = 10.0
_BEGINS = "\x01"


class GitDates:
    """The dates of the files below directories; each repository is asked once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, float]] = {}

    def of(self, directory: Path) -> dict[str, float]:
        """Path below the directory → seconds of its last commit; only of tracked files.

        Empty where it is under no Git, or Git can't tell in time.
        """
        top = _repository_around(directory)
        if top is None:
            return {}
        if top not in self._known:
            self._known[top] = _dates_of(Path(top))
        inner = os.path.relpath(os.path.realpath(directory), os.path.realpath(top))
        prefix = "" if inner == "." else f"{inner}/"
        return {
            unicodedata.normalize("NFC", name[len(prefix) :]): seconds
            for name, seconds in self._known[top].items()
            if name.startswith(prefix)
        }


def _repository_around(directory: Path) -> str | None:
    """The nearest directory that holds a `.git`."""
    real = Path(os.path.realpath(directory))
    around = (each for each in (real, *real.parents) if os.path.lexists(each / ".git"))
    return next(map(str, around), None)


def _dates_of(repository: Path) -> dict[str, float]:
    words = ["log", "-z", f"--format={_BEGINS}%at", "--name-only", "--no-renames", "--no-ext-diff",
             "--no-textconv", "--no-show-signature", "--ignore-submodules=all"]  # fmt: skip
    try:
        said = read_git(words, repository, wait_s=WAIT_S)
    except GitFailedError:
        return {}
    found: dict[str, float] = {}
    for commit in said.split(_BEGINS)[1:]:
        date, *names = (part.lstrip("\n") for part in commit.split("\0"))
        if date.strip().lstrip("-").isdigit():
            for name in names:
                if name:
                    found.setdefault(name, float(date))
    return found

"""What a whole test run needs once, however many workers share its tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


class OncePerRun:
    """Directories that the first who asks for one fills; the others wait and take it as it is."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        base = factory.getbasetemp()
        # Each worker of pytest-xdist has a directory of its own below the run's.
        self._folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"
        self._folder.mkdir(exist_ok=True)

    def made(self, name: str, fill: Callable[[Path], object]) -> Path:
        """The directory of this name; nobody may write into it.

        Args:
            fill: called with an empty directory that is moved when it is full.
        """
        place = self._folder / name
        with FileLock(self._folder / f"{name}.lock"):
            if not place.exists():
                draft = self._folder / f"{name}.draft"
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir()
                fill(draft)
                draft.rename(place)
        return place

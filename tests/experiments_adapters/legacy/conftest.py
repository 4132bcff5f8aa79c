"""A fleet of old directories, made once."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The directory of examples/legacy, generated; labels.json in it says what is true."""
    made = tmp_path_factory.mktemp("old") / "experiments"
    module = runpy.run_path(str(repository / "examples/legacy/make_fleet.py"))
    module["make_fleet"](made)
    return made


@pytest.fixture(scope="session")
def labels(fleet: Path) -> dict[str, dict[str, str]]:
    """Directory → script → train, infer, quant or other."""
    found: dict[str, dict[str, str]] = json.loads((fleet / "labels.json").read_text("utf-8"))
    return found

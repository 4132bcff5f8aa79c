"""Cleans what is uploaded of every secret that can be taken out."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from pathlib import Path

from ..contracts.results import SPEC_FILE
from ..support.secrets.files import without_secrets

logger = logging.getLogger(__name__)


def cleaned(source: Path) -> AbstractContextManager[Path]:
    """The file or directory to upload: `source`, or a copy of the same name without secrets.

    The files of a detector package go as they are: their hashes stand in its description.
    """

    def of_package(path: Path) -> bool:
        folders = [each for each in path.parents if each.is_relative_to(source)] or [path.parent]
        return any((folder / SPEC_FILE).is_file() for folder in folders)

    return without_secrets(source, logger.warning, of_package)


def cleaned_model(files: Path) -> AbstractContextManager[Path]:
    """A logged model's files: its code and its package are named by their hashes."""
    return without_secrets(files, logger.warning, lambda path: path.name != "MLmodel")

"""Keeps foreign libraries quiet: what they print, log, and read from the environment.

environment          variables that hold for a moment
loggers_to_log       what loggers of a library say, sent to ours
prints_to_log        what a library prints, sent to ours
quiet_ultralytics    Ultralytics imported without touching settings, network or threads
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

LOGGER = logging.getLogger(__name__)


@contextlib.contextmanager
def environment(**values: str | None) -> Iterator[None]:
    """Set environment variables for a moment; None leaves a variable as it is, but restores it."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: value for name, value in values.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def loggers_to_log(*names: str) -> Iterator[None]:
    """Send what these loggers say to ours: warnings as warnings, the rest at DEBUG."""

    def divert(record: logging.LogRecord) -> bool:
        level = record.levelno if record.levelno >= logging.WARNING else logging.DEBUG
        LOGGER.log(level, "%s: %s", record.name, record.getMessage())
        return False

    for name in names:
        logging.getLogger(name).addFilter(divert)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeFilter(divert)


@contextlib.contextmanager
def prints_to_log() -> Iterator[None]:
    """Send what libraries print to the log at DEBUG. Don't import a library for the first time
    inside: its handlers would keep the stand-in for stdout."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield
    finally:
        for line in filter(None, map(str.strip, said.getvalue().splitlines())):
            LOGGER.debug("%s", line)


@contextlib.contextmanager
def quiet_ultralytics() -> Iterator[None]:
    """Import Ultralytics inside.

    Left to itself the library installs packages, asks the network, writes settings into the
    user's configuration and sets OMP_NUM_THREADS. What the user has set stays.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "guardianflow"
    wanted = {
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "YOLO_CONFIG_DIR": str(cache),
    }
    unset = {name: value for name, value in wanted.items() if name not in os.environ}
    with environment(OMP_NUM_THREADS=None, **unset), loggers_to_log("ultralytics"):
        yield

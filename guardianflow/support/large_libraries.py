"""Spares a process what large libraries cost beside their use.

importing     imports them without the garbage collector, which would look through all that is
              there again and again: a fifth to a third of the time
end_process   ends the process without taking them apart: about a second with torch and mlflow
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn


@contextmanager
def importing() -> Iterator[None]:
    """Import large libraries inside."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def end_process(code: int) -> NoReturn:
    """Do all that is registered for the process' end, then end it at once.

    As multiprocessing ends its children: threads are waited for, but objects that still live are
    not told. Not where a user's code has run, whose open files may hold what is not yet written.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # none, its reader is gone, or closed
            stream.flush()
    os._exit(code)

"""Undoes what was made before a failure, where a store has no transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

UndoSteps = list[tuple[str, Callable[[], object]]]
"""The steps made so far: what each has made, in words before "is left behind", and its way back."""


@contextmanager
def undo_on_failure() -> Iterator[UndoSteps]:
    """Undo the steps that the block has appended when it fails, the newest first; it goes on.

    What can't be undone is named in a note to the exception; the others are undone nevertheless.
    """
    made: UndoSteps = []
    try:
        yield made
    except BaseException as exc:
        for what, undo in reversed(made):
            try:
                undo()
            except Exception as left:
                exc.add_note(f"{what} is left behind: {left}")
        raise

"""Undoes what was made before a failure, where a store has no transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class UndoStack:
    """The steps made so far, each with its way back."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], object]]] = []

    def add(self, what: str, undo: Callable[[], object]) -> None:
        """Remember a step.

        Args:
            what: for people, before "is left behind".
            undo: undoes it; what it raises is told, and the other steps are undone nevertheless.
        """
        self._steps.append((what, undo))

    def undo(self) -> list[str]:
        """Undo all steps, the newest first; returns what could not be undone, with the reason."""
        left: list[str] = []
        for what, undo in reversed(self._steps):
            try:
                undo()
            except Exception as exc:
                left.append(f"{what} is left behind: {exc}")
        return left


@contextmanager
def undo_on_failure() -> Iterator[UndoStack]:
    """Undo what the block has added to the stack when it fails; the failure goes on.

    What can't be undone is named in a note to the exception.
    """
    stack = UndoStack()
    try:
        yield stack
    except BaseException as exc:
        for left in stack.undo():
            exc.add_note(left)
        raise

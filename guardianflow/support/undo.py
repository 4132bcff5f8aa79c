"""All or nothing, where a store has no transactions: take back what was made before a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..contracts.errors import GuardianFlowError


class Made:
    """What has been made so far, and how to take each back."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], object]]] = []

    def add(self, what: str, take_back: Callable[[], object]) -> None:
        self._steps.append((what, take_back))

    def take_back(self) -> list[str]:
        """Undo all, the newest first; returns what could not be undone, with the reason."""
        left: list[str] = []
        for what, undo in reversed(self._steps):
            try:
                undo()
            except GuardianFlowError as exc:
                left.append(f"{what} is left behind: {exc}")
        return left


@contextmanager
def taken_back_on_failure() -> Iterator[Made]:
    """What the block has added to `Made` is taken back when it fails, and the failure goes on.

    What can't be taken back is named in a note to the exception.
    """
    made = Made()
    try:
        yield made
    except BaseException as exc:
        for left in made.take_back():
            exc.add_note(left)
        raise

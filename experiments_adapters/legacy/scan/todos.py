"""What a person must fill in or look at, grouped so that a fleet's list can be worked off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .results import FoundDirectory, is_todo

OF_A_SITE = ("site.customer", "site.region", "task.type")


@dataclass(frozen=True)
class Todo:
    """One thing to do.

    Args:
        field: of the entry, like 'site.region'.
        said: what is to be done about it, or what might stand there; '' where the field says it.
        question: it is no field to be filled in but something to look at.
    """

    field: str
    said: str = ""
    question: bool = False

    def __str__(self) -> str:
        if self.question:
            return f"{self.field}: {self.said}"
        return f"{self.field} ({self.said})" if self.said else self.field


def todos_of(found: FoundDirectory) -> Iterator[Todo]:
    """What is to be done for one directory."""
    hints = dict(found.site.hints)
    values = (found.site.customer, found.site.region, found.site.task)
    for field, value in zip(OF_A_SITE, values, strict=True):
        if is_todo(value):
            yield Todo(field, hints.get(field.removeprefix("site."), ""))
    for entry in found.entries:
        at = f"entry_points.{entry.type}"
        if entry.default is None:
            yield Todo(f"{at}.default", entry.why)
        elif not entry.sure:
            yield Todo(f"{at}.default", f"is {entry.default} right? ({entry.why})", question=True)
        for note in entry.notes:
            if note.todo:
                yield Todo(at, note.text, question=True)


def grouped(todos: Iterable[tuple[str, Todo]]) -> list[tuple[str, list[str]]]:
    """Heading → lines: a field that many directories lack is one line that names them all.

    Args:
        todos: each with its directory's name.
    """
    fields: dict[str, list[str]] = {}
    questions: list[str] = []
    for name, todo in todos:
        if todo.question:
            questions.append(f"{name}: {todo}")
        else:
            fields.setdefault(todo.field, []).append(f"{name} ({todo.said})" if todo.said else name)
    groups = []
    if fields:
        lines = [f"{field}, {len(names)}: {', '.join(names)}" for field, names in fields.items()]
        groups.append(("To be filled in", lines))
    if questions:
        groups.append(("To be looked at", questions))
    return groups

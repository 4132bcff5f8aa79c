"""Looks for what would stop a script, before it is started.

Certain: its interpreter can't read it, or lacks a module that is imported at every start; or it
asks for input, which it does not get. Everything else is a warning.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..environment import plain_environment
from ..scan.results import Option
from .course import Course, read_course
from .files import Given, file_findings
from .findings import Cause, Finding
from .interpreter import Answer, ask

MOST_WARNINGS = 20


def look_before(
    script: Path,
    python: Path,
    directory: Path,
    *,
    options: Sequence[Option] = (),
    words: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Look at a script, and ask its interpreter.

    Args:
        script: absolute.
        directory: where it will run.
        options: that its code declares.
        words: of its command line, without interpreter and script.
        variables: those of the experiment's entry.
    """
    course = read_course(script)
    imports = course.imports if course else {}
    environment = plain_environment(os.environ, python, variables or {})
    answer = ask(python, script, imports, directory, environment)
    if isinstance(answer, str):
        text = f"{python} could not be asked what it can import: {answer}"
        found = [Finding(Cause.NOT_ASKED, text)]
    elif answer.syntax:
        text = f"{python} can't read {script.name}: {answer.syntax}"
        return (Finding(Cause.SYNTAX, text, certain=True),)
    else:
        found = list(_missing(course, answer, python)) if course else []
    if course is not None:
        found += _inputs(course)
        given = Given.of(options, words)
        home = answer.ultralytics if isinstance(answer, Answer) else None
        found += file_findings(course, given, directory, home)
    found.sort(key=lambda each: not each.certain)
    return tuple(dict.fromkeys(found))[:MOST_WARNINGS]


def _missing(course: Course, answer: Answer, python: Path) -> Iterator[Finding]:
    for name, place in course.imports_that_fail():
        if name in answer.missing:
            certain = place.certain and not course.changes_path
            unless = "" if certain else ", unless the script brings it or does not get there"
            yield Finding(
                Cause.MODULE,
                f"{place.text}: {python} has no module '{name}'{unless}. Name the interpreter or "
                "venv that has it in env.python",
                certain,
            )


def _inputs(course: Course) -> Iterator[Finding]:
    for asks, place in course.inputs():
        if place.certain:
            text = f"{place.text}: {asks} waits for somebody at the terminal, and a wrapped script"
            yield Finding(Cause.INPUT, f"{text} gets no input", certain=True)
        else:
            yield Finding(
                Cause.INPUT, f"{place.text}: {asks} gets no input: it fails if it comes to that"
            )

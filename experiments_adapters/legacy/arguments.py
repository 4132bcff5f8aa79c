"""A script's command line: the template of its entry point, filled in.

The template is split into words first and filled in then, so a value with spaces stays one
argument and no shell ever sees it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, Problem

from .registry_schema import EntryPoint, is_todo
from .scan.options import read_options
from .scan.source import read_source


def fill_template(
    entry: EntryPoint, given: Mapping[str, str], *, script: Path, name: str
) -> tuple[list[str], dict[str, str]]:
    """The script's arguments, and the value of each placeholder.

    Args:
        given: of -p; they win over the entry's defaults.
        name: of the experiment, for messages.

    Raises:
        ConfigurationError: every placeholder without a value and every value without a
            placeholder at once, with the options that the script itself has.
    """
    wanted = entry.placeholders
    values = {k: str(v) for k, v in entry.defaults.items() if not is_todo(v)} | dict(given)
    problems = [
        Problem(f"the placeholder {{{each}}} has no value: give -p {each}=…, or a default")
        for each in wanted
        if each not in values
    ]
    problems += [
        Problem(f"-p {each} has no placeholder {{{each}}} in args_template")
        for each in given
        if each not in wanted
    ]
    if problems:
        has = ", ".join(f"{{{each}}}" for each in wanted) or "none"
        options = ", ".join(script_options(script)) or "none that can be read from its code"
        problems.append(
            Problem(
                f"args_template of '{name}' is {entry.args_template!r}: placeholders {has}; "
                f"options of {script.name}: {options}"
            )
        )
        raise ConfigurationError(problems)
    words = [word.format(**values) for word in shlex.split(entry.args_template)]
    return words, {each: values[each] for each in wanted}


def parse_given(pairs: tuple[str, ...] | list[str]) -> dict[str, str]:
    """'epochs=100' … → {'epochs': '100'}.

    Raises:
        ConfigurationError: every pair that is none, and a name given twice with two values.
    """
    values: dict[str, str] = {}
    problems = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            problems.append(f"-p must be NAME=VALUE but got '{pair}'")
        elif values.setdefault(name.strip(), value) != value:
            first = values[name.strip()]
            problems.append(f"-p {name.strip()} is given twice: '{first}' and '{value}'")
    if problems:
        raise ConfigurationError(problems)
    return values


def script_options(script: Path) -> list[str]:
    """Options and arguments that a script declares, read from its code without running it.

    Empty where the code can't be read.
    """
    try:
        source = read_source(script.read_bytes(), script.name)
    except OSError:
        return []
    options, _ = read_options(source.tree, source.text)
    return [option.flag or option.name for option in options]

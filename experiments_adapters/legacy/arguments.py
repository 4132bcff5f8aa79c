"""A script's command line: the template of its entry point, filled in.

The template is split into words first and filled in then, so a value with spaces stays one
argument and no shell ever sees it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, Problem, Problems

from .registry_schema import EntryPoint
from .scan.options import read_options, template_of
from .scan.results import Option, is_todo
from .scan.source import Source, read_source

# Ways to read a command line that the scan does not follow.
_READS_ARGUMENTS = re.compile(r"\bargv\b|\bhydra\b|\babsl\b|\bgetopt\b|\bdocopt\b|\bOmegaConf\b")


def fill_template(
    entry: EntryPoint, given: Mapping[str, str], *, script: Path, name: str
) -> tuple[list[str], dict[str, str]]:
    """The script's arguments, and the value of each placeholder.

    The template belongs to the entry's default script. Another version of it takes the options
    that its own code has: one that reads none would ignore them, and the run would record values
    that were never used.

    Args:
        given: of -p; they win over the entry's defaults.
        name: of the experiment, for messages.

    Raises:
        ConfigurationError: every placeholder without a value and every value without a
            placeholder at once, with the options that the script itself has.
    """
    entry = entry_of_script(entry, script)
    wanted = entry.placeholders
    values = {k: str(v) for k, v in entry.defaults.items() if not is_todo(v)} | dict(given)
    problems = Problems(
        Problem(f"the placeholder {{{each}}} has no value: give -p {each}=…, or a default")
        for each in wanted
        if each not in values
    )
    problems += [
        Problem(f"-p {each} has no placeholder {{{each}}} in args_template")
        for each in given
        if each not in wanted
    ]
    if problems:
        has = ", ".join(f"{{{each}}}" for each in wanted) or "none"
        options = ", ".join(script_options(script)) or "none that can be read from its code"
        problems.add(
            f"args_template of '{name}' is {entry.args_template!r}: placeholders {has}; "
            f"options of {script.name}: {options}"
        )
        raise ConfigurationError(problems)
    words = [word.format(**values) for word in shlex.split(entry.args_template)]
    return words, {each: values[each] for each in wanted}


def entry_of_script(entry: EntryPoint, script: Path) -> EntryPoint:
    """The entry as it is for its default script; else with the options of the script's own code.

    Where the code does not tell (it can't be read, has several commands, or reads sys.argv
    itself), the entry's template is kept.
    """
    if entry.default is None or script.as_posix().endswith(f"/{entry.default}"):
        return entry
    source, options, why_none = _read(script)
    if source.tree is None or why_none or (not options and _READS_ARGUMENTS.search(source.text)):
        return entry
    template, defaults = template_of(options)
    return entry.model_copy(update={"args_template": template, "defaults": dict(defaults)})


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
    return [option.flag or option.name for option in _read(script)[1]]


def _read(script: Path) -> tuple[Source, tuple[Option, ...], str]:
    """A script's code, its options, and why there are none; a file that can't be read has none."""
    try:
        source = read_source(script.read_bytes(), script.name)
    except OSError:
        source = Source(None, "")
    return source, *read_options(source.tree, source.text)

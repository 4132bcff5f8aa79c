"""A script's command line: the template of its entry point, filled in, and further options.

The template is split into words first and filled in then, so a value with spaces stays one
argument and no shell ever sees it.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, Problem, Problems
from guardianflow.support.suggestions import did_you_mean

from .before_start.option_words import find_option, words_of
from .registry_schema import EntryPoint, placeholders
from .scan.options import read_options, template_of
from .scan.results import Option, is_todo
from .scan.source import Source, read_source

# Ways to read a command line that the scan does not follow.
_PARSER = re.compile(r"(?i)pars|args|argument|opts?\b|options|flags|cfg|config")
_READS_ARGUMENTS = re.compile(r"\bargv\b|\bhydra\b|\babsl\b|\bgetopt\b|\bdocopt\b|\bOmegaConf\b")


def fill_template(
    entry: EntryPoint, given: Mapping[str, str], *, script: Path, name: str
) -> tuple[list[str], dict[str, str]]:
    """The script's arguments, and the value of each placeholder and option that was given.

    The template belongs to the entry's default script. Another version of it takes the options
    that its own code has: one that reads none would ignore them, and the run would record values
    that were never used. Options that the template does not name follow it.

    Args:
        given: of -p; they win over the entry's defaults.
        name: of the experiment, for messages.

    Raises:
        ConfigurationError: every placeholder without a value, every value that is neither a
            placeholder nor an option, and every one that its option can't take, at once, with the
            options that the script itself has.
    """
    entry = entry_of_script(entry, script)
    wanted = entry.placeholders
    options = _read(script)[1]
    problems, more, passed = Problems(), list[str](), dict[str, str]()
    values = {k: str(v) for k, v in entry.defaults.items() if not is_todo(v)}
    template = shlex.split(entry.args_template)
    for each, value in given.items():
        option = None if each in wanted else find_option(options, each)
        place = each if each in wanted else option and _placeholder_of(option, template)
        if place:
            values[place] = value
        elif option is None:
            problems.add(
                f"-p {each} has no placeholder {{{each}}} in args_template, and {script.name} has "
                f"no such option{did_you_mean(each, [*wanted, *(o.name for o in options)])}"
            )
        else:
            words = problems.of(lambda each=each, o=option, v=value: words_of(o, v, each))  # type: ignore[misc]
            more += words or []
            passed[option.name] = value
    missing = [each for each in wanted if each not in values]
    problems += [
        Problem(f"the placeholder {{{each}}} has no value: give -p {each}=…, or a default")
        for each in missing
    ]
    if problems:
        has = ", ".join(f"{{{each}}}" for each in wanted) or "none"
        names = ", ".join(each.flag or each.name for each in options)
        problems.add(
            f"args_template of '{name}' is {entry.args_template!r}: placeholders {has}; "
            f"options of {script.name}: {names or 'none that can be read from its code'}"
        )
        raise ConfigurationError(problems)
    filled = [word.format(**values) for word in template]
    return filled + more, {each: values[each] for each in wanted} | passed


def _placeholder_of(option: Option, template: Sequence[str]) -> str:
    """The placeholder that the template gives an option of the script; '' where it has none."""
    flags = {option.flag, *option.aliases} - {""}
    for word, following in zip(template, [*template[1:], ""], strict=False):
        flag, equals, value = word.partition("=")
        found = placeholders(value if equals else following) if flag in flags else ()
        if len(found) == 1:
            return found[0]
    return ""


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
        name = name.strip().lstrip("-").replace("-", "_")  # batch-size is argparse's batch_size
        if not equals or not name.isidentifier():
            problems.append(f"-p must be NAME=VALUE but got '{pair}'")
        elif values.setdefault(name, value) != value:
            problems.append(f"-p {name} is given twice: '{values[name]}' and '{value}'")
    if problems:
        raise ConfigurationError(problems)
    return values


def script_options(script: Path) -> tuple[Option, ...]:
    """Options and arguments that a script declares, read from its code without running it.

    None where the code can't be read.
    """
    return _read(script)[1]


def _read(script: Path) -> tuple[Source, tuple[Option, ...], str]:
    """A script's code, its options, and why there are none; a file that can't be read has none.

    Where the script itself declares none, those of a module beside it count whose parser it takes:
    `from options import get_parser`.
    """
    source = _source_of(script)
    options, why = read_options(source.tree, source.text)
    if options or why or source.tree is None:
        return source, options, why
    for module, names in _imported_modules(source.tree):
        if any(_PARSER.search(each) for each in (module, *names)):
            beside = script.parent / f"{module.replace('.', '/')}.py"
            other = _source_of(beside)
            options, why = read_options(other.tree, other.text)
            if options or why:
                return source, options, why
    return source, (), ""


def _imported_modules(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [each.name for each in node.names]
        elif isinstance(node, ast.Import):
            yield from ((each.name, []) for each in node.names)


def _source_of(script: Path) -> Source:
    try:
        return read_source(script.read_bytes(), script.name)
    except OSError:
        return Source(None, "")

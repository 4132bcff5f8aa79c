"""The findings of a scan → configs/experiments.yaml, the reasons beside it as comments.

The text is laid out by hand, so that an entry reads the same in a new file and in one that gets it
added.
A `patterns` line ends with a short sum of itself: while it matches, nobody has edited the line.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from guardianflow.support.text.shortening import on_one_line, shortened

from .results import TODO, FoundDirectories, FoundDirectory, FoundEntry, Value

HEADER = """\
# Directories of scripts that run as they are. Every key: docs/legacy.md.
# Written by `guardianflow scan`; edit freely. `guardianflow scan DIR --update` adds what is new and
# changes nothing of yours. Fill in each TODO; `guardianflow scan` lists them.
experiments:
"""
SUM = re.compile(r"\]\s*#\s*scanned ([0-9a-f]{6})\s*$")
_PLAIN = re.compile(r"[A-Za-z가-힣_/~.$][\w가-힣./~${} -]*")
_LOOKS_LIKE_ANOTHER = re.compile(r"(?:true|false|yes|no|on|off|null|~|\.inf|\.nan|[-+.\d].*)", re.I)


def to_yaml(scan: FoundDirectories) -> str:
    """The whole file."""
    return HEADER + "".join(f"\n{entry_text(each)}" for each in entries_of(scan))


def entries_of(scan: FoundDirectories) -> list[FoundDirectory]:
    """The directories that get an entry: those with a script of some type."""
    return [each for each in scan.directories if each.entries]


def entry_text(found: FoundDirectory, indent: str = "  ") -> str:
    """One directory's entry, each line ended."""
    site, hints = found.site, dict(found.site.hints)
    lines = [f"{scalar(found.name)}:", f"  path: {scalar(portable(found.path))}"]
    lines += ["  site:"]
    for key in ("customer", "region", "plant", "zone"):
        lines += [f"    {key}: {scalar(getattr(site, key))}{_hint(hints, key)}"]
    classes = ", ".join(map(quoted, found.classes))
    told = [f"type from {found.task_from}"] if found.task_from else []
    told += [f"classes from {found.classes_from}"] if found.classes else []
    said = f"  # {comment('; '.join(told))}" if told else _hint(hints, "task.type")
    lines += [f"  task: {{type: {scalar(site.task)}, classes: [{classes}]}}{said}"]
    lines += ["  entry_points:"]
    for entry in found.entries:
        lines += [f"    {line}" for line in _entry_point(entry)]
    return "".join(f"{indent}{line}".rstrip() + "\n" for line in lines)


def patterns_line(patterns: Sequence[str]) -> str:
    """The value of `patterns` and the sum that tells whether it was edited."""
    if not patterns:
        return "[]"
    written = "[" + ", ".join(quoted(each) for each in patterns) + "]"
    return f"{written}  # scanned {sum_of(patterns)}"


def sum_of(patterns: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(patterns).encode("utf-8", "replace")).hexdigest()[:6]


def portable(path: Path) -> str:
    """A path with ${EXPERIMENTS_BASE} or ~ in place of what differs between machines."""
    base = os.environ.get("EXPERIMENTS_BASE")
    for start, name in ((base, "${EXPERIMENTS_BASE}"), (str(Path.home()), "~")):
        if start and path.is_relative_to(Path(start).expanduser()):
            inner = path.relative_to(Path(start).expanduser()).as_posix()
            return name if inner == "." else f"{name}/{inner}"
    return str(path)


def scalar(value: Value) -> str:
    """A value that every YAML reader takes for the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)
        return text if "e" not in text or "." in text else text.replace("e", ".0e")
    if isinstance(value, int):
        return str(value)
    plain = _PLAIN.fullmatch(value) and not value.endswith(" ")
    safe = not _LOOKS_LIKE_ANOTHER.fullmatch(value) and "{" not in value
    return value if plain and (safe or value.startswith(("~/", "${"))) else quoted(value)


def quoted(text: str) -> str:
    """In double quotes, with YAML's escapes for what can't be seen."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\U{code:08x}"


def comment(text: str) -> str:
    """One line for a comment, whatever a file's name holds."""
    return shortened(on_one_line(text, "?"), 160)


def _entry_point(entry: FoundEntry) -> Iterator[str]:
    yield f"{entry.type}:"
    if entry.default is None:
        yield f"  default: {TODO}  # {comment(entry.why)}"
    else:
        doubt = "" if entry.sure else "look: "
        yield f"  default: {scalar(entry.default)}  # {doubt}{comment(entry.why)}"
    yield f"  patterns: {patterns_line(entry.patterns)}"
    if entry.args_template:
        yield f"  args_template: {quoted(entry.args_template)}"
    if entry.defaults:
        inner = ", ".join(f"{scalar(name)}: {_flow(value)}" for name, value in entry.defaults)
        yield f"  defaults: {{{inner}}}"
    for note in entry.notes:
        yield f"  # {comment(note.text)}"


def _flow(value: Value) -> str:
    """As `scalar`, quoted where a comma or a bracket would end it inside { }."""
    text = scalar(value)
    if isinstance(value, str) and re.search(r"[,\[\]{}$]", text) and not text.startswith('"'):
        return quoted(value)
    return text


def _hint(hints: dict[str, str], field: str) -> str:
    return f"  # {comment(hints[field])}" if field in hints else ""

"""New findings into a registry that people have edited.

Lines are put in or replaced; every other byte of the file stays as it is. What comes out is read
again and compared with what went in before anything is written.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, Problem
from guardianflow.support.files import whole_file
from scenario.files import read_scenario_text
from scenario.yaml_tree import KeyPath, Place, read_document

from .registry import KIND, MAX_BYTES, ExperimentRegistry, LegacyExperiment, parse_registry
from .registry_schema import SCRIPT_TYPES, ScriptType
from .scan.results import FoundDirectories, FoundDirectory, is_todo
from .scan.versions import matches, patterns_for
from .scan.write import SUM, entries_of, entry_text, patterns_line, sum_of, to_yaml

GONE = "# gone: "


@dataclass
class Changes:
    """The changes of an update, and the notes on what it left to people.

    Args:
        added: names of new entries.
        extended: 'name: train' where a pattern list that nobody had edited got longer.
        gone: names whose directory is no longer there.
        back: names whose directory is there again.
        notes: what it did not touch, one sentence each.
    """

    added: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.extended or self.gone or self.back)


def write_new(scan: FoundDirectories, file: Path) -> None:
    """Write a registry where there is none.

    Raises:
        ConfigurationError: the file is there already, or can't be written.
    """
    if file.exists():
        raise ConfigurationError(
            Problem(
                "is there already; add what is new with --update, or name another -o", str(file)
            )
        )
    text = to_yaml(scan)
    parse_registry(text, file)
    write_atomically(file, text)


def update_file(scan: FoundDirectories, file: Path) -> Changes:
    """Add to a registry what is new.

    Raises:
        ConfigurationError: the file has problems, or its layout can't be added to.
    """
    text = read_scenario_text(file, KIND.noun, MAX_BYTES)
    updated, changes = updated_text(text, scan, file)
    if updated != text:
        write_atomically(file, updated)
    return changes


def updated_text(text: str, scan: FoundDirectories, file: Path) -> tuple[str, Changes]:
    """The text of the registry with what is new, and what that is."""
    registry = parse_registry(text, file)
    changes = Changes()
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    places = read_document(text, str(file), KIND).places
    entries = _entries(places)
    if entries:
        _refuse_braces(lines, places["experiments",].value, file)
    edits: list[tuple[int, int, list[str]]] = []  # first line, lines replaced, new lines
    extended: set[str] = set()
    by_path = {
        os.path.realpath(each.directory): each for each in registry if not is_todo(each.path)
    }
    found = {os.path.realpath(each.path): each for each in scan.directories}
    for path, entry in by_path.items():
        key = entries[entry.name]
        edits += _mark_gone(lines, places[key].key[0] - 1, path, entry, changes)
        if path in found:
            written = {kind: _patterns_place(places, key, kind) for kind in SCRIPT_TYPES}
            longer = _extend(lines, written, entry, found[path], changes)
            edits += longer
            extended |= {entry.name} if longer else set()
    fresh = [each for each in entries_of(scan) if os.path.realpath(each.path) not in by_path]
    taken = {each.name for each in registry}
    for each in [each for each in fresh if each.name in taken]:
        changes.notes.append(
            f"{each.path} was not added: an entry called '{each.name}' has another path"
        )
    fresh = [each for each in fresh if each.name not in taken]
    for first, count, new in sorted(edits, key=lambda edit: edit[0], reverse=True):
        lines[first : first + count] = new
    result = "".join(lines)
    if fresh:
        result = _append(result, fresh, file)
        changes.added = [each.name for each in fresh]
    if result != text:
        _check(result, registry, extended, len(fresh), file)
    return result, changes


def write_atomically(file: Path, text: str) -> None:
    """The whole file or none of it; its permissions stay.

    Raises:
        ConfigurationError: the directory can't be written to.
    """
    target = file.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as unfinished:
            unfinished.touch(0o600)  # it may hold secrets
            with unfinished.open("w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
    except OSError as error:
        message = f"can't be written: {error.strerror or error}"
        raise ConfigurationError(Problem(message, str(file))) from error


# --- edits --------------------------------------------------------------------------------------


def _entries(places: dict[KeyPath, Place]) -> dict[str, KeyPath]:
    """Name of an entry → the path of its key, in the file's spelling."""
    keys = [path for path in places if len(path) == 2 and path[0] == "experiments"]
    return {unicodedata.normalize("NFC", str(path[1])): path for path in keys}


def _refuse_braces(lines: list[str], start: tuple[int, int], file: Path) -> None:
    line, column = start
    if lines[line - 1][column - 1] == "{":
        message = (
            "its entries stand in { }; write them on lines of their own, then --update can add"
        )
        raise ConfigurationError(Problem(message, f"{file}:{line}"))


def _patterns_place(
    places: dict[KeyPath, Place], entry: KeyPath, kind: ScriptType
) -> tuple[int, int] | None:
    """Line and column, from 0, of an entry point's pattern list; None where it has none.

    One that an alias borrows stands elsewhere, before its entry point, and belongs to that place.
    """
    point = places.get((*entry, "entry_points", kind))
    patterns = places.get((*entry, "entry_points", kind, "patterns"))
    if point is None or patterns is None or patterns.value < point.key:
        return None
    return patterns.value[0] - 1, patterns.value[1] - 1


def _mark_gone(
    lines: list[str], line: int, path: str, entry: LegacyExperiment, changes: Changes
) -> list[tuple[int, int, list[str]]]:
    """A comment above an entry whose directory is not there; taken away when it is back."""
    marked = line > 0 and lines[line - 1].strip().startswith(GONE)
    exists = os.path.isdir(path)  # noqa: PTH112 - a path of any encoding
    if exists == (not marked):
        return []
    if exists:
        changes.back.append(entry.name)
        return [(line - 1, 1, [])]
    changes.gone.append(entry.name)
    indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
    return [(line, 0, [f"{indent}{GONE}there was no such directory at the last scan\n"])]


def _extend(
    lines: list[str],
    written: Mapping[ScriptType, tuple[int, int] | None],
    entry: LegacyExperiment,
    found: FoundDirectory,
    changes: Changes,
) -> list[tuple[int, int, list[str]]]:
    """New scripts into the pattern lists that still are as a scan wrote them."""
    edits = []
    for kind in SCRIPT_TYPES:
        proposed = found.entry(kind)
        if proposed is None:
            continue
        point = getattr(entry.entry_points, kind)
        label = f"{entry.name}: {kind}"
        if point is None:
            has = proposed.default or "notebooks"
            changes.notes.append(f"{label} has no entry point; the scan found {has}")
            continue
        named = [*point.patterns, *([point.default] if point.default else [])]
        missing = [
            script
            for script in found.scripts
            if script.type == kind and script.runnable
            and not any(matches(pattern, script.path) for pattern in named)
        ]  # fmt: skip
        if not missing:
            continue
        place = written[kind]
        if place is None or not _untouched(lines[place[0]], point.patterns):
            names = ", ".join(each.path for each in missing[:5])
            changes.notes.append(f"{label}: its patterns are yours and don't name {names}")
            continue
        kept = [each for each in patterns_for(missing, found.scripts) if each not in point.patterns]
        line, column = place
        start = lines[line][:column]
        edits.append((line, 1, [f"{start}{patterns_line([*point.patterns, *kept])}\n"]))
        changes.extended.append(label)
    return edits


def _untouched(line: str, patterns: tuple[str, ...]) -> bool:
    written = SUM.search(line)
    return written is not None and written[1] == sum_of(patterns)


def _append(text: str, fresh: list[FoundDirectory], file: Path) -> str:
    """The text with new entries behind the last one."""
    places = read_document(text, str(file), KIND).places
    lines = text.splitlines(keepends=True)
    if entries := _entries(places):
        indent = places[next(iter(entries.values()))].key[1] - 1
        end = len(lines)
        while _is_behind(lines[end - 1], indent):
            end -= 1
        added = ["\n" + entry_text(each, " " * indent) for each in fresh]
        return "".join(lines[:end] + added + lines[end:])
    added = ["\n" + entry_text(each) for each in fresh]
    for number, line in enumerate(lines):
        if re.match(r"experiments\s*:", line):
            lines[number] = (
                re.sub(r":(\s*)(?:\{\s*\}|null|~)?", r":\1", line, count=1).rstrip() + "\n"
            )
            return "".join(lines[: number + 1] + added + lines[number + 1 :])
    raise ConfigurationError(Problem("has no line 'experiments:' to add to", str(file)))


def _is_behind(line: str, indent: int) -> bool:
    """Whether a line stands behind the last entry: blank, or a comment no further in than that."""
    bare = line.lstrip()
    return not bare or (bare.startswith("#") and len(line) - len(bare) <= indent)


def _check(
    text: str, before: ExperimentRegistry, extended: set[str], added: int, file: Path
) -> None:
    """Nothing that stood there may have changed, but the patterns that were extended."""
    after = parse_registry(text, file)
    lost = [
        each.name
        for each in before
        if each.name not in extended and after.get(each.name).model_dump() != each.model_dump()
    ]
    if lost or len(after) != len(before) + added:
        raise ConfigurationError(
            Problem(f"can't be updated without changing {', '.join(lost) or 'it'}; its layout is "
                    "unusual: add the new entries by hand from a scan to another -o", str(file))
        )  # fmt: skip

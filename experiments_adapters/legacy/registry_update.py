"""New findings into a registry that people have edited.

Lines are put in or replaced; every other byte of the file stays as it is. What comes out is read
again and compared with what went in before anything is written.
"""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from guardianflow.contracts.errors import ConfigurationError, Problem
from scenario.files import read_scenario_text

from .registry import KIND, MAX_BYTES, ExperimentRegistry, LegacyExperiment, parse_registry
from .registry_schema import SCRIPT_TYPES
from .scan.results import FoundDirectories, FoundDirectory, FoundEntry, is_todo
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
    entries = _entry_nodes(text, file)
    edits: list[tuple[int, int, list[str]]] = []  # first line, lines replaced, new lines
    extended: set[str] = set()
    by_path = {_real(each.directory): each for each in registry if not is_todo(each.path)}
    found = {_real(each.path): each for each in scan.directories}
    for path, entry in by_path.items():
        line, node = entries[entry.name]
        edits += _mark_gone(lines, line, path, entry, changes)
        if path in found and isinstance(node, MappingNode):
            longer = _extend(lines, node, entry, found[path], changes)
            edits += longer
            extended |= {entry.name} if longer else set()
    fresh = [each for each in entries_of(scan) if _real(each.path) not in by_path]
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
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
            Path(temporary).chmod(mode)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        message = f"can't be written: {error.strerror or error}"
        raise ConfigurationError(Problem(message, str(file))) from error


# --- edits --------------------------------------------------------------------------------------


def _entry_nodes(text: str, file: Path) -> dict[str, tuple[int, Node]]:
    """Name of an entry → the line of its key (from 0) and its node."""
    root = YAML(typ="safe", pure=True).compose(text)
    pairs = _experiments(root)
    if isinstance(pairs, MappingNode) and pairs.flow_style and pairs.value:
        message = (
            "its entries stand in { }; write them on lines of their own, then --update can add"
        )
        raise ConfigurationError(Problem(message, f"{file}:{pairs.start_mark.line + 1}"))
    if not isinstance(pairs, MappingNode):
        return {}
    return {
        unicodedata.normalize("NFC", str(key.value)): (key.start_mark.line, value)
        for key, value in pairs.value
    }


def _experiments(root: Node | None) -> Node | None:
    if isinstance(root, MappingNode):
        for key, value in root.value:
            if key.value == "experiments":
                return value  # type: ignore[no-any-return]
    return None


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
    node: MappingNode,
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
            changes.notes.append(f"{label} has no entry point; the scan found {_first(proposed)}")
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
        place = _value_node(node, ("entry_points", kind, "patterns"))
        untouched = place is not None and _untouched(lines, place, point.patterns)
        if place is None or not untouched:
            names = ", ".join(each.path for each in missing[:5])
            changes.notes.append(f"{label}: its patterns are yours and don't name {names}")
            continue
        kept = [each for each in patterns_for(missing, found.scripts) if each not in point.patterns]
        line = place.start_mark.line
        start = lines[line][: place.start_mark.column]
        edits.append((line, 1, [f"{start}{patterns_line([*point.patterns, *kept])}\n"]))
        changes.extended.append(label)
    return edits


def _untouched(lines: list[str], place: Node, patterns: tuple[str, ...]) -> bool:
    written = SUM.search(lines[place.start_mark.line])
    one_line = place.start_mark.line == place.end_mark.line
    return bool(written and one_line and written[1] == sum_of(patterns))


def _value_node(node: Node, path: tuple[str, ...]) -> Node | None:
    for part in path:
        if not isinstance(node, MappingNode):
            return None
        inner = next((value for key, value in node.value if key.value == part), None)
        if inner is None:
            return None
        node = inner
    return None if isinstance(node, ScalarNode) else node


def _append(text: str, fresh: list[FoundDirectory], file: Path) -> str:
    """The text with new entries behind the last one."""
    root = YAML(typ="safe", pure=True).compose(text)
    pairs = _experiments(root)
    lines = text.splitlines(keepends=True)
    if isinstance(pairs, MappingNode) and pairs.value:
        indent = " " * pairs.value[0][0].start_mark.column
        last = _with_comments(lines, _last_line(pairs), len(indent))
        added = ["\n" + entry_text(each, indent) for each in fresh]
        return "".join(lines[: last + 1] + added + lines[last + 1 :])
    added = ["\n" + entry_text(each) for each in fresh]
    for number, line in enumerate(lines):
        if re.match(r"experiments\s*:", line):
            lines[number] = (
                re.sub(r":(\s*)(?:\{\s*\}|null|~)?", r":\1", line, count=1).rstrip() + "\n"
            )
            return "".join(lines[: number + 1] + added + lines[number + 1 :])
    raise ConfigurationError(Problem("has no line 'experiments:' to add to", str(file)))


def _with_comments(lines: list[str], last: int, indent: int) -> int:
    """The last line of an entry with the comments that stand below it and further in."""
    for number in range(last + 1, len(lines)):
        line = lines[number]
        bare = line.lstrip()
        if bare.startswith("#") and len(line) - len(bare) > indent:
            last = number
        elif bare.strip():
            break
    return last


def _last_line(node: Node) -> int:
    """The line of the last thing written in a node; what a block's own end mark overshoots."""
    if isinstance(node, MappingNode) and node.value and not node.flow_style:
        return max(_last_line(part) for pair in node.value for part in pair)
    if isinstance(node, SequenceNode) and node.value and not node.flow_style:
        return max(_last_line(part) for part in node.value)
    end = node.end_mark
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return int(end.line) - 1 if end.column == 0 else int(end.line)
    return int(end.line)


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


def _first(entry: FoundEntry) -> str:
    return entry.default or "notebooks"


def _real(path: Path | str) -> str:
    return os.path.realpath(path)

"""Reads every directory below one: its scripts, their kinds, and the entry points to propose."""

from __future__ import annotations

import ast
import gc
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError

from .classify import Neighbours, classify
from .code_facts import read_facts
from .evidence import Facts
from .options import read_options
from .results import FoundDirectories, FoundDirectory, Kind, Script
from .sites import KnownSites
from .source import MAX_BYTES, Source, read_source
from .versions import propose
from .walk import ScriptFile, Walk, find_scripts, top_directories

Progress = Callable[[int, int], None]
ENTRY_KINDS: tuple[Kind, ...] = ("train", "infer", "quant")
_WORTH_PARSING = re.compile(
    rb"torch|ultralytics|yolo|onnx|openvino|tensorrt|nncf|quant|keras|tensorflow|tflite|paddle"
    rb"|\.train\b|\.fit\b|\.predict\b|\.track\b|\.export\b|\.val\b|\.backward\b|detector"
    rb"|import\s+train|coreml|readNet|trtexec|benchmark_app",
    re.I,
)
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(.*)$", re.M)


def scan_directories(
    directory: Path,
    known: KnownSites | None = None,
    *,
    single: bool = False,
    progress: Progress | None = None,
) -> FoundDirectories:
    """Read what the directories below this one hold. Nothing is run, imported or written.

    Args:
        directory: its directories are one experiment each.
        known: sites that a directory's name may mean.
        single: the directory itself is the one experiment.
        progress: called with (directories done, directories in all).

    Raises:
        ConfigurationError: there is no such directory, or it can't be read.
    """
    root = _checked(directory)
    known = known or KnownSites()
    loose: list[str] = []
    problems: list[str] = []
    if single:
        paths = [root]
    else:
        paths, loose, problems = top_directories(root)
    found: list[FoundDirectory] = []
    empty: list[str] = []
    with _collector_paused():
        for number, path in enumerate(paths):
            if progress is not None:
                progress(number, len(paths))
            one = scan_directory(path, known)
            if one.scripts:
                found.append(one)
            else:
                empty.append(one.name)
                problems += [f"{one.name}: {problem}" for problem in one.problems]
    if progress is not None:
        progress(len(paths), len(paths))
    return FoundDirectories(root, tuple(found), tuple(empty), tuple(loose), tuple(problems))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Syntax trees hold no cycles and go when they are done with; looking for cycles among their
    millions of nodes, again and again, would take a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def scan_directory(path: Path, known: KnownSites | None = None) -> FoundDirectory:
    """One experiment's directory."""
    walk = find_scripts(path)
    scripts = _read_scripts(walk)
    proposals = (propose(kind, scripts) for kind in ENTRY_KINDS)
    name = unicodedata.normalize("NFC", path.name)
    return FoundDirectory(
        name=name,
        path=path,
        scripts=scripts,
        entries=tuple(entry for entry in proposals if entry is not None),
        site=(known or KnownSites()).read(name),
        passed_by=tuple(walk.passed_by),
        problems=tuple(walk.problems),
    )


def _checked(directory: Path) -> Path:
    try:
        if not directory.exists():
            raise ConfigurationError(f"DIR must be a directory but there is no {directory}")
        if not directory.is_dir():
            raise ConfigurationError(f"DIR must be a directory but {directory} is a file")
        next(directory.iterdir(), None)
    except OSError as error:
        raise ConfigurationError(
            f"DIR must be readable but {directory} is not: {error.strerror or error}"
        ) from error
    return Path(os.path.abspath(directory))  # noqa: PTH100 - no '..' in the registry; links stay


def _read_scripts(walk: Walk) -> tuple[Script, ...]:
    files = walk.scripts
    sources: dict[str, Source] = {}
    facts: dict[str, Facts] = {}
    names = {file.name for file in files}
    neighbours = {part for file in files for part in re.split(r"[/.]", file.name)}
    for file in files:
        content = _bytes_of(file, walk)
        if content is None:
            sources[file.name] = Source(None, "", doubt="it can't be read", is_code=False)
            facts[file.name] = Facts()
        elif file.name.lower().endswith((".py", ".ipynb")):
            sources[file.name], facts[file.name] = _source_and_facts(content, file.name, neighbours)
        else:
            sources[file.name], facts[file.name] = Source(None, ""), Facts()
    imported_by: dict[str, list[str]] = {}
    helpers: dict[str, dict[str, Facts]] = {}
    for name, its in facts.items():
        for module in its.modules:
            target = _script_of(module, name, names)
            if target is not None and target != name:
                imported_by.setdefault(target, []).append(name.rpartition("/")[2])
                helpers.setdefault(name, {})[module] = facts[target]
    return tuple(
        _script(file, sources[file.name], facts[file.name],
                Neighbours(tuple(sorted(imported_by.get(file.name, ()))),
                           helpers.get(file.name, {})))
        for file in files
    )  # fmt: skip


def _script(file: ScriptFile, source: Source, facts: Facts, neighbours: Neighbours) -> Script:
    verdict = classify(file.name.rpartition("/")[2], source, facts, neighbours)
    options, note = read_options(source.tree, source.text) if verdict.kind != "other" else ((), "")
    return Script(
        path=file.name,
        type=verdict.kind,
        confidence=verdict.confidence,
        why=verdict.why,
        options=options,
        options_note=note,
        data=facts.data if verdict.kind != "other" else (),
        weights=facts.weights if verdict.kind != "other" else (),
        modified_s=file.modified_s,
        doubt=source.doubt,
    )


def _bytes_of(file: ScriptFile, walk: Walk) -> bytes | None:
    """A script's bytes, of a huge one only so many that it is seen to be too large."""
    try:
        with open(file.path, "rb") as stream:  # noqa: PTH123 - a path whose name may be no UTF-8
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        walk.cannot_read(file.name, error)
        return None


def _source_and_facts(content: bytes, name: str, neighbours: set[str]) -> tuple[Source, Facts]:
    """Parses only what may matter: code that mentions no such library imports no neighbour."""
    lines = b"\n".join(_IMPORT.findall(content)).decode("utf-8", "replace")
    words = set(re.findall(r"[\w.]+", lines))
    local = {part for word in words for part in word.split(".")} & neighbours
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4096]
    if not wide and not local and not _WORTH_PARSING.search(content) and len(content) <= MAX_BYTES:
        return Source(ast.Module([], []), ""), Facts(modules=frozenset(words), acts=True)
    source = read_source(content, name)
    return source, read_facts(source)


def _script_of(module: str, importer: str, names: set[str]) -> str | None:
    """The script of this directory that a module's name means, seen from its importer."""
    folder = importer[: importer.rfind("/") + 1]
    path = module.replace(".", "/")
    for base in dict.fromkeys((folder, "")):
        for name in (f"{base}{path}.py", f"{base}{path}/__init__.py"):
            if name in names:
                return name
    return None

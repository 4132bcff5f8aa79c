"""Reads every directory below one: its scripts, their kinds, and the entry points to propose."""

from __future__ import annotations

import ast
import gc
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError

from .around.data_files import classes_of, tasks_in
from .around.git_dates import GitDates
from .classify import Neighbours, classify
from .code_facts import Facts, read_facts
from .meanings.libraries import LIBRARIES
from .options import read_options
from .results import KINDS, FoundDirectories, FoundDirectory, Given, Script, is_todo
from .sites import KnownSites
from .source import MAX_BYTES, Source, no_code, read_source
from .versions import propose
from .walk import ScriptFile, Walk, can_be_written, find_scripts, top_directories

LONGEST_NAME = 200
Progress = Callable[[int, int], None]
_WORTH_PARSING = re.compile(
    rb"torch|ultralytics|yolo|onnx|openvino|tensorrt|nncf|quant|keras|tensorflow|tflite|paddle"
    rb"|\.train\b|\.fit\b|\.predict\b|\.track\b|\.export\b|\.val\b|\.backward\b|detector"
    rb"|import\s+train|coreml|readNet|trtexec|benchmark_app|Interpreter|parse_launch|ElementFactory"
    rb"|snpe-|qnn-|hailo|edgetpu|ncnn|mnnconvert|dxcom|deepstream|pnnx|\binfer",
    re.I,
)
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(.*)$", re.M)


def scan_directories(
    directory: Path,
    known: KnownSites | None = None,
    *,
    single: bool = False,
    given: Given | None = None,
    progress: Progress | None = None,
) -> FoundDirectories:
    """Read what the directories below this one hold. Nothing is run, imported or written.

    Args:
        directory: its directories are one experiment each.
        known: sites that a directory's name may mean.
        single: the directory itself is the one experiment.
        given: what holds for every one of them, whatever their names say.
        progress: called with (directories done, directories in all).

    Raises:
        ConfigurationError: there is no such directory, or it can't be read.
    """
    root = _checked(directory)
    known = known or KnownSites()
    tell = progress or (lambda _done, _all: None)
    paths, loose, problems = ([root], [], []) if single else top_directories(root)
    found: list[FoundDirectory] = []
    empty: list[str] = []
    dates = GitDates()
    names = {unicodedata.normalize("NFC", path.name) for path in paths}
    with _collector_paused():
        for number, path in enumerate(paths):
            tell(number, len(paths))
            one = scan_directory(path, known, dates)
            if given is not None:
                one = given.in_place_of_what_was_found(one)
            taken = {each.name for each in found}
            plain = one.name == _plain_name(one.name)  # it keeps its name before a mended one
            one = replace(one, name=_entry_name(one.name, taken if plain else taken | names))
            if not can_be_written(str(path)):
                problems.append(f"{one.name}: a registry can't hold its path; rename it")
            elif one.scripts:
                found.append(one)
            else:
                empty.append(one.name)
                copies = "; ".join(each for each in one.passed_by if ": a copy of " in each)
                if copies:
                    problems.append(f"{one.name}: no script of its owner's own, only {copies}")
                problems += [f"{one.name}: {problem}" for problem in one.problems]
    tell(len(paths), len(paths))
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


def scan_directory(
    path: Path, known: KnownSites | None = None, dates: GitDates | None = None
) -> FoundDirectory:
    """One experiment's directory."""
    walk = find_scripts(path)
    scripts = _dated(_read_scripts(walk), path, dates or GitDates())
    proposals = (propose(kind, scripts) for kind in KINDS if kind != "other")
    entries = tuple(entry for entry in proposals if entry is not None)
    name = unicodedata.normalize("NFC", path.name)
    found = FoundDirectory(
        name=name,
        path=path,
        scripts=scripts,
        entries=entries,
        site=(known or KnownSites()).read(name),
        passed_by=tuple(walk.passed_by),
        problems=tuple(walk.problems),
    )
    return _with_task(found)


def _with_task(found: FoundDirectory) -> FoundDirectory:
    """A directory with the classes of its data, and with the task that those, or names, tell."""
    defaults = {each.default for each in found.entries}
    chosen = [each for each in found.scripts if each.path in defaults]
    trained = [each for each in chosen if each.type == "train"] or chosen
    named = [place for each in trained for place in _places_of(each)]
    classes, file = classes_of(found.path, named)
    found = replace(found, classes=classes, classes_from=file)
    if not is_todo(found.site.task):
        return found
    for source, tasks in (
        (f"the classes of {file}", tasks_in(classes, classes=True)),
        ("its data", tasks_in(named)),
        ("its scripts' names", tasks_in(each.path for each in chosen)),
    ):
        if len(tasks) == 1:
            site = replace(found.site, task=tasks.pop())
            return replace(found, site=site, task_from=source)
        if tasks:
            return found
    return found


def _places_of(script: Script) -> Iterator[str]:
    """Files of data as a script names them: seen from the directory, and from the script's own."""
    folder = script.path[: script.path.rfind("/") + 1]
    for place in script.data:
        yield place
        if folder:
            yield folder + place


def _entry_name(name: str, taken: set[str]) -> str:
    """A directory's name as a registry and a command line can have it, once."""
    plain = unique = _plain_name(name)
    number = 2
    while unique in taken:  # two spellings of one Hangul name
        unique, number = f"{plain} {number}", number + 1
    return unique


def _plain_name(name: str) -> str:
    plain = "".join(each if each.isprintable() else "?" for each in name.replace("\\", "_"))
    return plain.strip().lstrip("-").strip()[:LONGEST_NAME].strip() or "experiment"


def _dated(scripts: tuple[Script, ...], path: Path, dates: GitDates) -> tuple[Script, ...]:
    """Scripts with the dates of their commits, where several do the same and one must be chosen."""
    kinds = [each.type for each in scripts if each.runnable and each.type != "other"]
    if len(set(kinds)) == len(kinds):
        return scripts
    known = dates.of(path)
    return tuple(
        replace(each, modified_s=known[each.path], dated_by_git=True)
        if each.path in known
        else each
        for each in scripts
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
    names = {file.name for file in files}
    neighbours = {part for file in files for part in re.split(r"[/.]", file.name)}
    read = {file.name: _source_and_facts(file, walk, neighbours) for file in files}
    imported_by: dict[str, list[str]] = {}
    helpers: dict[str, dict[str, Facts]] = {}
    for name, (_, its) in read.items():
        for module in its.modules:
            target = _script_of(module, name, names)
            if target is not None and target != name:
                imported_by.setdefault(target, []).append(name.rpartition("/")[2])
                helpers.setdefault(name, {})[module] = read[target][1]
    return tuple(
        _script(file, *read[file.name],
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


def _source_and_facts(file: ScriptFile, walk: Walk, neighbours: set[str]) -> tuple[Source, Facts]:
    """Parses only what may matter: code that mentions no such library imports no neighbour."""
    content = _bytes_of(file, walk)
    if content is None:
        return no_code("it can't be read"), Facts()
    if not file.name.lower().endswith((".py", ".ipynb")):
        return Source(None, ""), Facts()
    lines = b"\n".join(_IMPORT.findall(content)).decode("utf-8", "replace")
    words = set(re.findall(r"[\w.]+", lines))
    local = {part for word in words for part in word.split(".")} & neighbours
    local |= {word.partition(".")[0] for word in words} & LIBRARIES
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4096]
    if not wide and not local and not _WORTH_PARSING.search(content) and len(content) <= MAX_BYTES:
        return Source(ast.Module([], []), ""), Facts(modules=frozenset(words), acts=True)
    source = read_source(content, file.name)
    return source, read_facts(source)


def _script_of(module: str, importer: str, names: set[str]) -> str | None:
    """The script of this directory that a module's name means, seen from its importer."""
    folder = importer[: importer.rfind("/") + 1]
    path = module.replace(".", "/")
    stems = (f"{base}{path}" for base in (folder, ""))
    tried = (stem + ending for stem in stems for ending in (".py", "/__init__.py"))
    return next((name for name in tried if name in names), None)

"""`guardianflow scan`: what directories of scripts hold, as a table and as a registry."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn
from rich.table import Table
from rich.text import Text

from experiments_adapters.legacy import DEFAULT_FILE
from experiments_adapters.legacy.drift import record_scan
from experiments_adapters.legacy.registry import load_registry
from experiments_adapters.legacy.registry_update import Changes, update_file, write_new
from experiments_adapters.legacy.scan import (
    FoundDirectories,
    FoundDirectory,
    Given,
    KnownSites,
    scan_directories,
)
from experiments_adapters.legacy.scan.todos import Todo, grouped, todos_of
from experiments_adapters.legacy.scan.write import entries_of
from guardianflow.contracts.errors import ConfigurationError, Problem, Problems
from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.terminal import make_console, print_json
from pipelines.console import StderrProgress
from pipelines.settings import PROJECT_ROOT, load_settings
from scenario.naming import check_part

from ..options import ScanCommand

SCENARIOS = Path("configs/scenarios")
SHOWN_PROBLEMS = 20


def show_scan(asked: ScanCommand) -> int:
    """Scan, show what was found, and write it where that was asked for.

    Returns:
        0; what could not be read below the directory is told, and does not change that.

    Raises:
        ConfigurationError: no such directory, or a file that is there, broken or not writable.
    """
    load_settings()  # .env may name ${EXPERIMENTS_BASE}
    default = DEFAULT_FILE if asked.update else None
    file = given_path(asked.output) if asked.output else default
    _refuse_early(file, asked.update)
    folder = given_path(asked.directory)
    given = _given(asked)
    columns, told = (MofNCompleteColumn(),), "read {} of {} directories".format
    with StderrProgress("reading", columns, told) as progress:
        scan = scan_directories(
            folder, known_sites(file), single=asked.single, given=given, progress=progress
        )
    changes = None
    if file is not None:
        if asked.update and file.exists():
            changes = update_file(scan, file)
        else:
            write_new(scan, file)
        record_scan(file, [each.path for each in scan.directories])
    if asked.as_json:
        print_json(as_dict(scan, file, changes))
    else:
        show(scan, file, changes)
    return 0


def known_sites(file: Path | None) -> KnownSites:
    """Sites of the registry and of every scenario, here and in the project."""
    registries = [each for each in (file, DEFAULT_FILE) if each is not None and each.is_file()]
    scenarios = [
        scenario
        for folder in (Path.cwd() / SCENARIOS, PROJECT_ROOT / SCENARIOS)
        for scenario in sorted(folder.glob("*.yaml"))
    ]
    files = {each.resolve(): each for each in (*registries, *scenarios)}
    return KnownSites.from_files(files.values())


def as_dict(scan: FoundDirectories, file: Path | None, changes: Changes | None) -> dict[str, Any]:
    """The object that --json prints."""
    whole = {"status": RunStatus.FINISHED, **scan.to_dict()}
    whole["todo"] = {
        each.name: found
        for each in entries_of(scan)
        if (found := [str(todo) for todo in todos_of(each)])
    }
    whole["written"] = None if file is None else str(file)
    whole["changes"] = None if changes is None else vars(changes)
    return whole


# --- for people ---------------------------------------------------------------------------------


def show(scan: FoundDirectories, file: Path | None, changes: Changes | None) -> None:
    console = make_console()
    console.print(table_of(scan))
    _list(console, "Scripts beside the directories, which belong to none", scan.loose)
    _list(console, "Directories without scripts", scan.without_scripts)
    problems = [f"{d.name}: {text}" for d in scan.directories for text in d.problems]
    _list(console, "Not read", [*scan.problems, *problems])
    todo = [(each.name, todo) for each in entries_of(scan) for todo in todos_of(each)]
    if file is not None and changes is not None:
        if not changes:
            console.print("Nothing new; the file was not touched.")
        _list(console, "Added", changes.added, most=len(changes.added))
        _list(console, "Patterns extended", changes.extended)
        _list(console, "Directory gone, marked by a comment", changes.gone)
        _list(console, "Directory there again", changes.back)
        _list(console, "Left as you wrote it", changes.notes)
        todo = [(each.name, Todo(name)) for each in load_registry(file) for name in each.todos()]
    for title, lines in grouped(todo):
        _list(console, f"TODO: {title.lower()}", lines, most=len(lines))
    if file is None or changes is None:
        _show_shortcut(console, scan, [todo for _, todo in todo])
    if file is None:
        again = shlex.join(["guardianflow", "scan", str(scan.path), "-o", str(DEFAULT_FILE)])
        console.print(Text(f"Nothing was written. Make a registry of it with: {again}"))
    elif changes is None:
        console.print(Text(f"Written: {file} with {len(entries_of(scan))} experiments"))


def _show_shortcut(console: Console, scan: FoundDirectories, todos: list[Todo]) -> None:
    """How one command fills in what all of them lack."""
    options = {
        "site.customer": "--customer C",
        "site.region": "--region R",
        "task.type": "--task T",
    }
    lacking = {each.field for each in todos}
    words = [option for field, option in options.items() if field in lacking]
    if len(scan.directories) > 1 and words:
        command = shlex.join(["guardianflow", "scan", str(scan.path)])
        console.print(Text(f"What all of them share: {command} {' '.join(words)}"))


def table_of(scan: FoundDirectories) -> Table:
    table = Table(title=f"{len(scan.directories)} directories in {scan.path}", title_justify="left")
    for column in ("directory", "site, task", "train", "infer", "quant"):
        table.add_column(column, overflow="fold")
    table.add_column("other", justify="right")
    for found in scan.directories:
        site = found.site
        others = sum(script.type == "other" for script in found.scripts)
        table.add_row(
            Text(found.name),
            Text(f"{site.customer}/{site.region}\n{site.task}"),
            *(Text(cell_of(found, kind)) for kind in ("train", "infer", "quant")),
            Text(str(others) if others else ""),
        )
    return table


def cell_of(found: FoundDirectory, kind: str) -> str:
    """'train_v2.py ?\\n0.98, 4 scripts': the default, '?' where a person should look."""
    entry = found.entry(kind)
    if entry is None:
        return ""
    scripts = [script for script in found.scripts if script.type == kind]
    if entry.default is None:
        return f"TODO\nnotebooks only: {len(scripts)}"
    default = next(script for script in scripts if script.path == entry.default)
    several = f", of {len(scripts)}" if len(scripts) > 1 else ""
    return f"{entry.default}{'' if entry.sure else ' ?'}\n{default.confidence:.2f}{several}"


def _list(console: Console, title: str, lines: Iterable[str], most: int = SHOWN_PROBLEMS) -> None:
    every = list(lines)
    if not every:
        return
    console.print(Text(f"{title} ({len(every)}):", style="bold"))
    for line in every[:most]:
        console.print(Text(f"  {line}"))
    if len(every) > most:
        console.print(Text(f"  … and {len(every) - most} more; --json has them all"))


def _given(asked: ScanCommand) -> Given:
    """The site and task of the options.

    Raises:
        ConfigurationError: with each that can't be a part of a site's or model's name.
    """
    problems = Problems()
    given = {"customer": asked.customer, "region": asked.region, "task": asked.task}
    for name, value in given.items():
        try:
            given[name] = check_part(value) if value else ""
        except ValueError as exc:
            problems.add(f"--{name} must be a part of a name but got {value!r}: {exc}")
    if problems:
        raise ConfigurationError(problems)
    return Given(**given)


def _refuse_early(file: Path | None, update: bool) -> None:
    """Raise before a long scan what would fail after it."""
    if file is None:
        return
    if file.is_dir():
        raise ConfigurationError(Problem("must be a YAML file but is a directory", str(file)))
    if file.exists() and not update:
        message = "is there already; add what is new with --update, or name another -o"
        raise ConfigurationError(Problem(message, str(file)))

"""The findings of a scan. Everything is frozen and turns into JSON by `to_dict`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

Kind = Literal["train", "infer", "quant", "other"]
KINDS: tuple[Kind, ...] = ("train", "infer", "quant", "other")
Value = bool | int | float | str
TODO = "TODO"
"""Stands where the scan could not know."""


def is_todo(value: object) -> bool:
    """Whether a value still waits for somebody to fill it in."""
    return isinstance(value, str) and value.strip().upper() == TODO


def _told(values: Mapping[str, object], *left_out: str) -> dict[str, Any]:
    """The values of a record for JSON, without those that are empty."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if key not in left_out and value not in ("", None, (), [])
    }


@dataclass(frozen=True)
class Option:
    """One option of a script's command line.

    Args:
        name: a placeholder: 'batch_size' of --batch-size.
        flag: as it is written on a command line; '' for a positional argument.
        default: what the script takes by itself; None: none, or one that only running it tells.
        required: the script ends without it.
        type: 'int', 'float', 'str', or what the script calls it.
        left_out: why it is not in the template; '' where it is.
        switch: it takes no value of its own: argparse's name for what it does; 'no-' where
            --no-NAME switches it off, 'value' where =True or =False follows; else 'flag'.
        aliases: its other flags.
        several: 'words' where values follow one another, 'repeat' where each has its own flag.
    """

    name: str
    flag: str
    default: Value | None = None
    required: bool = False
    type: str = "str"
    left_out: str = ""
    switch: str = ""
    aliases: tuple[str, ...] = ()
    several: str = ""

    def to_dict(self) -> dict[str, Any]:
        return _told(vars(self), "switch", "aliases", "several")


@dataclass(frozen=True)
class Script:
    """One script and what it does.

    Args:
        path: below its experiment's directory, with '/'.
        confidence: 0…1 that `type` is right.
        why: one sentence.
        options: of its command line, in its own order.
        options_note: why there are none, where one would expect some.
        data, weights: paths that stand in its code.
        modified_s: seconds since the epoch.
        dated_by_git: they are of its last commit; else of the file, which a copy sets anew.
        doubt: why Python 3 would not run it as it is; '' where it would.
    """

    path: str
    type: Kind
    confidence: float
    why: str
    options: tuple[Option, ...] = ()
    options_note: str = ""
    data: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    modified_s: float = 0.0
    doubt: str = ""
    dated_by_git: bool = False

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def runnable(self) -> bool:
        """A Python interpreter can be started on it."""
        return self.path.lower().endswith(".py")

    def to_dict(self) -> dict[str, Any]:
        options = [option.to_dict() for option in self.options]
        return _told(vars(self) | {"options": options}, "path", "modified_s", "dated_by_git")


@dataclass(frozen=True)
class Note:
    """A note on an entry point, for the person who fills in the registry.

    Args:
        todo: it must be seen to, or the script does not run.
    """

    text: str
    todo: bool = False


@dataclass(frozen=True)
class FoundEntry:
    """One entry point the scan proposes.

    Args:
        default: path of the script; None where only notebooks do this work.
        why: why this one among the others.
        sure: the names, or there being one script, decide; else a person should look.
    """

    type: Kind
    default: str | None
    why: str
    sure: bool
    patterns: tuple[str, ...]
    args_template: str = ""
    defaults: tuple[tuple[str, Value], ...] = ()
    notes: tuple[Note, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        told = vars(self) | {"defaults": dict(self.defaults), "patterns": list(self.patterns)}
        told["notes"] = [note.text for note in self.notes]
        del told["type"]
        return told


@dataclass(frozen=True)
class KnownSite:
    """A site, and the task of its detector."""

    customer: str
    region: str = TODO
    plant: str = "plant1"
    zone: str = "full"
    task: str = TODO


@dataclass(frozen=True)
class FoundSite(KnownSite):
    """The site that a directory's name says. 'TODO' where it says nothing that is known.

    Args:
        hints: field → what might stand there, for the person who fills it in.
    """

    hints: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "hints": dict(self.hints)}


@dataclass(frozen=True)
class FoundDirectory:
    """One experiment's directory.

    Args:
        scripts: by path.
        entries: train, infer, quant: those it has.
        passed_by: directories that were not searched for scripts (data, weights, runs, .venv, …).
        classes: in the order of their ids; () where no data.yaml says them for sure.
        task_from, classes_from: where they were found; '' for the directory's name, or nowhere.
        problems: what could not be read.
    """

    name: str
    path: Path
    scripts: tuple[Script, ...]
    entries: tuple[FoundEntry, ...]
    site: FoundSite
    classes: tuple[str, ...] = ()
    classes_from: str = ""
    task_from: str = ""
    passed_by: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def entry(self, kind: str) -> FoundEntry | None:
        return next((each for each in self.entries if each.type == kind), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "site": self.site.to_dict(),
            "classes": list(self.classes),
            "scripts": {each.path: each.to_dict() for each in self.scripts},
            "entry_points": {each.type: each.to_dict() for each in self.entries},
            "passed_by": list(self.passed_by),
            "problems": list(self.problems),
        }


@dataclass(frozen=True)
class FoundDirectories:
    """Everything below one directory.

    Args:
        without_scripts: names of directories that hold no script.
        loose: scripts that lie in the directory itself and so belong to none.
    """

    path: Path
    directories: tuple[FoundDirectory, ...]
    without_scripts: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "directories": {each.name: each.to_dict() for each in self.directories},
            "without_scripts": list(self.without_scripts),
            "loose": list(self.loose),
            "problems": list(self.problems),
        }


@dataclass(frozen=True)
class Given:
    """The site and task that somebody gives for a whole tree; '' for what each one says itself."""

    customer: str = ""
    region: str = ""
    task: str = ""

    def in_place_of_what_was_found(self, found: FoundDirectory) -> FoundDirectory:
        given = {key: value for key, value in vars(self).items() if value}
        answered = {"task": "task.type"}
        hints = tuple(
            each for each in found.site.hints if each[0] not in {answered.get(k, k) for k in given}
        )
        site = replace(found.site, **given, hints=hints)
        return replace(found, site=site, task_from="" if self.task else found.task_from)

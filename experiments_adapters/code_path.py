"""From `experiment_code_path` to an author's class that runs: found, imported, checked, built.

find_file         directory or .py file → the file with the class wanted, nothing run
load_experiment   directory, .py file or git+ URL → ExperimentCode, or one sentence what to mend
build             ExperimentCode + what its constructor may take → the author's object
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from guardianflow.contracts.errors import (
    ExperimentCodeError,
    ExperimentError,
    GuardianFlowError,
    TrainerError,
)
from guardianflow.contracts.given import given_path
from guardianflow.support.suggestions import nearest

from .author_classes import AUTHOR_CLASSES, FILES, TRAINER, AuthorClass
from .class_checks import check_class, find_class, may_hold, no_class_in
from .git import source as git_source
from .git.allowed import check_allowed
from .import_scope import ImportScope
from .importing import author_traceback, import_file
from .ultralytics_isolation import ultralytics_isolated

_CODE_SUFFIXES = (".py", ".yaml", ".yml")
_NOT_CODE = frozenset(
    ("__pycache__", "runs", "mlruns", "wandb", "images", "labels", "datasets", "site-packages")
)


@dataclass(frozen=True)
class ExperimentCode:
    """An author's code, imported and found to keep the contract.

    Args:
        reference: as given, without credentials.
        path: absolute path of the file with the class.
        loaded_class: the class to build.
        wanted: its contract.
        fingerprint: sha256 (hex) over names and contents of the .py and YAML files of its
            directory; files of the other two classes count where its code imports them.
        accepts: the optional arguments of its contract that its constructor names.
        scope: makes the author's own modules importable while their code runs.
        uses_ultralytics: whether the code mentions Ultralytics.
    """

    reference: str
    path: Path
    loaded_class: type
    wanted: AuthorClass
    fingerprint: str
    accepts: frozenset[str]
    scope: ImportScope = field(repr=False, compare=False)
    uses_ultralytics: bool = False

    @property
    def label(self) -> str:
        """'Benchmark (benchmark.py)', for people."""
        return f"{self.loaded_class.__name__} ({self.path.name})"

    @contextmanager
    def running(self) -> Iterator[None]:
        """The surroundings in which the author's code runs: its own modules, no side channels."""
        isolated = ultralytics_isolated() if self.uses_ultralytics else nullcontext()
        with self.scope.active(), isolated:
            yield


def load_experiment(
    reference: str,
    wanted: AuthorClass = TRAINER,
    *,
    base_dirs: Sequence[Path] = (),
    cache_dir: Path,
) -> ExperimentCode:
    """Import an author's code and check it against the contract.

    Args:
        reference: a directory with the class's file, a .py file, or
            `git+https://HOST/REPOSITORY.git@REF#subdir=PATH`. A relative path is tried against
            `base_dirs` in order, then against the working directory.
        cache_dir: where repositories are cloned to.

    Raises:
        ExperimentCodeError: nothing there, no such file, it can't be imported, or no usable
            class; says what to mend.
        MissingDependencyError: a git+ reference without git.
    """
    code = load_where_there(reference, wanted, base_dirs=base_dirs, cache_dir=cache_dir)
    if code is None:
        raise ExperimentCodeError(f"experiment code '{reference}' has no {wanted.file}")
    return code


def load_where_there(
    reference: str,
    wanted: AuthorClass,
    *,
    base_dirs: Sequence[Path] = (),
    cache_dir: Path,
    shared: bool = False,
    sources: Sequence[str] = (),
) -> ExperimentCode | None:
    """As load_experiment; None where the code has not this class but another, as in find_file.

    Args:
        sources: the repositories that code may come from; none: any.
    """
    shown = reference
    if reference.startswith(git_source.PREFIX):
        parsed = git_source.parse(reference)
        check_allowed(parsed, sources)
        parsed = replace(parsed, redirects=not sources)  # else they lead to what is not allowed
        shown, target = parsed.shown, git_source.fetch(parsed, cache_dir)
    else:
        target = locate(reference, base_dirs)
    path = _file_in(target, shown, wanted, shared)
    if path is None:
        return None
    fingerprint, uses_ultralytics = _fingerprint(path)
    scope = ImportScope(path.parent)
    module = import_file(scope, path)
    try:
        loaded_class = find_class(module, path, wanted)
    except ExperimentCodeError:
        if shared and path == target and any(_holds(module, path, each) for each in AUTHOR_CLASSES):
            return None
        raise
    accepts = check_class(loaded_class, path, wanted)
    return ExperimentCode(
        shown, path, loaded_class, wanted, fingerprint, accepts, scope, uses_ultralytics
    )


def _holds(module: ModuleType, path: Path, wanted: AuthorClass) -> bool:
    try:
        find_class(module, path, wanted)
    except ExperimentCodeError:
        return False
    return True


@dataclass(frozen=True)
class CodeFingerprint:
    """Args: path: of the file with the class. sha256: as ExperimentCode.fingerprint."""

    path: Path
    sha256: str


def fingerprint_of_code(
    reference: str, wanted: AuthorClass, *, base_dirs: Sequence[Path] = (), shared: bool = False
) -> CodeFingerprint | None:
    """The fingerprint of code of this machine, none of which is run.

    Returns:
        None as find_file.

    Raises:
        ExperimentCodeError: as find_file.
    """
    path = find_file(reference, wanted, base_dirs=base_dirs, shared=shared)
    return None if path is None else CodeFingerprint(path, _fingerprint(path)[0])


def find_file(
    reference: str, wanted: AuthorClass, *, base_dirs: Sequence[Path] = (), shared: bool = False
) -> Path | None:
    """The file with the class wanted in a directory of this machine, or the file itself.

    Nothing is run: the class is looked for in the file's text.

    Args:
        shared: several stages share the reference, so it need not have every class.

    Returns:
        None where there is no file for the class, and one for another class is there.

    Raises:
        ExperimentCodeError: the path is not there, has nothing for any class, or the file holds no
            class of that name.
    """
    path = _file_in(locate(reference, base_dirs), reference, wanted, shared)
    if path is not None and not may_hold(path, wanted):
        raise no_class_in(path, wanted)
    return path


def is_repository(reference: str) -> bool:
    """Whether the code must be fetched before one can look at it."""
    return reference.startswith(git_source.PREFIX)


def shown_reference(reference: str) -> str:
    """The reference without credentials."""
    return git_source.parse(reference).shown if is_repository(reference) else reference


def build(code: ExperimentCode, optional: Mapping[str, object], **required: object) -> Any:
    """Build the author's object.

    Args:
        optional: what the constructor is given where it names it.
        required: the contract's own arguments.

    Raises:
        ExperimentError: the constructor raised.
    """
    with code.running(), calling(code, "the constructor"):
        return code.loaded_class(
            **required, **{name: value for name, value in optional.items() if name in code.accepts}
        )


# --- finding ------------------------------------------------------------------------------------


def locate(reference: str, base_dirs: Sequence[Path]) -> Path:
    """The directory or file that is meant; a relative path is tried against each base in turn.

    Raises:
        ExperimentCodeError: it is not there, or empty; names the nearest.
    """
    given = given_path(reference)
    if not reference.strip():
        raise ExperimentCodeError(
            f"experiment_code_path is empty; give a directory with {', '.join(FILES)}, a .py file "
            "or a git+https://… URL, or leave it out for the built-in way"
        )
    candidates = [given] if given.is_absolute() else [b / given for b in (*base_dirs, Path.cwd())]
    candidates = list(dict.fromkeys(c.absolute() for c in candidates))
    for candidate in candidates:
        if candidate.exists():
            return candidate.resolve()
    neighbours = {
        entry.name: entry
        for candidate in candidates
        if candidate.parent.is_dir()
        for entry in candidate.parent.iterdir()
        if entry.is_dir() or entry.suffix == ".py"
    }
    near = [str(neighbours[name]) for name in nearest(given.name, neighbours, 1)]
    hint = f". Did you mean '{near[0]}'?" if near else ""
    raise ExperimentCodeError(
        f"experiment code '{reference}' does not exist; looked at "
        f"{', '.join(str(c) for c in candidates)}{hint}"
    )


def _file_in(target: Path, shown: str, wanted: AuthorClass, shared: bool) -> Path | None:
    """The file of the class wanted; None as in find_file."""
    if target.is_file():
        if target.suffix != ".py":
            raise ExperimentCodeError(
                f"experiment code '{shown}' must be a directory with {wanted.file} or a .py file "
                f"but is '{target.name}'"
            )
        others = [each for each in AUTHOR_CLASSES if each is not wanted]
        if shared and not may_hold(target, wanted):
            if any(may_hold(target, each) for each in others):
                return None
            raise no_class_in(target, wanted)
        return target
    path = target / wanted.file
    if path.is_file():
        return path
    # A training for nothing costs hours: who asks for one alone must have a trainer.
    may_lack = shared or wanted is not TRAINER
    if may_lack and any((target / name).is_file() for name in FILES):
        return None
    scripts = sorted(p.name for p in target.glob("*.py") if p.name not in FILES)
    below = sorted(p.parent.name for p in target.glob(f"*/{wanted.file}"))
    here = ", ".join(sorted(p.name for p in target.iterdir())[:15]) or "nothing"
    hint = f" Give the file itself, e.g. '{target / scripts[0]}'." if scripts else ""
    hint = f" Did you mean '{target / below[0]}'?" if below else hint
    raise ExperimentCodeError(
        f"experiment code '{shown}' has no {wanted.file} in {target}; there is {here}.{hint}"
    )


def _fingerprint(path: Path) -> tuple[str, bool]:
    """sha256 over the directory's code and YAML, and whether it speaks of Ultralytics."""
    contents = {
        file.relative_to(path.parent).as_posix(): file.read_bytes()
        for file in files_below(path.parent)
        if file.suffix in _CODE_SUFFIXES
    }
    for name in set(FILES) - {path.name}:
        if name in contents and not _imported(Path(name).stem, name, contents):
            del contents[name]  # another class: who changes a benchmark need not train anew
    digest, mentions = hashlib.sha256(path.name.encode()), False
    for relative, content in contents.items():
        digest.update(f"\n{relative}\n{hashlib.sha256(content).hexdigest()}".encode())
        mentions = mentions or (relative.endswith(".py") and b"ultralytics" in content)
    return digest.hexdigest(), mentions


def files_below(folder: Path) -> Iterator[Path]:
    """An experiment's files, in order: nothing hidden, no data, nothing that trainings leave."""
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(
            f
            for f in folders
            if not f.startswith(".")
            and f not in _NOT_CODE
            and not Path(directory, f, "pyvenv.cfg").exists()
        )
        for file in (Path(directory, name) for name in sorted(names)):
            if not file.name.startswith(".") and file.is_file():
                yield file


def _imported(module: str, own: str, contents: Mapping[str, bytes]) -> bool:
    """Whether any other file imports a module of the directory; when in doubt it does."""
    named = rb"^\s*(from|import)\b.*\b%b\b|import_module|__import__" % module.encode()
    line = re.compile(named, re.MULTILINE)
    return any(line.search(text) for name, text in contents.items() if name != own)


# --- running ------------------------------------------------------------------------------------


@contextmanager
def calling(code: ExperimentCode, what: str) -> Iterator[None]:
    """Say whose code failed and where; the original stays as the cause.

    Args:
        what: 'the constructor', 'predict()'.

    Raises:
        ExperimentError: the block raised, or would have ended the process; a Trainer's failure
            is a TrainerError.
    """
    try:
        yield
    except GuardianFlowError:
        raise
    except (Exception, SystemExit) as exc:
        kind = TrainerError if code.wanted is TRAINER else ExperimentError
        raise kind(
            f"{code.path}: {what} of {code.loaded_class.__name__} raised "
            f"{type(exc).__name__}: {exc}\n{author_traceback(exc, code.path.parent)}"
        ) from exc

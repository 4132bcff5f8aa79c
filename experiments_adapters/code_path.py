"""From `experiment_code_path` to a trainer that runs: found, imported, checked, built.

load_experiment   directory, .py file or git+ URL → ExperimentCode, or one sentence what to mend
build_trainer     ExperimentCode + configurations → the author's object, its reports listened to
check_result      the author's object after training → the file it made
"""

from __future__ import annotations

import functools
import hashlib
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from guardianflow.contracts.errors import ExperimentCodeError, GuardianFlowError, TrainerError
from guardianflow.contracts.given import given_path
from guardianflow.support.suggestions import did_you_mean, nearest

from . import git_source
from .class_checks import check_trainer, find_trainer
from .import_scope import ImportScope
from .metrics import checked_count, checked_metrics
from .ultralytics_isolation import ultralytics_isolated

TRAIN_FILE = "train.py"
_CODE_SUFFIXES = (".py", ".yaml", ".yml")
# Data, and what trainings leave behind in an experiment's directory, are not its code.
_NOT_CODE = {
    "__pycache__",
    "runs",
    "mlruns",
    "wandb",
    "images",
    "labels",
    "datasets",
    "site-packages",
}
_INSTALL_NAMES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "git": "gitpython",
    "dotenv": "python-dotenv",
    "mmcv": "openmim",
}

EpochListener = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class ExperimentCode:
    """An author's code, imported and found to keep the contract.

    Args:
        reference: as given, without credentials.
        path: absolute path of the file with the trainer.
        trainer_class: the class to build.
        fingerprint: sha256 (hex) over names and contents of the .py and YAML files of its
            directory.
        accepts: those of environment_config, work_dir, resume_from that its constructor names.
        scope: makes the author's own modules importable while their code runs.
        uses_ultralytics: whether the code mentions Ultralytics.
    """

    reference: str
    path: Path
    trainer_class: type
    fingerprint: str
    accepts: frozenset[str]
    scope: ImportScope = field(repr=False, compare=False)
    uses_ultralytics: bool = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """The surroundings in which the author's code runs: its own modules, no side channels."""
        with self.scope.active():
            if self.uses_ultralytics:
                with ultralytics_isolated():
                    yield
            else:
                yield


def load_experiment(
    reference: str, *, base_dirs: Sequence[Path] = (), cache_dir: Path
) -> ExperimentCode:
    """Import an author's code and check it against the contract.

    Args:
        reference: a directory with train.py, a .py file, or
            `git+https://HOST/REPOSITORY.git@REF#subdir=PATH`. A relative path is tried against
            `base_dirs` in order, then against the working directory.
        cache_dir: where repositories are cloned to.

    Raises:
        ExperimentCodeError: nothing there, no train.py, it can't be imported, or no usable
            Trainer; says what to mend.
        MissingDependencyError: a git+ reference without git.
    """
    shown = reference
    if reference.startswith(git_source.PREFIX):
        parsed = git_source.parse(reference)
        shown, target = parsed.shown, git_source.fetch(parsed, cache_dir)
    else:
        target = _find(reference, base_dirs)
    path = _train_file(target, shown)
    fingerprint, uses_ultralytics = _fingerprint(path)
    scope = ImportScope(path.parent)
    module = _import(scope, path)
    trainer_class = find_trainer(module, path)
    accepts = check_trainer(trainer_class, path)
    return ExperimentCode(shown, path, trainer_class, fingerprint, accepts, scope, uses_ultralytics)


def build_trainer(
    code: ExperimentCode,
    *,
    model_config: object,
    training_config: object,
    dataset_config: object,
    environment_config: object,
    work_dir: Path,
    resume_from: Path | None,
    on_epoch_end: EpochListener,
    on_batch_end: EpochListener | None = None,
) -> Any:
    """Build the author's trainer and listen to what it reports.

    Its `train` and `get_best_model_path` then run with the author's own modules importable and
    with Ultralytics kept from reporting elsewhere.

    Args:
        work_dir: made when missing; where the author's files belong.
        resume_from: checkpoint of an unfinished training; None starts anew.
        on_epoch_end, on_batch_end: called with a checked epoch or step and plain floats.

    Raises:
        ExperimentCodeError: resume_from is given and the constructor does not name it.
        TrainerError: the constructor raised.
    """
    if resume_from is not None and "resume_from" not in code.accepts:
        raise ExperimentCodeError(
            f"{code.path}: {code.trainer_class.__name__} can't resume from {resume_from}: its "
            "constructor does not name resume_from. Add `resume_from=None`, or train anew"
        )
    work_dir.mkdir(parents=True, exist_ok=True)
    optional = {
        "environment_config": environment_config,
        "work_dir": work_dir,
        "resume_from": resume_from,
    }
    with code.running(), _translated(code, "the constructor"):
        trainer = code.trainer_class(
            model_config=model_config,
            training_config=training_config,
            dataset_config=dataset_config,
            **{name: value for name, value in optional.items() if name in code.accepts},
        )
    _listen(trainer, "on_epoch_end", "epoch", on_epoch_end)
    _listen(trainer, "on_batch_end", "step", on_batch_end)
    _surround(trainer, "train", code)
    _surround(trainer, "get_best_model_path", code)
    return trainer


def check_result(trainer: Any) -> Path:
    """Ask a trained trainer for its best model and check that it is there.

    Returns:
        Absolute path of a file with content, or of a directory.

    Raises:
        TrainerError: it raised, returned no path, or the path is missing or empty.
    """
    asked = f"{type(trainer).__name__}.get_best_model_path()"
    try:
        answer = trainer.get_best_model_path()
    except GuardianFlowError:
        raise
    except Exception as exc:
        raise TrainerError(f"{asked} raised {type(exc).__name__}: {exc}") from exc
    if not isinstance(answer, (str, os.PathLike)) or not str(answer):
        raise TrainerError(
            f"{asked} must return the path of the trained weights but returned {answer!r}"
        )
    path = Path(answer).absolute()
    if path.is_dir() or (path.is_file() and path.stat().st_size):
        return path
    lies = "is an empty file" if path.is_file() else "does not exist"
    raise TrainerError(
        f"{asked} returned '{answer}', which {lies} ({path}); return an absolute path and save "
        "the weights before train() ends"
    )


# --- finding ------------------------------------------------------------------------------------


def _find(reference: str, base_dirs: Sequence[Path]) -> Path:
    given = given_path(reference)
    if not reference.strip():
        raise ExperimentCodeError(
            "experiment_code_path is empty; give a directory with train.py, a .py file or a "
            "git+https://… URL, or leave it out for the built-in YOLO experiment"
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


def _train_file(target: Path, shown: str) -> Path:
    if target.is_file():
        if target.suffix == ".py":
            return target
        raise ExperimentCodeError(
            f"experiment code '{shown}' must be a directory with {TRAIN_FILE} or a .py file but "
            f"is '{target.name}'"
        )
    path = target / TRAIN_FILE
    if path.is_file():
        return path
    scripts = sorted(p.name for p in target.glob("*.py"))
    below = sorted(p.parent.name for p in target.glob(f"*/{TRAIN_FILE}"))
    here = ", ".join(sorted(p.name for p in target.iterdir())[:15]) or "nothing"
    hint = f" Give the file itself, e.g. '{target / scripts[0]}'." if scripts else ""
    hint = f" Did you mean '{target / below[0]}'?" if below else hint
    raise ExperimentCodeError(
        f"experiment code '{shown}' has no {TRAIN_FILE} in {target}; there is {here}.{hint}"
    )


def _fingerprint(path: Path) -> tuple[str, bool]:
    """sha256 over the directory's code and YAML, and whether it speaks of Ultralytics."""
    digest, mentions = hashlib.sha256(path.name.encode()), False
    for directory, folders, names in os.walk(path.parent):
        folders[:] = sorted(
            f
            for f in folders
            if not f.startswith(".")
            and f not in _NOT_CODE
            and not Path(directory, f, "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            file = Path(directory, name)
            if file.suffix not in _CODE_SUFFIXES or name.startswith(".") or not file.is_file():
                continue
            content = file.read_bytes()
            relative = file.relative_to(path.parent).as_posix()
            digest.update(f"\n{relative}\n{hashlib.sha256(content).hexdigest()}".encode())
            mentions = mentions or (file.suffix == ".py" and b"ultralytics" in content)
    return digest.hexdigest(), mentions


# --- importing ----------------------------------------------------------------------------------


def _import(scope: ImportScope, path: Path) -> ModuleType:
    try:
        return scope.load(path)
    except GuardianFlowError:
        raise
    except SyntaxError as exc:
        if exc.lineno is None:  # raised by a call, not by reading a file
            raise _raised_on_import(exc, path) from exc
        place = f"{exc.filename or path}:{exc.lineno or 0}:{exc.offset or 0}"
        raise ExperimentCodeError(f"{place}: {exc.msg}; Python can't read this file") from exc
    except ModuleNotFoundError as exc:
        raise ExperimentCodeError(_missing_module(exc, path)) from exc
    except SystemExit as exc:
        raise ExperimentCodeError(
            f"{path}: it ended the process (exit code {exc.code}) while being imported; put what "
            'the script does on its own under `if __name__ == "__main__":`'
        ) from exc
    except Exception as exc:
        raise _raised_on_import(exc, path) from exc


def _raised_on_import(exc: Exception, path: Path) -> ExperimentCodeError:
    return ExperimentCodeError(
        f"{path}: importing it raised {type(exc).__name__}: {exc}\n"
        f"{_author_traceback(exc, path.parent)}"
    )


def _missing_module(exc: ModuleNotFoundError, path: Path) -> str:
    name = (exc.name or "").partition(".")[0]
    place = _last_author_place(exc, path)
    own = [p.stem for p in path.parent.glob("*.py")] + [
        p.name for p in path.parent.iterdir() if p.is_dir()
    ]
    if name in own or not name or name.startswith("guardianflow_experiment_"):
        return f"{place}: {exc}; the experiment's own package lacks that module"
    if near := did_you_mean(name, own, 1):
        return f"{place}: imports '{exc.name}', which does not exist{near}"
    return (
        f"{place}: imports '{exc.name}', which is not installed in this environment. Install it "
        f"with: pip install {_INSTALL_NAMES.get(name, name)}"
    )


def _author_frames(exc: BaseException, directory: Path) -> list[traceback.FrameSummary]:
    """The author's part of a traceback: neither ours nor the import system's."""
    frames = traceback.extract_tb(exc.__traceback__)
    return [frame for frame in frames if Path(frame.filename).is_relative_to(directory)]


def _author_traceback(exc: BaseException, directory: Path, most: int = 6) -> str:
    return "".join(traceback.format_list(_author_frames(exc, directory)[-most:])).rstrip()


def _last_author_place(exc: BaseException, path: Path) -> str:
    frames = _author_frames(exc, path.parent)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(path)


# --- running ------------------------------------------------------------------------------------


@contextmanager
def _translated(code: ExperimentCode, what: str) -> Iterator[None]:
    """Say whose code failed and where; the original stays as the cause."""
    try:
        yield
    except GuardianFlowError:
        raise
    except (Exception, SystemExit) as exc:
        raise TrainerError(
            f"{code.path}: {what} of {code.trainer_class.__name__} raised "
            f"{type(exc).__name__}: {exc}\n{_author_traceback(exc, code.path.parent)}"
        ) from exc


def _listen(trainer: object, name: str, counted: str, listener: EpochListener | None) -> None:
    """Put a reporting method on the object: the author's own first, then the listener."""
    own = getattr(trainer, name, None)

    def report(count: int, metrics: Mapping[str, float]) -> None:
        checked = checked_count(counted, count), checked_metrics(metrics)
        if callable(own):
            own(count, metrics)
        if listener is not None:
            listener(*checked)

    _attach(trainer, name, report)


def _surround(trainer: object, name: str, code: ExperimentCode) -> None:
    method = getattr(trainer, name)

    @functools.wraps(method)
    def surrounded(*args: Any, **kwargs: Any) -> Any:
        with code.running():
            try:
                return method(*args, **kwargs)
            except SystemExit as exc:  # else a failed training could end the process as a success
                raise TrainerError(
                    f"{code.path}: {name}() ended the process (exit code {exc.code}); raise an "
                    "exception instead"
                ) from exc

    _attach(trainer, name, surrounded)


def _attach(trainer: object, name: str, value: object) -> None:
    try:
        object.__setattr__(trainer, name, value)
    except (AttributeError, TypeError) as exc:
        raise ExperimentCodeError(
            f"{type(trainer).__name__} can't be listened to: its objects take no attribute "
            f"'{name}' ({exc}). Remove __slots__, or the property of that name"
        ) from exc

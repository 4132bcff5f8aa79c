"""An author's trainer: built, listened to while it trains, asked for what it made.

build_trainer     ExperimentCode + configurations → the author's object, its reports listened to
check_result      the author's object after training → the file it made
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import ExperimentCodeError, GuardianFlowError, TrainerError

from .code_path import ExperimentCode, build
from .failures.translated import translated
from .metrics import checked_count, checked_metrics

EpochListener = Callable[[int, Mapping[str, float]], None]


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
            f"{code.path}: {code.loaded_class.__name__} can't resume from {resume_from}: its "
            "constructor does not name resume_from. Add `resume_from=None`, or train anew"
        )
    work_dir.mkdir(parents=True, exist_ok=True)
    optional = {
        "environment_config": environment_config,
        "work_dir": work_dir,
        "resume_from": resume_from,
    }
    trainer = build(
        code,
        optional,
        model_config=model_config,
        training_config=training_config,
        dataset_config=dataset_config,
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
        raise translated(exc, f"{asked} raised {type(exc).__name__}: {exc}") from exc
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

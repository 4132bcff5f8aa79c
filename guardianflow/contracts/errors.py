"""Every error GuardianFlow raises on purpose.

    GuardianFlowError                exit code 1
    ├── ConfigurationError           exit code 2: the caller can mend it; all problems at once
    │   ├── ScenarioError            the scenario, its overrides, its fit to the entry point
    │   ├── ExperimentCodeError      the code at experiment_code_path
    │   ├── DatasetError             images or labels missing or malformed
    │   ├── SourceError              a run or model to start from: unknown, failed, no weights
    │   ├── DiskSpaceError           a file system is too small for what is asked for
    │   └── MissingDependencyError   an optional library is not installed
    ├── ExperimentError              an experiment's own code raised while it worked
    │   └── TrainerError             its training did
    │       ├── OutOfMemoryError     the GPU, or the machine, has too little memory
    │       ├── NonFiniteLossError   the loss became NaN or infinite
    │       ├── LoaderKilledError    a process that loads data was killed
    │       ├── DiskFullError        a file system filled up on the way
    │       ├── GpuError             driver, build, cuDNN, a failed assert, a lost GPU
    │       └── SystemLimitError     too many open files, a file that may not be touched
    ├── ScriptFailedError            a wrapped script ended otherwise than with exit code 0
    ├── BackendError                 export, quantisation or a session failed
    │   ├── BackendUnavailableError  this machine can't run that backend at that precision
    │   └── NativeCrashError         a child process was ended by a signal or by the kernel
    ├── EvaluationError              a measurement could not be made
    ├── TrackingError                the MLflow server or store refused or went away
    ├── MetricsStoreError            the metrics store can't be read or written
    ├── AutomationError              what automation has kept can't be read or written
    ├── BundleError                  an edge bundle can't be written, or is damaged
    ├── UnsignedReleaseError         a model is none that the team's key has signed
    ├── PromotionRefusedError        the gates' verdict does not allow it: the answer is no
    ├── AlreadyRunningError          another process is at the same training
    ├── ConcurrentChangeError        another process is changing the same model's aliases
    └── StageFailedError             a pipeline stage ended early; says how to resume
        └── ComparisonFailedError    some variants of a comparison failed; holds its table

A message says what was expected, what came and what to do next. `failure_reason` says the same to
programs: it is the tag `failure.reason` of the run (docs/failures.md).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from ..support.text.shortening import shortened

T = TypeVar("T")


class FailureReason(StrEnum):
    """Causes of a failed run that are known by name; docs/failures.md says what to do for each."""

    OUT_OF_MEMORY = "out_of_memory"
    HOST_OUT_OF_MEMORY = "host_out_of_memory"
    SHARED_MEMORY = "shared_memory"
    LOADER_KILLED = "loader_killed"
    NAN_LOSS = "nan_loss"
    DISK_FULL = "disk_full"
    TOO_MANY_FILES = "too_many_files"
    NO_PERMISSION = "no_permission"
    GPU_DRIVER = "gpu_driver"
    GPU_UNSUPPORTED = "gpu_unsupported"
    GPU_ASSERT = "gpu_assert"
    GPU_LIBRARY = "gpu_library"
    GPU_LOST = "gpu_lost"
    INTERRUPTED = "interrupted"
    KILLED = "killed"
    NATIVE_CRASH = "native_crash"
    TRACKER = "tracker"
    ALREADY_RUNNING = "already_running"

    @classmethod
    def named(cls, text: object) -> FailureReason | None:
        """The reason of that name; None for any other value."""
        return next((each for each in cls if each == text), None)


class GuardianFlowError(Exception):
    """Root of the tree; `except GuardianFlowError` catches all that is raised on purpose.

    `failure_reason`: the cause, where it is one that is known by name.
    """

    exit_code = 1
    failure_reason: FailureReason | None = None


@dataclass(frozen=True)
class Problem:
    """One thing wrong with what the caller gave.

    `where` is 'file:line:column', a field path or a file; empty where there is no place to name.
    `at`: line and column in the file that was read, so that several can be told in order.
    """

    message: str
    where: str = ""
    at: tuple[int, int] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class Problems(list[Problem]):
    """Problems as they are found, to be told all at once."""

    def add(self, message: str, where: object = "") -> None:
        """One more; `where` as of a Problem, or a path."""
        self.append(Problem(message, str(where)))

    def of(self, work: Callable[[], T]) -> T | None:
        """The work's answer; None where it raises a ConfigurationError, whose problems are kept."""
        try:
            return work()
        except ConfigurationError as exc:
            self.extend(exc.problems)
            return None


class ConfigurationError(GuardianFlowError):
    """The caller's input can't be used as it is. Collects every problem found in one pass."""

    exit_code = 2
    shown_problems = 20
    shown_letters = 40_000
    """In all: a library that reads a damaged file may quote all of it."""

    def __init__(self, problems: str | Problem | Sequence[str | Problem]) -> None:
        given = [problems] if isinstance(problems, (str, Problem)) else list(problems)
        self.problems: tuple[Problem, ...] = tuple(
            p if isinstance(p, Problem) else Problem(p) for p in given
        )
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1:
            return shortened(str(self.problems[0]), self.shown_letters)
        most = self.shown_letters // self.shown_problems
        some = [shortened(str(p), most) for p in self.problems[: self.shown_problems]]
        told = [each.replace("\n", "\n    ") for each in some]
        shown = [f"  - {each}" for each in told]
        left = len(self.problems) - len(shown)
        if left:
            shown.append(f"  … and {left} more")
        return "\n".join([f"{len(self.problems)} problems:", *shown])


class ScenarioError(ConfigurationError):
    """The scenario can't be loaded or does not fit what was asked of it."""


class ExperimentCodeError(ConfigurationError):
    """The experiment's code can't be imported or lacks what the contract asks for."""


class DatasetError(ConfigurationError):
    """The data set is missing, incomplete or malformed."""


class SourceError(ConfigurationError):
    """A run or model to start from can't be used: unknown, failed, or without weights."""


class DiskSpaceError(ConfigurationError):
    """A file system has clearly too little room for what is asked for; nothing was started."""

    failure_reason = FailureReason.DISK_FULL


class MissingDependencyError(ConfigurationError):
    """An optional library is needed and not installed."""

    def __init__(self, library: str, needed_for: str, install: str) -> None:
        self.library = library
        super().__init__(
            f"{needed_for} needs {library}, which is not installed. Install it with: {install}"
        )


class ExperimentError(GuardianFlowError):
    """The experiment's own code raised, or answered what can't be used; the original is chained."""


class TrainerError(ExperimentError):
    """A training failed; the original is chained as __cause__."""

    def __init__(self, message: str, reason: FailureReason | None = None) -> None:
        super().__init__(message)
        self.failure_reason = reason or self.failure_reason


class OutOfMemoryError(TrainerError):
    """The GPU or the machine has too little memory."""

    failure_reason = FailureReason.OUT_OF_MEMORY


class NonFiniteLossError(TrainerError):
    """The loss became NaN or infinite; names the last good checkpoint where there is one."""

    failure_reason = FailureReason.NAN_LOSS


class LoaderKilledError(TrainerError):
    """A process that loads data was killed, or had too little shared memory."""

    failure_reason = FailureReason.LOADER_KILLED


class DiskFullError(TrainerError):
    """A file system filled up while the training wrote."""

    failure_reason = FailureReason.DISK_FULL


class GpuError(TrainerError):
    """The GPU, its driver or its libraries refused."""


class SystemLimitError(TrainerError):
    """The system refused: too many open files, no permission."""


class AlreadyRunningError(GuardianFlowError):
    """Another process is at work on the same training; nothing was made."""

    failure_reason = FailureReason.ALREADY_RUNNING


class ScriptFailedError(GuardianFlowError):
    """A script that nobody may change failed, was ended, or ran out of time.

    Args:
        name: of its experiment.
        reason: how it ended.
        exit_code: what our own command ends with: the script's.
        run_id: the run that was marked FAILED or KILLED.
        log: path of what it printed; None where it was kept in the run alone.
    """

    def __init__(
        self, name: str, reason: str, *, exit_code: int, run_id: str, log: str | None = None
    ) -> None:
        self.reason, self.exit_code, self.run_id, self.log = reason, exit_code, run_id, log
        lines = [f"the script of '{name}' failed: {reason}", f"  run: {run_id}"]
        super().__init__("\n".join(lines + ([f"  log: {log}"] if log else [])))


class BackendError(GuardianFlowError):
    """A backend failed at work: exporting, quantising or running a model."""


class BackendUnavailableError(BackendError):
    """This machine can't run that backend at that precision; the message names the cure."""


class NativeCrashError(BackendError):
    """A child process did not end by itself: a signal or the kernel ended it.

    Args:
        doing: what the process was at, e.g. 'quant openvino int8'.
        returncode: as subprocess gives it: negative for a signal.
        cure: what the reader can do.
        reason: where more is known than the return code says.
    """

    def __init__(
        self, doing: str, returncode: int, cure: str = "", reason: FailureReason | None = None
    ) -> None:
        self.doing = doing
        self.returncode = returncode
        self.signal_name = signal_name(returncode)
        killed = self.signal_name in ("SIGKILL", "SIGTERM", "SIGHUP")
        self.failure_reason = reason or (
            FailureReason.KILLED if killed else FailureReason.NATIVE_CRASH
        )
        what = (
            f"was ended by {self.signal_name}"
            if self.signal_name
            else f"ended with code {returncode} and no result"
        )
        super().__init__(f"{doing} {what}.{' ' + cure if cure else ''}")


class EvaluationError(GuardianFlowError):
    """A measurement could not be made; nothing is logged in its place."""


class TrackingError(GuardianFlowError):
    """The MLflow store refused a request or can't be reached."""

    failure_reason = FailureReason.TRACKER


class MetricsStoreError(GuardianFlowError):
    """The metrics store can't be read or written; MLflow, which it is made from, may be well."""


class PromotionRefusedError(GuardianFlowError):
    """A version may not become champion: not judged, not passed, or judged against another one."""


class ConcurrentChangeError(GuardianFlowError):
    """Another process changes, or has just changed, the same model's aliases; ours are untouched
    unless the message says how far it came."""


class AutomationError(GuardianFlowError):
    """What automation has kept of its actions can't be read or written, so it starts none."""


class BundleError(GuardianFlowError):
    """A directory of edge bundles can't be written or is damaged; says which version stands."""


class UnsignedReleaseError(GuardianFlowError):
    """A registered version or a bundle is none that the trusted key has signed."""


class StageFailedError(GuardianFlowError):
    """A stage of a pipeline failed; the chain stopped there.

    Args:
        stage: e.g. 'train' or 'quant openvino_int8'.
        reason: the stage's own error, one line or more.
        run_id: the run that was marked FAILED or KILLED; None when none was made.
        log: path of the stage's log; None when none was written.
        resume: the command that goes on from here; None when there is nothing to go on from.
        exit_code: 2 where the caller's input was at fault, else 1.
        failure_reason: of the stage's own error.
    """

    def __init__(
        self,
        stage: str,
        reason: str,
        *,
        run_id: str | None = None,
        log: str | None = None,
        resume: str | None = None,
        exit_code: int = 1,
        failure_reason: FailureReason | None = None,
    ) -> None:
        self.failure_reason = failure_reason
        self.stage, self.reason, self.run_id = stage, reason, run_id
        self.log, self.resume, self.exit_code = log, resume, exit_code
        super().__init__(stage, reason)

    def __str__(self) -> str:
        lines = [f"stage '{self.stage}' failed: {self.reason}"]
        lines += [f"  run:    {self.run_id}"] if self.run_id else []
        lines += [f"  log:    {self.log}"] if self.log else []
        lines += [f"  resume: {self.resume}"] if self.resume else []
        return "\n".join(lines)

    def resumed_by(self, command: str, run_id: str) -> None:
        """Add the command that goes on, and the run that it goes on in where none is named."""
        self.resume, self.run_id = command, self.run_id or run_id


class ComparisonFailedError(StageFailedError):
    """Variants of a comparison failed; the others were measured.

    Args:
        comparison: the table of all variants, as pipelines.compare.table makes it.
    """

    def __init__(self, stage: str, reason: str, comparison: object, *, run_id: str) -> None:
        super().__init__(stage, reason, run_id=run_id)
        self.comparison = comparison


def signal_name(returncode: int) -> str:
    """Name of the signal behind a subprocess return code ('SIGILL'); '' where none was.

    Shells report a signal as 128 + number, subprocess as -number; both are understood.
    """
    number = -returncode if returncode < 0 else returncode - 128
    try:
        return signal.Signals(number).name if number > 0 else ""
    except ValueError:
        return ""

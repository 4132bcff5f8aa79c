"""The local state of a training that has not ended well yet: WORK_DIR/trainings/NAME/.

    NAME.lock      held by the process at work; the system gives it free, however that process ends
    state.json     the run, whose process it was, what was asked for: without secrets
    training/      the trainer's output
    checkpoints/   whole copies of its checkpoint: snapshots.py
    epochs.jsonl   what was reported: epoch_journal.py

NAME is the stage's fingerprint, with the store and the experiment. All of it is removed once the
run is FINISHED.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import AlreadyRunningError
from guardianflow.support.files import remove, replace_file
from guardianflow.support.locks import take_lock
from guardianflow.support.process_identity import ProcessIdentity
from guardianflow.support.secrets.files import make_private_folder

FOLDER = "trainings"
ENDING_S = 75.0
"""For a process whose starter is gone: it ends its run first, see pipelines.worker."""
_REMOVED = ".removed-"
_STATE = "state.json"


@dataclass(frozen=True)
class TrainingState:
    """What is noted of a training.

    Args:
        training_id: stands in the run's tags: the run is found though its id was not noted.
        run_id: '' until the run is made.
        store: address of the run's store, without secrets.
        request: the values of a StageRequest, without secrets.
        identity: what its fingerprint was made of, without secrets.
        directory: the working directory of the command.
        attempts: how many processes have worked on it.
        owner, starter: the last of these, and the process that started it.
        best: once trained, the model's path.
        best_files: path → sha256 of its files.
    """

    training_id: str
    store: str
    experiment_name: str
    run_name: str
    request: Mapping[str, Any]
    identity: Mapping[str, Any]
    created: str
    run_id: str = ""
    directory: str = ""
    attempts: int = 1
    owner: Mapping[str, Any] = field(default_factory=dict)
    starter: Mapping[str, Any] = field(default_factory=dict)
    best: str = ""
    best_files: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ending(self) -> bool:
        """Whether the process at work is sure to end: it is dead, or nobody waits for it."""
        return any(_is_dead(each) for each in (self.owner, self.starter))

    @property
    def shown_owner(self) -> str:
        if not self.owner:
            return "another process"
        return f"process {self.owner.get('pid')} on {self.owner.get('host')}"


@dataclass(frozen=True)
class Unfinished:
    """The directory of one training."""

    folder: Path

    @classmethod
    def of(cls, work_dir: Path, fingerprint: str, store: str, experiment_name: str) -> Unfinished:
        """The place of a training; nothing is made.

        Args:
            store: the tracking address.
        """
        place = hashlib.sha256(f"{store}\n{experiment_name}".encode()).hexdigest()
        return cls(work_dir / FOLDER / f"{fingerprint[:16]}-{place[:8]}")

    @property
    def training(self) -> Path:
        return self.folder / "training"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def journal(self) -> Path:
        return self.folder / "epochs.jsonl"

    def state(self) -> TrainingState | None:
        """What is noted; None where there is nothing, or nothing that can be read."""
        try:
            values = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
            known = {each.name for each in fields(TrainingState)}
            return TrainingState(**{key: values[key] for key in known & set(values)})
        except (OSError, ValueError, TypeError):
            return None

    def note(self, state: TrainingState) -> TrainingState:
        """Bring a state to the medium, whole or not at all.

        Raises:
            OSError: it can't be written.
        """
        text = json.dumps(asdict(state), ensure_ascii=False, indent=2, default=str)
        replace_file(self.folder, _STATE, text + "\n", ".state-")
        return state

    def begin(self, state: TrainingState) -> TrainingState:
        """Empty the directory, or make it, and note the state."""
        self.remove()
        make_private_folder(self.folder)
        self.training.mkdir()
        return self.note(state)

    def hold(self, tell: Callable[[str], None] | None = None) -> AbstractContextManager[object]:
        """Take the lock; it is held until the end of the `with`.

        Args:
            tell: told that a process which is ending is waited for; None does not wait.

        Raises:
            AlreadyRunningError: another process has it, and does not end.
            OSError: it can't be made.
        """
        make_private_folder(self.folder.parent)
        lock = self.folder.with_name(f"{self.folder.name}.lock")
        try:
            return take_lock(lock)
        except TimeoutError as exc:
            state = self.state()
            if tell is not None and state is not None and state.is_ending:
                tell(f"waiting for {state.shown_owner}, which was at this training and is ending")
                with suppress(TimeoutError):
                    return take_lock(lock, ENDING_S)
            owner = state.shown_owner if state else "another process"
            run = f", run {state.run_id}" if state and state.run_id else ""
            raise AlreadyRunningError(
                f"{owner} is at work on this very training{run}. Wait for its end, or stop it; "
                "then the same command goes on"
            ) from exc

    def remove(self) -> None:
        """Remove all but the lock; nothing happens where there is nothing."""
        for left in self.folder.parent.glob(f"{_REMOVED}*"):
            shutil.rmtree(left, ignore_errors=True)
        if self.folder.is_dir():
            remove(self.folder, self.folder.parent, _REMOVED)

    def size_bytes(self) -> int:
        return sum(_size(path) for path in self.folder.rglob("*"))


def owned_now(state: TrainingState) -> TrainingState:
    """The state with this process as the one at work."""
    starter = ProcessIdentity.of(os.getppid())
    owner = ProcessIdentity.of_this_process()
    return replace(state, owner=asdict(owner), starter=asdict(starter))


def all_unfinished(work_dir: Path) -> Iterator[tuple[Unfinished, TrainingState]]:
    """Every training that is noted in a work directory, also those that are at work."""
    for path in sorted((work_dir / FOLDER).glob(f"[!.]*/{_STATE}")):
        place = Unfinished(path.parent)
        if (state := place.state()) is not None:
            yield place, state


@dataclass(frozen=True)
class Abandoned:
    """A training that no process is at. Whether it may go, its run says.

    Args:
        run_id: '' where no run was made.
        store: the store of that run, without secrets.
    """

    place: Unfinished
    run_id: str
    store: str

    def remove(self) -> bool:
        """Remove it; False where a process has taken it up by now."""
        try:
            with self.place.hold():
                self.place.remove()
        except AlreadyRunningError:
            return False
        return True


def abandoned(work_dir: Path) -> list[Abandoned]:
    """The trainings of a work directory that no process is at."""
    found = []
    for place, state in all_unfinished(work_dir):
        with suppress(AlreadyRunningError), place.hold():
            found.append(Abandoned(place, state.run_id, state.store))
    return found


def _is_dead(values: Mapping[str, Any]) -> bool:
    try:
        return ProcessIdentity(**values).is_dead()
    except TypeError:  # noted by another version
        return False


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size if path.is_file() else 0
    except OSError:
        return 0

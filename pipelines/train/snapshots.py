"""Keeps whole copies of a training's checkpoint, the last two, on the medium.

    000012.json    the epoch, its report, and of each file the path and the sha256
    files/SHA256   content; once, also where best.pt and last.pt are the same

A trainer overwrites its files in place, so they may be cut off when the power fails. A copy is
there once its record is; every file is compared with its sha256 before it is used.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.results import sha256_of
from guardianflow.support.files import (
    copy,
    replace_file,
    sync_directory,
    temporary_path,
)

from .epoch_journal import Report, read_report

KEPT = 2
FULL = (errno.ENOSPC, errno.EDQUOT)
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".npz", ".pkl")
CHECKPOINT_METHOD = "get_last_checkpoint_path"
_UNFINISHED = ".unfinished-"
Stamp = tuple[int, int, int]
"""Inode, size and time of a file: it was not written since where they are the same."""


@dataclass(frozen=True)
class Snapshot:
    """A copy of the state after an epoch.

    Args:
        number: they are counted from 1.
        checkpoint: path of the file or directory to go on from, relative to the training's.
        files: relative path → sha256, of the checkpoint and of what belongs to it.
        report: of the epoch after which it was taken.
    """

    number: int
    checkpoint: str
    files: Mapping[str, str]
    report: Report

    @property
    def epoch(self) -> int:
        return self.report.step


class Snapshots:
    """The copies of one training.

    Args:
        folder: where they are kept; made when the first one is.
        training: the directory that the trainer writes into.
    """

    def __init__(self, folder: Path, training: Path) -> None:
        self._folder, self._training = folder, training
        self._seen: dict[Path, tuple[Stamp, str]] = {}
        self._last_files: Mapping[str, str] = {}

    def keep(self, checkpoint: Path, report: Report) -> bool:
        """Copy the checkpoint and what belongs to it; False where nothing of it has changed.

        On a full disk the older of two copies makes room for it.

        Raises:
            OSError: it can't be read or written; the newest copy before it is as it was.
        """
        files = {self._relative(path): self._digest(path) for path in belonging_to(checkpoint)}
        if files == self._last_files:
            return False
        try:
            self._write(checkpoint, files, report)
        except OSError as exc:
            if exc.errno not in FULL or not self._drop_older():
                raise
            self._write(checkpoint, files, report)
        self._last_files = files
        self._prune()
        return True

    def _write(self, checkpoint: Path, files: Mapping[str, str], report: Report) -> None:
        store = self._folder / "files"
        store.mkdir(parents=True, exist_ok=True)
        for name, digest in files.items():
            self._copy(self._training / name, store, digest)
        sync_directory(store)
        records = self._records()
        number = int(records[-1].stem) + 1 if records else 1
        values = {
            "checkpoint": self._relative(checkpoint),
            "files": files,
            "report": report.to_line(),
        }
        replace_file(self._folder, f"{number:06d}.json", json.dumps(values), _UNFINISHED)

    def _drop_older(self) -> bool:
        """Remove all copies but the newest, where that one is whole; False where none can go."""
        records = self._records()
        newest = _read(records[-1]) if len(records) > 1 else None
        if newest is None or not self._is_whole(newest):
            return False
        self._prune(kept=1)
        return True

    def newest_whole(self) -> tuple[Snapshot | None, int]:
        """The newest copy of which every file is as it was, and how many newer ones are not."""
        damaged = 0
        for record in reversed(self._records()):
            snapshot = _read(record)
            if snapshot is not None and self._is_whole(snapshot):
                return snapshot, damaged
            damaged += 1
        return None, damaged

    def restore(self, snapshot: Snapshot) -> Path:
        """Put the copy's files back to where the trainer had them; newer copies are removed.

        Returns:
            The checkpoint, in the training's directory.
        """
        checkpoint = self._training / snapshot.checkpoint
        if checkpoint.is_dir():
            shutil.rmtree(checkpoint)
        elif checkpoint.parent.is_dir():  # a best.* that came after it is none of its
            for path in belonging_to(checkpoint):
                path.unlink(missing_ok=True)
        for name, digest in snapshot.files.items():
            target = self._training / name
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = temporary_path(target.parent, _UNFINISHED)
            for _ in copy(self._folder / "files" / digest, unfinished):
                pass
            unfinished.replace(target)
        for record in self._records():
            if int(record.stem) > snapshot.number:
                record.unlink()
        self._last_files = dict(snapshot.files)
        self._prune()
        return checkpoint

    # --- inside -------------------------------------------------------------------------------

    def _records(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.json"))

    def _is_whole(self, snapshot: Snapshot) -> bool:
        store = self._folder / "files"
        try:
            return all(sha256_of(store / each) == each for each in snapshot.files.values())
        except OSError:
            return False

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._training).as_posix()

    def _digest(self, path: Path) -> str:
        """sha256 of a file; one that was not written since is not read again."""
        stamp = _stamp(path)
        if path not in self._seen or self._seen[path][0] != stamp:
            self._seen[path] = stamp, sha256_of(path)
        return self._seen[path][1]

    def _copy(self, source: Path, store: Path, digest: str) -> None:
        if (store / digest).exists():
            return
        unfinished = temporary_path(store, _UNFINISHED)
        try:
            for _ in copy(source, unfinished):
                pass
            if _stamp(source) != self._seen[source][0]:
                raise OSError(f"{source} was written while it was copied")
            unfinished.replace(store / digest)
        finally:
            unfinished.unlink(missing_ok=True)

    def _prune(self, kept: int = KEPT) -> None:
        """Remove all but the last copies. What can't be removed now goes the next time."""
        records = self._records()
        for record in records[:-kept]:
            with suppress(OSError):
                record.unlink()
        read = [each for record in records[-kept:] if (each := _read(record)) is not None]
        wanted = {digest for each in read for digest in each.files.values()}
        places = [*(self._folder / "files").glob("*"), *self._folder.glob(f"{_UNFINISHED}*")]
        for path in places:
            if path.name not in wanted:
                with suppress(OSError):
                    path.unlink()


class CheckpointKeeper:
    """Copies a trainer's checkpoint at each report. What can't be copied is told; it trains on.

    Attributes:
        trainer: whose checkpoint is kept; None keeps none.
    """

    def __init__(self, snapshots: Snapshots, training: Path, tell: Callable[[str], None]) -> None:
        self._snapshots, self._training, self._tell = snapshots, training, tell
        self._told = ""
        self.trainer: Any = None

    def keep(self, report: Report) -> None:
        if self.trainer is None:
            return
        try:
            checkpoint = find_checkpoint(self.trainer, self._training)
            if checkpoint is not None:
                self._snapshots.keep(checkpoint, report)
            self._told = ""
        except (CheckpointError, OSError) as exc:
            reason = str(exc)
            if type(exc).__name__ != self._told:
                self._told = type(exc).__name__
                self._tell(
                    f"no checkpoint of epoch {report.step} is kept, so that after an interruption "
                    f"an earlier epoch would be gone on from; the training goes on: {reason}"
                )


class CheckpointError(GuardianFlowError):
    """A trainer's answer about its checkpoint can't be used."""


def find_checkpoint(trainer: Any, training: Path) -> Path | None:
    """The checkpoint that a trainer has written by now; None where there is none.

    It is what the trainer's `get_last_checkpoint_path()` names, or else the newest `last.*` in its
    directory or in `weights/` below it.

    Raises:
        CheckpointError: the method raised, or named what does not lie in the directory.
    """
    method = getattr(trainer, CHECKPOINT_METHOD, None)
    if not callable(method):
        found = [
            path
            for folder in (training, training / "weights")
            for path in folder.glob("last.*")
            if path.suffix.lower() in CHECKPOINT_SUFFIXES and path.is_file()
        ]
        return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
    try:
        answer = method()
        if answer is None:
            return None
        path = Path(training, answer)
    except Exception as exc:
        raise CheckpointError(f"{CHECKPOINT_METHOD}() failed: {type(exc).__name__}: {exc}") from exc
    if not path.resolve().is_relative_to(training.resolve()):
        raise CheckpointError(
            f"{CHECKPOINT_METHOD}() must name a file or directory below work_dir ({training}) but "
            f"returned '{answer}'"
        )
    return training / path.resolve().relative_to(training.resolve()) if path.exists() else None


def belonging_to(checkpoint: Path) -> Sequence[Path]:
    """A checkpoint's files, and the best model so far: `best.*` beside it."""
    own = (
        sorted(path for path in checkpoint.rglob("*") if path.is_file())
        if checkpoint.is_dir()
        else [checkpoint]
    )
    best = sorted(path for path in checkpoint.parent.glob("best.*") if path.is_file())
    return [*own, *(path for path in best if path not in own)]


def _stamp(path: Path) -> Stamp:
    now = path.stat()
    return now.st_ino, now.st_size, now.st_mtime_ns


def _read(record: Path) -> Snapshot | None:
    try:
        values = json.loads(record.read_text(encoding="utf-8"))
        report = read_report(values["report"])
        if report is not None:
            return Snapshot(int(record.stem), values["checkpoint"], values["files"], report)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return None

"""Bundles into a directory: verified, switched at once, and whole again after a kill.

    1  write everything into a hidden directory, each file flushed to the medium
    2  read it back and compare
    3  rename it into versions/
    4  note what is about to be switched        (.guardianflow-switch.json)
    5  current → the new one, in one rename     a process sees the old bundle or the new one
    6  previous → the one before
    7  remove what neither link names, then the note

A process killed before 5 leaves the old bundle at work, after it the new one. The next pull
removes leftovers and, where a note is found, does what was left of 6 and 7.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from ...contracts.errors import BundleError, ConfigurationError
from ...support.files import copy, remove, replace_file, sync_directory, sync_tree, temporary_path
from ...support.locks import take_lock
from .build import Bundle
from .check import (
    CURRENT,
    MARKER,
    OWN_PREFIX,
    PREVIOUS,
    REPAIR,
    VERSIONS,
    BundleCheck,
    check_bundle,
    is_foreign,
    linked_name,
)

logger = logging.getLogger(__name__)

LOCK = f"{OWN_PREFIX}lock"
NOTE = f"{OWN_PREFIX}switch.json"
LEFTOVER = f"{OWN_PREFIX}tmp-"
KEPT = frozenset({MARKER, LOCK, NOTE})
# What a file takes beyond its bytes: its last block and its entry in a directory.
FILE_OVERHEAD_BYTES = 4096
OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Progress = Callable[[int, int], None]
"""Bytes written, of how many."""


@dataclass(frozen=True)
class Installed:
    """The result of a pull.

    Args:
        name: of the bundle that `current` names now.
        directory: `current`.
        done: 'installed', 'switched' (it lay there already, complete) or 'already current'.
        previous: name of the bundle that `previous` names; None where there is none.
        removed: bundles that were removed because neither link names them.
        left_behind: those that could not be removed.
    """

    name: str
    directory: Path
    done: str
    previous: str | None
    removed: tuple[str, ...] = field(default=())
    left_behind: tuple[str, ...] = field(default=())


class BundleDirectory:
    """A directory of bundles, locked against other pulls and whole. Made by `opened`.

    Args:
        target: absolute path.
    """

    def __init__(self, target: Path) -> None:
        self._target = target

    @classmethod
    @contextlib.contextmanager
    def opened(cls, target: Path) -> Iterator[Self]:
        """Make the directory where it is missing, lock it, and mend what a killed pull left.

        Raises:
            ConfigurationError: the directory holds something and is not ours.
            BundleError: another pull is at work in it; it can't be written.
        """
        if os.name != "posix":
            raise ConfigurationError(
                "bundles need links and locks as Linux and macOS have them; pull on such a machine"
            )
        target = target.expanduser().absolute()
        with _translated(f"{target} can't be used for bundles"):
            if target.exists() and not target.is_dir():
                raise ConfigurationError(f"{target} must be a directory but is a file")
            target.mkdir(parents=True, exist_ok=True)
            if is_foreign(target):
                raise ConfigurationError(
                    f"{target} must be a new or empty directory, or one that a pull has filled, "
                    f"but it holds other things and no {MARKER}; name another directory"
                )
            try:
                lock = take_lock(target / LOCK)
            except TimeoutError as exc:
                raise BundleError(
                    f"another pull is at work in {target}; try again when it is done"
                ) from exc
        with lock:
            directory = cls(target)
            with _translated(f"{target} can't be used for bundles"):
                directory._mark()
                directory._mend()
            yield directory

    @property
    def current(self) -> str | None:
        """Name of the bundle at work; None where there is none."""
        return linked_name(self._target, CURRENT)

    def already_current(
        self, name: str, signed: Mapping[str, bytes] = MappingProxyType({})
    ) -> Installed | None:
        """The bundle `name` where it is at work and whole, leftovers of other pulls removed.

        Args:
            signed: files of a release that must lie in it.
        """
        current = self.current or ""
        # What a repair appended is no part of the name.
        if REPAIR.sub("", current) != name or not self._is_whole(current, signed):
            return None
        return self._finished(current, "already current")

    def install(self, bundle: Bundle, progress: Progress | None = None) -> Installed:
        """Put a bundle in place and make it the current one, or change nothing.

        Args:
            progress: called after each block is written.

        Raises:
            BundleError: no room, a failing medium, a source that changed; says how much room is
                needed and which bundle still stands.
        """
        if (found := self.already_current(bundle.name, bundle.signed)) is not None:
            return found
        name, complete = self._place_for(bundle.name, bundle.signed)
        try:
            if not complete:
                self._write(bundle, name, progress)
            self._switch(name)
        except BaseException as exc:
            switched = self.current == name
            if not switched:
                self._take_back(name, complete)
            if not isinstance(exc, OSError):
                raise
            if switched:
                raise BundleError(
                    f"'{CURRENT}' is {name} now, but what follows a switch failed: {exc}. Pull "
                    "again to finish it"
                ) from exc
            raise self._failed(bundle, exc) from exc
        return self._finished(name, "switched" if complete else "installed")

    # --- writing ------------------------------------------------------------------------------

    def _place_for(self, base: str, signed: Mapping[str, bytes]) -> tuple[str, bool]:
        """A name under versions/ for the bundle, and whether it lies there complete already.

        A damaged one keeps its name until the switch: `current` may name it.
        """
        name, number = base, 1
        while os.path.lexists(self._target / VERSIONS / name):
            if self._is_whole(name, signed):
                return name, True
            number += 1
            name = f"{base}-r{number}"
        return name, False

    def _write(self, bundle: Bundle, name: str, progress: Progress | None) -> None:
        free = shutil.disk_usage(self._target).free
        if free < _needed(bundle):
            raise BundleError(self._no_room(bundle, free))
        hidden = temporary_path(self._target, LEFTOVER)
        work = hidden / name
        try:
            work.mkdir(parents=True)
            done = 0
            for file, content in bundle.contents.items():
                for size in copy(content, work / file):
                    done += size
                    if progress is not None:
                        progress(done, bundle.size_bytes)
            sync_tree(work)
            written = check_bundle(work)
            if not written.intact:
                raise BundleError(
                    f"what was written to {self._target} is not what was read: "
                    f"{', '.join((*written.changed, *written.missing, *written.problems))}. The "
                    f"medium may be failing; try another one. {self._standing()}"
                )
            work.rename(self._target / VERSIONS / name)
            sync_directory(self._target / VERSIONS)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def _failed(self, bundle: Bundle, exc: OSError) -> BundleError:
        if exc.errno in OUT_OF_SPACE:
            return BundleError(self._no_room(bundle, shutil.disk_usage(self._target).free))
        return BundleError(
            f"{bundle.name} could not be put into {self._target}: {exc.strerror or exc}"
            f"{f' ({exc.filename})' if exc.filename else ''}. {self._standing()}"
        )

    def _no_room(self, bundle: Bundle, free: int) -> str:
        return (
            f"{self._target} has no room for {bundle.name}: it needs {megabytes(_needed(bundle))} "
            f"beside the bundles that lie there, and {megabytes(free)} are free. Make room and "
            f"pull again. {self._standing()}"
        )

    def _standing(self) -> str:
        now = self.current
        return f"Nothing was changed: '{CURRENT}' is still {now or 'missing'}"

    # --- switching ----------------------------------------------------------------------------

    def _switch(self, name: str) -> None:
        """Steps 4 to 6."""
        before, kept = self.current, linked_name(self._target, PREVIOUS)
        # A damaged bundle is nothing to go back to.
        candidates = [each for each in (before, kept) if each and each != name]
        previous = next((each for each in candidates if self._check(each).intact), None)
        note = {"current": name, "previous": previous}
        replace_file(self._target, NOTE, json.dumps(note, ensure_ascii=False), LEFTOVER)
        _new_link(self._target, name).replace(self._target / CURRENT)
        sync_directory(self._target)
        self._set_previous(previous)

    def _take_back(self, name: str, complete: bool) -> None:
        """Remove what a pull that failed has made; the next one removes what can't be now."""
        with contextlib.suppress(OSError):
            (self._target / NOTE).unlink(missing_ok=True)
            if not complete and os.path.lexists(self._target / VERSIONS / name):
                remove(self._target / VERSIONS / name, self._target, LEFTOVER)
            self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        for entry in self._target.iterdir():
            if entry.name.startswith(OWN_PREFIX) and entry.name not in KEPT:
                remove(entry, self._target, LEFTOVER)

    def _mend(self) -> None:
        """Remove what a killed pull left, and do what was left of its switch."""
        self._remove_leftovers()
        note = self._target / NOTE
        if not os.path.lexists(note):
            return
        planned = self._planned(note)
        if planned is None:  # nobody can say what was planned: the links stay as they are
            logger.warning("%s could not be read and was removed; the links were left alone", note)
        elif planned[0] == self.current:
            self._set_previous(planned[1])
            self._remove_unnamed()
        remove(note, self._target, LEFTOVER)

    def _planned(self, note: Path) -> tuple[str, str | None] | None:
        """Names planned for `current` and `previous`; None where the note is not as we write it."""
        try:
            if note.is_symlink():
                return None
            planned = json.loads(note.read_text(encoding="utf-8"))
            current, previous = planned["current"], planned["previous"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if not self._lies_here(current) or not (previous is None or self._lies_here(previous)):
            return None
        return current, previous

    def _lies_here(self, name: object) -> bool:
        """True for the name of a directory under versions/ that leads nowhere else."""
        if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:
            return False
        place = self._target / VERSIONS / name
        return place.is_dir() and not place.is_symlink()

    def _set_previous(self, name: str | None) -> None:
        place = self._target / PREVIOUS
        if name:
            _new_link(self._target, name).replace(place)
        else:
            place.unlink(missing_ok=True)
        sync_directory(self._target)

    def _remove_unnamed(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Remove the bundles that neither link names; gives those removed and those not."""
        named = {linked_name(self._target, link) for link in (CURRENT, PREVIOUS)}
        removed, left = [], []
        for entry in sorted((self._target / VERSIONS).iterdir()):
            if entry.name not in named:
                try:
                    remove(entry, self._target, LEFTOVER)
                    removed.append(entry.name)
                except OSError:  # no reason to call a switch that is done a failure
                    left.append(entry.name)
        return tuple(removed), tuple(left)

    def _mark(self) -> None:
        versions = self._target / VERSIONS
        for place, kind in ((versions, Path.is_dir), (self._target / MARKER, Path.is_file)):
            if place.is_symlink() or (place.exists() and not kind(place)):
                raise ConfigurationError(
                    f"{place} is not what a pull makes there; name another directory"
                )
        for link in (CURRENT, PREVIOUS):
            place = self._target / link
            if place.exists() and not place.is_symlink():
                raise ConfigurationError(
                    f"{place} must be a link that a pull has made but is none; move it away"
                )
        if not (self._target / MARKER).exists():  # first: without it the rest looks foreign
            replace_file(self._target, MARKER, json.dumps({"format": 1}), LEFTOVER)
        versions.mkdir(exist_ok=True)

    def _is_whole(self, name: str, signed: Mapping[str, bytes]) -> bool:
        """Whether a bundle is intact, and signed so; one that was signed since is made anew."""
        if not self._check(name).intact:
            return False
        files = [(self._target / VERSIONS / name / each, signed[each]) for each in signed]
        return all(file.is_file() and file.read_bytes() == content for file, content in files)

    def _check(self, name: str) -> BundleCheck:
        return check_bundle(self._target / VERSIONS / name)

    def _finished(self, name: str, done: str) -> Installed:
        """Step 7."""
        removed, left = self._remove_unnamed()
        (self._target / NOTE).unlink(missing_ok=True)
        previous = linked_name(self._target, PREVIOUS)
        return Installed(name, self._target / CURRENT, done, previous, removed, left)


def _new_link(target: Path, name: str) -> Path:
    """A link to a bundle under a name of its own. Relative, so the directory may be moved."""
    link = temporary_path(target, LEFTOVER)
    link.symlink_to(f"{VERSIONS}/{name}")
    return link


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        where = f" ({exc.filename})" if exc.filename else ""
        raise BundleError(f"{what}: {exc.strerror or exc}{where}") from exc


def _needed(bundle: Bundle) -> int:
    return bundle.size_bytes + FILE_OVERHEAD_BYTES * (2 * len(bundle.contents) + 8)


def megabytes(size_bytes: int) -> str:
    """'5.4 MB', for people."""
    return f"{size_bytes / 1e6:.1f} MB"

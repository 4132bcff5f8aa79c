"""Copies of files that wait in a journal, with their sha256: made, sent, looked for there."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath

from ...support.files import BLOCK_BYTES, files_in, scratch_folder
from ...support.secrets.files import PRIVATE_FILE, make_private_folder
from ..names import artifact_path
from .journals.entries import Files, KeptFile, KeptFiles
from .server import NotArrivedError, ServerStore


def keep(source: Path, files_folder: Path) -> KeptFiles:
    """Copy a file, or a directory's content, onto the medium.

    Args:
        files_folder: where the journal keeps copies; a folder is made in it.

    Raises:
        OSError: it can't be read, or there is no room: nothing of it stays.
    """
    place = uuid.uuid4().hex
    folder = files_folder / place
    try:
        make_private_folder(folder)
        return KeptFiles(place, tuple(_copied(source, folder)))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _copied(source: Path, folder: Path) -> Iterator[KeptFile]:
    if source.is_file():
        yield _copy(source, folder, source.name)
        return
    for name in files_in(source):
        yield _copy(source / name, folder, name)


def _copy(path: Path, folder: Path, name: str) -> KeptFile:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with path.open("rb") as given, os.fdopen(number, "wb") as written:
        while block := given.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            written.write(block)
        written.flush()
        os.fsync(written.fileno())
    return KeptFile(name, digest.hexdigest(), size)


def restore(kept: KeptFiles, folder: Path, destination: Path) -> None:
    """Copy a journal's copies to where they are asked for, checked.

    Raises:
        OSError: one is not there, or not what it was: it was sent meanwhile, or is damaged.
    """
    for each in kept.files:
        if _copy(folder / each.path, destination, each.path) != each:
            raise OSError(f"{folder / each.path} is not what was kept")


def damaged(kept: KeptFiles, folder: Path) -> list[str]:
    """Names of copies that are missing or not what they were."""
    return [each.path for each in kept.files if _digest(folder / each.path) != each.sha256]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def upload(
    store: ServerStore, run_id: str, sent: Files, copies: Path, arrived: set[str]
) -> Iterator[str]:
    """Upload copies folder by folder; gives the names of those that the store shows it has.

    Args:
        copies: the folder they lie in.
        arrived: names of those that came there by an earlier try.

    Raises:
        TrackingError: the store can't be reached, or has not what was sent.
    """
    left = [each for each in sent.kept.files if each.path not in arrived]
    for parent, files in groupby(left, key=lambda each: PurePosixPath(each.path).parent):
        place = artifact_path(f"{sent.folder}/{parent}")
        of_folder = list(files)
        for each in of_folder:
            store.upload_file(run_id, copies / each.path, place)
        sizes = store.sizes(run_id, place)
        for each in of_folder:
            path = artifact_path(f"{sent.folder}/{each.path}")
            if not _is_there(store, run_id, each, path, sizes):
                raise NotArrivedError(f"'{path}' of run {run_id} is not there as it was sent")
            yield each.path


def _is_there(
    store: ServerStore, run_id: str, sent: KeptFile, path: str, sizes: Mapping[str, int | None]
) -> bool:
    """Whether the size is that of the copy, or where the store names none, the content is."""
    if path not in sizes:
        return False
    if (size := sizes[path]) is not None:
        return size == sent.size
    with scratch_folder("guardianflow-sent-") as scratch:
        return _digest(store.download(run_id, path, scratch)) == sent.sha256

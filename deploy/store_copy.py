"""Backs up and restores the databases and the artifacts of a store; compares every byte's hash.

    python store_copy.py backup  DIR --database URL --artifacts PLACE
    python store_copy.py check   DIR
    python store_copy.py restore DIR --database URL --artifacts PLACE [--over]

    URL     postgresql://USER@HOST/NAME (password in PGPASSWORD) or sqlite:////FILE; repeatable
    PLACE   s3://BUCKET (server and key as for boto3) or a directory

Databases first, artifacts after them: a run's artifacts are there before it names them, so whatever
the copy of the database names is in the copy of the artifacts. Nothing needs to be stopped.

    DIR/databases/NAME.dump    pg_dump's own format, or the SQLite file
    DIR/artifacts/…            as they lie in the bucket or directory
    DIR/*.sha256               written last, as `sha256sum` does; without it there is no copy

Python's own library is enough; artifacts in S3 want boto3.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

BLOCK = 1 << 20


class CopyError(Exception):
    """Something can't be copied, or is not what it was."""


# --- databases ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Database:
    """A database.

    Args:
        url: see the module.
        command: put before PostgreSQL's programs: 'docker compose exec -T postgres'.
    """

    url: str
    command: Sequence[str] = ()

    @property
    def sqlite_file(self) -> Path | None:
        prefix = "sqlite:///"
        return Path(unquote(self.url[len(prefix) :])) if self.url.startswith(prefix) else None

    @property
    def name(self) -> str:
        file = self.sqlite_file
        return file.name if file else urlsplit(self.url).path.strip("/")

    def back_up(self, target: Path) -> None:
        if file := self.sqlite_file:
            if not file.is_file():
                raise CopyError(f"there is no database {file}")
            with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as to:
                source.backup(to)
            return
        with target.open("wb") as stream:
            self._run(["pg_dump", "--format=custom", "--no-owner"], stdout=stream)

    def restore(self, source: Path, over: bool) -> None:
        if file := self.sqlite_file:
            if file.exists() and not over:
                raise CopyError(f"{file} is there already; --over replaces it")
            for beside in ("-wal", "-shm"):
                file.with_name(file.name + beside).unlink(missing_ok=True)
            draft = file.with_name(file.name + ".draft")
            shutil.copyfile(source, draft)
            draft.replace(file)
            return
        if not over and self._tables():
            raise CopyError(f"database {self.name} has tables already; --over replaces them")
        # All or nothing, of tables that are there too.
        words = ["pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction"]
        with source.open("rb") as stream:
            self._run(words, stdin=stream)

    def _tables(self) -> bool:
        query = "select count(*) from information_schema.tables where table_schema = 'public'"
        found = self._run(["psql", "--no-align", "--tuples-only", "--command", query])
        return found.strip() != b"0"

    def _run(self, words: Sequence[str], **streams: Any) -> bytes:
        parts = urlsplit(self.url)
        scheme = parts.scheme.partition("+")[0]  # SQLAlchemy names the driver behind a plus
        login, at, host = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        address = f"{scheme}://{user}{at}{host}{parts.path}"
        known = {"PGPASSWORD": unquote(password)} if password else {}
        done = subprocess.run(
            [*self.command, *words, f"--dbname={address}"],
            env={**os.environ, **known},
            stderr=subprocess.PIPE,
            check=False,
            **({"stdout": subprocess.PIPE} | streams),
        )
        if done.returncode:
            raise CopyError(f"{words[0]} of {self.name}: {done.stderr.decode().strip()[-500:]}")
        return bytes(done.stdout or b"")


# --- artifacts ------------------------------------------------------------------------------------


class Bucket:
    """Artifacts in S3."""

    def __init__(self, name: str) -> None:
        import boto3

        self.name = name
        self.client = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"))

    def names(self) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", []))

    def fetch(self, key: str, target: BinaryIO) -> None:
        self.client.download_fileobj(self.name, key, target)

    def store(self, key: str, source: Path) -> None:
        self.client.upload_file(str(source), self.name, key)


class Folder:
    """Artifacts in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> Iterator[str]:
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                yield path.relative_to(self.root).as_posix()

    def fetch(self, key: str, target: BinaryIO) -> None:
        with (self.root / key).open("rb") as source:
            shutil.copyfileobj(source, target, BLOCK)

    def store(self, key: str, source: Path) -> None:
        place = self.root / key
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.name}.draft")
        shutil.copyfile(source, draft)
        draft.replace(place)


def artifacts_at(place: str) -> Bucket | Folder:
    parts = urlsplit(place)
    return Bucket(parts.netloc) if parts.scheme == "s3" else Folder(Path(place))


def back_up_artifacts(source: Bucket | Folder, target: Path) -> None:
    for key in source.names():
        path = target / inside(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            source.fetch(key, stream)


def restore_artifacts(source: Path, target: Bucket | Folder, over: bool) -> None:
    if not over and (there := next(target.names(), None)) is not None:
        raise CopyError(f"there are artifacts already ({there}, …); --over writes among them")
    for path in files_below(source):
        key = path.relative_to(source).as_posix()
        target.store(key, path)
        # What the store says it has is read again: it may keep other bytes than it was given.
        again = source.parent / ".read-again"
        with again.open("wb") as stream:
            target.fetch(key, stream)
        same = digest(again) == digest(path)
        again.unlink()
        if not same:
            raise CopyError(f"{key} is not what was stored: see `guardianflow config check`")


def inside(key: str) -> PurePosixPath:
    """The key as a path below a directory."""
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise CopyError(f"an artifact's key must be a path below its bucket but got '{key}'")
    return path


# --- hashes ---------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def sums_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ".sha256")


def write_sums(folder: Path) -> int:
    """Hash what lies there; the list is whole or absent."""
    lines = [
        f"{digest(path)}  {path.relative_to(folder.parent).as_posix()}\n"
        for path in files_below(folder)
    ]
    draft = sums_of(folder).with_suffix(".draft")
    draft.write_text("".join(lines), encoding="utf-8")
    draft.replace(sums_of(folder))
    return len(lines)


def check(folder: Path) -> int:
    """Compare everything with its hash; how many files there are.

    Raises:
        CopyError: a file is missing, more, or other than it was.
    """
    if not sums_of(folder).is_file():
        raise CopyError(f"{sums_of(folder)} is missing: this copy was never finished")
    known = {}
    for line in sums_of(folder).read_text(encoding="utf-8").splitlines():
        digested, _, name = line.partition("  ")
        known[folder.parent / inside(name)] = digested
    there = set(files_below(folder))
    wrong = [f"{path} is missing" for path in sorted(known.keys() - there)]
    wrong += [f"{path} is not of this copy" for path in sorted(there - known.keys())]
    wrong += [f"{path} has changed" for path in sorted(there & known.keys())
              if digest(path) != known[path]]  # fmt: skip
    if wrong:
        raise CopyError("; ".join(wrong[:10]))
    return len(known)


# --- the command ----------------------------------------------------------------------------------


def back_up(folder: Path, databases: Iterable[Database], artifacts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if databases := list(databases):
        _into_new(folder / "databases", lambda target: [
            each.back_up(target / f"{each.name}.dump") for each in databases])  # fmt: skip
    if artifacts:
        place = artifacts_at(artifacts)
        _into_new(folder / "artifacts", lambda target: back_up_artifacts(place, target))


def _into_new(target: Path, fill: Callable[[Path], object]) -> None:
    if target.exists():
        raise CopyError(f"{target} is there already: name a new directory for each copy")
    target.mkdir(mode=0o700)
    fill(target)
    print(f"{target}: {write_sums(target)} files")


def restore(folder: Path, databases: Iterable[Database], artifacts: str, over: bool) -> None:
    """Artifacts first: nothing may name what is not there yet."""
    databases = list(databases)
    for wanted, name in ((databases, "databases"), (artifacts, "artifacts")):
        if wanted:
            check(folder / name)
    if artifacts:
        restore_artifacts(folder / "artifacts", artifacts_at(artifacts), over)
    for each in databases:
        each.restore(folder / "databases" / f"{each.name}.dump", over)
    print(f"{folder}: restored")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Back up or restore a store of runs.")
    parser.add_argument("what", choices=("backup", "check", "restore"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database", action="append", default=[], metavar="URL")
    parser.add_argument("--artifacts", default="", metavar="PLACE")
    parser.add_argument("--over", action="store_true", help="restore over what is there")
    parser.add_argument("--postgres-command", default="", metavar="WORDS")
    asked = parser.parse_args(words)
    command = tuple(shlex.split(asked.postgres_command))
    databases = [Database(url, command) for url in asked.database]
    if asked.what != "check" and not (databases or asked.artifacts):
        parser.error("name --database, --artifacts or both")
    if asked.what == "check" and not asked.folder.is_dir():
        parser.error(f"there is no directory {asked.folder}")
    try:
        if asked.what == "backup":
            back_up(asked.folder, databases, asked.artifacts)
        elif asked.what == "restore":
            restore(asked.folder, databases, asked.artifacts, asked.over)
        else:
            for part in (asked.folder / "databases", asked.folder / "artifacts"):
                if part.exists():
                    print(f"{part}: {check(part)} files as they were")
    except (CopyError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

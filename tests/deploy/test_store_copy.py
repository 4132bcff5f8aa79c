"""A copy of a store comes back byte for byte; a damaged one touches nothing."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from team_servers import BUCKET, postgres_cluster, s3_server

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def copy(repository: Path) -> Run:
    """Call deploy/store_copy.py."""

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(repository / "deploy/store_copy.py"), *map(str, words)],
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A SQLite file and a directory of artifacts."""
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (name TEXT)")
        database.executemany("INSERT INTO runs VALUES (?)", [("부산",), ("서울",)])
        database.commit()
    artifacts = tmp_path / "mlruns/1/run/artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "가중치 best.pt").write_bytes(os.urandom(300_000))
    (artifacts / "empty.txt").touch()
    return tmp_path


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows(file: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT name FROM runs").fetchall()


def test_a_laptop_s_store_comes_back(store: Path, copy: Run, tmp_path: Path) -> None:
    place = ("--database", f"sqlite:///{store / 'mlflow.db'}", "--artifacts", store / "mlruns")
    before = hashes(store / "mlruns")
    backup = tmp_path / "backup"
    made = copy("backup", backup, *place)
    assert made.returncode == 0, made.stderr
    # The list is what sha256sum reads, too.
    listed = subprocess.run(["sha256sum", "--check", "--quiet", "artifacts.sha256"], cwd=backup)
    assert listed.returncode == 0
    assert copy("backup", backup, *place).returncode == 1  # a copy is never written over
    refused = copy("restore", backup, *place)
    assert refused.returncode == 1
    assert "--over" in refused.stderr
    for path in ("mlflow.db", "mlflow.db-wal", "mlflow.db-shm"):
        (store / path).unlink(missing_ok=True)
    subprocess.run(["rm", "-r", str(store / "mlruns")], check=True)
    back = copy("restore", backup, *place)
    assert back.returncode == 0, back.stderr
    assert hashes(store / "mlruns") == before
    assert rows(store / "mlflow.db") == [("부산",), ("서울",)]


@pytest.mark.parametrize("damage", ["changed", "missing", "more", "unfinished"])
def test_a_damaged_copy_touches_nothing(
    damage: str, store: Path, copy: Run, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    assert copy("backup", backup, "--artifacts", store / "mlruns").returncode == 0
    weights = next((backup / "artifacts").rglob("*.pt"))
    if damage == "changed":
        content = bytearray(weights.read_bytes())
        content[1000] ^= 1
        weights.write_bytes(content)
    elif damage == "missing":
        weights.unlink()
    elif damage == "more":
        weights.with_name("more.pt").touch()
    else:
        (backup / "artifacts.sha256").unlink()
    target = tmp_path / "restored"
    told = copy("restore", backup, "--artifacts", target)
    assert told.returncode == 1
    assert str(backup) in told.stderr
    assert not target.exists()
    assert copy("check", backup).returncode == 1


def test_bad_input_is_refused(copy: Run, tmp_path: Path) -> None:
    assert copy("backup", tmp_path / "a").returncode == 2
    assert copy("check", tmp_path / "nothing").returncode == 2
    gone = copy("backup", tmp_path / "b", "--database", f"sqlite:///{tmp_path / 'none.db'}")
    assert (gone.returncode, "there is no database" in gone.stderr) == (1, True)
    listing = tmp_path / "c/artifacts"
    listing.mkdir(parents=True)
    (tmp_path / "c/artifacts.sha256").write_text(f"{'0' * 64}  ../../etc/passwd\n")
    assert "must be a path below" in copy("check", tmp_path / "c").stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_s_databases_and_bucket_come_back(store: Path, copy: Run, tmp_path: Path) -> None:
    with postgres_cluster() as postgres, s3_server(tmp_path) as s3:
        postgres.create("mlflow_auth")
        for database in ("mlflow", "mlflow_auth"):
            made = f"CREATE TABLE runs (name TEXT); INSERT INTO runs VALUES ('{database} 부산')"
            postgres.run("psql", "-d", database, "-c", made)
        client = s3.client()
        for path in (store / "mlruns").rglob("*"):
            if path.is_file():
                client.upload_file(str(path), BUCKET, path.relative_to(store).as_posix())
        urls = [postgres.url(name) for name in ("mlflow", "mlflow_auth")]
        place = ["--database", urls[0], "--database", urls[1], "--artifacts", f"s3://{BUCKET}"]
        known = {
            **postgres.environment,
            **s3.environment,
            "PATH": f"{postgres.programs}:{os.environ['PATH']}",
        }
        backup = tmp_path / "backup"
        made = copy("backup", backup, *place, **known)
        assert made.returncode == 0, made.stderr
        refused = copy("restore", backup, *place, **known)
        assert (refused.returncode, "--over" in refused.stderr) == (1, True)
        # Wiped: rows are lost, a file is another one, another is gone.
        for database in ("mlflow", "mlflow_auth"):
            postgres.run("psql", "-d", database, "-c", "DROP TABLE runs")
        keys = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
        for key in keys:
            client.delete_object(Bucket=BUCKET, Key=key)
        back = copy("restore", backup, *place, **known)
        assert back.returncode == 0, back.stderr
        for database in ("mlflow", "mlflow_auth"):
            found = postgres.run("psql", "-d", database, "-tAc", "SELECT name FROM runs").stdout
            assert found == f"{database} 부산\n"
        for path in (store / "mlruns").rglob("*"):
            if path.is_file():
                key = path.relative_to(store).as_posix()
                assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == path.read_bytes()

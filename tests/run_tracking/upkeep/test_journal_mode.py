"""Many processes write into one SQLite file: all stands once, none fails, a copy is whole."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.alias_store import MlflowAliasStore
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.upkeep import journal_mode
from guardianflow.run_tracking.upkeep.journal_mode import (
    bring_in_log,
    file_system,
    prepare_for_writers,
)

WRITERS, POINTS = 16, 12
HELPER = Path(__file__).parents[2] / "helpers" / "many_writers.py"
EXPERIMENT = "donghwa/busan-plant1/full"


def mode_of(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        return str(mode)


def asked(database: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(question).fetchall()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database without a log, with a row."""
    path = tmp_path / "현장 a" / "runs.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE run (id)")
        connection.execute("INSERT INTO run VALUES (1)")
        connection.commit()
    return path


@pytest.fixture
def lies_on(monkeypatch: pytest.MonkeyPatch) -> object:
    def lies(kind: str) -> None:
        monkeypatch.setattr(journal_mode, "file_system", lambda _: kind)

    return lies


def write_all(uri: str, home: Path) -> None:
    """Have 16 processes write at once; the shared run, where there is one, too."""
    ended = subprocess.run(
        [sys.executable, str(HELPER), uri, str(home), str(WRITERS), str(POINTS)],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == WRITERS


def check_all(uri: str, tmp_path: Path, rounds: int = 1) -> None:
    """Each writer's run stands once in each round, with every point, tag and file of its own."""
    store, database = MlflowStore(uri), Path(uri.removeprefix("sqlite:///"))
    runs = [run for run in store.find_runs(experiment_name=EXPERIMENT) if "writer" in run.tags]
    numbers = [run.tags["writer"] for run in runs]
    assert sorted(numbers) == sorted(list(map(str, range(WRITERS))) * rounds)
    expected = [("loss", step, step) for step in range(POINTS)]
    expected += [("mAP50", step, -step) for step in range(POINTS)]
    for run in runs:
        number = run.tags["writer"]
        assert run.status == "FINISHED"
        assert run.params == {"number": number}
        assert {run.tags.get(f"tag{step}") for step in range(POINTS)} == {number}
        points = asked(
            database, f"SELECT key, step, value FROM metrics WHERE run_uuid = '{run.run_id}'"
        )
        assert sorted(points) == sorted(expected)
        got = store.download(run.run_id, f"logs/{number}.txt", tmp_path / run.run_id)
        assert got.read_text() == number
    assert asked(database, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.slow
def test_sixteen_processes_on_a_database_that_nobody_has_made_lose_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    write_all(uri, tmp_path)
    assert mode_of(tmp_path / "new" / "mlflow.db") == "wal"
    check_all(uri, tmp_path)
    (tmp_path / "again").mkdir()
    write_all(uri, tmp_path / "again")
    check_all(uri, tmp_path / "again", rounds=2)


@pytest.mark.slow
def test_sixteen_processes_on_one_run_lose_none_of_its_points(
    sqlite_uri: str, tmp_path: Path
) -> None:
    store = MlflowStore(sqlite_uri)
    shared = store.start_run(RunRequest(EXPERIMENT, "shared"))
    (tmp_path / "shared").write_text(shared)
    write_all(sqlite_uri, tmp_path)
    run, all_of_them = store.get_run(shared), range(WRITERS * POINTS)
    assert run.metrics["loss"] == max(all_of_them)
    assert all(run.tags[f"tag{place}"] == str(place) for place in all_of_them)
    path = Path(sqlite_uri.removeprefix("sqlite:///"))
    found = asked(path, f"SELECT step FROM metrics WHERE run_uuid = '{shared}'")
    assert sorted(found) == [(place,) for place in all_of_them]


def test_a_local_file_gets_a_log_and_keeps_its_rows(database: Path) -> None:
    prepare_for_writers(database)
    assert mode_of(database) == "wal"
    prepare_for_writers(database)
    assert asked(database, "SELECT * FROM run") == [(1,)]


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "virtiofs", "odd", ""])
def test_on_a_network_no_log_is_begun(database: Path, lies_on: object, kind: str) -> None:
    lies_on(kind)  # type: ignore[operator]
    prepare_for_writers(database)
    assert mode_of(database) == "delete"


def test_a_file_that_came_to_a_network_with_a_log_loses_it(database: Path, lies_on: object) -> None:
    prepare_for_writers(database)
    lies_on("nfs4")  # type: ignore[operator]
    prepare_for_writers(database)
    assert mode_of(database) == "delete"
    assert asked(database, "SELECT * FROM run") == [(1,)]


def test_what_its_owner_chose_on_an_unknown_file_system_stays(
    database: Path, lies_on: object
) -> None:
    prepare_for_writers(database)
    lies_on("odd")  # type: ignore[operator]
    prepare_for_writers(database)
    assert mode_of(database) == "wal"


def test_a_file_that_somebody_is_at_stays_as_it_is(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_mode, "PATIENCE_S", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        prepare_for_writers(database)
        other.execute("COMMIT")
    assert mode_of(database) == "delete"
    prepare_for_writers(database)
    assert mode_of(database) == "wal"


def test_a_copy_of_the_file_alone_is_whole_once_the_log_is_brought_in(
    database: Path, tmp_path: Path
) -> None:
    prepare_for_writers(database)
    with closing(sqlite3.connect(database)) as other:  # keeps the log from being removed
        other.execute("INSERT INTO run VALUES (2)")
        other.commit()
        shutil.copy(database, tmp_path / "before.db")
        bring_in_log(database)
        shutil.copy(database, tmp_path / "after.db")
    assert asked(tmp_path / "before.db", "SELECT * FROM run") == [(1,)]
    assert asked(tmp_path / "after.db", "SELECT * FROM run") == [(1,), (2,)]


def test_bringing_in_the_log_waits_for_nobody_and_makes_no_file(
    database: Path, tmp_path: Path
) -> None:
    prepare_for_writers(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO run VALUES (2)")
        bring_in_log(database)
        other.execute("COMMIT")
    assert asked(database, "SELECT * FROM run") == [(1,), (2,)]
    bring_in_log(tmp_path / "gone.db")
    assert not (tmp_path / "gone.db").exists()


def test_while_a_store_is_used_a_copy_lacks_half_a_minute_at_most(
    sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, path = MlflowStore(sqlite_uri), Path(sqlite_uri.removeprefix("sqlite:///"))
    run_id = store.start_run(RunRequest(EXPERIMENT, "x"))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 31)
    store.log_metrics(run_id, {"a": 1.0})
    shutil.copy(path, tmp_path / "copy.db")
    assert asked(tmp_path / "copy.db", "SELECT key, value FROM metrics") == [("a", 1.0)]


def test_what_a_killed_process_left_in_the_log_is_brought_in_when_it_is_opened(
    database: Path, tmp_path: Path
) -> None:
    prepare_for_writers(database)
    with closing(sqlite3.connect(database)) as killed:
        killed.execute("INSERT INTO run VALUES (2)")
        killed.commit()
        for end in ("", "-wal", "-shm"):  # as it lay when it was killed
            shutil.copy(f"{database}{end}", f"{tmp_path / 'left.db'}{end}")
    prepare_for_writers(tmp_path / "left.db")
    shutil.copy(tmp_path / "left.db", tmp_path / "copy.db")
    assert asked(tmp_path / "copy.db", "SELECT * FROM run") == [(1,), (2,)]


USE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT key, value FROM metrics ORDER BY key").fetchall(), flush=True)
connection.close()
"""


def test_stores_that_are_opened_beside_take_no_lock_of_the_first_away(sqlite_uri: str) -> None:
    """Else another process, thinking itself the last one, would remove the log under it."""
    first, path = MlflowStore(sqlite_uri), sqlite_uri.removeprefix("sqlite:///")
    run_id = first.start_run(RunRequest(EXPERIMENT, "x"))

    def seen() -> str:
        return subprocess.check_output([sys.executable, "-c", USE, path], text=True)

    for value in (1.0, 2.0):
        MlflowStore(sqlite_uri)
        MlflowAliasStore(sqlite_uri)
        seen()
        assert Path(f"{path}-wal").exists(), "the first store is at work"
        first.log_metrics(run_id, {f"a{value:.0f}": value})
    assert seen() == "[('a1', 1.0), ('a2', 2.0)]\n"


LEFT = """
import os, sys
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.support.large_libraries import end_process
print(MlflowStore(sys.argv[1]).start_run(RunRequest("a/b/c", "x")), flush=True)
end_process(0)
"""


@pytest.mark.slow
def test_a_process_that_ends_leaves_a_file_that_can_be_copied(
    sqlite_uri: str, tmp_path: Path
) -> None:
    """Also one that ends without telling its objects, as stages do."""
    ended = subprocess.run(
        [sys.executable, "-c", LEFT, sqlite_uri], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    shutil.copy(sqlite_uri.removeprefix("sqlite:///"), tmp_path / "copy.db")
    found = asked(tmp_path / "copy.db", "SELECT run_uuid FROM runs")
    assert found == [(ended.stdout.strip(),)]


def test_the_file_system_is_that_of_the_innermost_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b" / "c").mkdir(parents=True)
    place = str(tmp_path).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw\n"
        f"22 21 0:50 / {place}/a\\040b rw,relatime shared:2 - nfs4 server:/home rw\n"
        f"23 21 0:51 / {place}/a\\040b/c rw - fuse.sshfs host: rw\n"
        f"24 21 0:52 / {place}/a\\040b/c rw - xfs /dev/sdb rw\n"
    )
    monkeypatch.setattr(journal_mode, "_MOUNTS", mounts)
    assert file_system(tmp_path / "runs.db") == "ext4"
    assert file_system(tmp_path / "a b" / "runs.db") == "nfs4"
    assert file_system(tmp_path / "a b" / "c" / "runs.db") == "xfs"
    (tmp_path / "link").symlink_to(tmp_path / "a b")
    assert file_system(tmp_path / "link" / "runs.db") == "nfs4"
    monkeypatch.setattr(journal_mode, "_MOUNTS", tmp_path / "none")
    assert file_system(tmp_path) == ""

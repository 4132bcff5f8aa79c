"""Two machines work on one sweep whose study is in PostgreSQL; either may die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sweeps_at_work import (
    TRAINING,
    at_work,
    command,
    ended_well,
    runs_of,
    training_now,
    wait_until,
    workers,
    write_code,
    write_scenario,
)
from team_servers import Postgres, postgres_cluster
from workplace import Workplace, last_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def machines(workplace: Workplace, postgres: Postgres) -> tuple[Workplace, Workplace]:
    """Two with one store of runs and one database, and work directories of their own."""
    url = postgres.url("mlflow", password=True)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS guardianflow_sweeps CASCADE")
    workplace.environment["GUARDIANFLOW_SWEEP_STORE"] = url
    other = replace(
        workplace, work_dir=workplace.root / "other", environment=dict(workplace.environment)
    )
    other.work_dir.mkdir()
    for each in ("datasets", "probes"):
        (other.work_dir / each).symlink_to((workplace.work_dir / each).resolve())
    return workplace, other


def written(workplace: Workplace) -> tuple[Path, Path]:
    text = TRAINING.format(rates=[0.001, 0.002, 0.003]).replace("parallel: 2", "parallel: 1")
    return write_scenario(workplace, text), write_code(workplace)


def test_two_machines_share_six_trials_and_one_of_them_is_killed(
    machines: tuple[Workplace, Workplace],
) -> None:
    first, other = machines
    file, code = written(first)
    begun = first.start(*command(file, "-e", code, "--json"))
    wait_until(begun, lambda: at_work(first))
    parent = runs_of(first)[0].run_id
    joined = other.start(*command(file, "-e", code, "--join", parent))
    wait_until(joined, lambda: len(workers(joined)) == 1)
    wait_until(joined, lambda: ended_well(first) >= 2 and bool(training_now(other)))
    os.kill(joined.pid, signal.SIGKILL)
    joined.communicate()
    told, errors = begun.communicate(timeout=1200)
    assert begun.returncode == 0, errors
    result = last_json(told)
    assert (result["completed_runs"], result["total_runs"]) == (6, 6)
    assert result["best_metric"] == pytest.approx(4 * 0.003)
    run, trials = runs_of(first)
    done = [each for each in trials if each.status == "FINISHED"]
    assert sorted(int(each.tags["sweep.index"]) for each in done) == list(range(6))
    assert run.status == "FINISHED"
    assert not [each for each in trials if each.status == "RUNNING"]
    assert (run.tags["sweep.study"]).startswith("postgresql")
    assert "password-of-a-test" not in run.tags["sweep.study"]


def test_the_first_machine_dies_and_another_one_ends_the_sweep(
    machines: tuple[Workplace, Workplace],
) -> None:
    first, other = machines
    file, code = written(first)
    refused = other.run(*command(file, "-e", code, "--join", "0" * 32))
    assert refused.returncode == 2
    begun = first.start(*command(file, "-e", code))
    wait_until(begun, lambda: ended_well(first) >= 2)
    parent = runs_of(first)[0].run_id
    os.kill(begun.pid, signal.SIGKILL)
    begun.communicate()
    done = other.run(*command(file, "-e", code, "--resume", parent, "--json"), timeout=1200)
    assert done.returncode == 0, done.stderr
    assert last_json(done.stdout)["completed_runs"] == 6
    assert runs_of(first)[0].status == "FINISHED"

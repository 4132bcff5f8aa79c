"""Workers that log through MLflow's server at once: nothing is lost, and how long a batch takes.

PLACE lost   points that are not in the store afterwards, ÷ those that were logged
PLACE p99    the 99th percentile of a batch's time ÷ the goal of 1 s
PLACE rate   points a second of all workers ÷ those of one worker alone, in the same minute

Each worker is a process with a run of its own, which logs batches of 50 metrics one after the
other, as a training without the spool does. PLACE is PostgreSQL with S3 behind the compose file's
server (tests/helpers/team_servers.py), with 32 workers, and a SQLite file behind `mlflow server`,
with 16. A batch that the server refuses is tried again by mlflow itself; its time counts whole.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.verdict import Goal, conclude_all
from guardianflow.contracts.results import MetricPoint, RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from pipelines.settings import PROJECT_ROOT

BATCH = 50
P99_GOAL_S = 1.0
WORKERS = {"postgresql": 32, "sqlite": 16}
EXPERIMENT = "load/busan-plant1/full"


@dataclass(frozen=True)
class Logged:
    """What a worker did, as it says itself."""

    run_id: str
    batches: int
    took_s: Sequence[float]


def work(uri: str, seconds: float) -> None:
    """Log until the time is over, and print what was done; the process of one worker."""
    store = MlflowStore(uri)
    run_id = store.start_run(RunRequest(EXPERIMENT, f"worker-{os.getpid()}"))
    print("ready", flush=True)
    sys.stdin.readline()
    took: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        step, now_ms = len(took) + 1, int(time.time() * 1000)
        points = [MetricPoint(f"load.{i}", step + i / BATCH, step, now_ms) for i in range(BATCH)]
        began = time.perf_counter()
        store.log_points(run_id, points)
        took.append(time.perf_counter() - began)
    store.end_run(run_id)
    print(json.dumps({"run_id": run_id, "batches": len(took), "took_s": took}), flush=True)


def run_workers(uri: str, count: int, seconds: float, settings: Mapping[str, str]) -> list[Logged]:
    """Start them, let all go at once, and take what they say."""
    command = [sys.executable, "-m", "benchmarks.server_load", "--work", uri]
    workers = [
        subprocess.Popen(
            [*command, "--seconds", str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT_ROOT,
            env={**os.environ, **settings},
        )
        for _ in range(count)
    ]
    try:
        for each in workers:
            assert each.stdout is not None
            if each.stdout.readline().strip() != "ready":
                raise SystemExit("a worker could not begin; its own words stand above")
        for each in workers:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        said = [each.communicate()[0].strip().splitlines()[-1:] for each in workers]
        if any(each.returncode for each in workers) or not all(said):
            raise SystemExit("a worker failed; its own words stand above")
        return [Logged(**json.loads(lines[0])) for lines in said]
    finally:
        for each in workers:
            if each.poll() is None:
                each.kill()
                each.wait()


def lost_share(uri: str, logged: Sequence[Logged]) -> float:
    """Points that are missing or doubled, of those that the workers logged; every step is asked."""
    store = MlflowStore(uri)
    client, wrong, points = store.connection.client, 0, 0
    for each in logged:
        wanted = list(range(1, each.batches + 1))
        points += each.batches * BATCH
        for i in range(BATCH):
            history = client.get_metric_history(each.run_id, f"load.{i}")
            found = sorted((point.step, point.value) for point in history)
            right = [(step, step + i / BATCH) for step in wanted]
            wrong += len(set(found) ^ set(right)) + abs(len(found) - len(set(found)))
    return wrong / points


@contextmanager
def server_of(place: str, folder: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The server's address, and the settings with which it is reached."""
    sys.path.insert(0, str(PROJECT_ROOT / "tests" / "helpers"))
    from mlflow_server import start_server
    from team_servers import team_server

    if place == "sqlite":
        with start_server(folder / "server.db", folder / "artifacts") as (url, _):
            yield url, {}
        return
    with team_server(folder, PROJECT_ROOT) as team:
        yield team.tracking_uri, team.settings


def measure(place: str, folder: Path, count: int, seconds: float) -> tuple[dict[str, Goal], object]:
    """The ratios of one place, and its figures."""
    with server_of(place, folder) as (uri, settings):
        os.environ.update(settings)
        alone = run_workers(uri, 1, min(seconds, 60.0), settings)
        logged = run_workers(uri, count, seconds, settings)
        lost = lost_share(uri, [*alone, *logged])
    took = np.concatenate([each.took_s for each in logged])
    p50, p99 = (float(value) for value in np.percentile(took, [50, 99]))
    rate = len(took) * BATCH / seconds
    rate_alone = alone[0].batches * BATCH / min(seconds, 60.0)
    goals = {
        f"{place} lost": Goal([lost], at_most=0.0),
        f"{place} p99": Goal([p99 / P99_GOAL_S], at_most=1.0),
        f"{place} rate": Goal([rate / rate_alone], at_least=1.0),
    }
    figures = {
        "workers": count,
        "seconds": seconds,
        "batches": len(took),
        "p50_ms": round(p50 * 1000, 1),
        "p99_ms": round(p99 * 1000, 1),
        "longest_ms": round(float(took.max()) * 1000, 1),
        "points_a_second": round(rate),
    }
    print(f"{place}: {figures}", flush=True)
    return goals, figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--place", choices=sorted(WORKERS), action="append")
    parser.add_argument("--quick", action="store_true", help="4 workers for 10 seconds each")
    parser.add_argument("--work", metavar="URI", help="be one worker, started by this benchmark")
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.seconds)
        return 0
    seconds = 10.0 if arguments.quick else arguments.seconds
    goals: dict[str, Goal] = {}
    figures: dict[str, object] = {}
    for place in arguments.place or sorted(WORKERS):
        with tempfile.TemporaryDirectory() as scratch:
            count = 4 if arguments.quick else WORKERS[place]
            found, figures[place] = measure(place, Path(scratch), count, seconds)
            goals |= found
    conditions = {"metrics_a_batch": BATCH, **figures}
    return conclude_all("server_load", goals, conditions=conditions)


if __name__ == "__main__":
    sys.exit(main())

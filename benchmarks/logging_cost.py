"""What logging costs a training: spooled beside synchronous, a dead server beside a live one.

blocked   time inside the calls that log, spooled ÷ `log_batch` at once, to one server
dead      a training under a server that refuses connections ÷ the same under the live one
hanging   the same under one that takes requests and never answers

The server is a real `mlflow server` behind a proxy that lets 50 ms pass before each request. A
training is work for one core, with 30 metrics after each batch. For the two last, both trainings
go on at once, by turns batch by batch, so that a busy machine's drift hits both. A training's time
is the median of its batches' work times their number, and all that its calls to log took. What a
start and an end may wait is in the line's conditions.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.verdict import Goal, by_turns, conclude_all
from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.results import MetricPoint, RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.spool.store import SpooledStore
from pipelines.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from faulty_proxy import FaultyProxy


LATENCY_S = 0.05
METRICS = 30
BLOCKED_GOAL, DEAD_GOAL = 1 / 50, 1.02
Store = SpooledStore | MlflowStore


class Training:
    """Work of a fixed size, whose batches are logged to a store."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._values = np.random.default_rng(0).random(300_000)
        self._work_s: list[float] = []
        self.blocked_s = 0.0
        began = time.perf_counter()
        self._run_id = store.start_run(RunRequest("benchmark", name))
        self.started_s = time.perf_counter() - began

    def batch(self) -> None:
        began = time.perf_counter()
        for _ in range(6):
            np.sort(np.sin(self._values))
        step, now_ms = len(self._work_s) + 1, int(time.time() * 1000)
        points = [MetricPoint(f"m.{i}", step / 7, step, now_ms) for i in range(METRICS)]
        logging = time.perf_counter()
        self._store.log_points(self._run_id, points)
        self.blocked_s += time.perf_counter() - logging
        self._work_s.append(logging - began)

    @property
    def took_s(self) -> float:
        return statistics.median(self._work_s) * len(self._work_s) + self.blocked_s

    def end(self) -> tuple[float, str]:
        """Seconds that the run's end took, and what is not sent by then."""
        began = time.perf_counter()
        self._store.end_run(self._run_id)
        left = self._store.settle()
        return time.perf_counter() - began, left


class Bench:
    """Trainings under servers that behave each in its way.

    Args:
        live: the proxy before the server.
        dead: another one, for outages.
    """

    def __init__(self, live: FaultyProxy, dead: FaultyProxy, folder: Path, batches: int) -> None:
        self._live, self._dead, self._folder, self._batches = live, dead, folder, batches
        self._direct = MlflowStore(live.url)
        self.waits: dict[str, float] = {}

    def spooled(self) -> float:
        with self._spooled(self._live, "live") as training:
            for _ in range(self._batches):
                training.batch()
        return training.blocked_s

    def synchronous(self) -> float:
        training = Training(self._direct, "synchronous")
        for _ in range(self._batches):
            training.batch()
        training.end()
        return training.blocked_s

    def dead_beside_live(self, mode: str) -> float:
        """One ratio."""
        self._dead.set(mode)
        with (
            self._spooled(self._dead, mode) as dead,
            self._spooled(self._live, "live") as live,
        ):
            for number in range(self._batches):
                for each in (dead, live) if number % 2 else (live, dead):
                    each.batch()
        self._dead.set("pass")
        print(f"{mode}: {dead.took_s:.2f} s / {live.took_s:.2f} s", flush=True)
        return dead.took_s / live.took_s

    @contextmanager
    def _spooled(self, proxy: FaultyProxy, name: str) -> Iterator[Training]:
        # A spool of its own: what an outage has left is not to be sent in the next one's time.
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            store = SpooledStore(Path(folder), proxy.url, runtime_of, lambda _text: None)
            try:
                training = Training(store, name)
                yield training
                took_s, left = training.end()
                if name == "live" and left:
                    raise SystemExit(f"the live server should have all, but: {left}")
                self._note(f"{name}_start_s", training.started_s)
                self._note(f"{name}_end_s", took_s)
            finally:
                store.close()

    def _note(self, name: str, seconds: float) -> None:
        self.waits[name] = round(max(seconds, self.waits.get(name, 0.0)), 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="few and short, to see it work")
    arguments = parser.parse_args()
    sys.path.insert(0, str(PROJECT_ROOT / "tests" / "helpers"))
    from faulty_proxy import DOWN, HANG, faulty_proxy
    from mlflow_server import start_server

    pairs, batches = (2, 40) if arguments.quick else (arguments.pairs, arguments.batches)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (
            start_server(folder / "server.db", folder / "artifacts") as (url, _),
            faulty_proxy(url) as live,
            faulty_proxy(url) as dead,
        ):
            live.delay_s = dead.delay_s = LATENCY_S
            bench = Bench(live, dead, folder, batches)
            bench.spooled()  # libraries loaded, the experiment made
            blocked = by_turns(pairs, bench.spooled, bench.synchronous)
            goals = {
                "blocked": Goal(blocked, at_most=BLOCKED_GOAL),
                **{
                    name: Goal(
                        [bench.dead_beside_live(mode) for _ in range(pairs)], at_most=DEAD_GOAL
                    )
                    for name, mode in (("dead", DOWN), ("hanging", HANG))
                },
            }
    conditions = {
        "latency_ms": LATENCY_S * 1000,
        "batches": batches,
        "metrics_a_batch": METRICS,
        "longest_waits": bench.waits,
    }
    return conclude_all("logging_cost", goals, conditions=conditions)


if __name__ == "__main__":
    sys.exit(main())

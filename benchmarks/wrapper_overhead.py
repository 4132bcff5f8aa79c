"""What wrapping costs a script that nobody may change: the same script bare and wrapped, by turns.

training   matrix products on all cores, a table and a progress bar that grow each epoch
flood      100,000 printed lines a second beside the same work
cost       processor time of our own process in both, on which other programs' load tells little
memory     how far our own process grows while the flood goes on

Wrapped: `run_wrapped` in a real SQLite MLflow store, from the lock to the run's end: the snapshot
of the directory, the script, metrics and log brought while it runs, what it wrote uploaded.
Bare: the script alone, its output thrown away. The libraries are loaded before the clock starts;
the script writes no weights, so that no model is packaged.

A ratio is wrapped ÷ (1.02 × bare + 1 s), of the cost ours ÷ (0.02 × the script's + 1 s); the
goal is 1 at most, and for memory 200 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.verdict import Goal, conclude_all
from pipelines.settings import Settings
from pipelines.wiring import Ports, connect
from pipelines.wrap.plan import WrapPlan, WrapRequest, make_plan
from pipelines.wrap.run import run_wrapped

FACTOR, CONSTANT_S = 1.02, 1.0
MEMORY_MB = 200.0
LINES_A_SECOND = 100_000

REGISTRY = """
experiments:
  bench:
    path: bench
    site: {customer: bench, region: none}
    task: {type: ppe}
    entry_points:
      train:
        default: train.py
        args_template: "{epochs} {products} {lines}"
"""
SCRIPT = """
import sys, time
import numpy as np
epochs, products, lines = map(int, sys.argv[1:])
a = np.random.default_rng(0).random((700, 700))
with open("results.csv", "w") as table:
    table.write("epoch,train/box_loss,metrics/mAP50(B)\\n")
    for epoch in range(1, epochs + 1):
        for i in range(products):
            a @ a
            print(f"\\r{i}/{products} loss={1 / epoch}", end="", flush=True)
        print()
        began = time.perf_counter()
        for block in range(0, lines, 1000):
            for i in range(1000):
                print(f"iter {block + i} loss={i / 7:.5f}")
            # Printed at the pace, not in one go.
            ahead = block / LINES_A_SECOND - (time.perf_counter() - began)
            if ahead > 0:
                time.sleep(ahead)
        table.write(f"{epoch},{4 / epoch},{epoch / (epoch + 1)}\\n")
        table.flush()
"""


class Overhead:
    """Both ways of running the script in one directory."""

    def __init__(self, folder: Path) -> None:
        self._directory = folder / "bench"
        self._directory.mkdir()
        code = SCRIPT.replace("LINES_A_SECOND", str(LINES_A_SECOND))
        (self._directory / "train.py").write_text(code, encoding="utf-8")
        self._registry = folder / "experiments.yaml"
        self._registry.write_text(REGISTRY, encoding="utf-8")
        self._settings = Settings(work_dir=folder / "work")
        self._ports: Ports = connect(f"sqlite:///{folder / 'mlflow.db'}")

    def plan(self, epochs: int, products: int, lines: int) -> WrapPlan:
        values = {"epochs": epochs, "products": products, "lines": lines}
        params = {name: str(value) for name, value in values.items()}
        return make_plan(WrapRequest("bench", experiments=self._registry, params=params))

    def bare(self, plan: WrapPlan) -> float:
        self._clean()
        began = time.perf_counter()
        subprocess.run(
            plan.arguments,
            cwd=plan.working_directory,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - began

    def wrapped(self, plan: WrapPlan) -> float:
        self._clean()
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            began = time.perf_counter()
            run_wrapped(
                plan,
                self._settings,
                self._ports,
                environment=dict(os.environ),
                tell=lambda _text: None,
            )
            return time.perf_counter() - began

    def _clean(self) -> None:
        (self._directory / "results.csv").unlink(missing_ok=True)


def cpu_seconds() -> tuple[float, float]:
    """Processor time of this process, and of its children that have ended."""
    used = os.times()
    return used.user + used.system, used.children_user + used.children_system


@contextlib.contextmanager
def growth_mb(into: list[float]) -> Iterator[None]:
    """Append how far this process's resident set grew during the block, 10⁶ bytes."""
    process, ended = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.05):
            peak = max(peak, process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        into.append((peak - before) / 1e6)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short pair, to see it work")
    arguments = parser.parse_args()
    pairs, epochs = (1, 3) if arguments.quick else (arguments.pairs, 6)
    grown: list[float] = []
    ratios: dict[str, list[float]] = {"training": [], "flood": [], "cost": []}
    times: dict[str, list[list[float]]] = {"training": [], "flood": []}
    with tempfile.TemporaryDirectory() as folder:
        overhead = Overhead(Path(folder))
        overhead.wrapped(overhead.plan(1, 1, 0))  # everything loaded
        for pair in range(pairs):
            for part, lines in (("training", 0), ("flood", LINES_A_SECOND)):
                plan = overhead.plan(epochs, 60, lines)
                wrapped = bare = 0.0
                for side in ("bare", "wrapped") if pair % 2 else ("wrapped", "bare"):
                    if side == "bare":
                        bare = overhead.bare(plan)
                        continue
                    ours, scripts = cpu_seconds()
                    with growth_mb(grown if part == "flood" else []):
                        wrapped = overhead.wrapped(plan)
                    ours, scripts = (
                        b - a for a, b in zip((ours, scripts), cpu_seconds(), strict=True)
                    )
                    ratios["cost"].append(ours / ((FACTOR - 1) * scripts + CONSTANT_S))
                ratios[part].append(wrapped / (FACTOR * bare + CONSTANT_S))
                times[part].append([round(wrapped, 2), round(bare, 2)])
                print(f"{part}: wrapped {wrapped:.2f} s, bare {bare:.2f} s", flush=True)
    goals = {part: Goal(values, at_most=1.0) for part, values in ratios.items()}
    goals["memory"] = Goal([each / MEMORY_MB for each in grown], at_most=1.0)
    conditions = {
        "seconds_wrapped_and_bare": times,
        "grown_mb": [round(each, 1) for each in grown],
        "lines_a_second": LINES_A_SECOND,
        "epochs": epochs,
    }
    return conclude_all("wrapper_overhead", goals, conditions=conditions)


if __name__ == "__main__":
    sys.exit(main())

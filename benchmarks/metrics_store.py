"""The metrics store at a million runs, and beside MLflow's own search.

answers    p95 of each answer of the API ÷ a tenth of `import mlflow`, of which that is 200 ms on a
           machine where it takes 2 s: made-up rows of ten years, a row appended before each
           question, so that no answer is one that was kept; asked one after the other
search     the full aggregate (runs and mean mAP50 of every place) by the store ÷ the same by paged
           `search_runs`, which is measured at fewer runs in a SQLite file and scaled in proportion:
           pages grow with runs, so its real time is rather longer
served     requests of one minute, 200 a second, that failed or came a second late; none may
memory     peak of the process that serves ÷ 1 GB

The server is `guardianflow dashboard`'s own application in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from secrets import token_hex

import numpy as np
import psutil

from benchmarks.list_speed import mlflow_alone
from benchmarks.made_up_runs import ARCHITECTURES, EVALUATOR, TASKS, customer_of, fill
from benchmarks.sqlite_rows import insert
from benchmarks.verdict import Goal, conclude_all
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.filters import EVERYTHING
from guardianflow.metrics_store.questions.asking import Questions
from guardianflow.metrics_store.store import MetricsStore

ROWS, SEARCHED = 1_000_000, 20_000
ANSWER_SHARE, SHARE, MEMORY_MB = 0.1, 1 / 500, 1000.0
"""Of an answer in `import mlflow`, and of the aggregate in `search_runs`."""
RATE, SECONDS, LATE_S = 200, 60, 1.0
SITES = 40
QUESTIONS = {
    "summary": "/api/metrics/summary",
    "summary of a customer": "/api/metrics/summary?customer=customer-03&days=30",
    "summary of a year": "/api/metrics/summary?days=365",
    "trend": "/api/metrics/trend?customer=customer-03&task=ppe&metric=mAP50&days=365",
    "trend of a class": "/api/metrics/trend?customer=customer-03&task=ppe&metric=det.ap.helmet",
    "comparison": "/api/metrics/comparison?task=ppe&architectures=yolo11n,yolo11s,yolo11m",
    "alerts": "/api/metrics/alerts",
    "sites": "/api/sites",
    "runs": "/api/runs?customer=customer-03&days=30",
    "prometheus": "/metrics",
}


def serve(folder: str, answer: Connection) -> None:
    """Serve a store; tells its port."""
    import uvicorn

    from apps.dashboard.app import create_app
    from apps.dashboard.sources import Sources
    from pipelines.wiring import in_memory

    sources = Sources(MetricsStore(folder), in_memory, Path(folder) / "none.yaml")
    sources.questions.names()  # the rollups of all months
    server = uvicorn.Server(uvicorn.Config(create_app(sources), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    answer.send(server.servers[0].sockets[0].getsockname()[1])
    thread.join()


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=serve, args=(str(folder), its))
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join()


def fetch(url: str) -> float:
    """Seconds until the whole answer is there. Raises OSError where it is none."""
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=30) as answer:  # nosec B310
        answer.read()
    return time.perf_counter() - began


def a_row() -> MetricsRow:
    """Of a run that has just ended."""
    now = datetime.now(UTC)
    return MetricsRow(
        timestamp=now,
        started=now,
        run_id=token_hex(16),
        experiment_name="customer-03/busan-plant7/welding",
        run_name="ppe",
        customer="customer-03",
        site="busan-plant7",
        zone="welding",
        task=TASKS[0],
        experiment_type="infer",
        model_architecture=ARCHITECTURES[0],
        evaluator=EVALUATOR,
        metrics={"det.mAP50": 0.8, "sys.inference_time_ms": 21.0},
    )


def answers(
    url: str, process: psutil.Process, store: MetricsStore, times: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Question → p95 of its answers, ms: waited, and the server's processor time."""
    found, worked = {}, {}
    for name, path in QUESTIONS.items():
        took, cores = [], []
        for _ in range(times):
            store.save_metrics(a_row())
            time.sleep(0.25)  # the store looks at its place five times a second
            before = sum(process.cpu_times()[:2])
            took.append(fetch(url + path) * 1000)
            cores.append((sum(process.cpu_times()[:2]) - before) * 1000)
        worked[name] = float(np.percentile(cores, 95))
        found[name] = float(np.percentile(took, 95))
        print(f"{name}: p50 {statistics.median(took):.0f} ms, p95 {found[name]:.0f} ms", flush=True)
    return found, worked


def many(url: str, seconds: int) -> tuple[int, int]:
    """How many requests were sent at the rate, and how many failed or were late."""
    paths = list(QUESTIONS.values())

    def one(number: int, due: float) -> bool:
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            fetch(url + paths[number % len(paths)])
        except (OSError, urllib.error.URLError):
            return False
        return time.monotonic() - due <= LATE_S

    for path in paths:
        fetch(url + path)
    began = time.monotonic() + 0.5
    with ThreadPoolExecutor(32) as pool:
        count = RATE * seconds
        went_well = list(pool.map(one, range(count), (began + n / RATE for n in range(count))))
    return count, went_well.count(False)


def tables_of(count: int, experiments: Sequence[str]) -> dict[str, list[tuple[object, ...]]]:
    """Runs with 16 metrics and 7 tags each, as MLflow keeps them."""
    rng, start = np.random.default_rng(0), 1_700_000_000_000
    ids = [token_hex(16) for _ in range(count)]
    values = rng.random((count, 16)).tolist()
    keys = ["det.mAP50", *(f"det.m{n}" for n in range(15))]
    tags = [
        {
            "exp.type": "infer",
            "site.customer": customer_of(number % SITES),
            "site.region": "busan",
            "site.plant": f"plant{number % SITES}",
            "site.zone": "welding",
            "task.type": TASKS[number % len(TASKS)],
            "det.evaluator": EVALUATOR,
        }
        for number in range(count)
    ]
    return {
        "runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
        "start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)": [
            (each, "run", "LOCAL", "", "", "kim", "FINISHED", start + n, start + n + 1, "",
             "active", "/x", experiments[n % SITES])
            for n, each in enumerate(ids)
        ],
        "latest_metrics (run_uuid, key, value, timestamp, step, is_nan)": [
            (each, key, value, start, 0, False)
            for each, row in zip(ids, values, strict=True)
            for key, value in zip(keys, row, strict=True)
        ],
        "tags (run_uuid, key, value)": [
            (each, key, value)
            for each, own in zip(ids, tags, strict=True)
            for key, value in own.items()
        ],
    }  # fmt: skip


def search_s(folder: Path, count: int) -> float:
    """Seconds that paged search_runs takes for runs and mean mAP50 of every place."""
    from guardianflow.run_tracking.mlflow_store import MlflowStore

    database = folder / "search.db"
    mlflow = MlflowStore(f"sqlite:///{database}")
    experiments = [
        mlflow._experiment_id(f"{customer_of(site)}/busan-plant{site}/welding")
        for site in range(SITES)
    ]
    insert(database, tables_of(count, experiments))
    began = time.perf_counter()
    groups: dict[tuple[str, ...], list[float]] = {}
    for record in mlflow.finished_runs():
        names = ("site.customer", "site.region", "site.plant", "site.zone", "task.type")
        key = tuple(record.tags.get(name, "") for name in names)
        groups.setdefault(key, []).append(record.metrics["det.mAP50"])
    means = [statistics.fmean(values) for values in groups.values()]
    took = time.perf_counter() - began
    assert sum(map(len, groups.values())) == count
    print(f"search_runs of {count} runs: {took:.1f} s for {len(means)} places", flush=True)
    return took


def aggregate_s(store: MetricsStore, times: int) -> list[float]:
    """Seconds that the store takes for it, a new row each time."""
    ask = Questions(store)
    ask.summary(EVERYTHING)
    took = []
    for _ in range(times):
        store.save_metrics(replace(a_row(), run_id=token_hex(16)))
        began = time.perf_counter()
        ask.summary(EVERYTHING, limit=100_000)
        took.append(time.perf_counter() - began)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--searched", type=int, default=SEARCHED, help="runs in MLflow")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--quick", action="store_true", help="few and short, to see it work")
    given = parser.parse_args()
    rows, searched, seconds, times = (
        (20_000, 200, 3, 5) if given.quick else (given.rows, given.searched, given.seconds, 30)
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "store"
        store = MetricsStore(folder)
        fill(store.place, rows)
        print(f"{rows} rows filled", flush=True)
        imports = [mlflow_alone() for _ in range(3)][1:]  # compiled by the first
        with served(folder) as (url, process):
            p95, worked = answers(url, process, store, times)
            imports += [mlflow_alone() for _ in range(2)]
            sent, failed = many(url, seconds)
            memory = process.memory_full_info().rss / 1e6
        own = aggregate_s(store, times)
        search = search_s(Path(scratch), searched) * rows / searched
    goals = {
        "answers": Goal(
            [max(p95.values()) / 1000 / statistics.median(imports)], at_most=ANSWER_SHARE
        ),
        "search": Goal([each / search for each in own], at_most=SHARE),
        "served": Goal([failed / sent], at_most=0.0),
        "memory": Goal([memory / MEMORY_MB], at_most=1.0),
    }
    conditions = {
        "rows": rows,
        "searched": searched,
        "p95_ms": {name: round(value) for name, value in p95.items()},
        "import_mlflow_s": [round(each, 2) for each in imports],
        "p95_processor_ms": {name: round(value) for name, value in worked.items()},
        "aggregate_ms": round(statistics.median(own) * 1000),
        "search_runs_s_scaled": round(search, 1),
        "requests": sent,
        "rate": RATE,
        "memory_mb": round(memory),
    }
    print(json.dumps(conditions["p95_ms"]), flush=True)
    return conclude_all("metrics_store", goals, conditions=conditions)


if __name__ == "__main__":
    sys.exit(main())

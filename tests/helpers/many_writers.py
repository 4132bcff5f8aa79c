"""`python many_writers.py URI HOME WRITERS POINTS`: processes that write into one store.

They are forked from one process that has imported mlflow and opened nothing: real processes, and
seconds of importing saved for each. They open the store at the same time, and begin to write at the
same time. Each has a run of its own, and all have one in common, HOME/shared, where it is there.
Exit 1, with what went wrong on stderr, where one fails.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking import connection

EXPERIMENT = "donghwa/busan-plant1/full"
PATIENCE_S = 400.0


def write(uri: str, home: Path, number: int, points: int, ready: Barrier) -> None:
    from guardianflow.run_tracking.mlflow_store import MlflowStore

    ready.wait(PATIENCE_S)
    store = MlflowStore(uri)
    ready.wait(PATIENCE_S)
    began = time.monotonic()
    run_id = store.start_run(
        RunRequest(EXPERIMENT, f"run-{number}", {"writer": str(number)}, {"number": str(number)})
    )
    shared = home / "shared"
    for step in range(points):
        store.log_metrics(run_id, {"loss": step, "mAP50": -step}, step=step)
        store.annotate(run_id, tags={f"tag{step}": str(number)})
        if shared.exists():
            place = number * points + step
            store.log_metrics(shared.read_text(), {"loss": place}, step=place)
            store.annotate(shared.read_text(), tags={f"tag{place}": str(place)})
    written = home / f"{number}.txt"
    written.write_text(str(number))
    store.log_files(run_id, written, "logs")
    store.end_run(run_id)
    print(f"{number} {time.monotonic() - began:.2f}", flush=True)


def main(uri: str, home: str, writers: str, points: str) -> int:
    connection.prepare_environment()
    connection.import_sql_store()
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(int(writers))
    processes = [
        context.Process(target=write, args=(uri, Path(home), number, int(points), ready))
        for number in range(int(writers))
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    for process in processes:
        if process.is_alive():
            process.kill()
    return int(any(process.exitcode != 0 for process in processes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

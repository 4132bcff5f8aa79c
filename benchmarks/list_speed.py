"""Processor time of looking at a store of 20,000 runs: `list` and `models`, each a process.

NAME sqlite, NAME server   the command's whole process ÷ `python -c "import mlflow"`, by turns
NAME growth                at 20,000 runs ÷ at 200, by turns, in SQLite files

A made-up fleet: 200 experiments; a run has 40 metrics, 30 tags and 20 parameters; a third of the
runs is registered, as versions of 200 models. The server is `mlflow server` on the same file; its
own processor time is not the command's, the seconds that one waits for it are in the conditions.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from benchmarks.sqlite_rows import insert
from benchmarks.verdict import Goal, by_turns, conclude_all
from guardianflow.run_tracking.mlflow_store import MlflowStore
from pipelines.settings import PROJECT_ROOT

COMMANDS = {
    "list runs": ("list", "runs"),
    "list experiments": ("list", "experiments"),
    "list models": ("list", "models"),
    "models": ("models",),
}
EXPERIMENTS, MODELS = 200, 200
METRICS, TAGS, PARAMS = 40, 30, 20
MLFLOW_GOAL, GROWTH_GOAL = 0.75, 1.5
"""mlflow's import takes about 2 s of a core, so that 0.75 of it is 1.5 s."""


def fill(path: Path, runs: int) -> str:
    """A store with that many runs; gives its URI."""
    uri = f"sqlite:///{path}"
    store = MlflowStore(uri)
    assert store.list_experiments()
    del store
    keys = ["det.mAP50", "det.mAP50_95", *(f"sys.number_{i}" for i in range(METRICS - 2))]
    names = [
        f"customer-{i // 10:02d}/busan-plant{i % 10}/zone{i % 5}" for i in range(1, EXPERIMENTS + 1)
    ]
    models = [f"customer-{i // 10:02d}.busan-plant{i % 10}.zone.ppe{i}" for i in range(MODELS)]
    start = 1_700_000_000_000
    ids = [uuid4().hex for _ in range(runs)]
    where = [i % EXPERIMENTS + 1 for i in range(runs)]
    registered = range(0, runs, 3)
    tables: dict[str, list[tuple[object, ...]]] = {
        "experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, "
        "last_update_time)": [
            (number, name, "/x", "active", start, start) for number, name in enumerate(names, 1)
        ],
        "runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
        "start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)": [
            (each, f"ppe-{i}", "LOCAL", "", "", "kim", "FINISHED", start + i, start + i + 1, "",
             "active", "/x", where[i])
            for i, each in enumerate(ids)
        ],
        "latest_metrics (run_uuid, key, value, timestamp, step, is_nan)": [
            (each, key, 0.8, start, 1, False) for each in ids for key in keys
        ],
        "tags (run_uuid, key, value)": [
            (each, f"tag.{i}", "a value of a usual length") for each in ids for i in range(TAGS)
        ],
        "params (run_uuid, key, value)": [
            (each, f"param.{i}", "0.001") for each in ids for i in range(PARAMS)
        ],
        "registered_models (name, creation_time, last_updated_time)": [
            (name, start, start) for name in models
        ],
        "model_versions (name, version, creation_time, last_updated_time, current_stage, "
        "source, run_id, status)": [
            (models[n % MODELS], n // MODELS + 1, start + i, start + i, "None", "x", ids[i],
             "READY")
            for n, i in enumerate(registered)
        ],
        "registered_model_aliases (name, alias, version)": [
            (name, alias, 1)
            for name in models[: len(registered)]
            for alias in ("champion", "candidate")
        ],
    }  # fmt: skip
    insert(path, tables)
    return uri


def processor_s(words: tuple[str, ...], uri: str = "") -> float:
    """User and system time of a Python process with these arguments."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"MLFLOW_TRACKING_URI": uri, "GUARDIANFLOW_TRACKING_URI": uri} if uri else {}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=environment,
        cwd=PROJECT_ROOT,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def mlflow_alone() -> float:
    return processor_s(("-c", "import mlflow"))


class Looking:
    """One command on one store, with the seconds that it took."""

    def __init__(self, command: str, uri: str) -> None:
        self._words = ("-m", "apps.cli.main", *COMMANDS[command], "--json")
        self._uri = uri
        self.processor: list[float] = []
        self.waited: list[float] = []

    def __call__(self) -> float:
        began = time.perf_counter()
        self.processor.append(processor_s(self._words, self._uri))
        self.waited.append(time.perf_counter() - began)
        return self.processor[-1]

    @property
    def seconds(self) -> dict[str, float]:
        return {"processor": round(max(self.processor), 2), "waited": round(max(self.waited), 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="once each, on 2,000 runs")
    arguments = parser.parse_args()
    runs, pairs = (2000, 1) if arguments.quick else (arguments.runs, arguments.pairs)
    sys.path.insert(0, str(PROJECT_ROOT / "tests" / "helpers"))
    from mlflow_server import start_server

    goals: dict[str, Goal] = {}
    longest: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        large, small = fill(folder / "large.db", runs), fill(folder / "small.db", 200)
        with start_server(folder / "large.db", folder / "artifacts") as (url, _):
            mlflow_alone()  # compiled
            for name in COMMANDS:
                for place, uri in (("sqlite", large), ("server", url)):
                    look = Looking(name, uri)
                    look()
                    ratios = by_turns(pairs, look, mlflow_alone)
                    goals[f"{name} {place}"] = Goal(ratios, at_most=MLFLOW_GOAL)
                    longest[f"{name} {place}"] = look.seconds
                ratios = by_turns(pairs, Looking(name, large), Looking(name, small))
                goals[f"{name} growth"] = Goal(ratios, at_most=GROWTH_GOAL)
    return conclude_all("list_speed", goals, conditions={"runs": runs, "longest_s": longest})


if __name__ == "__main__":
    sys.exit(main())

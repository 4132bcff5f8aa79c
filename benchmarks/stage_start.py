"""How long a stage takes that has little or nothing to do: what its start costs.

reused     `infer` of a .pt that was judged before − importing mlflow alone, by turns; goal 3 s
infer      the same, judged anew on 12 images; goal 10 s on a quiet machine
pipeline   the demo's whole pipeline, this tree ÷ an older one (--before), by turns; goal 0.75
unchanged  the same pipeline once more, with nothing to do − importing mlflow, by turns; goal 3 s of
           processor time: one process that waits for nothing, so that is its time on quiet cores
share      unchanged ÷ the first time, of the demo as it is; goal 0.02

    python -m benchmarks.stage_start --only unchanged     # minutes less: not the two at the top

    python -m benchmarks.stage_start --before ../older-checkout

The older tree is a checkout of an older commit; it runs in this environment, with a store and a
work directory of its own. A ratio is seconds ÷ goal, so 1 at most; of the pipeline, seconds ÷
seconds.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.networks import yolo11n
from benchmarks.verdict import Goal, conclude_all
from demo_scenes.scene import CLASS_NAMES

HERE = Path(__file__).resolve().parents[1]
DEMO = HERE / "configs/scenarios/demo.yaml"
REUSED_S, INFER_S, SHORTER = 3.0, 10.0, 0.75
UNCHANGED_S, SHARE = 3.0, 0.02
SIDE, CLASS_BIAS = 160, -20.0
SMALL = (
    *("-p", f"dataset.path=demo://ppe?images={{images}}&size={SIDE}"),
    *("-p", "benchmark.benchmark_runs=20", "-p", "benchmark.warmup_runs=2"),
)
IMAGES = 55
"""12 of them are judged."""
SHORT = (
    *("-p", f"dataset.path=demo://ppe?images=120&size={SIDE}", "-p", "training.epochs=2"),
    *("-p", "benchmark.benchmark_runs=20"),
)


@dataclass(frozen=True)
class Tree:
    """A checkout with a store and a work directory of its own.

    Args:
        root: of the checkout.
        folder: for all that it writes.
    """

    root: Path
    folder: Path

    def seconds(self, *words: str) -> float:
        """How long a command of it takes.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "GUARDIANFLOW_WORK_DIR": str(self.folder / "work"),
            "GUARDIANFLOW_QUIET_WAIT_S": "0",  # a wait for other people's work is no start
        }
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "apps.cli.main", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        taken = time.perf_counter() - began
        if done.returncode:
            print(done.stderr[-4000:], file=sys.stderr)
            done.check_returncode()
        return taken


def mlflow_seconds() -> float:
    """Importing mlflow, and Python's own start."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import mlflow"], check=True)
    return time.perf_counter() - began


def processor_seconds() -> float:
    """Of all processes that have been started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def infer_words(weights: Path) -> list[str]:
    small = [word.format(images=IMAGES) for word in SMALL]
    return ["infer", str(DEMO), "-m", str(weights), *small]


def measure_stages(
    trees: dict[str, Tree], weights: Path, pairs: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of each part and tree, and of importing mlflow, in turns that change."""
    seconds: dict[str, list[float]] = {}
    mlflow: list[float] = []
    words = infer_words(weights)
    for tree in trees.values():
        tree.seconds(*words)  # draws the data, probes the backends, makes the run to be reused
    for turn in range(pairs):
        names = list(trees)
        for name in names[::-1] if turn % 2 else names:
            for part, more in (("reused", ()), ("infer", ("--force",))):
                seconds.setdefault(f"{part} {name}", []).append(trees[name].seconds(*words, *more))
        mlflow.append(mlflow_seconds())
        shown = ", ".join(f"{key} {values[-1]:.1f} s" for key, values in seconds.items())
        print(f"turn {turn + 1}/{pairs}: {shown}, mlflow {mlflow[-1]:.1f} s", flush=True)
    return seconds, mlflow


def measure_pipelines(trees: dict[str, Tree], pairs: int, *, short: bool) -> list[dict[str, float]]:
    """Seconds of the demo's pipeline in each tree, nothing reused, in turns that change."""
    turns = []
    for turn in range(pairs):
        names = list(trees)
        taken = {}
        for name in names[::-1] if turn % 2 else names:
            words = ("pipeline", str(DEMO), "--force", *(SHORT if short else ()))
            taken[name] = trees[name].seconds(*words)
        print(f"pipeline {turn + 1}/{pairs}: {taken}", flush=True)
        turns.append(taken)
    return turns


def measure_unchanged(tree: Tree, pairs: int, *, short: bool) -> dict[str, list[float]]:
    """Seconds of the demo's pipeline, first and again, and of importing mlflow, by turns."""
    words = ("pipeline", str(DEMO), *(SHORT if short else ()))
    taken: dict[str, list[float]] = {"first": [tree.seconds(*words)], "again": [], "mlflow": []}
    taken |= {"again_processor": [], "mlflow_processor": []}
    tree.seconds(*words)  # files of ours that Python has not compiled yet
    for turn in range(pairs):
        for name, work in (("again", lambda: tree.seconds(*words)), ("mlflow", mlflow_seconds)):
            before = processor_seconds()
            taken[name].append(work())
            taken[f"{name}_processor"].append(processor_seconds() - before)
        print(f"unchanged {turn + 1}/{pairs}: {taken}", flush=True)
    return taken


def unchanged_goals(taken: dict[str, list[float]], *, short: bool) -> dict[str, Goal]:
    """The share is that of the demo as it is: a shortened one has less to save."""
    pairs = zip(taken["again_processor"], taken["mlflow_processor"], strict=True)
    over = [again - mlflow for again, mlflow in pairs]
    goals = {"unchanged": Goal([each / UNCHANGED_S for each in over], at_most=1.0)}
    if not short:
        shares = [each / taken["first"][0] / SHARE for each in taken["again"]]
        goals["share"] = Goal(shares, at_most=1.0)
    return goals


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of an older commit to compare with")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", choices=["unchanged"], help="this part alone")
    parser.add_argument("--quick", action="store_true", help="one turn, and a small demo")
    arguments = parser.parse_args()
    # As `make` does: where it is set, every process compiles the libraries anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    pairs = 1 if arguments.quick else arguments.pairs
    if arguments.before and not (arguments.before / "apps/cli/main.py").is_file():
        print(f"--before must be a checkout but {arguments.before} is none", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        trees = {"now": Tree(HERE, folder / "now")}
        if arguments.before:
            trees["before"] = Tree(arguments.before.resolve(), folder / "before")
        # As many boxes are sure enough to be drawn as there are objects, some 120 on 12 images: at
        # -4 an untrained network drew 1,024, which took longer than all the rest of the pictures.
        yolo11n(folder / "network", SIDE, CLASS_NAMES, class_bias=CLASS_BIAS)
        weights = folder / "network/yolo11n.pt"
        try:
            unchanged = measure_unchanged(
                Tree(HERE, folder / "unchanged"), pairs, short=arguments.quick
            )
            if arguments.only:
                return conclude_all(
                    "stage_start",
                    unchanged_goals(unchanged, short=arguments.quick),
                    conditions={"unchanged_seconds": unchanged},
                )
            seconds, mlflow = measure_stages(trees, weights, pairs)
            turns = (
                measure_pipelines(trees, 1 if arguments.quick else 2, short=arguments.quick)
                if arguments.before
                else []
            )
        except subprocess.CalledProcessError as exc:
            print(f"can't be measured here: {exc}", file=sys.stderr)
            return 2
    over = [a - b for a, b in zip(seconds["reused now"], mlflow, strict=True)]
    goals = {
        "reused": Goal([each / REUSED_S for each in over], at_most=1.0),
        "infer": Goal([each / INFER_S for each in seconds["infer now"]], at_most=1.0),
    }
    goals |= unchanged_goals(unchanged, short=arguments.quick)
    if turns:
        shares = [each["now"] / each["before"] for each in turns]
        goals["pipeline"] = Goal(shares, at_most=SHORTER)
    conditions = {
        "unchanged_seconds": unchanged,
        "seconds": {part: [round(s, 2) for s in taken] for part, taken in seconds.items()},
        "mlflow_seconds": [round(each, 2) for each in mlflow],
        "pipeline_seconds": [{k: round(v, 1) for k, v in turn.items()} for turn in turns],
        "pipeline": "120 images, two epochs" if arguments.quick else "the demo as it is",
    }
    return conclude_all("stage_start", goals, conditions=conditions)


if __name__ == "__main__":
    sys.exit(main())

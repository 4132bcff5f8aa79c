"""What a sweep costs and saves: a real detector learns the classes of few small demo scenes.

epochs         a grid is trained for each seed, and what every epoch came to is kept. Then TPE with
               ASHA searches the same combinations and is told what was measured: the epochs of its
               trials until one is within 0.01 of the grid's best mAP50 ÷ those of the whole grid
               (1 where none ever is), the mean of a grid's searches; the worst grid counts
orchestration  seconds of the grid's sweep, from its start to its report, in which no stage was at
               work, ÷ those of its trials, each counted as 20 s where it was shorter; 1 is added
parallel       two trials at once ÷ the same one after the other, on this machine's cores
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.recorded_grids import RecordedGrid
from benchmarks.verdict import Goal, by_turns, conclude_all
from guardianflow.contracts.results import StageResult
from guardianflow.site_data.demo import demo_data_set
from pipelines.console import SilentReporter
from pipelines.settings import PROJECT_ROOT, Settings
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import RunOptions
from pipelines.stage.stage import StageRequest
from pipelines.sweep.runner import SweepRunner
from pipelines.wiring import connect
from scenario import Scenario, load_scenario

RATES = [0.0001, 0.0003, 0.0006, 0.001, 0.002, 0.004, 0.008, 0.016]
BATCHES = [4, 8, 16]
COMBINATIONS = len(RATES) * len(BATCHES)
"""Of 12 chance alone finds a good one before a search has learnt anything."""
SIDE, EPOCHS = 96, 27
"""Short for a real training, but longer than the epochs in which nothing is told of a detector."""
LEARNT, JUDGED = (f"demo://ppe?images=60&size={SIDE}&seed={seed}" for seed in (7, 8))
"""43 images are trained on and 43 others judge: of the four of `val` chance would choose."""
WEIGHTS = PROJECT_ROOT.parent / "shared" / "data" / "weights" / "yolo11n_from_int8.pt"
TRIAL_S = 20.0
"""So long a trial the goal of orchestration is said for."""


@dataclass(frozen=True)
class Clock(LocalExecutor):
    """Notes when stages were at work.

    Args:
        trials, checks: begin and end of each.
    """

    trials: list[tuple[float, float]] = field(default_factory=list)
    checks: list[tuple[float, float]] = field(default_factory=list)

    def run(self, request: StageRequest, *more: Any, **named: Any) -> StageResult:
        began = time.perf_counter()
        try:
            return super().run(request, *more, **named)
        finally:
            noted = self.checks if request.check_only else self.trials
            noted.append((began, time.perf_counter()))

    @property
    def stretch(self) -> float:
        """From the first trial's start to the last one's end."""
        return max(end for _, end in self.trials) - min(began for began, _ in self.trials)

    @property
    def at_work(self) -> float:
        """Seconds of all, which came one after the other."""
        return sum(end - began for began, end in (*self.trials, *self.checks))


@dataclass(frozen=True)
class Sweeps:
    """Sweeps of one scenario, each in a store of its own: nothing is reused."""

    scenario: Scenario
    folder: Path
    _numbers: Any = field(default_factory=lambda: count(1))

    def runner(self, parameters: Mapping[str, Any], seed: int, **sweep: Any) -> SweepRunner:
        environment = self.scenario.environment.model_copy(update={"seed": seed})
        seeded = self.scenario.model_copy(update={"environment": environment})
        store = f"sqlite:///{self.folder}/{next(self._numbers)}.db"
        return SweepRunner(
            seeded.with_sweep(parameters, seed=seed, **sweep),
            RunOptions(tracking_uri=store, register=False, resumable=True),
            Settings(work_dir=self.folder / "work"),
            Clock(SilentReporter()),
        )

    def pair(self, parallel: int) -> float:
        """Seconds in which two trials were at work."""
        runner = self.runner({"learning_rate": RATES[2:4]}, 1, parallel=parallel)
        runner.run()
        return clock_of(runner).stretch


def clock_of(runner: SweepRunner) -> Clock:
    assert isinstance(runner.executor, Clock)
    return runner.executor


@dataclass
class Grids:
    """What the grids came to, seed by seed."""

    epochs: list[float] = field(default_factory=list)
    orchestration: list[float] = field(default_factory=list)
    trial_s: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)

    def add(self, grid: RecordedGrid, search: SweepRunner, searches: int) -> None:
        ratios = sorted(
            grid.epochs_until_reached(search, each) / grid.epochs for each in range(1, searches + 1)
        )
        self.epochs.append(fmean(ratios))
        self.best.append(grid.best)
        tenths = [round(ratios[len(ratios) * tenth // 10], 2) for tenth in (1, 5, 9)]
        print(
            f"best mAP50 {grid.best:.3f} of {grid.told}; searches: {self.epochs[-1]:.3f}, the "
            f"10th, 50th and 90th of 100 {tenths}, never {sum(each == 1 for each in ratios)}",
            flush=True,
        )

    def train(self, runner: SweepRunner) -> RecordedGrid:
        began, used = time.perf_counter(), time.process_time()
        done = runner.run()
        whole, processor_s = time.perf_counter() - began, time.process_time() - used
        clock = clock_of(runner)
        trial_s = [end - began for began, end in clock.trials]
        counted = sum(max(TRIAL_S, each) for each in trial_s)
        self.orchestration.append(1 + (whole - clock.at_work) / counted)
        self.trial_s.append(median(trial_s))
        print(
            f"{whole:.1f} s, stages {clock.at_work:.1f} s ({processor_s:.1f} s of processor time "
            "outside of them)",
            flush=True,
        )
        curve_of = connect(runner.options.tracking_uri).store.curve
        return RecordedGrid.of(done, lambda run_id: curve_of(run_id, "det.mAP50"))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="1,2,3", help="of the grids; default: %(default)s")
    parser.add_argument("--searches", type=int, default=150, help="in each grid")
    parser.add_argument("--pairs", type=int, default=3, help="of two trials")
    parser.add_argument("--only", choices=("grids", "pairs"), help="grids: epochs, orchestration")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="what learns; default: %(default)s"
    )
    parser.add_argument(
        "--recorded", type=Path, help="a directory that keeps grids: those in it aren't trained"
    )
    parser.add_argument("--quick", action="store_true", help="whether it works, in few minutes")
    asked = parser.parse_args(argv)
    seeds, searches, pairs = asked.seeds.split(","), asked.searches, asked.pairs
    parameters = {"learning_rate": RATES, "batch_size": BATCHES}
    if asked.quick:
        seeds, searches, pairs = ["1"], 2, 1
        parameters = {"learning_rate": RATES[:2], "batch_size": BATCHES[:1]}
    goals, grids = {}, Grids()
    with tempfile.TemporaryDirectory(prefix="sweep-efficiency-") as folder:
        data = data_set(Path(folder))
        sweeps = Sweeps(scenario_of(data, asked.weights, quick=asked.quick), Path(folder))
        sweeps.runner({"learning_rate": RATES[:1]}, 1).run()  # draws the data, warms the disk cache
        if asked.only != "pairs":
            for seed in map(int, seeds):
                epochs = sweeps.scenario.training.epochs
                file = (asked.recorded or sweeps.folder) / f"grid-{seed}-of-{epochs}-epochs.json"
                if not file.exists():
                    grid = sweeps.runner(parameters, seed, strategy="grid", parallel=1)
                    grids.train(grid).write(file)
                search = sweeps.runner(
                    parameters, seed, strategy="bayesian", max_runs=COMBINATIONS, pruning="asha"
                )
                recorded = RecordedGrid.read(file)
                grids.add(recorded, search, searches)
            goals["epochs"] = Goal([max(grids.epochs)], at_most=0.25)  # in each grid
            if grids.orchestration:
                goals["orchestration"] = Goal(grids.orchestration, at_most=1.02)
        if asked.only != "grids":
            ratios = by_turns(pairs, lambda: sweeps.pair(2), lambda: sweeps.pair(1))
            goals["parallel"] = Goal(ratios, at_most=0.75)
    conditions = {
        "quick": asked.quick,
        "trained_now": len(grids.trial_s),
        "epochs": sweeps.scenario.training.epochs,
        "trial_s": [round(each, 1) for each in grids.trial_s],
        "epochs_of_grids": [round(each, 3) for each in grids.epochs],
        "best_mAP50": [round(each, 3) for each in grids.best],
    }
    return conclude_all("sweep_efficiency", goals, conditions=conditions)


def data_set(folder: Path) -> Path:
    """A data.yaml of what is learnt and what judges."""
    drawn = [demo_data_set(each, Settings().datasets_dir).parent for each in (LEARNT, JUDGED)]
    lines = [
        f"{split}: {each}/images/train" for split, each in zip(("train", "val"), drawn, strict=True)
    ]
    names = (drawn[0] / "data.yaml").read_text(encoding="utf-8").partition("names:")[2]
    made = folder / "data.yaml"
    made.write_text("\n".join([*lines, f"names:{names}"]), encoding="utf-8")
    return made


def scenario_of(data: Path, weights: Path, *, quick: bool) -> Scenario:
    """The demo's scenario on few small images."""
    demo = load_scenario(PROJECT_ROOT / "configs/scenarios/demo.yaml").as_type("train")
    return demo.model_copy(
        update={
            "training": demo.training.model_copy(update={"epochs": 3 if quick else EPOCHS}),
            "dataset": demo.dataset.model_copy(update={"path": str(data)}),
            "model": demo.model.model_copy(
                update={"input_size": SIDE, "weights_path": str(weights)}
            ),
        }
    )


if __name__ == "__main__":
    sys.exit(main())

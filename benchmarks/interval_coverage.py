"""Do our 95 % intervals hold the truth in 95 of 100 cases?

Two made-up models are judged on made-up images. Their true difference comes from a very large
sample. Then many small splits are drawn and judged as any split is: the share of splits whose
interval holds the truth must lie in 93…97 %.

Then with recordings as the units, on made-up recordings whose images are alike, even and uneven
ones, few and many, for one model and for the difference of two. The bootstrap over images is shown
beside: it takes near copies for new evidence, and falls far below.

The same for the intervals of latency percentiles, on lognormal times, whose percentiles are known.
They take whole times for bounds, so they can only be at least 95 % sure: for a given sample size
the probability can be computed, and the share seen must agree with it.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom, binomtest, norm

from benchmarks.clustered_coverage import FEW, Coverage, all_cells, coverage_of
from benchmarks.made_up_models import CLASSES, made_up_split
from benchmarks.verdict import machine
from guardianflow.evaluation.accuracy.detection import evaluate_detections
from guardianflow.evaluation.accuracy.significance import bootstrap_differences
from guardianflow.evaluation.timing.order_statistics import interval_ranks, percentile_of

KEYS = ("recall", "mAP50", "mAP50_95", "recall.helmet", "ap50.helmet", "ap.person")
GOAL = (0.93, 0.97)
# A thousand trials tell a share to about so much; a cell that misses by more misses the goal.
BY_CHANCE = 0.01
IMAGES = 200
LARGE = 25_000
LATENCY_RUNS = (60, 100, 400, 1000)
LATENCY_SIGMA = 0.3
# Seeds of the large splits begin here, far from those of the trials.
LARGE_SEED = 1_000_000


def true_differences(splits: int) -> dict[str, float]:
    """Mean difference of the models over very large splits."""
    seen: dict[str, list[float]] = {key: [] for key in KEYS}
    for number in range(splits):
        split = made_up_split(LARGE, LARGE_SEED + number)
        first, second = (
            evaluate_detections(found, split.images, CLASSES).as_metrics("")
            for found in (split.first, split.second)
        )
        for key, values in seen.items():
            values.append(second[key] - first[key])
        print(f"true difference: {(number + 1) * LARGE} images", flush=True)
    return {key: statistics.fmean(values) for key, values in seen.items()}


def times_held(
    trials: int, images: int, truth: Mapping[str, float]
) -> tuple[dict[str, int], dict[str, int]]:
    """How many of the trials' intervals hold the true difference, and how many there were."""
    held, given = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for trial in range(trials):
        split = made_up_split(images, trial)
        estimates = bootstrap_differences(
            split.first, split.second, split.images, CLASSES, seed=trial
        )
        for key, value in truth.items():
            if key in estimates:
                given[key] += 1
                held[key] += estimates[key].low <= value <= estimates[key].high
        if (trial + 1) % 50 == 0:
            print(f"{trial + 1}/{trials}: {held}", flush=True)
    return held, given


@dataclass(frozen=True)
class Part:
    """One kind of interval: how often it held the truth, and how often it should."""

    held: int
    trials: int
    at_least: float
    at_most: float

    @property
    def share(self) -> float:
        return self.held / self.trials

    @property
    def margin(self) -> float:
        return min(self.share - self.at_least, self.at_most - self.share)

    def as_json(self) -> dict[str, Any]:
        interval = binomtest(self.held, self.trials).proportion_ci(0.95)
        return {
            "ratio": round(self.share, 4),
            "goal": f">= {self.at_least:.4f} and <= {self.at_most:.4f}",
            "holds": self.margin >= 0,
            "interval": [round(float(interval.low), 4), round(float(interval.high), 4)],
        }


def recording_parts(cells: Sequence[Coverage], slack: float) -> dict[str, Part]:
    """Every metric of every cell; few recordings may be surer than asked."""
    parts = {}
    for each in cells:
        chance = max(slack, BY_CHANCE)
        most = 1.0 if each.cell.recordings <= FEW else min(1.0, GOAL[1] + chance)
        for key, (held, trials) in each.by_recordings.items():
            parts[f"{key}: {each.cell}"] = Part(held, trials, GOAL[0] - chance, most)
    return parts


def percentile_parts(trials: int) -> dict[str, Part]:
    """Lognormal times, whose percentiles are known, against what can be computed."""
    chance = np.random.default_rng(0)
    parts = {}
    for runs in LATENCY_RUNS:
        samples = chance.lognormal(3.0, LATENCY_SIGMA, (trials, runs))
        for percent in (50, 95, 99):
            ranks = interval_ranks(runs, percent)
            if ranks is None:
                continue
            truth = math.exp(3.0 + LATENCY_SIGMA * float(norm.ppf(percent / 100)))
            held = sum(_holds(row.tolist(), percent, truth) for row in samples)
            low, high = ranks
            expected = float(binom.cdf(high - 1, runs, percent / 100))
            expected -= float(binom.cdf(low - 1, runs, percent / 100))
            by_chance = 3.5 * math.sqrt(expected * (1 - expected) / trials)
            parts[f"p{percent} of {runs}"] = Part(
                held, trials, max(expected, 0.95) - by_chance, expected + by_chance
            )
    return parts


def _holds(samples: list[float], percent: int, truth: float) -> bool:
    found = percentile_of(samples, percent)
    if found is None:
        raise RuntimeError(f"p{percent} of {len(samples)} times has no interval but should")
    return found.low <= truth <= found.high


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--images", type=int, default=IMAGES, help="of each trial's split")
    parser.add_argument("--quick", action="store_true", help="few trials and a wide goal")
    arguments = parser.parse_args()
    trials, large = (100, 2) if arguments.quick else (arguments.trials, 16)
    # Few trials can miss the goal by chance alone.
    slack = 3 * math.sqrt(0.95 * 0.05 / trials) if arguments.quick else 0.0
    # Of as many cells the worst one misses by chance what each alone would keep.
    cells = coverage_of(all_cells(), max(100, arguments.trials // (10 if arguments.quick else 1)))
    truth = true_differences(large)
    held, given = times_held(trials, arguments.images, truth)
    parts = {
        key: Part(held[key], count, GOAL[0] - slack, min(1.0, GOAL[1] + slack))
        for key, count in given.items()
        if count
    }
    parts |= recording_parts(cells, slack)
    tightest = min(parts, key=lambda key: parts[key].margin)
    parts |= percentile_parts(20 * trials)
    failed = [key for key, part in parts.items() if part.margin < 0]
    decided_by = tightest if not failed or tightest in failed else failed[0]
    verdict = {"name": "interval_coverage", **parts[decided_by].as_json()}
    verdict |= {"holds": not failed, "decided_by": decided_by}
    verdict["conditions"] = {
        **machine(),
        "trials": trials,
        "images": arguments.images,
        "resamples": 1000,
        "true_differences": {key: round(value, 5) for key, value in truth.items()},
    }
    verdict["by_images"] = {
        f"{key}: {each.cell}": round(held / max(trials, 1), 2)
        for each in cells
        for key, (held, trials) in each.by_images.items()
    }
    verdict["parts"] = {key: part.as_json() for key, part in parts.items()}
    print(json.dumps(verdict, ensure_ascii=False))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

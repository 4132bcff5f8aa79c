"""How often intervals hold the truth on recordings whose images are alike, cell by cell.

A cell is a number of recordings, even or uneven ones, and how alike their images are. In each, many
made-up sets are judged with recordings as the units, as the product does it, and some of them with
images as the units beside, as it is done where nobody knows recordings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.clustered_models import (
    CONF_THRESHOLD,
    KEYS,
    NAMES,
    found_together,
    made_up_recordings,
    metrics_of,
    true_metrics,
)
from guardianflow.contracts.estimates import Estimate
from guardianflow.evaluation.accuracy.groups import group_intervals
from guardianflow.evaluation.accuracy.significance import image_intervals
from guardianflow.evaluation.timing.process_load import usable_cores

CORRELATIONS = (0.0, 0.1, 0.3, 0.6)
RECORDINGS = (5, 8, 20, 100)
# Few groups may be surer than asked: exact bounds can't be 95 % sure to a hair.
FEW = 8
KINDS = ("one model", "difference")
LARGEST, TRUE_SETS, TRUE_SEED = 100, 600, 1_000_000
IMAGE_RESAMPLES = 300
# The bootstrap over images is shown, not judged: a tenth of the trials tells 50 % from 95 %.
IMAGES_EVERY = 10


@dataclass(frozen=True)
class Cell:
    recordings: int
    uneven: bool
    correlation: float

    def __str__(self) -> str:
        sizes = "uneven" if self.uneven else "even"
        return f"{self.recordings} {sizes} recordings, correlation {self.correlation:g}"


@dataclass(frozen=True)
class Coverage:
    """What became of a cell: 'one model mAP50' → times held and trials, by either unit."""

    cell: Cell
    by_recordings: Mapping[str, tuple[int, int]]
    by_images: Mapping[str, tuple[int, int]]

    def __str__(self) -> str:
        shares = []
        for key, (held, trials) in self.by_recordings.items():
            beside, of = self.by_images[key]
            shares.append(f"{key} {100 * held / trials:.1f} ({100 * beside / max(of, 1):.0f})")
        return f"{self.cell}: {'; '.join(shares)}"


def all_cells() -> list[Cell]:
    """The slow ones first, so that no processor waits for another at the end."""
    return [
        Cell(recordings, uneven, correlation)
        for recordings in sorted(RECORDINGS, reverse=True)
        for uneven in (False, True)
        for correlation in CORRELATIONS
    ]


def coverage_of(cells: Sequence[Cell], trials: int) -> list[Coverage]:
    """Judge each cell's made-up sets; each is told as it ends."""
    truth = true_metrics(TRUE_SETS, LARGEST, TRUE_SEED)
    for correlation in CORRELATIONS:
        alike = found_together(correlation)
        print(f"correlation {correlation:g} of hardness is {alike:.2f} of being found", flush=True)
    found = []
    with ProcessPoolExecutor(math.ceil(usable_cores())) as pool:
        for each in pool.map(_judge_cell, cells, [trials] * len(cells), [truth] * len(cells)):
            print(f"{each}", flush=True)
            found.append(each)
    return found


def _judge_cell(cell: Cell, trials: int, truth: Sequence[Mapping[str, float]]) -> Coverage:
    held: list[dict[str, list[bool]]] = [{}, {}]
    for trial in range(trials):
        for unit, key, holds in _judge_set(cell, trial, truth):
            held[unit].setdefault(key, []).append(holds)
    by_recordings, by_images = (
        {key: (sum(seen), len(seen)) for key, seen in each.items()} for each in held
    )
    return Coverage(cell, by_recordings, by_images)


def _judge_set(
    cell: Cell, trial: int, truth: Sequence[Mapping[str, float]]
) -> list[tuple[int, str, bool]]:
    """Unit (0 recordings, 1 images), key, whether its interval holds the truth."""
    seed = [trial, cell.recordings, cell.uneven, round(100 * cell.correlation)]
    made = made_up_recordings(
        cell.recordings, cell.correlation, uneven=cell.uneven, chance=np.random.default_rng(seed)
    )
    first, second = (metrics_of(matches) for (matches,) in made.models)
    better = {key: second[key] - first[key] for key in KEYS}
    truly = {key: truth[1][key] - truth[0][key] for key in KEYS}
    seen = []
    for kind, models, values, true in (
        (KINDS[0], [made.models[1]], second, truth[1]),
        (KINDS[1], list(made.models), better, truly),
    ):
        # Of the one class there is, the means are its own.
        of_class = {"ap": "mAP50_95", "ap50": "mAP50", "recall": "recall"}
        given = values | {f"{k}.{NAMES[0]}": values[mean] for k, mean in of_class.items()}
        units: list[dict[str, Estimate]] = [
            group_intervals(
                models,
                NAMES,
                given,
                made.groups,
                conf_threshold=CONF_THRESHOLD,
                confidence=0.95,
            )
        ]
        if trial % IMAGES_EVERY == 0:
            units.append(
                image_intervals(
                    models,
                    NAMES,
                    given,
                    len(made.groups),
                    conf_threshold=CONF_THRESHOLD,
                    resamples=IMAGE_RESAMPLES,
                    seed=trial,
                    confidence=0.95,
                )
            )
        for unit, estimates in enumerate(units):
            for key in KEYS:
                if key in estimates:
                    holds = estimates[key].low <= true[key] <= estimates[key].high
                    seen.append((unit, f"{kind} {key}", holds))
    return seen

"""Batch sizes beside each other: the fastest, and the memory that each takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from guardianflow.contracts.results import DetectorPackage

from ..stage.inputs.sources import (
    device_within,
)
from ..stage.stage import StageContext

CALLS = 3
BEST_FPS, BEST_BATCH_SIZE = "bench.best_fps", "bench.best_batch_size"
_FPS = re.compile(r"bench\.bs(\d+)\.fps")


def best_batch_size(metrics: Mapping[str, float]) -> dict[str, float]:
    """`bench.best_fps` and `bench.best_batch_size`, of the sizes that were timed; {} of none.

    Of two that are equally fast, the smaller one: it answers sooner.
    """
    timed = {int(match[1]): fps for key, fps in metrics.items() if (match := _FPS.fullmatch(key))}
    if not timed:
        return {}
    best = max(timed, key=lambda size: (timed[size], -size))
    return {BEST_FPS: timed[best], BEST_BATCH_SIZE: float(best)}


def memory_by_batch_size(
    context: StageContext, source: DetectorPackage, paths: Sequence[Path]
) -> dict[str, float]:
    """`bench.bs{N}.cpu_memory_peak_mb` and `.gpu_memory_peak_mb` of each batch size.

    Apart from the times, on a session of its own for each size, the small ones first: what a
    library keeps of a small batch does not pass for the need of a large one. Where the machine
    does not count, there is no metric.
    """
    from guardianflow.detector import Detector
    from guardianflow.evaluation.images.preprocessing import load_image
    from guardianflow.evaluation.timing.peak_memory import peak_mb, reset_peak
    from guardianflow.evaluation.timing.system_metrics import SystemSampler

    metrics: dict[str, float] = {}
    device = device_within(context, source.spec.backend)
    sizes = sorted(set(context.scenario.benchmark.batch_sizes) | {1})
    for place, size in enumerate(sizes):
        context.events.progress(place, len(sizes), f"memory of batch size {size}")
        images = [load_image(paths[i % len(paths)]) for i in range(size)]
        counted = reset_peak()
        with (
            SystemSampler() as sampler,
            Detector.open(source, batch_size=size, device=device) as detector,
        ):
            for _ in range(CALLS):
                batch, letterboxes = detector.preprocess(images)
                detector.postprocess(detector.infer(batch), letterboxes)
            sampler.lap()  # a reading while the session is open
        prefix = f"bench.bs{size}."
        if counted and (peak := peak_mb()) is not None:
            metrics[f"{prefix}cpu_memory_peak_mb"] = peak
        gpu = sampler.usage().as_metrics(prefix).get(f"{prefix}gpu_memory_peak_mb")
        if gpu is not None:
            metrics[f"{prefix}gpu_memory_peak_mb"] = gpu
    return metrics

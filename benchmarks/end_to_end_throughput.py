"""From image files to boxes: how near do we come to what the cores could do if none ever waited?

The bound: cores ÷ the core-seconds that one frame takes, each stage alone on one core (decoding,
letterboxing, the network on one thread, reading the output), measured in the same round as the
frames a second of our throughput mode. A ratio below 1 is waiting, switching between threads, and
cores sharing memory and caches, which a stage alone doesn't have to.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.networks import demo_images, exported, yolo11n
from benchmarks.verdict import conclude
from guardianflow.backends.hardware import physical_cores
from guardianflow.contracts.results import DetectorPackage
from guardianflow.detector import Detector
from guardianflow.evaluation.images.preprocessing import load_image
from guardianflow.evaluation.timing.latency import HANDOVER_PAUSE_S
from guardianflow.evaluation.timing.throughput import STAGES, measure_file_throughput

GOAL = 0.85


def core_seconds(
    detector: Detector, one_thread: OneThread, paths: Sequence[Path]
) -> dict[str, float]:
    """CPU time of each stage for a frame: every stage alone, over all frames, one after another."""
    images = [load_image(path) for path in paths]
    prepared = [detector.preprocess([image]) for image in images]
    outputs = [one_thread.infer(batch) for batch, _ in prepared]
    time.sleep(HANDOVER_PAUSE_S)  # the network's threads stop looking for more work

    def cost(work: Callable[[], object]) -> float:
        begin = time.process_time()
        work()
        return (time.process_time() - begin) / len(paths)

    fits = [fit for _, fit in prepared]
    return {
        "decode": cost(lambda: [load_image(path) for path in paths]),
        "preprocess": cost(lambda: [detector.preprocess([image]) for image in images]),
        "postprocess": cost(
            lambda: [detector.postprocess(r, f) for r, f in zip(outputs, fits, strict=True)]
        ),
        "inference": cost(lambda: [one_thread.infer(batch) for batch, _ in prepared]),
    }


class OneThread:
    """The same graph compiled for one thread and one call at a time."""

    def __init__(self, package: DetectorPackage) -> None:
        import openvino

        from guardianflow.backends.openvino.runtime import network_to_compile

        core = openvino.Core()
        graph, _ = network_to_compile(openvino, core, package, 1)
        settings = {
            "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": "f32"
        }  # fmt: skip
        self._request = core.compile_model(graph, "CPU", settings).create_infer_request()

    def infer(self, batch: np.ndarray) -> np.ndarray:
        self._request.infer({0: batch}, share_inputs=True)
        return np.array(self._request.get_output_tensor(0).data, np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=5, help="of throughput, each round")
    parser.add_argument("--precision", choices=["fp32", "int8"], default="int8")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to see it work")
    arguments = parser.parse_args()
    count, seconds = (2, 2.0) if arguments.quick else (arguments.rounds, arguments.seconds)
    paths, cores = demo_images()[:40], physical_cores()
    ratios, parts = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = exported(yolo11n(folder / "source"), "openvino", arguments.precision, folder)
        with Detector.open(package, mode="throughput") as detector:
            alone = OneThread(package)
            core_seconds(detector, alone, paths[:8])  # warm-up
            for number in range(count):
                before = core_seconds(detector, alone, paths)
                reached = measure_file_throughput(detector, paths, seconds=seconds)
                after = core_seconds(detector, alone, paths)
                parts = {stage: (before[stage] + after[stage]) / 2 for stage in STAGES}
                bound = cores / sum(parts.values())
                ratios.append(reached.fps / bound)
                busy = sum(reached.core_seconds.values()) * reached.fps / cores
                print(
                    f"round {number + 1}/{count}: {reached.fps:.1f} of {bound:.1f} fps = "
                    f"{ratios[-1]:.3f}; cores busy {busy:.0%}; core-ms a frame alone "
                    + ", ".join(f"{s} {v * 1e3:.2f}" for s, v in parts.items())
                    + f"; together {sum(reached.core_seconds.values()) * 1e3:.2f}",
                    flush=True,
                )
    return conclude(
        "end_to_end_throughput",
        ratios,
        GOAL,
        at_most=False,
        conditions={
            "model": f"yolo11n {arguments.precision} 640 px",
            "cores_used": cores,
            "pid_affinity": len(os.sched_getaffinity(0)),
            "core_ms": {stage: round(value * 1e3, 3) for stage, value in parts.items()},
        },
    )


if __name__ == "__main__":
    sys.exit(main())

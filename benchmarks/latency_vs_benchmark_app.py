"""Do we measure what OpenVINO's own benchmark_app measures?

The same compiled graph, precision, hint and threads, by turns: our median latency against
benchmark_app's, our throughput mode against its frames a second, and what our measuring itself
costs beside the bare calls. The ratio printed is the one that is nearest to its goal.

A shared machine is another machine a second later, by ±15 %. So for the medians both processes
run at once and are stopped in turn, every quarter of a second: each measures half of the same
stretch of time. The one call in twenty that a stop makes long moves neither median.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.networks import demo_images, exported, yolo11n
from benchmarks.verdict import Goal, conclude_all
from guardianflow.backends.openvino.runtime import network_to_compile
from guardianflow.contracts.results import DetectorPackage
from guardianflow.detector import Detector
from guardianflow.evaluation.images.preprocessing import load_image
from guardianflow.evaluation.timing.latency import HANDOVER_PAUSE_S, measure_latency
from guardianflow.evaluation.timing.throughput import measure_network_throughput

WARMUP = 10
SLICE_S = 0.25


@dataclass(frozen=True)
class Peer:
    """benchmark_app on the graph that our session compiles."""

    model: Path
    threads: int

    def command(self, hint: str, seconds: float) -> list[str]:
        return [
            sys.executable, "-c", "from openvino.tools.benchmark.main import main; main()",
            "-m", str(self.model), "-d", "CPU", "-hint", hint, "-t", str(int(seconds)),
            "-infer_precision", "f32", "-load_config", str(self._config()),
        ]  # fmt: skip

    def _config(self) -> Path:
        """Threads beside a hint: its command line refuses the two together, its file does not."""
        path = self.model.with_suffix(".json")
        path.write_text(json.dumps({"CPU": {"INFERENCE_NUM_THREADS": str(self.threads)}}))
        return path

    def median_ms(self, output: str) -> float:
        return _figure(r"Median:\s+([\d.]+) ms", output)

    def fps(self, seconds: float) -> float:
        return _figure(
            r"Throughput:\s+([\d.]+) FPS", output_of(self.command("throughput", seconds))
        )


def _figure(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"benchmark_app's output has no {pattern!r}: {text[-500:]}")
    return float(found.group(1))


def save_graph(package: DetectorPackage, folder: Path) -> Path:
    """The very graph that our session compiles, normalisation inside, as a file."""
    import openvino

    graph, _ = network_to_compile(openvino, openvino.Core(), package, 1)
    path = folder / f"{package.spec.variant}.xml"
    openvino.save_model(graph, str(path), compress_to_fp16=False)
    return path


def our_median_ms(package: DetectorPackage, images: list[np.ndarray], seconds: float) -> float:
    """Of the network call after call, as benchmark_app times it.

    Between letterboxing and reading the output, as infer times it, the same call takes some per
    cent more: the other stages leave the caches with their own data.
    """
    with Detector.open(package) as detector:
        alone = _NetworkAlone(detector, detector.preprocess(images[:1])[0])
        pilot = measure_latency(alone, images, batch_size=1, warmup_runs=WARMUP, benchmark_runs=20)
        runs = max(30, int(seconds * 1000 / pilot.latency_p50_ms))
        result = measure_latency(alone, images, batch_size=1, warmup_runs=0, benchmark_runs=runs)
    return statistics.median(result.stages["inference"].samples_ms)


def our_fps(package: DetectorPackage, images: list[np.ndarray], seconds: float) -> float:
    with Detector.open(package, mode="throughput") as detector:
        return measure_network_throughput(detector, images, seconds=seconds).fps


@dataclass(frozen=True)
class Ours:
    """Our side in a process of its own, as the peer's is and as a stage's is."""

    package: DetectorPackage

    def command(self, side: str, seconds: float) -> list[str]:
        return [
            sys.executable, "-m", "benchmarks.latency_vs_benchmark_app",
            "--side", side, "--package", str(self.package.directory), "--seconds", str(seconds),
        ]  # fmt: skip

    def fps(self, seconds: float) -> float:
        return last_number(output_of(self.command("fps", seconds)))


def output_of(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:3]} failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


def last_number(output: str) -> float:
    return float(output.splitlines()[-1])


def in_turn(commands: list[list[str]]) -> list[str]:
    """Run processes at once, one at a time: the others are stopped. Returns what each printed."""
    with contextlib.ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in commands]
        started = [
            stack.enter_context(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))
            for command, output in zip(commands, outputs, strict=True)
        ]
        stack.callback(lambda: [process.kill() for process in started])
        for process in started:
            process.send_signal(signal.SIGSTOP)
        while running := [process for process in started if process.poll() is None]:
            for process in running:
                process.send_signal(signal.SIGCONT)
                time.sleep(SLICE_S)
                process.send_signal(signal.SIGSTOP)
        printed = []
        for process, output in zip(started, outputs, strict=True):
            output.seek(0)
            printed.append(output.read())
            if process.returncode:
                raise RuntimeError(f"{process.args} failed: {printed[-1][-500:]}")
    return printed


def median_rounds(count: int, seconds: float, ours: Ours, peer: Peer) -> list[float]:
    """Our median ÷ the peer's, each measured for about `seconds` of the same stretch of time."""
    ratios = []
    for number in range(count):
        printed = in_turn([ours.command("median", seconds), peer.command("latency", 2 * seconds)])
        pair = last_number(printed[0]), peer.median_ms(printed[1])
        ratios.append(pair[0] / pair[1])
        print(f"median ms {number + 1}/{count}: {pair[0]:.2f} / {pair[1]:.2f} = "
              f"{ratios[-1]:.4f}", flush=True)  # fmt: skip
    return ratios


def one_side(side: str, directory: Path, seconds: float) -> int:
    """Measure our side alone and print the figure."""
    package = DetectorPackage.load(directory)
    images = [load_image(path) for path in demo_images()[:16]]
    measure = {"median": our_median_ms, "fps": our_fps}[side]
    print(measure(package, images, seconds))
    return 0


def harness_cost(package: DetectorPackage, images: list[np.ndarray], turns: int) -> list[float]:
    """Median call under our measurement ÷ the bare call of the same session, by turns of ten."""
    with Detector.open(package) as detector:
        batch, _ = detector.preprocess(images[:1])
        stages = _NetworkAlone(detector, batch)
        for _ in range(WARMUP):
            detector.infer(batch)
        ratios = []
        for _ in range(turns):
            bare, measured = [], []
            for _ in range(5):
                for _ in range(2):
                    begin = time.perf_counter_ns()
                    detector.infer(batch)
                    bare.append((time.perf_counter_ns() - begin) / 1e6)
                result = measure_latency(
                    stages, images, batch_size=1, warmup_runs=0, benchmark_runs=2
                )
                measured += result.latency.samples_ms
            ratios.append(statistics.median(measured) / statistics.median(bare))
    return ratios


def session_cost(package: DetectorPackage, image: np.ndarray, turns: int) -> list[float]:
    """Median call of our session ÷ that of a bare OpenVINO request on the same graph, by turns.

    Seconds apart, a shared machine is another machine; calls apart, it is the same one. So this
    ratio is sharper than the one against benchmark_app, which needs a process of its own.
    """
    import openvino

    core = openvino.Core()
    graph, _ = network_to_compile(openvino, core, package, 1)
    with Detector.open(package) as detector:
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": str(detector.info.threads),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        request = core.compile_model(graph, "CPU", settings).create_infer_request()
        batch, _ = detector.preprocess([image])
        request.set_input_tensor(0, openvino.Tensor(batch, shared_memory=True))
        sides: tuple[Callable[[], object], ...] = (lambda: detector.infer(batch), request.infer)
        ratios = []
        for _ in range(turns):
            medians = []
            for call in sides:
                call()  # the first one after the other's finds cold caches
                spent = []
                for _ in range(10):
                    begin = time.perf_counter_ns()
                    call()
                    spent.append(time.perf_counter_ns() - begin)
                medians.append(statistics.median(spent))
            ratios.append(medians[0] / medians[1])
    return ratios


class _NetworkAlone:
    """The network without the stages around it: what is left over is the measuring."""

    def __init__(self, detector: Detector, batch: np.ndarray) -> None:
        self._detector, self._batch = detector, batch
        self.info = detector.info

    def preprocess(self, images):  # noqa: ARG002
        return self._batch, []

    def infer(self, batch):
        return self._detector.infer(batch)

    def postprocess(self, raw, letterboxes):  # noqa: ARG002
        return []


def rounds(
    count: int, ours: Callable[[], float], peer: Callable[[], float], what: str
) -> list[float]:
    """ours ÷ peer, `count` times; who goes first changes each time."""
    ratios = []
    for number in range(count):
        pair = {}
        for name, side in (("ours", ours), ("peer", peer))[:: -1 if number % 2 else 1]:
            time.sleep(HANDOVER_PAUSE_S)
            pair[name] = side()
        ratios.append(pair["ours"] / pair["peer"])
        print(f"{what} {number + 1}/{count}: {pair['ours']:.2f} / {pair['peer']:.2f} "
              f"= {ratios[-1]:.4f}", flush=True)  # fmt: skip
    return ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5, help="each side, each round")
    parser.add_argument("--precision", choices=["fp32", "int8"], default="int8")
    parser.add_argument("--quick", action="store_true", help="one short round, to see it work")
    parser.add_argument("--side", choices=["median", "fps"], help=argparse.SUPPRESS)
    parser.add_argument("--package", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        return one_side(arguments.side, arguments.package, arguments.seconds)
    count, seconds = (1, 2.0) if arguments.quick else (arguments.rounds, arguments.seconds)
    images = [load_image(path) for path in demo_images()[:16]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = exported(yolo11n(folder / "source"), "openvino", arguments.precision, folder)
        with Detector.open(package) as detector:
            threads = detector.info.threads or 1
        peer, ours = Peer(save_graph(package, folder), threads), Ours(package)
        median = median_rounds(count, 2 * seconds, ours, peer)
        fps = rounds(count, lambda: ours.fps(seconds), lambda: peer.fps(seconds), "fps")
        cost = harness_cost(package, images, 4 if arguments.quick else 40)
        session = session_cost(package, images[0], 4 if arguments.quick else 60)
    return conclude_all(
        "latency_vs_benchmark_app",
        {
            "median": Goal(median, at_least=0.97, at_most=1.03),
            "throughput": Goal(fps, at_least=0.97),
            "harness": Goal(cost, at_most=1.005),
            "session_against_bare_request": Goal(session, at_most=1.03),
        },
        conditions={"model": f"yolo11n {arguments.precision} 640 px", "threads": threads},
    )


if __name__ == "__main__":
    sys.exit(main())

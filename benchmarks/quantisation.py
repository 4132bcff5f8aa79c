"""Our INT8 against Ultralytics' own INT8 export and against true float32, in one run, by turns.

Of a trained detector beside the project (given: ../shared/data, yolo11n of 80 classes, coco128),
calibrated on train and judged on val:

    drop        mAP50-95 lost by ours − lost by Ultralytics' export, at most 0
    fps         throughput of ours ÷ Ultralytics' export ≥ 1.08, ÷ true float32 ≥ 1.8
    latency     decoded frame → boxes: ours ÷ Ultralytics' predict on its export ≤ 0.85
    onnx        ONNX Runtime INT8: drop ≤ 0.01, speed ÷ its FP32 ≥ 1.3

Of detectors trained from scratch here, for minutes (the demo's, yolov8n, yolo11n, yolo26n):

    kept        mAP50-95 of INT8 ÷ of float32, on OpenVINO and ONNX Runtime, ≥ 0.99

With --activations as many SiLU are changed as lose at most 0.01 of mAP50-95, and with --training
trained on for so many minutes a try, from the train images alone, where not all may be changed:

    drop        of each, at most 0.01
    fps         throughput of ours ÷ Ultralytics' export ≥ 1.15 of the given one without training,
                ≥ 1.4 of those trained here, with training where it is asked for
    latency     decoded frame → boxes: ours ÷ Ultralytics' predict on its export ≤ 0.6 (given)
    onnx        ONNX Runtime INT8: speed ÷ its FP32 ≥ 1.6 (given)
    cameras     of the demo's detector, before and after; told, no goal

With --keep a later run goes on where this one ended; speeds are measured anew in every run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.int8 import speeds
from benchmarks.int8.activations import Cheaper, CheaperActivations
from benchmarks.int8.subjects import DATA, DEMO, DETECTORS, GIVEN, Subject, Trainings, drawn, given
from benchmarks.int8.variants import Variant, Variants
from benchmarks.verdict import Goal, conclude_all
from guardianflow.backends.hardware import cpu_flags
from guardianflow.backends.weights.ultralytics_models import import_ultralytics
from guardianflow.detector import Detector
from guardianflow.evaluation.images.preprocessing import LetterboxedImages
from guardianflow.evaluation.timing.latency import measure_interleaved, speedup

LIMIT = 0.01
BACKENDS = ("openvino", "onnx")
INSTRUCTION_SETS = frozenset({"avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8"})
"""What INT8 depends on."""


@dataclass(frozen=True)
class Asked:
    """What is asked for on the command line.

    Args:
        minutes: of training on; 0 for none.
        budget: minutes of a search.
        judged: images that judge, at most; None: all.
    """

    rounds: int
    calibration: int
    activations: bool
    minutes: float
    budget: float
    images: int
    epochs: int | None
    judged: int | None


def compare(subject: Subject, folder: Path, asked: Asked) -> tuple[dict[str, Goal], dict[str, Any]]:
    """The goals of one detector, and what was found beside them."""
    images = LetterboxedImages(subject.calibration(asked.calibration), subject.side)
    variants = Variants(subject, folder, subject.judging(asked.judged), images)
    reference = variants.reference()
    int8 = {backend: variants.exported(backend, "int8") for backend in BACKENDS}
    is_given = subject.name == GIVEN
    goals: dict[str, Goal] = {}
    found: dict[str, Any] = {"float32_mAP50_95": round(reference.mAP50_95, 4)}

    def drop(variant: Variant) -> float:
        return reference.mAP50_95 - variant.mAP50_95

    if not is_given:
        for backend, variant in int8.items():
            kept = variant.mAP50_95 / reference.mAP50_95
            goals[f"kept_{backend}"] = Goal([kept], at_least=0.99)
        if not asked.activations:
            return goals, found
    theirs = variants.ultralytics()
    measured = {"float32": reference, "theirs": theirs, "silu": int8["openvino"]}
    onnx = {"fp32": variants.exported("onnx", "fp32"), "int8": int8["onnx"]}
    best: dict[str, Cheaper] = {}
    if asked.activations:
        for backend in BACKENDS if is_given else BACKENDS[:1]:
            best[backend] = CheaperActivations(
                variants, backend, asked.minutes, LIMIT, asked.budget
            ).chosen()
        measured |= _titled(best["openvino"])
        onnx |= _titled(best["onnx"]) if is_given else {}
    ours = best["openvino"].best if best else int8["openvino"]
    found["drops"] = {name: round(drop(each), 4) for name, each in measured.items()}
    found["onnx_drops"] = {name: round(drop(each), 4) for name, each in onnx.items()}
    found |= {f"activations_{backend}": each.found for backend, each in best.items()}
    if not asked.rounds:
        return goals, found
    frames = subject.frames()
    rates = speeds.throughput(
        {name: each.package for name, each in measured.items()}, frames, 4 * asked.rounds
    )

    def faster(one: str, other: str) -> list[float]:
        return [a / b for a, b in zip(rates[one], rates[other], strict=True)]

    found["fps"] = {n: round(sorted(r)[len(r) // 2], 1) for n, r in rates.items()}
    quickest = max((n for n in measured if n in ("silu", "plain", "trained")), key=_order)
    if not best:
        goals["drop_against_ultralytics"] = Goal([drop(ours) - drop(theirs)], at_most=0.0)
        goals["fps_against_ultralytics"] = Goal(faster("silu", "theirs"), at_least=1.08)
    elif is_given:
        goals["drop"] = Goal([drop(best["openvino"].plain)], at_most=LIMIT)
        goals["fps_against_ultralytics"] = Goal(faster("plain", "theirs"), at_least=1.15)
    else:
        goals["drop"] = Goal([drop(ours)], at_most=LIMIT)
        goals["fps_against_ultralytics"] = Goal(faster(quickest, "theirs"), at_least=1.4)
    if "trained" in measured:
        found["trained_against_ultralytics"] = speedups(faster("trained", "theirs"))
    found["silu_against_ultralytics"] = speedups(faster("silu", "theirs"))
    if is_given:
        goals["fps_against_f32"] = Goal(faster(quickest, "float32"), at_least=1.8)
        goals["latency_against_predict"] = Goal(
            against_predict(ours, variants.their_export(), subject, asked.rounds),
            at_most=0.6 if best else 0.85,
        )
    gains = onnx_gains(onnx, subject, asked.rounds)
    found["onnx_gains"] = gains
    if is_given:
        within = [name for name in gains if drop(onnx[name]) <= LIMIT] or list(gains)
        fastest = max(within, key=lambda name: gains[name][0])
        goals["onnx_drop"] = Goal([drop(onnx[fastest])], at_most=LIMIT)
        goals["onnx_speed"] = Goal([gains[fastest][0]], at_least=1.6 if best else 1.3)
    if subject.name == DEMO and best:
        found["cameras"] = speeds.cameras(
            {name: measured[name].package for name in ("silu", quickest)},
            subject.dataset.splits[subject.judges],
            max(2, asked.rounds // 3),
        )
    return goals, found


def _titled(cheaper: Cheaper) -> dict[str, Variant]:
    trained = {"trained": cheaper.trained} if cheaper.trained is not None else {}
    return {"plain": cheaper.plain, **trained}


def _order(title: str) -> int:
    """How much is done to a variant: the later, the faster it should be."""
    return ("silu", "plain", "trained").index(title)


def speedups(ratios: Sequence[float]) -> list[float]:
    """Median, least and most."""
    ordered = sorted(ratios)
    return [round(each, 3) for each in (ordered[len(ordered) // 2], ordered[0], ordered[-1])]


def against_predict(
    ours: Variant, their_export: Path, subject: Subject, rounds: int
) -> list[float]:
    """Decoded frame → boxes: our median ÷ that of Ultralytics' predict on its export."""
    model = import_ultralytics().YOLO(str(their_export), task="detect")
    with Detector.open(ours.package) as detector:
        return speeds.latency(
            lambda frame: detector.predict([frame]),
            lambda frame: model.predict(frame[:, :, ::-1], imgsz=subject.side, verbose=False),
            subject.frames(),
            rounds * 3,
        )


def onnx_gains(
    variants: dict[str, Variant], subject: Subject, rounds: int
) -> dict[str, list[float]]:
    """Variant → how much faster than FP32 it is on ONNX Runtime, with its interval."""
    with contextlib.ExitStack() as stack:
        timed = measure_interleaved(
            {
                name: stack.enter_context(Detector.open(each.package))
                for name, each in variants.items()
            },
            subject.frames(),
            batch_size=1,
            warmup_runs=10,
            benchmark_runs=rounds * 20,
        )
    gains = {name: speedup(timed["fp32"], timed[name]) for name in variants if name != "fp32"}
    return {name: [round(x, 3) for x in (g.value, g.low, g.high)] for name, g in gains.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="0 makes and judges alone")
    parser.add_argument("--calibration", type=int, default=128, help="images of the train split")
    parser.add_argument(
        "--detectors", default=",".join(DETECTORS), help=f"some of {', '.join(DETECTORS)}"
    )
    parser.add_argument(
        "--activations", action="store_true", help="change as many SiLU as 0.01 of mAP50-95 allow"
    )
    parser.add_argument(
        "--training", type=float, default=0.0, help="with --activations: minutes, 0 for none"
    )
    parser.add_argument("--budget", type=float, default=120.0, help="minutes of a search")
    parser.add_argument("--images", type=int, default=1500, help="drawn, in all splits together")
    parser.add_argument("--epochs", type=int, help="of the detectors trained here; default: 12, 26")
    parser.add_argument("--keep", type=Path, help="a directory; what is in it is not made again")
    parser.add_argument("--quick", action="store_true", help="few images, rounds and epochs")
    arguments = parser.parse_args()
    names = arguments.detectors.split(",")
    if set(names) - set(DETECTORS):
        parser.error(f"--detectors must be some of {', '.join(DETECTORS)} but got {names}")
    if GIVEN in names and not DATA.is_dir():
        print(f"{GIVEN} needs a detector and images at {DATA}; leave it out", file=sys.stderr)
        return 2
    asked = Asked(
        arguments.rounds,
        arguments.calibration,
        arguments.activations,
        arguments.training,
        arguments.budget,
        arguments.images,
        arguments.epochs,
        None,
    )
    if arguments.quick:
        asked = replace(asked, rounds=2, calibration=16, images=100, epochs=2, judged=24)
    goals: dict[str, Goal] = {}
    found: dict[str, Any] = {
        "isa_cap": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        "instruction_sets": sorted(cpu_flags() & INSTRUCTION_SETS),
        "asked": asdict(asked),
    }
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            made_of = "" if name == GIVEN else f"-{asked.images}-images-{asked.epochs}-epochs"
            place = f"{name}{made_of}-{asked.calibration}-calibrate"
            folder = (arguments.keep or Path(scratch)) / place
            folder.mkdir(parents=True, exist_ok=True)
            trainings = Trainings(asked.images, asked.epochs)
            subject = given(folder) if name == GIVEN else drawn(name, folder, trainings)
            reached, told = compare(subject, folder, asked)
            print(f"{name}: {told}", flush=True)
            goals |= {f"{name}_{goal}": value for goal, value in reached.items()}
            found[name] = told
    return conclude_all("quantisation", goals, conditions=found)


if __name__ == "__main__":
    sys.exit(main())

"""Our INT8 against Ultralytics' own INT8 export and against true float32, in one run, by turns.

With a trained detector and labelled images beside the project (../shared/data: yolo11n of 80
classes, coco128), calibrated on train and judged on val:

    drop        mAP50-95 lost by ours − lost by Ultralytics' export, at most 0
    fps         throughput of ours ÷ Ultralytics' export ≥ 1.08, ÷ true float32 ≥ 1.8
    latency     decoded frame → boxes: ours ÷ Ultralytics' predict on its export ≤ 0.85
    onnx        ONNX Runtime INT8: drop ≤ 0.01, speed ÷ its FP32 ≥ 1.3

With cheaper activations, as many as lose at most 0.01 (--activations; nothing is trained unless
--training says for how many minutes a network may be trained on, from the train images alone):

    drop        of both, at most 0.01
    fps         throughput of ours ÷ Ultralytics' export ≥ 1.15
    latency     decoded frame → boxes: ours ÷ Ultralytics' predict on its export ≤ 0.6
    onnx        ONNX Runtime INT8: speed ÷ its FP32 ≥ 1.6

And with detectors trained from scratch here, for minutes (the demo's, yolov8n, yolo11n, yolo26n):

    kept        mAP50-95 of INT8 ÷ of float32, on OpenVINO and ONNX Runtime, ≥ 0.9
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.brief_detectors import kept_by_int8
from benchmarks.verdict import Goal, conclude_all
from experiments_adapters.yolo.distil import distil as train_on
from guardianflow.backends.catalogue import get_backend, open_recipe_exporter
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.backends.weights.ultralytics_models import import_ultralytics
from guardianflow.contracts.errors import TrainerError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.quantisation import HARDSWISH, Distillation, Distiller, Recipe
from guardianflow.contracts.results import (
    DetectorPackage,
    ExportRequest,
    LabelledImage,
    LocalDataset,
)
from guardianflow.detector import Detector
from guardianflow.evaluation.accuracy.detection import collect_predictions, evaluate_detections
from guardianflow.evaluation.accuracy.significance import bootstrap_differences
from guardianflow.evaluation.images.preprocessing import LetterboxedImages, load_image
from guardianflow.evaluation.timing.latency import CALLS_A_TURN, measure_interleaved, speedup
from guardianflow.evaluation.timing.throughput import measure_network_throughput
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.sampling import sample_calibration_images
from pipelines.quant.activation_order import ActivationOrder
from pipelines.quant.search_order import RecipeSearch
from pipelines.quant.trial import Trial
from pipelines.settings import PROJECT_ROOT, load_settings

DATA = PROJECT_ROOT.parent / "shared" / "data"
SIDE = 640
LIMIT = 0.01
GIVEN = "given"
DETECTORS = (GIVEN, "demo", "yolov8n", "yolo11n", "yolo26n")


def ultralytics_int8(weights: Path, data: Path, folder: Path) -> Path:
    """Ultralytics' own INT8 OpenVINO export; returns its directory."""
    ultralytics = import_ultralytics()
    copy = folder / "theirs.pt"
    copy.write_bytes(weights.read_bytes())
    with contextlib.chdir(folder), contextlib.redirect_stdout(sys.stderr):
        made = ultralytics.YOLO(str(copy)).export(
            format="openvino", int8=True, data=str(data), imgsz=SIDE, verbose=False
        )
    return Path(made)


def judged(package: DetectorPackage, images: list[LabelledImage], title: str) -> Any:
    with Detector.open(package) as detector:
        predictions = collect_predictions(detector, images)
        metrics = evaluate_detections(predictions, images, detector.class_names)
    print(f"{title}: mAP50 {metrics.mAP50:.4f}  mAP50-95 {metrics.mAP50_95:.4f}", flush=True)
    return predictions, metrics


def throughput_rounds(
    packages: dict[str, DetectorPackage], frames: list[np.ndarray], rounds: int, seconds: float
) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in packages}
    with contextlib.ExitStack() as stack:
        opened = {
            name: stack.enter_context(Detector.open(package, mode="throughput"))
            for name, package in packages.items()
        }
        for number in range(rounds):
            names = list(opened)[:: -1 if number % 2 else 1]
            for name in names:
                result = measure_network_throughput(opened[name], frames, seconds=seconds)
                rates[name].append(result.fps)
            print({name: round(rate[-1], 1) for name, rate in rates.items()}, flush=True)
    return rates


def latency_rounds(
    ours: Callable[[np.ndarray], object],
    theirs: Callable[[np.ndarray], object],
    frames: list[np.ndarray],
    rounds: int,
) -> list[float]:
    """Median of ours ÷ median of theirs, a turn of calls each, round by round."""
    ratios = []
    for _ in range(rounds):
        medians = []
        for call in (ours, theirs):
            time.sleep(0.01)
            call(frames[0])
            spent = []
            for number in range(CALLS_A_TURN):
                begin = time.perf_counter()
                call(frames[number % len(frames)])
                spent.append(time.perf_counter() - begin)
            medians.append(float(np.median(spent)))
        ratios.append(medians[0] / medians[1])
    print(f"latency, ours ÷ theirs: {np.median(ratios):.3f}", flush=True)
    return ratios


def beside_ultralytics(
    rounds: int, calibration_images: int, quick: bool, activations: bool, training: float
) -> tuple[dict[str, Goal], dict[str, Any]]:
    """The comparison on the trained 80-class detector: goals, and what was found beside them."""
    weights = DATA / "weights" / "yolo11n_from_int8.pt"
    data = DATA / "coco128" / "coco128.yaml"
    dataset = resolve_dataset(str(data), cache_dir=load_settings().datasets_dir)
    images = read_labelled_images(dataset, "val")[: 24 if quick else None]
    paths = sample_calibration_images(dataset, calibration_images, seed=0)
    frames = [load_image(image.path) for image in images[:16]]
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        source = package_from_weights(weights, folder / "source", input_size=SIDE)

        def made(backend: str, precision: str) -> DetectorPackage:
            calibration = LetterboxedImages(paths, SIDE) if precision == "int8" else None
            target = folder / f"{backend}_{precision}"
            return get_backend(backend).export(
                source, ExportRequest(precision), target, calibration
            )

        their_folder = ultralytics_int8(weights, data, folder)
        packages = {
            "true float32": made("openvino", "fp32"),
            "ours": made("openvino", "int8"),
            "Ultralytics": package_from_weights(
                their_folder,
                folder / "theirs",
                input_size=SIDE,
                class_names=source.spec.class_names,
            ),
            "ONNX FP32": made("onnx", "fp32"),
            "ONNX INT8": made("onnx", "int8"),
        }
        results = {title: judged(package, images, title) for title, package in packages.items()}
        orders: dict[str, Any] = {}
        if activations:
            base = results["true float32"][1].mAP50_95
            for title, backend in (("ours", "openvino"), ("ONNX INT8", "onnx")):
                made_with = with_cheaper_activations(
                    backend, source, paths, images, base, folder, distiller_of(dataset), training
                )
                packages[title], orders[backend] = made_with
                results[title] = judged(packages[title], images, f"{title}, cheaper activations")
        rates = throughput_rounds(
            {title: packages[title] for title in ("true float32", "Ultralytics", "ours")},
            frames,
            # Turns of a second: what disturbs a shared machine for longer disturbs all three.
            rounds if quick else 4 * rounds,
            1.0,
        )
        detector = stack.enter_context(Detector.open(packages["ours"]))
        model = import_ultralytics().YOLO(str(their_folder), task="detect")
        latency = latency_rounds(
            lambda frame: detector.predict([frame]),
            lambda frame: model.predict(frame[:, :, ::-1], imgsz=SIDE, verbose=False),
            frames,
            rounds * 3,
        )
        onnx = measure_interleaved(
            {
                precision: stack.enter_context(Detector.open(packages[f"ONNX {precision}"]))
                for precision in ("FP32", "INT8")
            },
            frames,
            batch_size=1,
            warmup_runs=10,
            benchmark_runs=rounds * 20,
        )
    base = results["true float32"][1].mAP50_95
    drops = {title: base - metrics.mAP50_95 for title, (_, metrics) in results.items()}
    against = drops["ours"] - drops["Ultralytics"]
    paired = bootstrap_differences(
        results["Ultralytics"][0], results["ours"][0], images, source.spec.class_names
    ).get("mAP50_95")
    gain = speedup(onnx["FP32"], onnx["INT8"])
    goals = {
        **(
            {"drop": Goal([drops["ours"]], at_most=0.01)}
            if activations
            else {"drop_against_ultralytics": Goal([against], at_most=0.0)}
        ),
        "fps_against_ultralytics": Goal(
            ratios_of(rates["ours"], rates["Ultralytics"]), at_least=1.15 if activations else 1.08
        ),
        "fps_against_f32": Goal(ratios_of(rates["ours"], rates["true float32"]), at_least=1.8),
        "latency_against_predict": Goal(latency, at_most=0.6 if activations else 0.85),
        "onnx_drop": Goal([drops["ONNX INT8"]], at_most=0.01),
        "onnx_speed": Goal([gain.value], at_least=1.6 if activations else 1.3),
    }
    found = {
        "drops": {title: round(drop, 4) for title, drop in drops.items()},
        "ours_minus_ultralytics": paired and [round(paired.low, 4), round(paired.high, 4)],
        "activations": orders,
        "onnx_speed_interval": [round(gain.low, 3), round(gain.high, 3)],
    }
    return goals, found


def with_cheaper_activations(
    backend: str,
    source: DetectorPackage,
    paths: Sequence[Path],
    images: list[LabelledImage],
    base: float,
    folder: Path,
    distiller: Distiller,
    training: float,
) -> tuple[DetectorPackage, dict[str, Any]]:
    """The package with the most activations changed that loses at most LIMIT, and their order.

    Args:
        base: mAP50-95 of float32.
        training: minutes of training on at a time; 0 for none.
    """
    made: dict[Recipe | None, DetectorPackage] = {}
    frames = [load_image(image.path) for image in images[:16]]

    def medians(packages: Mapping[str, DetectorPackage]) -> dict[str, float]:
        with contextlib.ExitStack() as stack:
            opened = {n: stack.enter_context(Detector.open(p)) for n, p in packages.items()}
            timed = measure_interleaved(
                opened, frames, batch_size=1, warmup_runs=5, benchmark_runs=60
            )
        return {name: each.latency_p50_ms for name, each in timed.items()}

    with open_recipe_exporter(
        backend, source, LetterboxedImages(paths, SIDE), folder / "kept"
    ) as exporter:

        def attempt(recipe: Recipe | None) -> Trial:
            if recipe is None:
                return Trial(None, reason="INT8 alone is looked for")
            target = folder / f"{backend}-{recipe.digest[:12]}"
            try:
                made[recipe] = exporter.make(recipe, target, distiller)
            except TrainerError as exc:
                print(f"{backend} {recipe.label}: {exc}", flush=True)
                return Trial(recipe, reason=str(exc))
            _, metrics = judged(made[recipe], images, f"{backend} {recipe.label}")
            drop = base - metrics.mAP50_95
            times = medians({"try": made[recipe]})
            return Trial(
                recipe,
                accepted=drop <= LIMIT,
                drops={"mAP50_95": Estimate.exactly(drop)},
                relative_latency=times["try"],
            )

        def order() -> ActivationOrder:
            harm = exporter.activation_harm(HARDSWISH)
            gain = exporter.activation_gain(HARDSWISH, medians, "benchmark")
            return ActivationOrder.of(HARDSWISH, harm, gain)

        search = RecipeSearch(
            [],
            attempt,
            lambda: True,
            methods=(),
            presets=(),
            distillation=Distillation(training) if training else None,
            order_activations=order,
        )
        result = search.run()
    most = max(
        (each.recipe for each in result.trials if each.recipe and each.accepted),
        key=lambda recipe: len(recipe.activations.groups) if recipe.activations else 0,
        default=None,
    )
    if most is None:
        raise SystemExit(f"{backend}: INT8 loses more than {LIMIT} with SiLU already")
    told = {"changed": most.label, "tries": {e.label: e.reason or e.drop for e in result.trials}}
    return made[most], search.activation_order.to_table() | told


def distiller_of(dataset: LocalDataset) -> Distiller:
    """Trains on with the train images."""
    paths = dataset.splits["train"]

    def distil(network: Any, original: Any, wanted: Distillation) -> tuple[int, dict[str, str]]:
        def told(number: int, metrics: Mapping[str, float]) -> None:
            print(number, {name: round(value, 4) for name, value in metrics.items()}, flush=True)

        images = LetterboxedImages(paths, SIDE)
        names = [path.name for path in paths]
        facts = train_on(network, original, images, names, wanted, on_round_end=told)
        return int(facts["distillation_images"]), facts

    return Distiller(distil, dataset.fingerprint)


def ratios_of(ours: list[float], theirs: list[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
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
    parser.add_argument("--quick", action="store_true", help="few images, rounds and epochs")
    arguments = parser.parse_args()
    asked = arguments.detectors.split(",")
    if set(asked) - set(DETECTORS):
        parser.error(f"--detectors must be some of {', '.join(DETECTORS)} but got {asked}")
    if GIVEN in asked and not DATA.is_dir():
        print(f"{GIVEN} needs a detector and images at {DATA}; leave it out", file=sys.stderr)
        return 2
    goals: dict[str, Goal] = {}
    found: dict[str, Any] = {"isa_cap": os.environ.get("ONEDNN_MAX_CPU_ISA", "")}
    if GIVEN in asked:
        quick = (2, 16) if arguments.quick else (arguments.rounds, arguments.calibration)
        goals, more = beside_ultralytics(
            *quick, arguments.quick, arguments.activations, arguments.training
        )
        found |= more
    for detector in asked:
        if detector == GIVEN:
            continue
        with tempfile.TemporaryDirectory() as name:
            rows = kept_by_int8(detector, Path(name) / detector, 2 if arguments.quick else None)
        for row in rows:
            goals[f"kept_{detector}_{row.backend}"] = Goal([row.share], at_least=0.9)
            found[f"{detector}_{row.backend}"] = str(row)
    return conclude_all("quantisation", goals, conditions=found)


if __name__ == "__main__":
    sys.exit(main())

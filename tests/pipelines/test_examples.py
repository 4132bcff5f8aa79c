"""Benchmarks and the quantizer under examples/ are what an author would write: here they run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from checkpoints import TINY_SIDE, draw_images
from inprocess import InProcessExecutor
from machines import was_timed
from recalling_detector import recalling_detector

from demo_scenes.scene import CLASS_NAMES
from guardianflow.contracts.results import DetectorPackage, LabelledImage
from guardianflow.detector import Detector
from guardianflow.evaluation.images.preprocessing import load_image
from guardianflow.evaluation.mot.tracker import match_classes
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.mot.sequences import resolve_sequences
from pipelines.stage.plan import Planner, RunOptions
from scenario import build_scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DATA = "demo://ppe?images=24&size=96"
CROSSING = "demo://crossing?frame_rate=30&frames=20&size=96"


def planner_of(executor: InProcessExecutor, code: Path, data: str, **sections: Any) -> Planner:
    scenario = build_scenario(
        {
            "name": "demo",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n", "input_size": 96},
            "dataset": {"path": data},
            "environment": {"device": "cpu"},
            **sections,
        }
    )
    return Planner(scenario, executor.settings, RunOptions(code_path=str(code)), "")


QUICK = {"batch_sizes": [1], "warmup_runs": 1, "benchmark_runs": 10}


def mosaics(folder: Path, images: Sequence[LabelledImage]) -> Path:
    """Pictures of four small ones each, which is what the detector knows by heart."""
    for split in ("train", "val", "test"):
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
    for number in range(0, len(images) - 3, 4):
        four = images[number : number + 4]
        side = four[0].width
        whole = np.zeros((2 * side, 2 * side, 3), np.uint8)
        rows = []
        for place, image in enumerate(four):
            x, y = side * (place % 2), side * (place // 2)
            whole[y : y + side, x : x + side] = load_image(image.path)[..., ::-1]
            for box, class_id in zip(image.boxes_xyxy, image.class_ids, strict=True):
                low, high = box[:2] + np.array([x, y]), box[2:] + np.array([x, y])
                numbers = [*((low + high) / 2), *(high - low)]
                rows.append(f"{class_id} " + " ".join(f"{v / (2 * side):.6f}" for v in numbers))
        for split in ("train", "val", "test"):
            name = f"{split}{number}"
            picture = whole if split == "test" else np.roll(whole, number + len(split), axis=0)
            cv2.imwrite(str(folder / "images" / split / f"{name}.png"), picture)
            text = "\n".join(rows) + "\n"
            (folder / "labels" / split / f"{name}.txt").write_text(text, encoding="utf-8")
    data = {split: str(folder / "images" / split) for split in ("train", "val", "test")}
    file = folder / "data.yaml"
    file.write_text(json.dumps({**data, "names": list(CLASS_NAMES)}), encoding="utf-8")
    return file


def test_tiles_find_what_the_whole_picture_hides(
    repository: Path, executor: InProcessExecutor, tmp_path: Path
) -> None:
    data = resolve_dataset(DATA, cache_dir=executor.settings.datasets_dir)
    images = [each for each in read_labelled_images(data, "train") if len(each.class_ids)][:8]
    model = recalling_detector(tmp_path / "model", images, CLASS_NAMES)
    large = mosaics(tmp_path / "data", images)
    code = tmp_path / "tiled_inference"
    shutil.copytree(repository / "examples/experiments/tiled_inference", code)
    (code / "tiling.yaml").write_text("overlap: 0\nsame_object: 0.9\n", encoding="utf-8")
    planner = planner_of(executor, code, str(large), benchmark=QUICK)
    tiled = executor.run(planner.infer(str(model.directory)))
    whole = executor.run(
        planner.infer(str(model.directory), code_path="experiments_adapters/yolo", force=True)
    )
    assert tiled.metrics["det.mAP50"] == pytest.approx(1.0, abs=0.02)
    assert whole.metrics["det.mAP50"] < 0.5
    assert tiled.metrics["bench.tiles_per_image"] == 4
    was_timed(tiled.metrics, "bench.bs1.latency_p50_ms")


def test_a_tracker_of_ones_own_is_judged(
    repository: Path, executor: InProcessExecutor, tmp_path: Path
) -> None:
    (sequence,) = resolve_sequences(
        [CROSSING], cache_dir=executor.settings.datasets_dir, search_dirs=[]
    )
    pairs = match_classes(CLASS_NAMES, [sequence]).pairs[sequence.name]
    known = {theirs: ours for ours, theirs in pairs.items()}
    frames = []
    for number, path in enumerate(sequence.frame_paths, start=1):
        here = sequence.truth.where(sequence.truth.frames == number)
        here = here.where(np.isin(here.class_ids, list(known)))
        corner = here.boxes_ltwh[:, :2] - sequence.first_pixel
        boxes = np.concatenate([corner, corner + here.boxes_ltwh[:, 2:]], axis=1)
        class_ids = np.array([known[int(each)] for each in here.class_ids], np.int64)
        size = (int(sequence.width or 0), int(sequence.height or 0))
        frames.append(LabelledImage(path, *size, boxes.astype(np.float32), class_ids))
    model = recalling_detector(tmp_path / "model", frames, CLASS_NAMES)
    tracking = {**QUICK, "use_tracking": True, "sequences": [CROSSING]}
    code = repository / "examples/experiments/iou_tracker"
    planner = planner_of(executor, code, DATA, benchmark=tracking)
    result = executor.run(planner.infer(str(model.directory)))
    assert result.metrics["mot.mota"] > 0.85
    assert result.metrics["mot.idf1"] > 0.9
    assert result.metrics["bench.longest_track_frames"] >= 15
    tags = executor.store.get_run(result.run_id).tags
    assert tags["mot.tracker"] == "Benchmark (benchmark.py)"


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # the author's libraries
def test_an_exporter_of_ones_own_makes_int8_that_finds_the_same(
    repository: Path, executor: InProcessExecutor, trained: Path, tmp_path: Path
) -> None:
    code = repository / "examples/experiments/openvino_export"
    before = sorted(code.rglob("*"))
    wanted = {"backend": "openvino", "precision": "int8", "calibration_size": 8}
    planner = planner_of(executor, code, DATA, quantization=wanted, benchmark=QUICK)
    (variant,) = planner.scenario.quantization_variants
    result = executor.run(planner.quant(variant, str(trained)))
    assert sorted(code.rglob("*")) == before
    (model,) = result.models
    assert model.display_name == "demo/seoul-plant1/full/ppe__openvino_int8"
    assert model.tags["quant_exporter"] == "Quantizer (quantize.py)"
    assert result.metrics["comparison.compression_ratio"] > 1.5
    made = executor.registry.fetch(f"runs:/{result.run_id}", tmp_path / "made")
    batch = draw_images(1, side=TINY_SIDE, seed=5)
    with Detector.open(DetectorPackage.load(trained), device="cpu") as original:
        expected = original.infer(batch)
    with Detector.open(made, device="cpu") as quantised:
        found = quantised.infer(batch)
    assert np.abs(found - expected)[:, :4].mean() < 1.0  # pixels
    assert np.abs(found - expected)[:, 4:].mean() < 0.02  # processors without VNNI round otherwise

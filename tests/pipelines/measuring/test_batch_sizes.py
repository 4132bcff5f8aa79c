"""The fastest batch size, and the memory that each takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from contexts import context_of, request_of
from PIL import Image
from small_detectors import small_package

from pipelines.measuring.batch_sizes import best_batch_size, memory_by_batch_size
from scenario import build_scenario


def test_the_fastest_of_those_that_were_timed() -> None:
    metrics = {"bench.bs1.fps": 30.0, "bench.bs16.fps": 40.0, "bench.bs8.fps": 40.0}
    assert best_batch_size(metrics | {"bench.throughput.files_fps": 90.0}) == {
        "bench.best_fps": 40.0, "bench.best_batch_size": 8.0
    }  # fmt: skip
    assert best_batch_size({"sys.fps": 3.0}) == {}  # nothing was timed: nothing is said


def test_each_batch_size_has_its_memory(tmp_path: Path) -> None:
    package = small_package(tmp_path / "package", "onnx")
    picture = tmp_path / "a.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(picture)
    values = {
        "name": "demo",
        "site": {"customer": "demo", "region": "seoul"},
        "task": {"type": "ppe"},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": "demo://ppe"},
        "benchmark": {"batch_sizes": [4]},
        "environment": {"device": "cpu"},
    }
    request = request_of("infer", tmp_path, tmp_path / "work")
    context = context_of(request, build_scenario(values), tmp_path)
    found = memory_by_batch_size(context, package, [picture])
    assert {key for key in found if "cpu" in key} == {
        "bench.bs1.cpu_memory_peak_mb", "bench.bs4.cpu_memory_peak_mb"
    }  # fmt: skip
    assert all(value > 20 for value in found.values())

"""A Benchmark as a user runs it: from a repository, with its output in the log, ended by Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from git_server import commit_all
from recalling_detector import recalling_detector
from workplace import Workplace, last_json

from demo_scenes.scene import CLASS_NAMES
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
DATA = "demo://ppe?images=24&size=96"
SMALL = ("-p", f"dataset.path={DATA}", "-p", "model.input_size=96", "--batch-sizes", "1")
QUICK = ("--warmup", "1", "--runs", "10", "--json")
CODE = """
import time

class Benchmark:
    def __init__(self, model_config, benchmark_config, dataset_config, detector=None):
        self.detector = detector

    def predict(self, images):
        print("looking at", len(images), flush=True)
        time.sleep({seconds})
        found = self.detector.predict(images, confidence=0.001)
        return [(each.boxes_xyxy, each.scores, each.class_ids) for each in found]
"""


@pytest.fixture
def model(workplace: Workplace) -> str:
    data = resolve_dataset(DATA, cache_dir=workplace.work_dir / "datasets")
    images = read_labelled_images(data, "test")
    return str(recalling_detector(workplace.root / "model", images, CLASS_NAMES).directory)


def write(folder: Path, seconds: float) -> Path:
    folder.mkdir()
    (folder / "benchmark.py").write_text(CODE.format(seconds=seconds), encoding="utf-8")
    return folder


def test_a_repository_may_hold_it_and_what_it_prints_is_in_the_log(
    workplace: Workplace, model: str
) -> None:
    folder = workplace.root / "repository"
    folder.mkdir()
    write(folder / "mot_benchmark", 0.0)
    commit_all(folder)
    reference = f"git+file://{folder}#subdir=mot_benchmark"
    command = ("infer", str(workplace.write_scenario()), "-m", model, "-e", reference, *SMALL)
    done = workplace.guardianflow(*command, *QUICK)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert result["metrics"]["det.mAP50"] == 1.0
    assert result["author"] == "Benchmark (benchmark.py)"
    run = workplace.store.get_run(result["run_id"])
    assert run.tags["experiment_code_path"] == reference
    log = workplace.store.download(run.run_id, "logs/stage.log", workplace.root / "got")
    assert "looking at 1" in log.read_text(encoding="utf-8")

    # Its directory has nothing for quant: said, and before that the missing .pt of this model.
    other = ("quant", str(workplace.root / "scenario.yaml"), "-s", model, "-e", reference)
    asked = workplace.guardianflow(*other, "-p", f"dataset.path={DATA}", "--backend", "onnx")
    assert asked.returncode == 2
    assert "variants are made of a PyTorch float32 detector" in asked.stderr


def test_ctrl_c_ends_it_and_its_run(workplace: Workplace, model: str) -> None:
    code = write(workplace.root / "mine", 3.0)
    command = ("infer", str(workplace.write_scenario()), "-m", model, "-e", str(code), *SMALL)
    process = workplace.start(sys.executable, "-m", "apps.cli.main", *command)
    try:
        for _ in range(900):
            if process.poll() is not None or workplace.store.find_runs(status="RUNNING"):
                break
            time.sleep(0.1)
        time.sleep(1)  # it looks at its first image
    finally:
        os.kill(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    (run,) = workplace.store.find_runs()
    assert run.status == "KILLED"
    assert not [key for key in run.metrics if key.startswith("det.")]

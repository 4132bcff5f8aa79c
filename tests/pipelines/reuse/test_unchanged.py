"""An unchanged pipeline is found done in the command's process; what changed is told and done."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from workplace import Workplace, last_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
HEAVY = ("torch", "ultralytics", "openvino", "onnxruntime", "onnx", "nncf", "cv2", "matplotlib")
TRAINER = """
import shutil
from pathlib import Path


class Trainer:
    def __init__(self, model_config, training_config, dataset_config, work_dir=None):
        self.best = Path(work_dir) / "best.pt"

    def train(self):
        shutil.copy({weights!r}, self.best)
        self.on_epoch_end(1, {{"mAP50": 0.5}})

    def get_best_model_path(self):
        return str(self.best)
"""
TINY = (
    *("-p", "dataset.path=demo://ppe?images=40&size=96", "-p", "model.input_size=96"),
    *("-p", "benchmark.benchmark_runs=20", "-p", "benchmark.warmup_runs=2"),
    *("--backend", "onnx"),
)


def states(result: dict[str, Any]) -> dict[str, bool]:
    return {f"{each['stage']} {each['variant']}": each["reused"] for each in result["stages"]}


def test_an_unchanged_pipeline_runs_nothing_and_imports_nothing(
    workplace: Workplace, tiny_weights: Path
) -> None:
    code = workplace.root / "code"
    code.mkdir()
    (code / "train.py").write_text(TRAINER.format(weights=str(tiny_weights)), encoding="utf-8")
    text = workplace.write_scenario().read_text(encoding="utf-8")
    variant = "    - {backend: onnx, precision: int8}\n"
    assert variant in text
    scenario = workplace.root / "scenario.yaml"
    scenario.write_text(text.replace(variant, ""), encoding="utf-8")
    command = ("pipeline", str(scenario), "-e", str(code), *TINY, "--json")

    first = workplace.guardianflow(*command, timeout=600)
    assert first.returncode == 0, first.stderr
    done = last_json(first.stdout)
    assert not any(states(done).values())
    runs = len(workplace.store.find_runs())
    attempts = set((workplace.work_dir / "stages").iterdir())

    timed = (sys.executable, "-X", "importtime", "-m", "apps.cli.main")
    second = workplace.run(*timed, *command)
    assert second.returncode == 0, second.stderr
    again = last_json(second.stdout)
    # Each stage's own process had found the same fingerprint with its model open.
    assert all(states(again).values()) and again["reused"]
    assert again["run_id"] == done["run_id"]
    assert len(workplace.store.find_runs()) == runs
    assert set((workplace.work_dir / "stages").iterdir()) == attempts
    imported = set(re.findall(r"import time:.*\| +(\S+)", second.stderr))
    assert "mlflow.version" in imported
    assert imported.isdisjoint(HEAVY)

    explained = workplace.guardianflow(*command, "--explain", "-p", "benchmark.warmup_runs=3")
    told = {each["stage"]: each for each in last_json(explained.stdout)["stages"]}
    assert {stage: each["state"] for stage, each in told.items()} == {
        "train": "reused",
        "quant onnx_fp32": "changed",
        "infer pytorch_fp32": "changed",
        "infer onnx_fp32": "follows",
    }
    assert [each["text"] for each in told["quant onnx_fp32"]["differences"]] == [
        "benchmark.warmup_runs: 2 → 3"
    ]
    assert len(workplace.store.find_runs()) == runs

    forced = workplace.guardianflow(*command, "--force", "onnx_fp32", timeout=600)
    assert forced.returncode == 0, forced.stderr
    assert states(last_json(forced.stdout)) == {
        "train pytorch_fp32": True,
        "quant onnx_fp32": False,
        "infer pytorch_fp32": True,
        "infer onnx_fp32": False,
    }

    wrong = workplace.guardianflow(*command, "--force=onnx_fp23")
    assert wrong.returncode == 2
    assert "did you mean 'onnx_fp32'?" in last_json(wrong.stdout)["error"]["message"]

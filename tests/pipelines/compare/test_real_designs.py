"""Real networks and real formats in designs: small, but nothing of them is stood in for."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from workplace import Workplace, last_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

EXPERIMENT = "local/here-plant1/full"
SCENARIO = """
name: ppe-designs
site: {{customer: local, region: here}}
task: {{type: ppe}}
environment: {{device: cpu}}
model: {{architecture: yolo11n, input_size: 96}}
dataset: {{path: "demo://ppe?images=60&size=96"}}
training: {{epochs: 1, batch_size: 8, options: {{workers: 0}}}}
benchmark: {{batch_sizes: [1], warmup_runs: 1, benchmark_runs: 5}}
quantization: {{backend: onnx, precision: int8, calibration_size: 4}}
{more}
"""
ARCHITECTURES = "comparison: {architectures: [yolo11n, yolo26n]}"
ABLATION = """
experiment_type: quant
ablation: {components: {calibration_method: [minmax, percentile], method: [static, dynamic]}}
"""


def written(workplace: Workplace, more: str) -> Path:
    workplace.environment["GUARDIANFLOW_QUIET_WAIT_S"] = "0"
    path = workplace.root / "s.yaml"
    path.write_text(SCENARIO.format(more=more), encoding="utf-8")
    return path


def runs_of(workplace: Workplace) -> tuple[Any, dict[str, Any]]:
    """The parent run, and those below it by their names."""
    runs = workplace.store.find_runs(experiment_name=EXPERIMENT, limit=100)
    (parent,) = [each for each in runs if each.parent_run_id is None]
    return parent, {each.run_name: each for each in runs if each.parent_run_id == parent.run_id}


def kill_once_one_is_done(workplace: Workplace, *words: str) -> str:
    """Start a design, kill it in its second stage, and give its parent run."""
    process = workplace.start(sys.executable, "-m", "apps.cli.main", *words)
    end = time.monotonic() + 500
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        runs = workplace.store.find_runs(experiment_name=EXPERIMENT, limit=100)
        if {each.status for each in runs if each.parent_run_id} == {"FINISHED", "RUNNING"}:
            break
        time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    parent: str = runs_of(workplace)[0].run_id
    return parent


def test_two_architectures_are_trained_compared_and_gone_on_with(
    workplace: Workplace, tmp_path: Path
) -> None:
    file = str(written(workplace, ARCHITECTURES))
    parent = kill_once_one_is_done(workplace, "compare", file)
    first = {name: run for name, run in runs_of(workplace)[1].items() if run.status == "FINISHED"}
    done = workplace.guardianflow("compare", file, "--resume", parent, "--json", timeout=900)
    assert done.returncode == 0, done.stderr
    table = last_json(done.stdout)["comparison"]
    assert {row["variant"] for row in table["rows"]} == {"yolo11n", "yolo26n"}
    assert all(row["mAP50"] is not None for row in table["rows"])
    run, below = runs_of(workplace)
    assert (run.run_id, run.status) == (parent, "FINISHED")
    assert set(below) == {"arch-yolo11n", "arch-yolo26n", "side-by-side"}
    assert {each.status for each in below.values()} == {"FINISHED"}
    for name, each in first.items():
        assert below[name].run_id == each.run_id, "what had ended was not done again"
    assert below["arch-yolo26n"].params["model.architecture"] == "yolo26n"
    report = workplace.store.download(parent, "report", tmp_path / "got")
    assert {each.name for each in report.iterdir()} >= {
        "comparison.md", "comparison.csv", "comparison.json", "comparison.png", "ranks.png",
    }  # fmt: skip


def test_a_quantisation_is_ablated_and_gone_on_with(
    workplace: Workplace, tiny_weights: Path, tmp_path: Path
) -> None:
    file = str(written(workplace, ABLATION))
    words = ("ablation", file, "-p", f"model.weights_path={tiny_weights}")
    parent = kill_once_one_is_done(workplace, *words)
    done = workplace.guardianflow(*words, "--resume", parent, "--json", timeout=900)
    assert done.returncode == 0, done.stderr
    rows = last_json(done.stdout)["comparison"]["rows"]
    assert {row["variant"] for row in rows} == {"calibration_method=percentile", "method=dynamic"}
    assert all(row["effect"] is not None for row in rows)
    run, below = runs_of(workplace)
    assert (run.run_id, run.status) == (parent, "FINISHED")
    assert set(below) == {
        "ablation-baseline", "ablation-calibration_method_percentile", "ablation-method_dynamic",
        "side-by-side",
    }  # fmt: skip
    assert below["ablation-method_dynamic"].params["quant.method"] == "dynamic"
    report = workplace.store.download(parent, "report", tmp_path / "got")
    assert (report / "ablation.png").stat().st_size > 5000

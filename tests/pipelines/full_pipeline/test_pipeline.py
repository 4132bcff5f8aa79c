"""The whole way on a tiny scale: real Ultralytics, NNCF, ONNX Runtime, OpenVINO and MLflow."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from typing import Any

import pytest
from machines import was_timed
from workplace import Workplace, last_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXPERIMENT = "demo-construction/seoul-plant1/full"
TINY = (
    *("-p", "dataset.path=demo://ppe?images=40&size=96", "-p", "model.input_size=96"),
    *("-p", "training.epochs=1", "-p", "benchmark.benchmark_runs=20"),
    *("-p", "benchmark.warmup_runs=2"),
)
VARIANTS = {"pytorch_fp32", "openvino_int8", "onnx_int8"}
# Nine test images can't tell an accuracy; a size is what it is.
GATES = ("-p", "release.min_mAP50=0.2", "-p", "release.max_size_mb=50")


def write_scenario(workplace: Workplace, *variants: str) -> str:
    """The demo with these variants alone; `make acceptance` runs all of them."""
    path = workplace.write_scenario()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    made = {
        "{}_{}".format(*re.findall(r": (\w+)", line)): line for line in lines if "- {ba" in line
    }
    assert set(variants) < set(made)
    kept = [line for line in lines if line not in made.values() or line in map(made.get, variants)]
    path.write_text("".join(kept), encoding="utf-8")
    return str(path)


def pipeline(workplace: Workplace, *words: str) -> Any:
    scenario = write_scenario(workplace, *(VARIANTS - {"pytorch_fp32"}))
    return workplace.guardianflow("pipeline", scenario, *TINY, *words, timeout=500)


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_a_scenario_becomes_registered_variants_that_load_anywhere(workplace: Workplace) -> None:
    done = pipeline(workplace, "--json", *GATES)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    released = result["stages"].pop()
    made = {s["variant"]: s for s in result["stages"] if s["stage"] != "infer"}
    judged = {s["variant"]: s for s in result["stages"] if s["stage"] == "infer"}
    assert set(made) == set(judged) == VARIANTS
    check_release(workplace, result, released)
    check_runs(workplace, result)
    check_report(workplace, result)
    for variant in ("openvino_int8", "onnx_int8"):
        quant = made[variant]["metrics"]
        drop = quant["det.original.mAP50"] - quant["det.quantized.mAP50"]
        assert quant["comparison.accuracy_drop_mAP50"] == pytest.approx(drop)
        keys = ("comparison.speedup_ratio", "comparison.speedup_ratio_low", "sys.quantized.fps")
        was_timed(quant, *keys)
        assert quant["comparison.compression_ratio"] > 1
    for variant in ("pytorch_fp32", "openvino_int8", "onnx_int8"):
        (model,) = made[variant]["models"]
        check_prediction(workplace, model["name"])


def check_release(workplace: Workplace, result: dict[str, Any], released: dict[str, Any]) -> None:
    """Undecided, and said so everywhere; judged anew by what can be decided, it passes."""
    assert (released["stage"], released["release"]) == ("release", result["release"])
    assert result["release"]["outcome"] == "undecided"
    (run,) = workplace.store.find_runs(tags={"guardianflow.stage": "release"})
    assert (run.run_id, run.parent_run_id) == (released["run_id"], result["run_id"])
    got = workplace.root / "release"
    for name in ("report/release.html", "report/release.ko.html", "report/summary.md"):
        text = workplace.store.download(result["run_id"], name, got).read_text("utf-8")
        assert "pytorch_fp32" in text
    assert "Release: UNDECIDED" in text
    promoting = ("-p", "release.auto_promote=on_pass", "-p", "release.max_size_mb=50")
    scenario = str(workplace.root / "scenario.yaml")
    command = ("release", scenario, "--run", result["run_id"], *TINY, *promoting, "--json")
    done = workplace.guardianflow(*command, "--fail-on-gate")
    assert done.returncode == 0, done.stderr
    decision = last_json(done.stdout)["release"]
    assert {v["variant"] for v in decision["variants"]} == VARIANTS
    judged = workplace.store.get_run(last_json(done.stdout)["run_id"])
    # Without times nothing says which of several is the one to promote.
    promoted = 0 if judged.metrics.get("sys.busy") else 1
    assert (decision["outcome"], len(decision["promoted"])) == ("pass", promoted)
    done = workplace.guardianflow(*command, "-p", "release.max_size_mb=0.001", "--fail-on-gate")
    assert done.returncode == 1
    assert "FAIL max_size_mb" in done.stderr


def check_runs(workplace: Workplace, result: dict[str, Any]) -> None:
    """Every stage is a finished child of the parent, in the site's experiment."""
    runs = {run.run_id: run for run in workplace.store.find_runs(experiment_name=EXPERIMENT)}
    assert runs[result["run_id"]].run_name == "ppe-yolo11n-pipeline-v1"
    for stage in result["stages"]:
        run = runs.pop(stage["run_id"])
        assert run.parent_run_id == result["run_id"]
        assert run.status == "FINISHED"
        if stage["stage"] == "quant":
            trained = result["stages"][0]["run_id"]
            assert run.tags["source.run_id"] == trained
            assert run.run_name == f"quant-{stage['variant']}"
    rest = [run.tags["guardianflow.stage"] for run in runs.values()]
    assert sorted(rest) == ["full_pipeline", "release", "release", "release"]


def check_report(workplace: Workplace, result: dict[str, Any]) -> None:
    got = workplace.root / "report"
    summary = workplace.store.download(result["run_id"], "report/summary.json", got)
    rows = json.loads(summary.read_text(encoding="utf-8"))["rows"]
    assert {row["variant"] for row in rows} == VARIANTS
    text = workplace.store.download(result["run_id"], "report/summary.md", got).read_text("utf-8")
    assert "demo-construction/seoul-plant1/full/ppe__openvino_int8 v1" in text
    assert workplace.store.download(result["run_id"], "report/variants.png", got).is_file()


def check_prediction(workplace: Workplace, name: str) -> None:
    """In a process that has nothing of ours on its path."""
    code = (
        "import sys, numpy as np, mlflow\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "images = np.random.default_rng(0).integers(0, 255, (2, 96, 96, 3), np.uint8)\n"
        "boxes = model.predict(images, params={'confidence': 0.0001})\n"
        "assert len(boxes) and {'x1', 'y2', 'confidence', 'class_name'} <= set(boxes.columns)\n"
        "print(boxes.head(2))\n"
    )
    done = workplace.run(
        sys.executable, "-c", code, f"models:/{name}/1"
    )  # the winner is no candidate any more
    assert done.returncode == 0, done.stderr


@pytest.mark.acceptance
def test_an_interrupted_pipeline_goes_on_where_it_stopped(workplace: Workplace) -> None:
    scenario = write_scenario(workplace, "openvino_int8", "onnx_fp32")
    command = (sys.executable, "-m", "apps.cli.main", "pipeline", scenario, *TINY)
    only = ("--backend", "onnx")
    process = workplace.start(*command, *only)
    for line in process.stderr or ():
        if line.startswith("[quant onnx_fp32] run "):
            break
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=90)
    assert process.returncode == 130, stderr
    (resume,) = [line for line in stderr.splitlines() if "resume:" in line]
    parent = resume.split()[-1]
    statuses = {
        run.run_id: run.status for run in workplace.store.find_runs(experiment_name=EXPERIMENT)
    }
    assert statuses.pop(parent) == "KILLED"
    # the stage at work may have come to its end in the time it was given to stop
    assert set(statuses.values()) <= {"FINISHED", "KILLED"}

    assert "--backend onnx" in resume
    done = workplace.run(*command, *only, "--json", "--resume", parent, timeout=400)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert result["run_id"] == parent
    assert [s["reused"] for s in result["stages"] if s["stage"] == "train"] == [True]
    assert workplace.store.get_run(parent).status == "FINISHED"


def test_what_can_not_run_here_is_said_before_training(workplace: Workplace) -> None:
    done = pipeline(workplace, "--json", "--backend", "tensorrt")
    assert done.returncode == 1
    message = last_json(done.stdout)["error"]["message"]
    assert "tensorrt" in message.lower()
    assert "pip install" in message
    assert workplace.store.find_runs(experiment_name=EXPERIMENT) == []


def test_a_typed_scenario_is_refused(workplace: Workplace) -> None:
    done = pipeline(workplace, "--json", "-p", "experiment_type=train")
    assert done.returncode == 2
    assert "experiment_type" in last_json(done.stdout)["error"]["message"]

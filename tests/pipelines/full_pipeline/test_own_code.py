"""A pipeline whose code has a Quantizer and a Benchmark, no Trainer: stages take what is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from workplace import Workplace, last_json

pytestmark = [pytest.mark.slow, pytest.mark.acceptance, pytest.mark.timeout(900)]
TINY = (
    *("-p", "dataset.path=demo://ppe?images=40&size=96", "-p", "model.input_size=96"),
    *("-p", "training.epochs=1", "-p", "benchmark.benchmark_runs=20"),
    *("-p", "benchmark.warmup_runs=2"),
)


def test_each_stage_takes_the_class_that_is_there(workplace: Workplace, repository: Path) -> None:
    code, examples = workplace.root / "mine", repository / "examples" / "experiments"
    shutil.copytree(examples / "openvino_export", code)
    for name in ("benchmark.py", "tiling.yaml"):
        shutil.copy(examples / "tiled_inference" / name, code)
    path = workplace.write_scenario()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    left_out = ("openvino, precision: fp16", "onnx, precision: int8")
    kept = [line for line in lines if not any(each in line for each in left_out)]
    path.write_text("".join(kept), encoding="utf-8")
    scenario = str(path)
    done = workplace.guardianflow(
        "pipeline", scenario, "-e", str(code), *TINY, "--json", timeout=550
    )
    assert done.returncode == 0, done.stderr
    assert "has no train.py with a Trainer: the built-in YOLO experiment trains" in done.stderr
    result = last_json(done.stdout)
    authors = {(s["stage"], s["variant"]): s.get("author", "") for s in result["stages"]}
    assert authors[("train", "pytorch_fp32")] == authors[("quant", "onnx_fp32")] == ""
    assert authors[("quant", "openvino_int8")] == "Quantizer (quantize.py)"
    assert {who for (stage, _), who in authors.items() if stage == "infer"} == {
        "Benchmark (benchmark.py)"
    }
    page = workplace.store.download(result["run_id"], "report/summary.md", workplace.root / "got")
    text = page.read_text(encoding="utf-8")
    assert "Boxes, mAP and latency are those of the experiment's own Benchmark" in text
    assert "openvino_int8 was made by the experiment's own Quantizer" in text

    # Nothing changed: everything is reused, and says so of the same classes.
    again = workplace.guardianflow("pipeline", scenario, "-e", str(code), *TINY, "--json")
    stages = last_json(again.stdout)["stages"]
    assert all(stage["reused"] for stage in stages)
    assert {(s["stage"], s["variant"]): s.get("author", "") for s in stages} == authors

"""Formats of one model beside each other: real exports, one evaluator, no row of zeros."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from checkpoints import TINY_SIDE as SIDE
from inprocess import InProcessExecutor
from machines import was_timed
from workplace import Workplace, last_json

from guardianflow.backends.onnx.runtime import OnnxBackend
from guardianflow.contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ComparisonFailedError,
    ScenarioError,
    StageFailedError,
)
from guardianflow.contracts.results import DetectorPackage, StageResult
from pipelines import create_runner
from pipelines.compare.comparison import Comparison
from pipelines.compare.table import ComparisonTable
from pipelines.settings import BUILTIN_EXPERIMENT
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import RunOptions
from pipelines.stage.stage import StageRequest
from scenario import Scenario, build_scenario

EXPERIMENT = "demo/seoul-plant1/full"
NATIVE = {"backend": "native", "precision": "fp32"}
OPENVINO = {"backend": "openvino", "precision": "int8"}
OPENVINO_FP16 = {"backend": "openvino", "precision": "fp16"}
ONNX = {"backend": "onnx", "precision": "fp32"}
TENSORRT = {"backend": "tensorrt", "precision": "int8"}
SPEEDUP, ALSO_TIMED = "comparison.speedup_ratio", ("onnx_fp32", "openvino_fp16")
without_tensorrt = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed"
)


def make_scenario(*variants: dict[str, Any], **sections: Any) -> Scenario:
    values: dict[str, Any] = {
        "name": "demo",
        "site": {"customer": "demo", "region": "seoul"},
        "task": {"type": "ppe"},
        "model": {"architecture": "yolo11n", "input_size": SIDE},
        "dataset": {"path": f"demo://ppe?images=24&size={SIDE}"},
        "benchmark": {"warmup_runs": 1, "benchmark_runs": 20, "batch_sizes": [1, 2]},
        "quantization": {"calibration_size": 4, "calibration_method": "minmax"},
    }
    made = build_scenario({**values, **sections})
    return made.with_quant_comparison(variants) if variants else made


def compare(
    executor: Any, source: Path | str, *variants: dict[str, Any], **options: Any
) -> Comparison:
    chosen = RunOptions(
        source=str(source), resumable=True, invocation="guardianflow compare s.yaml", **options
    )
    return Comparison(
        make_scenario(*variants), chosen, executor.settings, cast(LocalExecutor, executor)
    )


def break_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    def half_way(self: object, source: object, request: object, destination: Path, *_: Any) -> Any:
        raise BackendError("the converter gave up")

    monkeypatch.setattr(OnnxBackend, "export", half_way)


@pytest.mark.acceptance
@pytest.mark.timeout(600)
@without_tensorrt
def test_a_failure_ends_one_variant_and_the_way_back_makes_that_one_alone(
    executor: InProcessExecutor, trained: Path, tmp_path: Path
) -> None:
    variants = (NATIVE, ONNX, TENSORRT, OPENVINO_FP16)
    with pytest.MonkeyPatch.context() as patch:
        break_onnx(patch)
        with pytest.raises(ComparisonFailedError) as caught:
            compare(executor, trained, *variants).run(lambda _: executor.ports)
    check_failure(executor, caught.value)
    parent = caught.value.run_id
    assert parent is not None

    done = compare(executor, trained, *variants, resume=parent).run(lambda _: executor.ports)
    assert (done.run_id, done.status) == (parent, "FINISHED")
    states = [(s.variant, s.status, s.reused) for s in done.stages]
    assert states == [
        ("pytorch_fp32", "FINISHED", True),
        ("onnx_fp32", "FINISHED", False),
        ("tensorrt_int8", "SKIPPED", False),
        ("openvino_fp16", "FINISHED", True),
    ]
    check_runs(executor, done)
    check_report(executor, done, tmp_path)


def check_failure(executor: InProcessExecutor, error: ComparisonFailedError) -> None:
    assert error.exit_code == 1
    assert "1 of 4 variants failed:\n  - onnx_fp32: the converter gave up (run " in str(error)
    assert f"--resume {error.run_id}" in str(error)
    assert executor.store.get_run(str(error.run_id)).status == "FAILED"
    table = cast(ComparisonTable, error.comparison)
    rows = {row.variant: row for row in table.rows}
    assert [row.status for row in table.rows] == ["FINISHED", "FAILED", "SKIPPED", "FINISHED"]
    assert "missing-library" in rows["tensorrt_int8"].reason
    assert "pip install guardianflow[tensorrt]" in rows["tensorrt_int8"].reason
    for name in ("onnx_fp32", "tensorrt_int8"):
        assert rows[name].mAP50_95 is rows[name].speedup_ratio is rows[name].within_limits is None
    fp16 = rows["openvino_fp16"]
    assert (fp16.speedup_ratio is None) is fp16.speedup_busy
    # nothing of the broken one is registered
    names = [model.display_name for model in executor.registry.list_models()]
    assert names == [f"{EXPERIMENT}/ppe__openvino_fp16"]


def check_runs(executor: InProcessExecutor, done: StageResult) -> None:
    runs = {run.run_id: run for run in executor.store.find_runs(experiment_name=EXPERIMENT)}
    parent = runs[done.run_id]
    assert parent.tags["exp.design"] == "comparison"
    assert parent.tags["comparison.type"] == "quantization"
    assert parent.tags["sweep.total_runs"] == "3"
    assert "missing-library" in parent.tags["comparison.skipped.tensorrt_int8"]
    timed = [was_timed(s.metrics, SPEEDUP) for s in done.stages if s.variant in ALSO_TIMED]
    best = runs.get(parent.tags.get("comparison.best_run_id", ""))
    # Where a variant within the limits could not be timed, none is called the best.
    assert best is not None or not all(timed)
    if best is not None:
        assert parent.tags["comparison.best_value"] == best.tags["comparison.value"]
    evaluators = {runs[s.run_id].tags["det.evaluator"] for s in done.stages if s.run_id}
    assert len(evaluators) == 1
    assert not [run for run in runs.values() if "tensorrt" in run.run_name]
    place = {"pytorch_fp32": "0", "onnx_fp32": "1", "openvino_fp16": "3"}
    for stage in done.stages:
        if stage.status == "SKIPPED":
            assert (stage.run_id, dict(stage.metrics)) == ("", {})
            continue
        run = runs[stage.run_id]
        assert run.run_name == f"quant-{stage.variant}"
        assert run.parent_run_id == done.run_id
        assert run.tags["comparison.variable"] == "quantization"
        assert run.tags["comparison.value"] == stage.variant
        assert run.tags["sweep.index"] == place[stage.variant]
        assert run.tags["data.split"] == "val"
        assert run.tags["exp.design"] == "single"
        assert parent.tags.get(f"reused.{stage.variant}") == (
            stage.run_id if stage.reused else None
        )


def check_report(executor: InProcessExecutor, done: StageResult, tmp_path: Path) -> None:
    folder = executor.store.download(done.run_id, "report", tmp_path / "got")
    assert (folder / "comparison.png").is_file()
    table = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    rows = {row["variant"]: row for row in table["rows"]}
    native, onnx = rows["pytorch_fp32"], rows["onnx_fp32"]
    assert native["speedup_ratio"] == 1.0
    assert native["drop_mAP50_95"] is None
    # float32 elsewhere is the same network: one evaluator finds the same on the same images
    assert onnx["mAP50_95"] == pytest.approx(native["mAP50_95"], abs=0.01)
    assert onnx["drop_mAP50_95"] == pytest.approx(native["mAP50_95"] - onnx["mAP50_95"])
    assert rows["tensorrt_int8"]["mAP50"] is None
    metrics = executor.store.get_run(done.run_id).metrics
    best = rows[table["best"]]["speedup_ratio"] if table["best"] else None
    assert metrics.get("best.speedup_ratio") == best
    assert best is not None or any(row["speedup_busy"] for row in rows.values())
    assert not [key for key in metrics if "tensorrt" in key]
    lines = (folder / "comparison.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 5
    assert lines[3].startswith("tensorrt_int8,SKIPPED,")
    assert "| skipped: tensorrt int8 can't run" in (folder / "comparison.md").read_text("utf-8")


@without_tensorrt
def test_where_nothing_can_run_no_run_is_made(executor: InProcessExecutor) -> None:
    variants = (TENSORRT, {"backend": "native", "precision": "int8"})
    with pytest.raises(BackendUnavailableError) as caught:
        compare(executor, "abc", *variants).run(lambda _: executor.ports)
    said = str(caught.value)
    assert said.startswith("no variant can run on this machine:\n  - tensorrt_int8: ")
    assert "\n  - pytorch_int8: PyTorch can't make int8" in said
    assert executor.store.find_runs() == []
    assert executor.requests == []


@pytest.mark.parametrize(
    ("device", "variant", "said"),
    [
        ("cpu", TENSORRT, "TensorRT runs on NVIDIA GPUs alone, but environment.device is 'cpu'"),
        ("cuda:1", OPENVINO, "OpenVINO does not run on NVIDIA GPUs, but environment.device is"),
    ],
)
def test_a_device_that_does_not_fit_is_a_reason(
    executor: InProcessExecutor, device: str, variant: dict[str, str], said: str
) -> None:
    scenario = make_scenario(variant, environment={"device": device})
    runner = Comparison(
        scenario, RunOptions(source="abc"), executor.settings, cast(LocalExecutor, executor)
    )
    with pytest.raises(BackendUnavailableError, match=said):
        runner.run(lambda _: executor.ports)


def openvino_package(trained: Path, folder: Path, **lineage: str) -> Path:
    """A package that says it is an INT8 variant: its files are never opened."""
    shutil.copytree(trained, folder / "package")
    made = DetectorPackage.load(folder / "package").spec
    spec = replace(made, backend="openvino", precision="int8", lineage=lineage)
    return DetectorPackage.create(folder / "package", spec).directory


@pytest.mark.parametrize("variants", [(OPENVINO,), (NATIVE,), (NATIVE, ONNX)])
def test_a_source_that_is_a_variant_itself_is_refused_with_its_origin(
    executor: InProcessExecutor, trained: Path, tmp_path: Path, variants: tuple[dict[str, str]]
) -> None:
    source = openvino_package(trained, tmp_path, source_run_id="0f3c")
    with pytest.raises(StageFailedError) as caught:
        compare(executor, source, *variants).run(lambda _: executor.ports)
    assert caught.value.exit_code == 2
    assert "already the variant openvino_int8, made from run 0f3c" in str(caught.value)
    assert "--source-run-id 0f3c" in str(caught.value)
    assert executor.store.find_runs() == []


def test_a_variant_of_unknown_origin_is_refused_too(
    executor: InProcessExecutor, trained: Path, tmp_path: Path
) -> None:
    source = openvino_package(trained, tmp_path)
    with pytest.raises(StageFailedError, match=r"does not say what it was made from. Name the"):
        compare(executor, source, OPENVINO).run(lambda _: executor.ports)


class InterruptedExecutor(InProcessExecutor):
    """Ctrl-C comes while the second variant is made; the first one's work is not wanted here."""

    def run(self, request: StageRequest) -> StageResult:
        self.requests.append(request)
        if len(self.requests) == 3:  # after the check
            raise KeyboardInterrupt
        name = request.variant_name
        return StageResult("quant", "", "FINISHED", EXPERIMENT, request.run_name, variant=name)


def test_an_interrupted_comparison_is_killed_and_says_the_way_back(
    tmp_path: Path, shared_work_dir: Path
) -> None:
    executor = InterruptedExecutor(tmp_path, shared_work_dir)
    with pytest.raises(KeyboardInterrupt) as caught:
        compare(executor, "abc", OPENVINO, ONNX).run(lambda _: executor.ports)
    (parent,) = executor.store.find_runs()
    assert parent.status == "KILLED"
    assert str(caught.value) == f"guardianflow compare s.yaml --resume {parent.run_id}"


def test_every_stage_is_planned_on_one_split(executor: InProcessExecutor) -> None:
    scenario = make_scenario(NATIVE, OPENVINO, environment={"device": "openvino"})
    planned = create_runner(scenario, source_run_id="abc").planned()
    assert [(r.stage, r.run_name) for r in planned] == [
        ("infer", "quant-pytorch_fp32"),
        ("quant", "quant-openvino_int8"),
    ]
    assert {r.source for r in planned} == {"runs:/abc"}
    assert all("split: val" in r.scenario_yaml for r in planned)
    # the name of one backend's runtime is no device of another
    assert "device: auto" in planned[0].scenario_yaml
    assert "device: openvino" in planned[1].scenario_yaml


@pytest.mark.parametrize("stage", ["train", "quant", "infer", "full_pipeline"])
def test_a_comparison_is_not_taken_for_a_single_run(stage: str) -> None:
    with pytest.raises(ScenarioError, match=r"is a comparison but .* run `guardianflow compare`"):
        create_runner(make_scenario(OPENVINO), source_run_id="abc", stage=stage)


def test_a_scenario_without_a_comparison_has_none_to_run() -> None:
    with pytest.raises(ScenarioError, match="names nothing to compare"):
        create_runner(make_scenario(), source_run_id="abc", stage="compare").planned()


def test_variants_come_as_json_on_both_command_lines(workplace: Workplace) -> None:
    text = json.dumps([NATIVE, OPENVINO])
    scenario = str(workplace.write_scenario())
    done = workplace.guardianflow(
        "compare", scenario, "-s", "abc", "--quant-variants", text, "--dry-run", "--json"
    )
    assert done.returncode == 0, done.stderr
    plan = last_json(done.stdout)
    assert [stage["run_name"] for stage in plan["stages"]] == [
        "quant-pytorch_fp32",
        "quant-openvino_int8",
    ]
    assert "design: comparison" in plan["scenario"]
    words = ("-m", "pipelines.compare", "--scenario", scenario, "--source-run-id", "abc", "--json")
    wrong = workplace.run(sys.executable, *words, "--quant-variants", '[{"backend":"onx"}]')
    assert wrong.returncode == 2
    said = last_json(wrong.stdout)["error"]["message"]
    assert "did you mean 'onnx'?" in said
    assert "'precision' is missing" in said


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_a_comparison_on_the_command_line(workplace: Workplace, tiny_weights: Path) -> None:
    tiny = (
        *("-p", f"dataset.path=demo://ppe?images=24&size={SIDE}"),
        *("-p", f"model.input_size={SIDE}", "-p", "benchmark.benchmark_runs=20"),
        *("-p", "quantization.calibration_size=4"),
    )
    variants = json.dumps([NATIVE, OPENVINO, ONNX, TENSORRT])
    scenario = str(workplace.write_scenario())
    words = ("compare", scenario, "-s", str(tiny_weights), "--quant-variants", variants, *tiny)
    done = workplace.guardianflow(*words, "--json", timeout=500)
    assert done.returncode == 0, done.stderr
    table = last_json(done.stdout)["comparison"]
    assert len(table["rows"]) == 4
    busy = any(row["speedup_busy"] for row in table["rows"])
    assert table["best_run_id"] in {row["run_id"] for row in table["rows"]} or busy
    again = workplace.guardianflow(*words, timeout=500)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("(reused)") == 3


def test_all_rows_are_found_in_one_way_whatever_code_is_given(tmp_path: Path) -> None:
    (tmp_path / "benchmark.py").write_text("class Benchmark: ...", encoding="utf-8")
    (tmp_path / "quantize.py").write_text("class Quantizer: ...", encoding="utf-8")
    options = RunOptions(source="0" * 32, code_path=str(tmp_path))
    original, int8 = create_runner(
        make_scenario(NATIVE, OPENVINO), options=options, stage="compare"
    ).planned()
    assert (original.stage, original.code_path) == ("infer", BUILTIN_EXPERIMENT)
    assert (int8.stage, int8.code_path) == ("quant", str(tmp_path))
    assert int8.variants == ("openvino_int8",)

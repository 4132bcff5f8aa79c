"""The whole plan is known before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import StageResult
from pipelines import create_runner
from pipelines.stage.plan import find_source, is_run_id, select_variants
from pipelines.stage.stage import StageRequest
from scenario import Scenario, load_scenario, parse_scenario


@pytest.fixture
def scenario(repository: Path) -> Scenario:
    return load_scenario(repository / "configs/scenarios/demo.yaml")


def test_full_pipeline_judges_everything_it_makes(scenario: Scenario) -> None:
    titles = [request.title for request in create_runner(scenario).planned()]
    assert titles == [
        "train",
        *(f"quant {v}" for v in ("openvino_fp16", "openvino_int8", "onnx_fp32", "onnx_int8")),
        "infer pytorch_fp32",
        *(f"infer {v}" for v in ("openvino_fp16", "openvino_int8", "onnx_fp32", "onnx_int8")),
    ]


def test_the_experiment_type_decides_the_runner(scenario: Scenario) -> None:
    train = scenario.as_type("train")
    assert [r.stage for r in create_runner(train).planned()] == ["train"]
    quant = create_runner(scenario.as_type("quant"), source_run_id="abc", backend="onnx")
    assert [r.title for r in quant.planned()] == ["quant onnx_fp32", "quant onnx_int8"]
    assert {r.source for r in quant.planned()} == {"runs:/abc"}
    assert [r.run_name for r in quant.planned()] == ["quant-onnx_fp32", "quant-onnx_int8"]


def test_a_request_survives_its_way_to_another_process(scenario: Scenario) -> None:
    for request in create_runner(scenario).planned():
        assert StageRequest.from_json(request.to_json()) == request


def test_a_result_survives_its_way_back() -> None:
    inner = StageResult("quant", "b", "FINISHED", "e", "r", {"x": 1.0}, variant="onnx_int8")
    outer = StageResult("full_pipeline", "a", "FINISHED", "e", "r", stages=(inner,))
    assert StageResult.from_dict(outer.to_dict()) == outer


def test_a_backend_the_scenario_lacks_is_planned_with_its_precisions(scenario: Scenario) -> None:
    chosen = select_variants(scenario, "tensorrt")
    assert {v.backend for v in chosen} == {"tensorrt"}
    with pytest.raises(ScenarioError, match="openvno"):
        select_variants(scenario, "openvno")


def test_a_source_is_a_run_a_model_or_a_path(scenario: Scenario, tmp_path: Path) -> None:
    assert find_source(scenario, "abc123", "quant") == "runs:/abc123"
    assert find_source(scenario, "models:/a.b@champion", "infer") == "models:/a.b@champion"
    assert find_source(scenario, "weights/best.pt", "infer") == "weights/best.pt"
    with pytest.raises(ScenarioError, match="give source_run_id"):
        find_source(scenario, "", "quant")
    assert is_run_id("0f3c")
    assert not is_run_id(str(tmp_path))


def test_a_pipeline_ends_with_a_release_where_the_scenario_has_gates(repository: Path) -> None:
    path = repository / "configs/scenarios/demo.yaml"
    gated = load_scenario(path, overrides={"release.min_mAP50": 0.5})
    *_, last = create_runner(gated).planned()
    assert (last.stage, last.force, last.run_name) == ("release", True, "ppe-yolo11n-release-v1")
    asked = replace(last, candidates=({"variant": "onnx_int8", "run_id": "r"},))
    assert StageRequest.from_json(asked.to_json()) == asked


def test_a_release_of_finished_runs_needs_gates_and_runs(scenario: Scenario) -> None:
    with pytest.raises(ScenarioError, match="no release section"):
        create_runner(scenario, stage="release").planned()


def test_several_gpus_are_for_a_training_and_a_pipeline_goes_on_with_the_first(
    repository: Path,
) -> None:
    path = repository / "configs/scenarios/demo.yaml"
    shared = load_scenario(path, overrides=["environment.device=1,0", "release.min_mAP50=0.5"])
    given = {
        request.stage: parse_scenario(request.scenario_yaml, "scenario.yaml").environment.device
        for request in create_runner(shared).planned()
    }
    assert given == {"train": "1,0", "quant": "1", "infer": "1", "release": "1"}
    (training,) = create_runner(shared.as_type("train")).planned()
    assert parse_scenario(training.scenario_yaml, "scenario.yaml").environment.device == "1,0"
    for alone in ("infer", "quant"):
        with pytest.raises(ScenarioError, match=rf"is '1,0', .* for {alone} name one, .*device 1$"):
            create_runner(shared.as_type(alone), source_run_id="abc").planned()

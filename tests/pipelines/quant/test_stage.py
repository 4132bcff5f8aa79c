"""A variant that is broken never becomes a candidate; a search returns the best that isn't."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import BackendError, EvaluationError
from guardianflow.contracts.results import RunRequest
from pipelines.measuring.accuracy import Evaluated
from pipelines.quant.checks import refuse_broken
from pipelines.quant.stage import QuantStage
from pipelines.settings import Settings
from pipelines.stage.events import EventSink
from pipelines.stage.stage import StageContext, StageRequest, execute
from pipelines.wiring import in_memory
from scenario import Scenario, build_scenario

EXPERIMENT = "demo/seoul-plant1/full"


def judged(mAP50_95: float) -> Evaluated:
    return cast(Evaluated, SimpleNamespace(metrics=SimpleNamespace(mAP50_95=mAP50_95)))


def test_a_collapsed_variant_is_refused_and_a_weak_one_is_not() -> None:
    refuse_broken(judged(0.45), judged(0.39), "openvino_int8")  # bad, and a matter of limits
    refuse_broken(judged(0.02), judged(0.0), "openvino_int8")  # nothing much to lose yet
    with pytest.raises(
        BackendError, match=r"onnx_int8 is broken: .* 0\.000, the original's 0\.450"
    ):
        refuse_broken(judged(0.45), judged(0.0), "onnx_int8")


class Desk:
    """A store and a registry in memory that hold a real detector, and a quant stage on them."""

    def __init__(self, shared_data: Path, folder: Path) -> None:
        self.ports = in_memory()
        self.store, self.registry = self.ports.store, self.ports.registry
        self._folder = folder
        self._data = shared_data / "coco128" / "coco128.yaml"
        source = package_from_weights(
            shared_data / "weights" / "yolo11n_from_int8.pt", folder / "source", input_size=320
        )
        self.trained = self.store.start_run(RunRequest(EXPERIMENT, "ppe-yolo11n-train-v1"))
        self.registry.register(self.trained, source, "demo/seoul-plant1/full/ppe")
        self.store.end_run(self.trained)
        self._count = 0

    def run(self, **quantization: object) -> Any:
        self._count += 1
        scratch = self._folder / f"stage{self._count}"
        scratch.mkdir()
        scenario = self._scenario(quantization)
        variant = scenario.quantization_variants[0]
        request = StageRequest(
            stage="quant",
            title="quant",
            run_name=f"quant-{variant.variant}",
            experiment_name=EXPERIMENT,
            scenario_yaml="",
            base_dir=str(self._folder),
            tracking_uri="",
            work_dir=str(self._folder / "work"),
            source=f"runs:/{self.trained}",
            variant=variant.model_dump(mode="json"),
            variant_name=variant.variant,
        )
        context = StageContext(
            request,
            scenario,
            Settings(work_dir=self._folder / "work"),
            self.ports,
            EventSink(None),
            scratch,
        )
        return execute(QuantStage(context), context)

    def _scenario(self, quantization: dict[str, object]) -> Scenario:
        made = build_scenario(
            {
                "name": "demo",
                "site": {"customer": "demo", "region": "seoul"},
                "task": {"type": "ppe"},
                "model": {"architecture": "yolo11n", "input_size": 320},
                "dataset": {"path": str(self._data)},
                "benchmark": {"warmup_runs": 1, "benchmark_runs": 20},
                "quantization": {"calibration_size": 16, **quantization},
            }
        )
        return made

    def names(self) -> list[str]:
        return [model.display_name for model in self.registry.list_models()]


@pytest.fixture
def desk(shared_data: Path, tmp_path: Path) -> Desk:
    return Desk(shared_data, tmp_path)


@pytest.mark.acceptance
def test_a_broken_recipe_is_caught_and_never_registered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Boxes and scores under one 8-bit scale: what every careless export does.
    monkeypatch.setattr(recipes, "detection_tail", lambda graph: [])
    monkeypatch.setattr(recipes, "last_convolutions", lambda graph: [])
    with pytest.raises((BackendError, EvaluationError), match="is broken"):
        desk.run(backend="onnx", precision="int8", calibration_method="minmax")
    failed = desk.store.find_runs(tags={"guardianflow.stage": "quant"})
    assert [run.status for run in failed] == ["FAILED"]
    assert "is broken" in failed[0].tags["guardianflow.error"]
    assert desk.names() == ["demo/seoul-plant1/full/ppe"]  # the trained model alone


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_a_search_registers_the_best_recipe_within_the_limits(desk: Desk, tmp_path: Path) -> None:
    limits = {"max_drop_mAP50_95": 0.02, "max_drop_mAP50": 0.02, "budget_minutes": 5}
    result = desk.run(backend="onnx", calibration_method="minmax", search=limits)
    tries = desk.store.find_runs(tags={"guardianflow.stage": "quant-try"})
    assert len(tries) >= 2
    assert {run.parent_run_id for run in tries} == {result.run_id}
    for run in tries:
        drop = run.metrics["drop.mAP50_95"]
        assert run.metrics["drop.mAP50_95_low"] <= drop <= run.metrics["drop.mAP50_95_high"]
        within = drop <= 0.02 and run.metrics["drop.mAP50"] <= 0.02
        assert run.tags["quant.accepted"] == str(within).lower()
    assert result.metrics["comparison.accuracy_drop_mAP50_95"] <= 0.02
    assert desk.names()[-1] == "demo/seoul-plant1/full/ppe__onnx_int8"
    found = desk.store.download(result.run_id, "results/search.json", tmp_path / "got")
    table = json.loads(found.read_text(encoding="utf-8"))
    assert table["best"] in {each["label"] for each in table["tries"] if each["accepted"]}
    assert set(table["sensitivity"]) >= {"heads"}
    assert desk.store.download(result.run_id, "plots/search.png", tmp_path / "got").is_file()

    # Other limits, the same tries: what was measured is taken over.
    stricter = {**limits, "max_drop_mAP50_95": 0.019}
    again = desk.run(backend="onnx", calibration_method="minmax", search=stricter)
    assert again.run_id != result.run_id
    assert len(desk.store.find_runs(tags={"guardianflow.stage": "quant-try"})) == len(tries)


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_limits_that_nothing_meets_end_in_a_reason_and_no_model(desk: Desk) -> None:
    impossible = {"min_class_recall": 1.0, "budget_minutes": 0.01}
    with pytest.raises(BackendError, match="no acceptable variant of openvino_int8") as caught:
        desk.run(backend="openvino", calibration_method="minmax", search=impossible)
    assert "float16" in str(caught.value)
    assert "recall of" in str(caught.value)
    assert desk.names() == ["demo/seoul-plant1/full/ppe"]

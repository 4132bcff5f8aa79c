"""A variant that is broken never becomes a candidate; a search returns the best that isn't."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from contexts import QuantDesk
from once_per_run import OncePerRun

from guardianflow.backends.quantisation import activations
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import BackendError, EvaluationError
from guardianflow.contracts.quantisation import NetworkChange
from pipelines.measuring.accuracy import Evaluated
from pipelines.quant.checks import refuse_broken


def judged(mAP50_95: float) -> Evaluated:
    return cast(Evaluated, SimpleNamespace(metrics=SimpleNamespace(mAP50_95=mAP50_95)))


def test_a_collapsed_variant_is_refused_and_a_weak_one_is_not() -> None:
    refuse_broken(judged(0.45), judged(0.39), "openvino_int8")  # bad, and a matter of limits
    refuse_broken(judged(0.02), judged(0.0), "openvino_int8")  # nothing much to lose yet
    with pytest.raises(
        BackendError, match=r"onnx_int8 is broken: .* 0\.000, the original's 0\.450"
    ):
        refuse_broken(judged(0.45), judged(0.0), "onnx_int8")


@pytest.fixture
def desk(shared_data: Path, tmp_path: Path) -> QuantDesk:
    """With a real detector and real images."""
    weights = shared_data / "weights" / "yolo11n_from_int8.pt"
    return QuantDesk(
        tmp_path,
        package_from_weights(weights, tmp_path / "source", input_size=320),
        shared_data / "coco128" / "coco128.yaml",
        calibration_size=16,
        benchmark={"warmup_runs": 1, "benchmark_runs": 20},
    )


@pytest.fixture
def measured_once(tmp_path: Path, once_per_run: OncePerRun) -> None:
    """Searches of one format find out together which layers suffer most."""
    (tmp_path / "work").mkdir()
    kept = once_per_run.made("calibrations", lambda _empty: None)
    (tmp_path / "work" / "calibrations").symlink_to(kept)


@pytest.mark.acceptance
def test_a_broken_recipe_is_caught_and_never_registered(
    desk: QuantDesk, monkeypatch: pytest.MonkeyPatch
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
def test_a_search_registers_the_best_recipe_within_the_limits(
    desk: QuantDesk, tmp_path: Path
) -> None:
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


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("measured_once")
def test_a_search_changes_activations_and_the_model_says_so(
    desk: QuantDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations, "PARTS", 2)  # each is made and measured alone
    limits = {
        "max_drop_mAP50_95": 1.0,
        "max_drop_mAP50": 1.0,
        "budget_minutes": 60,
        "allow_activations": True,
    }
    result = desk.run(backend="openvino", calibration_method="minmax", search=limits)
    (changed, *_) = tries = [
        run
        for run in desk.store.find_runs(tags={"guardianflow.stage": "quant-try"})
        if "quant.activations" in run.tags
    ]
    assert {run.parent_run_id for run in tries} == {result.run_id}
    assert changed.tags["quant.activations"] == "hardswish"
    assert changed.tags["quant.activation_groups"] == "activations 1 of 2, activations 2 of 2"
    found = desk.store.download(result.run_id, "results/search.json", tmp_path / "got")
    table = json.loads(found.read_text(encoding="utf-8"))
    measured = table["activations"]["steps"]
    assert {each["group"] for each in measured} == {"activations 1 of 2", "activations 2 of 2"}
    assert all(each["harm"] > 0 for each in measured)
    # All of them are within such limits, so only what is faster of both may have won.
    best = next(each for each in table["tries"] if each["label"] == table["best"])
    file = desk.store.download(result.run_id, "weights/detector.json", tmp_path / "made")
    change = NetworkChange.from_lineage(json.loads(file.read_text(encoding="utf-8"))["lineage"])
    assert (change is not None) == ("activations" in best)
    if change is not None:
        assert (change.names, change.changed) == (("hardswish",), 77)
        assert desk.store.get_run(result.run_id).tags["quant.activations"] == "hardswish"


@pytest.mark.acceptance
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("measured_once")
def test_limits_that_nothing_meets_end_in_a_reason_and_no_model(desk: QuantDesk) -> None:
    impossible = {"min_class_recall": 1.0, "budget_minutes": 0.01}
    with pytest.raises(BackendError, match="no acceptable variant of openvino_int8") as caught:
        desk.run(backend="openvino", calibration_method="minmax", search=impossible)
    assert "float16" in str(caught.value)
    assert "recall of" in str(caught.value)
    assert desk.names() == ["demo/seoul-plant1/full/ppe"]

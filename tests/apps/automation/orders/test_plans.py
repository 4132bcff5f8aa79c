"""What an alert would start is made of the training behind its run, or is not started at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from automated_sites import Site

from apps.automation.alerts.models import RuleAlert
from apps.automation.orders.plans import Plan, plan_of
from apps.automation.orders.sources import UnfitError
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from pipelines.settings import Settings
from pipelines.wiring import Ports, in_memory

SCENARIO = """
name: welding
site: {customer: donghwa-entec, region: busan, zone: welding}
task: {type: ppe}
model: {architecture: yolo11n, input_size: 160}
dataset: {path: "demo://ppe"}
experiment_type: train
training: {epochs: 3, batch_size: 16}
tags: {team: safety}
"""
RULES = """
rules:
  - {name: accuracy, metric: mAP50, comparison: below, threshold: 0.75, action: sweep,
     sweep: {parameters: {learning_rate: [0.001, 0.003]}}}
  - {name: slow, metric: latency_ms, comparison: above, threshold: 30, action: quantise,
     quantise: {backend: onnx, precision: int8}}
  - {name: idle, metric: gpu_utilization_pct, comparison: below, threshold: 50,
     action: larger_batch, larger_batch: {factor: 4, most: 48}}
"""
BAD = {"det.mAP50": 0.5, "sys.inference_time_ms": 40.0, "sys.gpu_utilization_pct": 20.0}


@dataclass
class Scene:
    """A store with a training, and alerts about runs of it."""

    folder: Path
    ports: Ports = field(default_factory=in_memory)

    def train(self, scenario: str = SCENARIO, **resolved: Any) -> str:
        run_id = self.ports.store.start_run(
            RunRequest("donghwa-entec/busan-plant1/welding", "ppe", {"exp.type": "train"})
        )
        config = self.folder / f"config-{run_id}"
        config.mkdir()
        said = {"experiment_code_path": "", "base_dir": str(self.folder)} | resolved
        (config / "scenario.yaml").write_text(scenario, encoding="utf-8")
        (config / "resolved.json").write_text(json.dumps(said), encoding="utf-8")
        self.ports.store.log_files(run_id, config, "config")
        self.ports.store.end_run(run_id)
        return run_id

    def follow(self, source: str, kind: str = "infer", **params: str) -> str:
        tags = {"exp.type": kind, "source.run_id": source}
        run_id = self.ports.store.start_run(RunRequest("a/b/c", kind, tags, params))
        self.ports.store.end_run(run_id)
        return run_id

    def plan(self, rule: str, run_id: str) -> Plan:
        site = Site(self.folder, RULES)
        site.run(0, **BAD)
        alerts = {each.rule: each for each in site.board.alerts().alerts}
        rules = {each.name: each for each in site.board.triggers.rules}
        alert = alerts[rule]
        of_run = alert.reading.model_copy(update={"run_id": run_id})
        about = RuleAlert(**{**dict(alert), "reading": of_run})
        return plan_of(about, rules[rule], self.ports, Settings(work_dir=self.folder / "work"))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_sweep_is_the_training_s_own_scenario_with_the_rule_s_values(scene: Scene) -> None:
    training = scene.train()
    judged = scene.follow(scene.follow(training, "quant"))
    plan = scene.plan("accuracy", judged)
    made = plan.scenario()
    assert (plan.stage, plan.source, made.design) == ("sweep", "", "sweep")
    assert made.sweep is not None
    assert dict(made.sweep.parameters) == {"training.learning_rate": (0.001, 0.003)}
    assert made.get_experiment_name() == "donghwa-entec/busan-plant1/welding"
    assert (made.training.epochs, made.tags["team"]) == (3, "safety")
    assert made.tags["automation.rule"] == "accuracy"
    assert made.tags["automation.run_id"] == judged
    assert made.tags["automation.why"] == "mAP50 0.5 below 0.75 in 1 run"
    assert Plan.from_json(plan.to_json()) == plan


def test_the_training_s_model_is_quantised_unless_it_is_that_already(scene: Scene) -> None:
    training = scene.train()
    plan = scene.plan("slow", scene.follow(training))
    (variant,) = plan.scenario().quantization_variants
    assert (plan.stage, plan.source) == ("quant", training)
    assert (variant.backend, variant.precision) == ("onnx", "int8")
    done = {"quant.backend": "onnx", "quant.precision": "int8"}
    with pytest.raises(UnfitError, match="is onnx int8 already"):
        scene.plan("slow", scene.follow(scene.follow(training, "quant", **done)))


def test_a_batch_grows_up_to_its_limit(scene: Scene) -> None:
    assert scene.plan("idle", scene.train()).scenario().training.batch_size == 48
    full = SCENARIO.replace("batch_size: 16", "batch_size: 48")
    with pytest.raises(UnfitError, match="batch_size is 48"):
        scene.plan("idle", scene.train(full))


def test_relative_paths_begin_where_the_training_s_did(scene: Scene) -> None:
    (scene.folder / "plant").mkdir()
    (scene.folder / "plant" / "data.yaml").write_text("", encoding="utf-8")
    relative = SCENARIO.replace("demo://ppe", "data.yaml")
    plan = scene.plan("accuracy", scene.train(relative, base_dir=str(scene.folder / "plant")))
    assert plan.base_dir == str(scene.folder / "plant")
    with pytest.raises(UnfitError, match="not on this machine"):
        scene.plan("accuracy", scene.train(relative))


@pytest.mark.parametrize(
    ("resolved", "words"),
    [
        ({"base_dir": "/nowhere/at/all"}, "which is not here"),
        ({"base_dir": None}, "a directory that it does not name"),
        ({"experiment_code_path": "git+https://kim:REDACTED@host/x"}, "with a secret"),
        ({"experiment_code_path": "gone/train.py"}, "gone/train.py"),
    ],
)
def test_a_training_that_can_t_be_done_again_here(
    scene: Scene, resolved: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnfitError, match=words):
        scene.plan("accuracy", scene.train(**resolved))


def test_a_run_without_a_training_behind_it_starts_nothing(scene: Scene) -> None:
    with pytest.raises(UnfitError, match="is not in the store"):
        scene.plan("accuracy", "0" * 32)
    with pytest.raises(UnfitError, match="is not in the store"):
        scene.plan("accuracy", scene.follow("f" * 32))
    alone = scene.ports.store.start_run(RunRequest("a/b/c", "infer", {"exp.type": "infer"}))
    with pytest.raises(UnfitError, match="names no training run"):
        scene.plan("accuracy", alone)
    failed = scene.ports.store.start_run(RunRequest("a/b/c", "train", {"exp.type": "train"}))
    scene.ports.store.end_run(failed, RunStatus.FAILED)
    with pytest.raises(UnfitError, match="is FAILED"):
        scene.plan("accuracy", failed)

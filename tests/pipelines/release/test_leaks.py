"""A test that is in train proves nothing: one model, the same gates, two splits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contexts import RememberingSink, context_of
from leaking_data import leaking_data
from machines import let_others_take
from recalling_detector import recalling_detector

from guardianflow.contracts.releases import (
    PASS,
    UNDECIDED,
    CauseKind,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.contracts.results import RunRequest, StageResult
from guardianflow.release.models import ReleaseModel
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from pipelines.release.stage import ReleaseStage
from pipelines.release.text import decision_lines
from pipelines.settings import Settings
from pipelines.stage.execution.execute import execute
from pipelines.stage.plan import Planner, RunOptions
from pipelines.wiring import in_memory
from scenario import build_scenario

NAME = "demo/seoul-plant1/full/ppe"
GATES = {"min_mAP50": 0.5, "max_size_mb": 50}


@dataclass
class Released:
    """A release of a model that finds most of what its test shows, and all that it left."""

    result: StageResult
    ports: Any
    messages: list[str]
    folder: Path

    @property
    def decision(self) -> ReleaseDecision:
        assert self.result.decision is not None
        return self.result.decision

    @property
    def variant(self) -> VariantDecision:
        return self.decision.variants[0]

    def read(self, path: str) -> str:
        downloaded = self.ports.store.download(self.result.run_id, path, self.folder / "read")
        return str(downloaded.read_text(encoding="utf-8-sig"))


def release(
    folder: Path, data: Path, gates: dict[str, Any] = GATES, trained_on: str = "these"
) -> Released:
    settings, ports = Settings(work_dir=folder / "work"), in_memory()
    dataset = resolve_dataset(str(data), cache_dir=settings.datasets_dir)
    images = read_labelled_images(dataset, "test")
    package = recalling_detector(folder / "model", images, dataset.class_names, missed=0.05)
    learnt = dataset.fingerprint if trained_on == "these" else trained_on
    package = package.with_lineage({**package.spec.lineage, "data_fingerprint": learnt})
    run = ports.store.start_run(
        RunRequest("demo/seoul-plant1/full", "ppe-train", {"guardianflow.stage": "train"})
    )
    version = ports.registry.register(run, package, NAME).version
    ports.store.end_run(run)
    scenario = build_scenario(
        {
            "name": "leaks",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n", "input_size": 96},
            "dataset": {"path": str(data)},
            "environment": {"device": "cpu"},
            "benchmark": {"warmup_runs": 1, "benchmark_runs": 5},
            "release": gates,
        }
    )
    candidate = ReleaseModel("pytorch_fp32", run, NAME, version)
    request = Planner(scenario, settings, RunOptions(), "").release([candidate.to_dict()])
    scratch = folder / "release"
    scratch.mkdir()
    said: list[str] = []
    context = context_of(request, scenario.as_single(), scratch, ports, RememberingSink(said))
    return Released(execute(ReleaseStage(context), context), ports, said, folder)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    let_others_take(monkeypatch, 0.0)


@pytest.mark.slow
def test_a_leaking_split_turns_a_pass_into_undecided(tmp_path: Path) -> None:
    clean = release(tmp_path / "clean", leaking_data(tmp_path / "a", twins=0, others=30))
    assert clean.decision.outcome == PASS
    assert [gate.gate for gate in clean.variant.gates] == ["min_mAP50", "max_size_mb"]
    assert clean.decision.leak is not None
    assert clean.decision.leak.touched == 0
    assert "untouched.mAP50" not in clean.variant.metrics

    leaking = release(tmp_path / "leaking", leaking_data(tmp_path / "b", twins=24, others=30))
    by_name = {gate.gate: gate for gate in leaking.variant.gates}
    assert by_name["min_mAP50"].outcome == by_name["max_size_mb"].outcome == PASS
    assert by_name["max_leak"].outcome == leaking.decision.outcome == UNDECIDED
    assert by_name["max_leak"].cause.kind is CauseKind.LEAKS
    assert leaking.decision.winner == ""
    note = leaking.decision.leak
    assert note is not None
    assert (note.images, note.twins, note.rest, note.unknown) == (54, 24, 30, None)
    value, low, high = note.untouched["mAP50"]
    assert 0.5 < low <= value <= high <= 1
    assert leaking.variant.metrics["untouched.mAP50"] == value
    assert leaking.variant.metrics["untouched.images"] == 30

    run = leaking.ports.store.get_run(leaking.result.run_id)
    assert run.tags["data.leak.test.share"] == f"{24 / 54:.4g}"
    assert run.tags["data.leak.test.twins"] == "24"
    assert len(leaking.read("results/leaks.csv").splitlines()) == 25
    assert json.loads(leaking.read("results/release.json"))["leak"]["twins"] == 24
    told = "44 % of the test images (24 of 54) have a twin in train: these figures say nothing"
    assert any(told in line for line in decision_lines(leaking.decision))
    assert told in leaking.read("report/release.md")
    page = leaking.read("report/release.html")
    assert told in page
    assert "data split" in page  # what to do
    assert "Judged images beside those of train" in page  # the sheet of pairs
    korean = leaking.read("report/release.ko.md")
    assert "test 이미지 54장 중 24장(44 %)" in korean
    assert "train과 겹치지 않는 이미지 30장에서 잰 수치: mAP50" in korean


@pytest.mark.slow
def test_what_is_asked_is_a_gate_also_where_the_training_data_are_not_here(tmp_path: Path) -> None:
    data = leaking_data(tmp_path / "a", twins=0, others=30)
    gates = {**GATES, "max_leak": 0.02}
    asked = release(tmp_path / "asked", data, gates)
    assert [gate.outcome for gate in asked.variant.gates] == [PASS] * 3
    foreign = release(tmp_path / "foreign", data, gates, trained_on="another set")
    assert foreign.variant.gates[-1].cause.kind is CauseKind.LEAK_UNKNOWN
    assert foreign.decision.outcome == UNDECIDED
    assert "trained on other data" in foreign.read("report/release.md")
    unasked = release(tmp_path / "unasked", data, trained_on="another set")
    assert unasked.decision.outcome == PASS
    assert "trained on other data" in unasked.read("report/release.md")

"""A scenario's alarms as a stage takes them: recordings found, all that is wrong told at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alarm_footage import Spans, draw_recordings
from contexts import RememberingSink, context_of, request_of

from guardianflow.contracts.errors import DatasetError, ScenarioError
from pipelines.measuring.alarms.inputs import TEST, VAL, AlarmInputs, identity_of, resolve_alarms
from pipelines.stage.code_identity import code_of, entry_modules
from pipelines.stage.stage import StageContext
from pipelines.train.stage import TrainStage
from scenario import build_scenario

SMALL = "demo://ppe?images=14&size=96"
CLASSES = ("helmet", "person")
ONE: dict[str, Spans] = {"cam1/a": ((2, 3),), "cam1/b": (), "cam2/a": ((5, 5),)}
RULE = {"name": "intruder", "class": "person"}


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    return draw_recordings(tmp_path / "footage", ONE, pictures=8, step_s=1)


def context(folder: Path, recordings: dict[str, Any], **alarms: Any) -> StageContext:
    scenario = build_scenario(
        {
            "name": "gate",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n"},
            "dataset": {"path": "demo://ppe"},
            "alarms": {"recordings": recordings, "rules": [RULE], **alarms},
        }
    )
    request = request_of("infer", folder, folder / "work")
    return context_of(request, scenario, folder / "scratch", events=RememberingSink())


def resolved(at: StageContext, split: str = TEST) -> AlarmInputs:
    inputs = resolve_alarms(at, CLASSES, split)
    assert inputs is not None
    return inputs


def names(inputs: AlarmInputs) -> list[str]:
    return [each.name for each in inputs.recordings]


def test_recordings_lie_beside_the_scenario_and_without_splits_all_are_taken(
    footage: Path,
) -> None:
    inputs = resolved(context(footage.parent, {"path": "footage"}))
    assert names(inputs) == ["cam1/a", "cam1/b", "cam2/a"]
    assert inputs.split == ""
    assert [each.camera for each in inputs.recordings] == ["cam1", "cam1", "cam2"]
    (incident,) = inputs.recordings[0].incidents
    assert (incident.rule, incident.start_s, incident.end_s) == ("intruder", 2.0, 4.0)


def test_folders_val_and_test_are_splits(tmp_path: Path) -> None:
    for split in ("val", "test"):
        draw_recordings(tmp_path / split, {f"{split}-a": ((1, 1),)}, pictures=4, step_s=1)
    at = context(tmp_path, {"path": str(tmp_path)})
    assert names(resolved(at, TEST)) == ["test-a"]
    assert names(resolved(at, VAL)) == ["val-a"]
    asked = context(tmp_path, {"path": str(tmp_path), "split": "val"})
    assert names(resolved(asked, TEST)) == ["val-a"]


def test_a_split_that_is_not_there_is_told(tmp_path: Path) -> None:
    draw_recordings(tmp_path / "test", {"a": ()}, pictures=3, step_s=1)
    at = context(tmp_path, {"path": str(tmp_path)})
    assert resolved(at, VAL).split == TEST
    assert isinstance(at.events, RememberingSink)
    assert at.events.messages == ["alarms are judged on the test recordings: there are no val ones"]
    with pytest.raises(ScenarioError, match=r"split is 'val' but .* has test alone"):
        resolved(context(tmp_path, {"path": str(tmp_path), "split": "val"}))


def test_names_choose_the_val_recordings(footage: Path) -> None:
    at = context(footage, {"path": str(footage), "val": ["cam1/*"]})
    assert names(resolved(at, VAL)) == ["cam1/a", "cam1/b"]
    assert names(resolved(at, TEST)) == ["cam2/a"]
    odd = context(footage, {"path": str(footage), "val": ["cam1/*", "cam3/a"]})
    with pytest.raises(ScenarioError, match=r"'cam3/a' fits no recording; did you mean 'cam\d/a'"):
        resolved(odd)
    with pytest.raises(DatasetError, match="takes all 3 recordings"):
        resolved(context(footage, {"path": str(footage), "val": ["cam*"]}))


def test_all_that_is_wrong_with_recordings_and_truth_is_told_at_once(footage: Path) -> None:
    (footage / "cam1" / "b" / "000003.png").write_bytes(b"no picture")
    with (footage / "truth.csv").open("a", encoding="utf-8") as truth:
        truth.write("cam1/a,intruder,6,99\ncam1/a,intrudr,0,1\ncam9/a,intruder,0,1\n")
    with pytest.raises(DatasetError) as caught:
        resolved(context(footage, {"path": str(footage)}))
    told = str(caught.value)
    assert caught.value.exit_code == 2
    for part in ("000003.png", "99", "intrudr", "cam9/a"):
        assert part in told
    assert told.startswith("4 problems")


def test_a_rule_on_a_class_that_the_model_does_not_know(footage: Path) -> None:
    rules = [{**RULE, "class": "persn"}, {"name": "b", "class": "person", "without": "hat"}]
    with pytest.raises(ScenarioError) as caught:
        resolved(context(footage, {"path": str(footage)}, rules=rules))
    assert "did you mean 'person'?" in str(caught.value)
    assert "alarms.rules.1.without names class 'hat'" in str(caught.value)


def test_the_identity_changes_with_rules_truth_and_counting_and_not_with_the_place(
    footage: Path,
) -> None:
    def identity(path: Path, **alarms: Any) -> str:
        inputs = resolved(context(path.parent, {"path": str(path)}, **alarms))
        return json.dumps(identity_of(inputs), sort_keys=True)

    first = identity(footage)
    assert identity(footage) == first
    assert identity(footage, tolerance_s=5) != first
    assert identity(footage, recall_bias=0.65) != first
    assert identity(footage, rules=[{**RULE, "min_confidence": 0.4}]) != first
    moved = footage.rename(footage.parent / "elsewhere")
    assert identity(moved) == first
    truth = (moved / "truth.csv").read_text(encoding="utf-8")
    (moved / "truth.csv").write_text(truth.replace("5,6", "5,7"), encoding="utf-8")
    assert identity(moved) != first


def test_a_scenario_without_alarms_has_none(footage: Path) -> None:
    scenario = context(footage, {"path": "x"}).scenario.model_copy(update={"alarms": None})
    at = context_of(request_of("infer", footage, footage), scenario, footage)
    assert resolve_alarms(at, CLASSES, TEST) is None
    assert identity_of(None) == {}


def test_a_pipeline_is_told_before_it_trains_what_its_later_stages_would_refuse(
    tmp_path: Path, shared_work_dir: Path
) -> None:
    for split in ("val", "test"):
        draw_recordings(tmp_path / "f" / split, {f"{split}-a": ((1, 1),)}, pictures=4, step_s=1)
        with (tmp_path / "f" / split / "truth.csv").open("a", encoding="utf-8") as truth:
            truth.write(f"{split}-b,intruder,0,1\n")
    scenario = context(tmp_path, {"path": "f"}).scenario.as_type("train")
    request = request_of("train", tmp_path, shared_work_dir, check_only=True)
    data = {"dataset": scenario.dataset.model_copy(update={"path": SMALL})}
    at = context_of(request, scenario.model_copy(update=data), tmp_path, events=RememberingSink())
    with pytest.raises(DatasetError) as caught:
        TrainStage(at).prepare()
    assert "2 problems" in str(caught.value)
    assert "val-b" in str(caught.value) and "test-b" in str(caught.value)


def test_what_judges_alarms_is_no_part_of_what_makes_a_training() -> None:
    def of(stage: str) -> str:
        return " ".join(code_of(entry_modules(stage, ["pytorch"])))

    assert "alarms" not in of("train")
    for stage in ("infer", "quant", "release"):
        assert "guardianflow.evaluation.alarms.counting" in of(stage)
        assert "guardianflow.site_data.footage.recordings" in of(stage)

"""What the infer stage calls for tracking: sequences before the run, metrics and files in it."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from contexts import context_of, request_of
from tracking import TruthTeller

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.sequences import METRIC_FIELDS
from guardianflow.evaluation.mot.scores import evaluate_tracks
from guardianflow.site_data.mot.track_results import read_truth_and_results
from pipelines.measuring.mot import (
    measure_tracking,
    resolve_sequences,
    tracking_identity,
    tracking_tags,
)
from pipelines.stage.events import EventSink, read_events
from pipelines.stage.stage import StageContext
from scenario import build_scenario

CLASSES = ("helmet", "person")
SMALL = "demo://crossing?frame_rate=30&frames=20&size=96"


class Told:
    """An event sink that can be read afterwards."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)

    @property
    def events(self) -> list[dict[str, Any]]:
        with self._path.open(encoding="utf-8") as stream:
            return list(read_events(stream))


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    sink = Told(tmp_path / "events.jsonl")
    yield sink
    os.close(sink.descriptor)


@pytest.fixture
def make_context(tmp_path: Path, shared_work_dir: Path, told: Told) -> Any:
    def make(*sequences: str, **benchmark: object) -> StageContext:
        scenario = build_scenario(
            {
                "name": "demo",
                "site": {"customer": "demo", "region": "seoul"},
                "task": {"type": "ppe"},
                "model": {"architecture": "yolo11n"},
                "dataset": {"path": "demo://ppe"},
                "benchmark": {"use_tracking": True, "sequences": list(sequences), **benchmark},
            }
        )
        request = request_of("infer", tmp_path / "scenarios", shared_work_dir)
        return context_of(request, scenario, tmp_path, events=EventSink(told.descriptor))

    return make


@pytest.mark.slow
def test_tracking_leaves_metrics_files_and_a_picture(
    make_context: Any, told: Told, tmp_path: Path
) -> None:
    context = make_context(SMALL, "demo://crowd?frames=8&size=96", tracker="botsort")
    sequences = resolve_sequences(context, CLASSES)
    teller = TruthTeller(sequences[0].truth)

    metrics = measure_tracking(context, teller, sequences, tmp_path / "outputs")
    assert set(metrics) == {f"mot.{key}" for key in METRIC_FIELDS}
    saved = json.loads((tmp_path / "outputs/results/mot.json").read_text(encoding="utf-8"))
    assert saved["tracker"] == "botsort"
    assert saved["combined"]["HOTA"] == metrics["mot.hota"]
    assert saved["sequences"]["demo-crossing"]["MOTA"] > 0.9
    assert saved["sequences"]["demo-crowd"]["CLR_TP"] == 0  # the teller had no more to say
    assert saved["fingerprints"] == tracking_identity(sequences)
    assert (tmp_path / "outputs/plots/mot.png").stat().st_size > 10_000
    progress = [each for each in told.events if each["kind"] == "progress"]
    assert [each["done"] for each in progress] == list(range(1, 29))
    assert {each["total"] for each in progress} == {28}
    assert progress[-1]["note"] == "tracking demo-crowd"

    # What was written is judged the same by `guardianflow mot`.
    (tmp_path / "truth").mkdir()
    for each in sequences:
        (tmp_path / "truth" / each.name).symlink_to(each.directory)
    again = evaluate_tracks(
        *read_truth_and_results(tmp_path / "truth", tmp_path / "outputs/results/mot")
    )
    assert again.as_metrics() == metrics


def test_a_run_is_tagged_with_who_tracked_and_who_judged(make_context: Any) -> None:
    context = make_context(SMALL)
    tags = tracking_tags(context, resolve_sequences(context, CLASSES))
    assert tags.pop("mot.evaluator").startswith("trackeval 1.")
    assert tags == {"mot.tracker": "bytetrack", "mot.sequences": "demo-crossing"}
    assert tracking_tags(context, ()) == {}


def test_a_library_that_is_not_there_is_told_before_any_run(
    make_context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "lap" else real(name)
    )
    with pytest.raises(ConfigurationError, match="use_tracking needs lap, which is not installed"):
        resolve_sequences(make_context(SMALL), CLASSES)


def test_without_tracking_nothing_is_read_or_measured(make_context: Any, tmp_path: Path) -> None:
    context = make_context("nowhere", use_tracking=False)
    assert resolve_sequences(context, CLASSES) == ()
    assert measure_tracking(context, TruthTeller(cast(Any, None)), (), tmp_path / "out") == {}
    assert not (tmp_path / "out").exists()


def test_what_can_not_be_tracked_is_told_before_any_run(make_context: Any) -> None:
    with pytest.raises(ConfigurationError, match="no such directory") as caught:
        resolve_sequences(make_context("cctv/gate", "demo://crosing"), CLASSES)
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigurationError, match=r"benchmark\.sequences: .* no class in common"):
        resolve_sequences(make_context(SMALL), ("helmet", "vest"))


def test_a_relative_place_begins_beside_the_scenario(make_context: Any, tmp_path: Path) -> None:
    (drawn,) = resolve_sequences(make_context(SMALL), CLASSES)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "cctv").symlink_to(drawn.directory)
    (found,) = resolve_sequences(make_context("cctv"), CLASSES)
    assert found.directory == tmp_path / "scenarios" / "cctv"
    assert found.name == "cctv"


def test_a_class_that_the_model_lacks_is_named_and_not_judged(
    make_context: Any, told: Told, tmp_path: Path
) -> None:
    (drawn,) = resolve_sequences(make_context(SMALL), CLASSES)
    home = tmp_path / "scenarios" / "gate"
    home.mkdir(parents=True)
    (home / "img1").symlink_to(drawn.directory / "img1")
    (home / "gt").mkdir()
    text = (drawn.directory / "gt/gt.txt").read_text(encoding="utf-8")
    (home / "gt/gt.txt").write_text(text + "1,99,5,5,20,20,1,2,1\n", encoding="utf-8")
    (home / "gt/labels.txt").write_text("사람\n크레인\n", encoding="utf-8")
    context = make_context("gate")
    sequences = resolve_sequences(context, CLASSES)
    teller = TruthTeller(sequences[0].truth, first_pixel=0)
    metrics = measure_tracking(context, teller, sequences, tmp_path / "outputs")
    assert metrics["mot.gt_tracks"] == 4
    (message,) = [each["text"] for each in told.events if each["kind"] == "message"]
    assert "not judged for 크레인" in message

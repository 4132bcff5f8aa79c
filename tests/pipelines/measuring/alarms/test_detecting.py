"""Detections are made once for each recording and model, kept, and bounded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alarm_footage import draw_recordings, seen
from contexts import RememberingSink, context_of, request_of
from recalling_detector import recalling_detector

from guardianflow.contracts.recordings.alarms import AlarmRule, Recording
from guardianflow.contracts.results import DetectorPackage
from guardianflow.detector import Detector
from pipelines.measuring.alarms.detecting import detect_all, model_identity, remove_oldest
from pipelines.measuring.alarms.inputs import AlarmInputs, resolve_alarms
from pipelines.measuring.alarms.judging import judge_found, untold
from pipelines.stage.stage import StageContext
from scenario import build_scenario

CLASSES = ("helmet", "person")
SPANS = {"cam1/a": ((2, 3), (12, 13)), "cam2/a": ((5, 7),)}


class Site:
    """Two recordings, and a model that sees exactly their incidents."""

    def __init__(self, folder: Path) -> None:
        self.footage = draw_recordings(folder / "footage", SPANS, pictures=20, step_s=4)
        self._folder = folder
        self.package = self.model("all", SPANS)

    def model(self, name: str, spans: dict[str, tuple[tuple[int, int], ...]]) -> DetectorPackage:
        images = seen(self.footage, spans, class_id=1)
        return recalling_detector(self._folder / name, images, CLASSES)

    def context(self) -> StageContext:
        scenario = build_scenario(
            {
                "name": "gate",
                "site": {"customer": "demo", "region": "seoul"},
                "task": {"type": "ppe"},
                "model": {"architecture": "yolo11n"},
                "dataset": {"path": "demo://ppe"},
                "alarms": {
                    "recordings": {"path": str(self.footage)},
                    "rules": [{"name": "intruder", "class": "person"}],
                },
            }
        )
        request = request_of("infer", self._folder, self._folder / "work")
        return context_of(request, scenario, self._folder, events=RememberingSink())

    def inputs(self) -> AlarmInputs:
        inputs = resolve_alarms(self.context(), CLASSES, "test")
        assert inputs is not None
        return inputs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


def counted(recordings: tuple[Recording, ...]) -> tuple[list[Recording], list[str]]:
    """The same, and a list that grows by the name of each that is read."""
    read: list[str] = []

    def reader(each: Recording) -> Iterator[Any]:
        read.append(each.name)
        return each.frames()

    return [replace(r, frames=lambda r=r: reader(r)) for r in recordings], read


def test_a_recording_is_read_once_for_each_model(site: Site) -> None:
    context = site.context()
    recordings, read = counted(site.inputs().recordings)
    with Detector.open(site.package, device="cpu") as detector:
        identity = model_identity(context, detector)
        first = detect_all(context, detector, recordings, identity, "")
        assert read == ["cam1/a", "cam2/a"]
        again = detect_all(context, detector, recordings, identity, "")
        assert read == ["cam1/a", "cam2/a"]
        for name, found in first.items():
            assert np.array_equal(found.boxes_xyxy, again[name].boxes_xyxy)
        assert list(first["cam1/a"].frames) == [2, 3, 12, 13]
    with Detector.open(site.model("fewer", {"cam1/a": ((2, 3),)}), device="cpu") as other:
        assert model_identity(context, other) != identity
        detect_all(context, other, recordings, model_identity(context, other), "")
    assert read == ["cam1/a", "cam2/a"] * 2


def test_other_rules_and_another_truth_read_no_picture_again(site: Site) -> None:
    context, inputs = site.context(), site.inputs()
    with Detector.open(site.package, device="cpu") as detector:
        identity = model_identity(context, detector)
        found = detect_all(context, detector, inputs.recordings, identity, "")
        judged = judge_found(inputs, found)
        assert (judged.figures.hits, judged.figures.false) == (3, 0)
        truth = site.footage / "truth.csv"
        kept = truth.read_text(encoding="utf-8")
        try:
            truth.write_text(kept.replace("cam2/a,intruder,20,32\n", ""), encoding="utf-8")
            changed = site.inputs()
        finally:
            truth.write_text(kept, encoding="utf-8")
        recordings, read = counted(changed.recordings)
        found = detect_all(context, detector, recordings, identity, "")
        assert read == []
    stricter = AlarmRule("intruder", "person", min_confidence=0.95)
    one = AlarmInputs((stricter,), changed.recordings, "", changed.counting, 1.0)
    assert judge_found(changed, found).figures.false == 1
    figures = judge_found(one, found).figures
    assert (figures.hits, figures.false) == (0, 0)
    told = list(untold(figures))
    assert any("no incident was alarmed" in each or "no alarm was raised" in each for each in told)
    assert any("fewer than 5 recordings" in each for each in told)


def test_what_was_used_longest_ago_is_removed_first(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.npz" for name in "abcd"]
    for age, path in enumerate(paths):
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 + age, 1000 + age))
    remove_oldest(tmp_path, 250, keep=paths[0])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.npz", "d.npz"]
    remove_oldest(tmp_path, 10, keep=paths[0])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.npz"]

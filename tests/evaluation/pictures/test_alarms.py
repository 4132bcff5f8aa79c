"""Pictures of alarms are drawn from outcomes as they come, and say what they leave out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.recordings.alarm_results import OperatingPoint, RecordingOutcome
from guardianflow.contracts.recordings.alarms import Alarm, AlarmRule, Hold, Incident
from guardianflow.evaluation.alarms.counting import count_alarms
from guardianflow.evaluation.alarms.curve import best_points
from guardianflow.evaluation.pictures import alarms


def outcome(name: str, rule: str = "no_helmet", *, shift: float = 0.0) -> RecordingOutcome:
    return count_alarms(
        [Alarm(name, rule, at_s + shift, 0) for at_s in (61.0, 75.0, 200.0)],
        [Incident(name, rule, 60.0, 90.0), Incident(name, rule, 300.0, 330.0)],
        recording=name,
        watched_s=400.0,
    )


def drawn(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        assert opened.format == "PNG"
        return opened.convert("RGB")


def test_a_line_for_each_recording(tmp_path: Path) -> None:
    path = alarms.alarm_timelines([outcome("정문/0104"), outcome("$yard$")], tmp_path / "t.png")
    picture = drawn(path)
    assert picture.width > 1000
    colours = {colour for _, colour in picture.getcolors(1 << 24) or ()}
    assert {(0x9F, 0xD8, 0xC4), (0xF2, 0xB4, 0x8A), (0x00, 0x72, 0xB2)} <= colours


def test_many_lines_leave_the_best_out(tmp_path: Path) -> None:
    perfect = [replace(outcome(f"good{i}"), alarms=(), incidents=()) for i in range(60)]
    lines = alarms._lines([*perfect, outcome("bad")])
    assert lines[0][0] == "bad" and len(lines) == 61
    few = alarms.alarm_timelines(perfect[:20], tmp_path / "few.png")
    many = alarms.alarm_timelines([*perfect, outcome("bad")], tmp_path / "many.png")
    assert drawn(few).height < drawn(many).height < 3000


def test_each_rule_has_its_line() -> None:
    both = outcome("gate"), outcome("yard", "fire")
    assert [name for name, _ in alarms._lines(both)] == [
        "gate: fire",
        "gate: no_helmet",
        "yard: fire",
        "yard: no_helmet",
    ]


def points(rule: str) -> list[OperatingPoint]:
    return [
        OperatingPoint(
            AlarmRule(rule, "person", min_confidence=0.1 * i, hold=Hold(1, 1)),
            incidents=10,
            hits=i,
            false=i * i,
            camera_days=2.0,
            missed=1 - i / 10,
            false_per_camera_day=i * i / 2,
        )
        for i in range(10)
    ]


def test_curves_of_two_rules_with_what_was_chosen(tmp_path: Path) -> None:
    curves = {rule: points(rule) for rule in ("안전모", "fire")}
    best = {rule: best_points(each) for rule, each in curves.items()}
    chosen = [best["fire"][3]]
    path = alarms.alarm_curves(curves, best, tmp_path / "c.png", chosen=chosen, limit=2.0)
    assert drawn(path).width > 900


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="at least one value to draw"):
        alarms.alarm_timelines([], tmp_path / "t.png")
    unmeasured = [replace(each, missed=None) for each in points("fire")]
    with pytest.raises(EvaluationError, match="an operating curve needs"):
        alarms.alarm_curves({"fire": unmeasured}, {}, tmp_path / "c.png")
    assert list(tmp_path.iterdir()) == []

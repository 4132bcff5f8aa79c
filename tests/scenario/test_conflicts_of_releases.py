"""The release section: what it may say, and what contradicts the rest of a scenario."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.releases import ReleaseLimits
from scenario import Scenario, build_scenario, dump_scenario, load_scenario
from scenario.conflicts import unknown_classes

BASE: dict[str, Any] = {
    "name": "gates",
    "site": {"customer": "donghwa-entec", "region": "busan"},
    "task": {"type": "ppe", "classes": ["helmet", "안전모"]},
    "model": {"architecture": "yolo11n"},
    "dataset": {"path": "demo://ppe"},
}
ALL = {
    "min_mAP50": 0.5,
    "min_mAP50_95": 0.3,
    "min_recall": {"안전모": 0.9},
    "min_recall_in": {"night": {"안전모": 0.8}, "weather.rain": {"helmet": 0.7}},
    "max_drop_vs_champion": {"mAP50_95": 0.01, "recall.helmet": 0.005},
    "max_latency_p95_ms": 40.0,
    "min_fps": 30.0,
    "min_cameras": 4,
    "max_size_mb": 12.5,
    "confidence": 0.9,
    "objective": "size",
    "auto_promote": "on_pass",
}


def made(release: object, **sections: object) -> Scenario:
    return build_scenario(BASE | sections | {"release": release})


def problems(release: object, **sections: object) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        made(release, **sections)
    return [problem.message for problem in caught.value.problems]


def test_every_limit_reaches_the_gates_and_the_file(tmp_path: Path) -> None:
    scenario = made(ALL, benchmark={"cameras": {}})
    assert scenario.release is not None
    asked = {k: v for k, v in ALL.items() if k not in ("objective", "auto_promote")}
    assert scenario.release.limits() == ReleaseLimits(**asked)
    (tmp_path / "s.yaml").write_text(dump_scenario(scenario), encoding="utf-8")
    assert load_scenario(tmp_path / "s.yaml") == scenario
    assert scenario.to_all_params("release")["release.min_recall.안전모"] == 0.9


def test_limits_of_classes_are_matched_in_either_form() -> None:
    decomposed = unicodedata.normalize("NFD", "안전모")
    limits = {"min_recall": {decomposed: 0.9}, "max_drop_vs_champion": {f"recall.{decomposed}": 0}}
    task = {"type": "ppe", "classes": [decomposed, "helmet"]}
    scenario = made(limits, task=task)
    assert scenario.release is not None and scenario.task.classes == ("안전모", "helmet")
    assert scenario.release.limits().min_recall == {"안전모": 0.9}
    assert scenario.release.limits().max_drop_vs_champion == {"recall.안전모": 0}
    assert not [*unknown_classes(limits, ["안전모"], "the data")]
    for key, start in (("min_recall", ""), ("max_drop_vs_champion", "recall.")):
        (message,) = problems({key: {f"{start}안전모": 0.9, f"{start}{decomposed}": 0.1}})
        assert "is there twice, once in decomposed Hangul" in message


def test_without_the_section_nothing_is_judged() -> None:
    assert build_scenario(BASE).release is None
    assert made(None).release is None


def test_a_section_that_asks_nothing_is_refused() -> None:
    (message,) = problems({"auto_promote": "on_pass"})
    assert message.startswith("release asks for no gate, so every model would pass")
    assert problems({"min_recall": {}}) == [message]
    assert problems(5)[0].startswith("release must be a mapping")


def test_a_misspelt_gate_is_told_as_that_alone() -> None:
    (message,) = problems({"min_map_50": 0.5})
    assert message == "unknown key 'min_map_50' in 'release'; did you mean 'min_mAP50'?"


def test_everything_wrong_is_told_at_once() -> None:
    found = problems(
        {
            "min_mAP50": 2,
            "min_recall": {"helmt": 0.9},
            "max_drop_vs_champion": {"mAP": 0.1, "recall.hat": 0.1, "mAP50": -0.1},
            "min_cameras": 3,
            "confidence": 95,
        }
    )
    for part in (
        "release.min_mAP50 must be a number from 0 to 1 but got 2",
        "'mAP' can't be a key of 'release.max_drop_vs_champion'",
        "release.max_drop_vs_champion.mAP50 must be a number from 0 to 1 but got -0.1",
        "release.confidence must be a number from 0.5 to 0.999 but got 95",
        "release.min_recall names class 'helmt', but task.classes has helmet, 안전모",
        "release.max_drop_vs_champion names class 'hat', but task.classes has helmet, 안전모",
        "release.min_cameras needs benchmark.cameras",
    ):
        assert any(part in message for message in found), part
    assert len(found) == 7


def test_nothing_is_released_on_the_images_it_was_trained_on() -> None:
    (message,) = problems({"min_mAP50": 0.5}, dataset={"path": "demo://ppe", "split": "train"})
    assert "may not be judged on the images it was trained on" in message


def test_an_override_reaches_one_class() -> None:
    scenario = build_scenario(
        BASE | {"release": {"max_drop_vs_champion": {"mAP50": 0.02, "recall.helmet": 0.5}}},
        overrides=["release.max_drop_vs_champion.recall.helmet=0.01", "release.min_mAP50=0.4"],
    )
    assert scenario.release is not None
    assert scenario.release.max_drop_vs_champion == {"mAP50": 0.02, "recall.helmet": 0.01}
    assert scenario.release.min_mAP50 == 0.4


def test_classes_are_checked_against_the_data_where_the_scenario_names_none() -> None:
    release = made({"min_recall": {"helmet": 0.9}}, task={"type": "ppe"}).release
    assert list(unknown_classes(release, ("helmet", "vest"), "the data set")) == []
    ((path, message),) = unknown_classes(release, ("hat",), "the data set")
    assert path == ("release", "min_recall", "helmet")
    assert message.endswith("names class 'helmet', but the data set has hat")


# --- slices --------------------------------------------------------------------------------------


def test_slices_are_read_in_every_spelling() -> None:
    wanted = {
        "night": {"helmet": 0.8},
        "weather.rain": {"helmet": 0.7},
        "camera.g.1": {"helmet": 1},
    }
    for spelt in (
        wanted,
        {"light.night": {"helmet": 0.8}, "weather": {"rain": {"helmet": 0.7}}}
        | {"camera.g.1": {"helmet": 1}},
        {"light": {"night": {"helmet": 0.8}}, "weather.rain": {"helmet": 0.7}}
        | {"camera": {"g.1": {"helmet": 1}}},
    ):
        release = made({"min_recall_in": spelt}).release
        assert release is not None
        assert release.min_recall_in == wanted


def test_a_gate_on_a_slice_is_overridden_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(dump_scenario(made(ALL, benchmark={"cameras": {}})), "utf-8")
    given = ["release.min_recall_in.night.helmet=0.65"]
    release = load_scenario(tmp_path / "s.yaml", overrides=given).release
    assert release is not None
    assert release.min_recall_in["night"] == {"안전모": 0.8, "helmet": 0.65}
    given = ["release.min_recall_in.weather.rain.helmet=0.5"]
    release = load_scenario(tmp_path / "s.yaml", overrides=given).release
    assert release is not None
    assert release.min_recall_in["weather.rain"] == {"helmet": 0.5}


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"nigth": {"helmet": 0.8}}, "did you mean 'night'?"),
        ({"rain": {"helmet": 0.8}}, "like camera.gate or weather.rain"),
        ({"light.nite": {"helmet": 0.8}}, "light has day, dim, night"),
        ({"input_px.8-16": {"helmet": 0.8}}, "input_px has under8, 8to16"),
        ({"night": {"helmet": 1.8}}, "min_recall_in.night.helmet must be a number from 0 to 1"),
        ({"night": {}}, "slice 'night' names no class"),
        ({"night": None}, "slice 'night' names no class"),
        ({"night": 0.8}, "min_recall_in.night must be a mapping of class names"),
        ({"night": {"helmet": 1}, "light.night": {"helmet": 1}}, "slice 'night' is there twice"),
        ({"night": {"helmt": 0.8}}, "names class 'helmt', but task.classes has helmet"),
        ({"light": {"night": {"vest": 0.8}}}, "names class 'vest', but task.classes has helmet"),
    ],
)
def test_what_no_slice_can_be_is_told(limits: object, told: str) -> None:
    assert any(told in message for message in problems({"min_recall_in": limits}))


def test_everything_wrong_with_slices_is_told_at_once() -> None:
    found = problems({"min_recall_in": {"nigth": {"helmet": 1}, "day": {"vest": 1, "helmet": 2}}})
    assert len(found) == 3

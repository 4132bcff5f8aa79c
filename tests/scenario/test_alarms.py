"""The section `alarms`: what it holds, how it comes back, and what can be wrong in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo_scenes.cctv.site import ZONE
from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.recordings.alarms import AlarmRule, Hold
from guardianflow.evaluation.alarms.checks import check_rules
from guardianflow.evaluation.alarms.detecting import KEPT_CONFIDENCE
from scenario import build_scenario, dump_scenario, load_scenario, parse_scenario
from scenario.alarm_conflicts import LEAST_CONFIDENCE

TEXT = """\
name: gate
site: {customer: demo, region: seoul}
task: {type: ppe, classes: [helmet, head, person]}
model: {architecture: yolo11n}
dataset: {path: demo://ppe}
release:
  max_missed_alarms: 0.2
  max_false_alarms_per_day: 2
  max_alarm_delay_s: 8
  max_drop_vs_champion: {alarm.recall: 0.05}
  max_rise_vs_champion: {alarm.false_per_camera_day: 0.5}
alarms:
  tolerance_s: 12
  recall_bias: 0.65
  recordings: {path: recordings, truth: truth.xml, camera: '(?P<camera>cam\\d+)', fps: 5,
               labels: {No_Helmet: no_helmet}}
  rules:
    - name: no_helmet
      class: person
      without: helmet
      zone: [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]
      min_confidence: 0.3
      hold: {frames: 5, of: 8}
      cooldown_s: 60
    - {name: crossing, class: person, zone: [[0, 0], [640, 0], [640, 480]], hold: {seconds: 2}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml")
    return str(caught.value).splitlines()


def with_rule(**values: Any) -> str:
    """The scenario with other values in its first rule; '' takes one away."""
    text = TEXT
    for key, value in values.items():
        (line,) = [each for each in text.splitlines() if each.strip(" -").startswith(f"{key}: ")]
        start = line[: line.index(f"{key}: ")]
        text = text.replace(f"{line}\n", f"{start}{key}: {value}\n")
    return text


def test_rules_come_as_they_are_evaluated() -> None:
    scenario = parse_scenario(TEXT, "s.yaml")
    assert scenario.alarms is not None
    rules = scenario.alarms.alarm_rules()
    assert rules == (
        AlarmRule(
            "no_helmet",
            "person",
            ((0, 0.5), (1, 0.5), (1, 1), (0, 1)),
            False,
            0.3,
            Hold(5, 8),
            60.0,
            "helmet",
        ),
        AlarmRule(
            "crossing",
            "person",
            ((0, 0), (640, 0), (640, 480)),
            True,
            0.25,
            Hold(None, None, 2.0),
        ),
    )
    check_rules(rules, scenario.task.classes, least_confidence=KEPT_CONFIDENCE)
    assert LEAST_CONFIDENCE == KEPT_CONFIDENCE
    assert scenario.release is not None
    limits = scenario.release.limits()
    assert limits.max_alarm_delay_s == 8
    assert limits.max_rise_vs_champion == {"alarm.false_per_camera_day": 0.5}


def test_a_scenario_comes_back_as_it_was_whatever_way_it_is_written() -> None:
    scenario = parse_scenario(TEXT, "s.yaml")
    assert parse_scenario(dump_scenario(scenario), "again.yaml") == scenario
    assert build_scenario(scenario.model_dump(mode="json")) == scenario
    assert "class: person" in dump_scenario(scenario)


def test_parameters_name_each_rule() -> None:
    params = parse_scenario(TEXT, "s.yaml").to_all_params("infer")
    assert params["alarms.rules"] == "no_helmet,crossing"
    assert params["alarms.tolerance_s"] == 12
    assert params["alarms.no_helmet.hold"] == "5 of 8 frames"
    assert params["alarms.no_helmet.without"] == "helmet"
    assert params["alarms.crossing.hold"] == "2 s"
    assert params["alarms.crossing.zone"] == "[[0.0, 0.0], [640.0, 0.0], [640.0, 480.0]]"
    assert not [key for key in parse_scenario(TEXT, "x").to_all_params("train") if "alarms" in key]


def test_overrides_reach_rules_and_gates() -> None:
    overrides = [
        "alarms.rules.0.min_confidence=0.5",
        "alarms.rules.1.hold={frames: 3, of: 5}",
        "release.max_rise_vs_champion.alarm.false_per_camera_day=1.5",
        "release.max_drop_vs_champion.alarm.recall=0.1",
    ]
    made = parse_scenario(TEXT, "s.yaml", overrides=overrides)
    assert made.alarms is not None and made.release is not None
    assert made.alarms.rules[0].min_confidence == 0.5
    assert made.alarms.rules[1].hold.as_hold() == Hold(3, 5)
    assert made.release.max_rise_vs_champion == {"alarm.false_per_camera_day": 1.5}
    assert made.release.max_drop_vs_champion == {"alarm.recall": 0.1}


def test_everything_wrong_is_told_at_once_with_its_place() -> None:
    text = TEXT.replace("class: person\n", "class: persn\n").replace(
        "name: crossing", "name: no_helmet"
    )
    text = text.replace("frames: 5, of: 8", "frames: 9, of: 8").replace("[1, 0.5]", "[640, 0.5]")
    text = text.replace("fps: 5", "fsp: 5").replace("(?P<camera>cam\\d+)", "cam(")
    text = text.replace("No_Helmet: no_helmet", "No_Helmet: no_helmt")
    found = problems(text)
    assert found[0] == "7 problems:"
    assert all(line.startswith("  - s.yaml:") for line in found[1:])
    told = "\n".join(found)
    for part in (
        "unknown key 'fsp' in 'alarms.recordings'; did you mean 'fps'?",
        "alarms.recordings.camera must be a regular expression with a group (?P<camera>…)",
        "alarms.recordings.labels.No_Helmet must name a rule of alarms.rules but got 'no_helmt'",
        "names class 'persn', but task.classes has helmet, head, person; did you mean 'person'?",
        "must have a name of its own, but 'no_helmet' is there twice",
        "alarms.rules.0.hold must have frames of at most of, but got 9 of 8",
        "must be all in shares of the picture (0…1) or all in pixels, but has [0, 0.5] and [640",
    ):
        assert part in told, part


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("zone", "[[0, 0], [1, 1]]", "must have three or more different corners but has 2"),
        ("zone", "[[0, 0], [0.5, 0.5], [1, 1]]", "sides 1 and 3 cross or touch"),
        ("zone", "[[0, 0], [1, 1], [1, 0], [0, 1]]", "cross or touch"),
        ("zone", "[[0, -0.2], [1, 0], [1, 1]]", "must be shares of the picture, 0…1"),
        ("zone", "[[0, a], [1, 0], [1, 1]]", 'zone.0.1 must be a number but got "a"'),
        ("zone", "[[0], [1, 0], [1, 1]]", "a corner like [0.2, 0.5]"),
        ("hold", "{seconds: 2, frames: 3}", "must say frames and of, or seconds, but has both"),
        ("hold", "{of: 3}", "must say in how many of the last pictures: add frames"),
        ("hold", "{frames: 0}", "hold.frames must be a whole number ≥ 1 but got 0"),
        ("min_confidence", "0.01", "must be at least 0.05, as boxes of less are not kept"),
        ("min_confidence", "1.2", "must be a number from 0 to 1 but got 1.2"),
        ("cooldown_s", "-1", "must be a number ≥ 0 but got -1"),
        ("without", "person", "must be another class than 'person': a box lies on itself"),
        ("without", "hat", "alarms.rules.0.without names class 'hat', but task.classes has helmet"),
        ("name", "a.b", "alarms.rules.0.name must be a name of 1 to 45 characters"),
    ],
)
def test_what_a_rule_can_have_wrong(key: str, value: str, told: str) -> None:
    if key == "name":
        text = TEXT.replace("- name: no_helmet", f"- name: {value}").replace(": no_helmet}", ": x}")
        assert told in "\n".join(problems(text))
    else:
        assert told in "\n".join(problems(with_rule(**{key: value})))


def test_no_rule_and_no_recordings() -> None:
    head = TEXT[: TEXT.index("alarms:\n")].replace("release:", "tags: {}\nrelease:")
    told = "\n".join(problems(f"{head}alarms: {{rules: []}}\n"))
    assert "section 'alarms.recordings' is missing; it needs path" in told
    assert "alarms.rules must be a list of at least one rule" in told


def test_gates_on_alarms_need_the_section() -> None:
    told = problems(TEXT[: TEXT.index("alarms:\n")])
    assert [line.split(": ")[1].split(" ")[0] for line in told[1:]] == [
        "release.max_missed_alarms",
        "release.max_false_alarms_per_day",
        "release.max_alarm_delay_s",
        "release.max_drop_vs_champion.alarm.recall",
        "release.max_rise_vs_champion.alarm.false_per_camera_day",
    ]
    assert "needs the section alarms, which says what an alarm is" in told[1]


def test_only_what_is_measured_can_be_held_against_the_champion() -> None:
    told = "\n".join(problems(TEXT.replace("alarm.recall: 0.05", "alarm.delay_p50_s: 1")))
    assert "mAP50, mAP50_95, alarm.recall and recall.CLASS" in told
    told = "\n".join(problems(TEXT.replace("alarm.false_per_camera_day: 0.5", "mAP50: 0.5")))
    assert "alarm.false_per_camera_day may be limited" in told


def test_the_demo_watches_the_zone_that_its_scenes_are_drawn_with(repository: Path) -> None:
    alarms = load_scenario(repository / "configs/scenarios/demo.yaml").alarms
    assert alarms is not None
    zones = {rule.name: rule.zone for rule in alarms.rules}
    assert zones["no_vest"] == ZONE
    # Heads stand higher in the picture than feet: the same zone, carried up to its top.
    assert zones["no_helmet"] == tuple((x, 0.0 if y == 0.3 else y) for x, y in ZONE)

"""configs/triggers.yaml: the shipped rules are those that were asked for; a wrong file says all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from automated_sites import SHIPPED

from apps.automation.triggers.durations import read_duration
from apps.automation.triggers.file import load_triggers, parse_triggers
from guardianflow.contracts.errors import ConfigurationError


def test_the_shipped_rules() -> None:
    rules = {rule.name: rule for rule in load_triggers(SHIPPED).rules}
    told = {
        name: (r.metric, r.comparison, r.threshold, r.action, r.cooldown)
        for name, r in rules.items()
    }
    assert told == {
        "accuracy-low": ("mAP50", "below", 0.75, "sweep", timedelta(hours=48)),
        "latency-high": ("latency_ms", "above", 30.0, "quantise", timedelta(hours=24)),
        "gpu-idle": ("gpu_utilization_pct", "below", 50.0, "larger_batch", timedelta(hours=24)),
    }
    assert rules["gpu-idle"].scope.experiment_type == "train"


def test_every_problem_of_a_file_is_told_at_once_with_its_line() -> None:
    with pytest.raises(ConfigurationError) as told:
        parse_triggers(
            """budgets: 3
rules:
  - {name: a, metric: mAP5, comparison: below, threshold: 0.5}
  - {name: a, metric: mAP50, comparison: ">", threshold: 75, window: 3x, cooldwn: 2h}
  - name: b
    metric: latency_ms
    comparison: abve
    action: sweep
    quantise: {backend: opnvino}
""",
            "t.yaml",
        )
    problems = [str(each) for each in told.value.problems]
    wanted = (
        ("t.yaml:1:1", "unknown key 'budgets'; did you mean 'budget'?"),
        ("t.yaml:3:23", "did you mean 'mAP50'"),
        ("t.yaml:4:12", "rule 'a' is there twice"),
        ("t.yaml:4:42", "would call every good mAP50 an alert"),
        ("t.yaml:4:58", "threshold of mAP50 must be from 0 to 1 but got 75"),
        ("t.yaml:4:70", "window must be a span of time"),
        ("t.yaml:4:74", "did you mean 'cooldown'?"),
        ("t.yaml:5:5", "'threshold' is missing"),
        ("t.yaml:7:17", "did you mean 'above'?"),
        ("t.yaml:8:13", "needs a section sweep"),
        ("t.yaml:9:15", "'quantise' is there but action is 'sweep'"),
        ("t.yaml:9:25", "did you mean 'openvino'?"),
    )
    assert len(problems) == len(wanted)
    for problem, (place, words) in zip(problems, wanted, strict=True):
        assert problem.startswith(f"{place}: ")
        assert words in problem


@pytest.mark.parametrize("text", ["", "rules: []", "rules: 3", "rules:\n", "- a\n", "rules: [{}]"])
def test_a_file_without_rules_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_triggers(text, "t.yaml")


def test_a_file_that_is_not_there_names_those_near(tmp_path: Path) -> None:
    (tmp_path / "triggers.yaml").write_text(SHIPPED.read_text("utf-8"), encoding="utf-8")
    assert load_triggers("triggers.yaml", [tmp_path]).budget == 4
    with pytest.raises(ConfigurationError, match="trigers"):
        load_triggers(tmp_path / "trigers.yaml")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("48h", 172_800), ("1.5d", 129_600)]
)
def test_a_span_of_time(text: str, seconds: int) -> None:
    assert read_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("value", ["0s", "-1h", "3", 3, "4000d", "1w", "", None, "9" * 20 + "d"])
def test_what_is_no_span_of_time(value: object) -> None:
    with pytest.raises(ValueError, match=r"number|above"):
        read_duration(value)

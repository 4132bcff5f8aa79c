"""dataset.groups in the spellings that people write."""

from __future__ import annotations

import pytest

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.recordings.groups import GroupRule, GroupSource
from scenario import Scenario, build_scenario, dump_scenario, parse_scenario

PATTERN = r"(?P<camera>cam\d+)_(?P<recording>\d+)_(?P<frame>\d+)"


def scenario(groups: object, *overrides: str) -> Scenario:
    values = {
        "name": "site",
        "site": {"customer": "a", "region": "b"},
        "task": {"type": "ppe"},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": "data.yaml", "groups": groups},
    }
    return build_scenario(values, overrides=overrides)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (None, None),
        ("folder", GroupRule(GroupSource.FOLDER)),
        ({"folder": True}, GroupRule(GroupSource.FOLDER)),
        ("groups.csv", GroupRule(GroupSource.FILE, "groups.csv")),
        ({"file": "표.csv"}, GroupRule(GroupSource.FILE, "표.csv")),
        (PATTERN, GroupRule(GroupSource.PATTERN, PATTERN)),
        ({"pattern": PATTERN}, GroupRule(GroupSource.PATTERN, PATTERN)),
    ],
)
def test_every_spelling_is_one_rule_and_is_written_back(
    written: object, rule: GroupRule | None
) -> None:
    made = scenario(written)
    assert made.dataset.group_rule == rule
    assert parse_scenario(dump_scenario(made), "again") == made
    assert made.to_all_tags("infer").get("data.groups") == (str(rule) if rule else None)


def test_overrides_set_it() -> None:
    by_key = scenario(None, f"dataset.groups.pattern='{PATTERN}'")
    assert by_key.dataset.group_rule == GroupRule(GroupSource.PATTERN, PATTERN)
    assert scenario(None, f"dataset.groups={PATTERN}") == by_key
    file = scenario(None, "dataset.groups.file=groups.csv")
    assert file.dataset.group_rule == GroupRule(GroupSource.FILE, "groups.csv")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("foldr", "but got \"foldr\"; it is none of the three; did you mean 'folder'?"),
        ({"patern": "x"}, "it has no key 'patern'; did you mean 'pattern'?"),
        ({"pattern": PATTERN, "file": "g.csv"}, "it says pattern and file"),
        ({}, "it says nothing"),
        ({"folder": "clips"}, "write groups: folder alone"),
        ({"pattern": "("}, "of its pattern: it is no regular expression"),
        ({"pattern": "(?P<camra>x)"}, "did you mean 'camera'?"),
        ({"pattern": 5}, "its pattern is no text"),
        (["folder"], 'but got ["folder"]'),
        (True, "but got true"),
    ],
)
def test_what_is_no_rule_is_refused_with_what_is_meant(written: object, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(written)
    assert "dataset.groups must be folder, {file: groups.csv} or {pattern:" in str(caught.value)
    assert said in str(caught.value)

"""Versions, dates and words in the names of scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments_adapters.legacy.scan.results import Script
from experiments_adapters.legacy.scan.script_names import read_name, same_version
from experiments_adapters.legacy.scan.versions import choose, matches, patterns_for


@pytest.mark.parametrize(
    ("name", "version", "day", "finals"),
    [
        ("train_yolov11_v2.py", (2,), None, (0, 0)),
        ("yolo_v11_train_1214.py", (), (0, 12, 14), (0, 0)),
        ("학습_최종_v3.py", (3,), None, (1, 0)),
        ("train_yolov8s.py", (), None, (0, 0)),
        ("train_v1.2_20241214.py", (1, 2), (2024, 12, 14), (0, 0)),
        ("quant_241214.py", (), (2024, 12, 14), (0, 0)),
        ("학습_최종_최종2.py", (), None, (2, 2)),
        ("train_1080.py", (), None, (0, 0)),  # no such month
        ("train_640.py", (), None, (0, 0)),
    ],
)
def test_what_a_name_says(
    name: str, version: tuple[int, ...], day: tuple[int, int, int] | None, finals: tuple[int, int]
) -> None:
    found = read_name(name)
    assert (found.version, found.day, found.finals) == (version, day, finals)


@pytest.mark.parametrize(
    "name",
    ["train_backup_old.py", "학습_복사본.py", "train (1).py", "test.py", "a_bak2.py", "임시.py"],
)
def test_names_of_what_was_put_aside(name: str) -> None:
    assert read_name(name).put_aside


@pytest.mark.parametrize("name", ["train_gold.py", "latest.py", "threshold.py", "contest_v2.py"])
def test_words_inside_words_mean_nothing(name: str) -> None:
    assert not read_name(name).put_aside


@pytest.mark.parametrize(
    ("asked", "name", "same"),
    [
        ("v3", "학습_최종_v3.py", True),
        ("3", "train_v3.py", True),
        ("v3", "train_v13.py", False),
        ("v1", "train_yolov11_v2.py", False),
        ("1214", "yolo_train_20241214.py", True),
        ("20231214", "yolo_train_20241214.py", False),
        ("최종", "학습_최종_v3.py", True),
        ("최종2", "학습_최종.py", False),
        ("rtdetr", "train_rtdetr.py", True),
    ],
)
def test_a_version_asked_for(asked: str, name: str, same: bool) -> None:
    assert same_version(asked, name) is same


@given(st.text(max_size=40))
def test_any_name_can_be_read(name: str) -> None:
    assert read_name(name).marks is not None
    assert same_version(name, name) in (True, False)


def a(path: str, modified: float = 0.0, kind: str = "train") -> Script:
    return Script(path, kind, 0.9, "It trains.", modified_s=modified)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "default", "sure"),
    [
        (["train.py"], "train.py", True),
        (["train_v1.py", "train_v2.py", "train_v10.py"], "train_v10.py", True),
        (["train_v9_backup.py", "train_v2.py"], "train_v2.py", True),
        (["old/train_v9.py", "train_v2.py"], "train_v2.py", True),
        (["학습_최종.py", "학습_최종_최종2.py"], "학습_최종_최종2.py", True),
        (["학습_최종_v1.py", "학습_v7.py"], "학습_최종_v1.py", False),
        (["train_v2.py", "train_1214.py"], "train_v2.py", False),
        (["train_240102.py", "train_231231.py"], "train_240102.py", True),
        (["train.py", "train_1214.py"], "train_1214.py", False),
        (["train_a.py", "train_b.py"], "train_b.py", False),
    ],
)
def test_the_default(names: list[str], default: str, sure: bool) -> None:
    scripts = [a(name, modified=86400.0 * number) for number, name in enumerate(names)]
    chosen, why, is_sure = choose(scripts)
    assert (chosen.path, is_sure) == (default, sure), why
    assert choose(scripts[::-1])[0] == chosen


NAMES = st.sampled_from(["train", "학습", "infer", "a b", "x[1]", "train_utils", "lib/train", "*"])


@given(st.lists(NAMES, unique=True, min_size=1), st.data())
def test_patterns_name_all_of_one_type_and_no_other(names: list[str], data: st.DataObject) -> None:
    kinds = st.sampled_from(["train", "infer", "other"])
    scripts = [a(f"{name}.py", kind=data.draw(kinds)) for name in names]
    mine = [each for each in scripts if each.type == "train"]
    patterns = patterns_for(mine, scripts)
    for each in scripts:
        assert any(matches(p, each.path) for p in patterns) == (each in mine)

"""`guardianflow data check`: what it prints, writes and ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from leaking_data import leaking_data
from PIL import Image

from apps.cli.main import cli


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return leaking_data(tmp_path_factory.mktemp("공장"), train=14, twins=6, others=6)


@pytest.fixture(autouse=True)
def work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("COLUMNS", "200")


def check(*words: object) -> Result:
    return CliRunner().invoke(cli, ["data", "check", *map(str, words)])


def test_a_leaking_split_ends_with_1_and_says_what_to_do(data: Path) -> None:
    result = check(data)
    assert result.exit_code == 1
    row = next(line for line in result.output.splitlines() if "test in train" in line).split()
    assert row == ["test", "in", "train", "12", "0", "6", "0", "6", "50.0", "%"]
    assert "test: 50 % of its images are in train" in result.output
    assert "guardianflow data split DATA --by recording" in result.output
    assert "recordings are not known" in result.output
    assert check(data, "--max", "0.5").exit_code == 0


def test_json_and_files_say_the_same(data: Path, tmp_path: Path) -> None:
    result = check(data, "--json", "-o", tmp_path / "누출")
    answer = json.loads(result.stdout.splitlines()[-1])
    assert result.exit_code == 1
    assert answer["leaks"] is True
    test = next(each for each in answer["splits"] if each["split"] == "test")
    assert (test["share"], test["twins"], test["untouched"]) == (0.5, 6, 6)
    assert test["counts"] == {"same_file": 0, "twin": 6, "same_scene": 0}
    table, sheet = map(Path, answer["files"])
    assert len(table.read_text(encoding="utf-8-sig").splitlines()) == 7
    with Image.open(sheet) as picture:
        assert picture.width > 1200
        assert picture.height > 3 * 225  # six pairs, two in a row


def test_groups_that_are_named_tell_recordings_in_both_splits(data: Path) -> None:
    pattern = r"_0(?P<recording>\d)(?P<frame>\d)"
    answer = json.loads(check(data, "--json", "--groups", pattern).stdout.splitlines()[-1])
    test = next(each for each in answer["splits"] if each["split"] == "test")
    assert test["counts"]["same_recording"] > 0
    assert check(data, "--groups", "(?P<recording>no such name)").exit_code == 2


def test_bad_input_is_told_before_anything_is_read(data: Path, tmp_path: Path) -> None:
    for most in ("1.5", "-0.1", "nan"):
        result = check(data, "--max", most)
        assert result.exit_code == 2
        assert "--max must be a number from 0 to 1" in result.output
    (tmp_path / "file").write_text("")
    assert check(data, "-o", tmp_path / "file").exit_code == 2
    gone = check(data.parent / "dota.yaml")
    assert gone.exit_code == 2
    assert "data.yaml" in gone.output

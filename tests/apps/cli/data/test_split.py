"""`guardianflow data split` as a user sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from apps.cli.main import cli

PATTERN = r"(?P<camera>cam\d+)_(?P<recording>\d+)_(?P<frame>\d+)"
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["data", "split", *words])
        return result.exit_code, result.output

    return run


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Eight recordings of four frames; class 'harness' in one of them alone."""
    root = tmp_path / "현장"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for number in range(32):
        stem = f"cam{number // 16}_{number // 4}_{number % 4:03d}"
        Image.new("RGB", (16, 8), (number * 7, 0, 0)).save(root / "images" / f"{stem}.jpg")
        rows = "0 0.5 0.5 0.5 0.5\n" + "1 0.1 0.1 0.1 0.1\n" * (number < 4)
        (root / "labels" / f"{stem}.txt").write_text(rows)
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [person, 안전대]\n")
    return root


def test_it_writes_lists_and_says_what_falls_short(call: Call, site: Path, tmp_path: Path) -> None:
    code, text = call("현장", "--groups", PATTERN, "--val", "0.25", "--test", "0.25")
    assert code == 0, text
    assert "images      16 (0.50)  8 (0.25)  8 (0.25)" in text
    assert "안전대 in train, 1.00 instead of 0.5" in text
    assert "val shows nothing of: 안전대 (in 1 recording alone)" in text
    assert "test has 2 recordings: no interval can be said of fewer than 5" in text
    new = tmp_path / "현장-by-recording"
    assert f"path: {new}/data.yaml" in text
    assert len((new / "train.txt").read_text().splitlines()) == 16
    code, text = call("현장", "--groups", PATTERN)
    assert code == 2
    assert "nothing is written over" in text


def test_programs_are_told_the_same(call: Call, site: Path, tmp_path: Path) -> None:
    code, text = call("현장", "--groups", PATTERN, "--json", "-o", "새로", "--test", "0")
    assert code == 0, text
    told = json.loads(text.splitlines()[-1])
    assert told["data_yaml"] == str(tmp_path / "새로" / "data.yaml")
    assert [*told["splits"]] == ["train", "val"]
    assert told["splits"]["train"]["asked"] == 0.8
    assert sum(each["images"] for each in told["splits"].values()) == 32
    assert told["lacking"] == {"val": ["안전대"]}


def test_a_table_beside_the_data_is_taken(call: Call, site: Path) -> None:
    rows = [f"{path.name},{path.name[:4]}" for path in (site / "images").iterdir()]
    (site / "groups.csv").write_text("\n".join(["image,camera", *rows]))
    code, text = call("현장/data.yaml", "--by", "camera", "--test", "0", "--val", "0.5")
    assert code == 0, text
    (line,) = [line.split() for line in text.splitlines() if line.strip().startswith("cameras")]
    assert line == ["cameras", "1", "1"]


def test_everything_wrong_is_told_at_once_and_nothing_is_written(
    call: Call, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    words = ("--val", "0", "--test", "1.5", "--seed", "-1", "--groups", "foldr", "-o", "there")
    code, text = call("현장", *words)
    assert code == 2
    assert "--val must be above 0 and below 1 but got 0" in text
    assert "--test must be from 0 and below 1 but got 1.5" in text
    assert "--seed must be 0 or more but got -1" in text
    assert "--groups must be folder, groups.csv or a regular expression" in text
    assert "did you mean 'folder'?" in text
    assert "there is there already" in text
    assert list((tmp_path / "there").iterdir()) == []
    code, text = call("현장", "--val", "0.5", "--test", "0.5", "--groups", PATTERN)
    assert (code, "leave nothing for train" in text) == (2, True)


def test_without_groups_it_says_how_to_find_them(call: Call, site: Path) -> None:
    code, text = call("현장")
    assert code == 2
    assert "guardianflow data groups 현장" in text

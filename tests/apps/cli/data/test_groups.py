"""`guardianflow data groups` as a user sees it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from apps.cli.main import cli
from guardianflow.contracts.recordings.groups import GroupSource
from scenario import load_scenario

Call = Callable[..., tuple[int, str]]
PATTERN = r"^(?P<camera>cam\d+)_(?P<recording>\d{8}_\d{6})_(?P<frame>\d+)"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["data", "groups", *words])
        return result.exit_code, result.output

    return run


def make(root: Path, names: list[str]) -> Path:
    """A set whose every fifth image is in val."""
    for number, name in enumerate(names):
        split = "train" if number % 5 else "val"
        for folder in ("images", "labels"):
            (root / folder / split).mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (16, 8), (number * 7 % 256, number, 0))
        picture.save(root / "images" / split / f"{name}.png")
        (root / "labels" / split / f"{name}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [helmet]\n")
    return root


@pytest.fixture
def site(tmp_path: Path) -> Path:
    names = [
        f"cam{r % 2}_2026010{r + 1}_0815{r:02d}_{15 * f:06d}" for r in range(6) for f in range(6)
    ]
    return make(tmp_path / "현장", names)


def test_it_shows_what_each_recording_would_hold_and_writes_nothing(
    call: Call, site: Path, tmp_path: Path
) -> None:
    before = sorted(os.walk(site))
    code, text = call("현장")
    assert code == 0, text
    assert "36 images (train 28, val 8), called like cam" in text
    assert "6 recordings of 2 cameras, 6 to 6 images each" in text
    assert "6 have images in several splits" in text
    assert f"groups: {{pattern: '{PATTERN}'}}" in text
    (row,) = [line.split() for line in text.splitlines() if "cam1/20260102_081501" in line]
    assert row == ["cam1/20260102_081501", "6", "train", "5,", "val", "1", "0", "75"]
    assert sorted(os.walk(site)) == before


def test_programs_are_told_the_same(call: Call, site: Path) -> None:
    code, text = call("현장", "--json")
    assert code == 0, text
    told = json.loads(text.splitlines()[-1])
    assert told["images"] == 36
    assert told["written"] is None
    (proposal,) = told["proposals"]
    assert proposal["groups"] == {"pattern": PATTERN}
    assert proposal["reasons"] == ["camera", "start"]
    assert sum(group["images"] for group in proposal["contents"]) == 36
    assert proposal["contents"][0]["splits"] == {"train": 4, "val": 2}


def test_a_table_is_written_where_it_is_asked_for_and_never_over_another(
    call: Call, site: Path, tmp_path: Path
) -> None:
    code, text = call("현장", "--write", "현장/groups.csv")
    assert code == 0, text
    written = (site / "groups.csv").read_text(encoding="utf-8-sig").splitlines()
    assert written[0] == "image,camera,recording,frame"
    assert "images/val/cam0_20260101_081500_000000.png,cam0,cam0/20260101_081500,0" in written
    assert len(written) == 37
    shown = call("현장", "--groups", "현장/groups.csv")
    assert shown[0] == 0
    assert "6 recordings of 2 cameras" in shown[1]
    code, text = call("현장", "--write", "현장/groups.csv")
    assert code == 2
    assert "nothing is written over" in text
    assert (site / "groups.csv").read_text(encoding="utf-8-sig").splitlines() == written
    assert [path.name for path in site.iterdir() if path.name.startswith(".")] == []


def test_a_scenario_gets_its_line_and_keeps_all_else(
    call: Call, site: Path, tmp_path: Path, repository: Path
) -> None:
    text = (repository / "configs/scenarios/demo.yaml").read_text(encoding="utf-8")
    place = tmp_path / "site.yaml"
    place.write_text(text, encoding="utf-8")
    code, told = call("현장", "--write", "site.yaml")
    assert code == 0, told
    rule = load_scenario(place).dataset.group_rule
    assert rule is not None
    assert (rule.source, rule.text) == (GroupSource.PATTERN, PATTERN)
    lines = place.read_text(encoding="utf-8").splitlines()
    (added,) = [line for line in lines if line not in text.splitlines()]
    lines.remove(added)
    assert lines == text.splitlines()
    code, told = call("현장", "--write", "site.yaml")
    assert (code, "says dataset.groups already" in told) == (2, True)
    (tmp_path / "flow.yaml").write_text(
        "name: x\nsite: {customer: a, region: b}\ntask: {type: ppe}\n"
        "model: {architecture: yolo11n}\ndataset: {path: 현장}\n"
    )
    code, told = call("현장", "--write", "flow.yaml")
    assert code == 2
    assert f"add there: groups: {{pattern: '{PATTERN}'}}" in told


def test_what_can_t_be_told_is_not_guessed(call: Call, tmp_path: Path) -> None:
    make(tmp_path / "plain", [f"{i:06d}" for i in range(20)])
    code, text = call("plain")
    assert code == 0, text
    assert "Nothing tells which recording an image is of" in text
    code, text = call("plain", "--write", "groups.csv")
    assert code == 1
    assert "nothing was written" in text
    assert not (tmp_path / "groups.csv").exists()


def test_a_rule_of_one_s_own_is_shown_or_refused(call: Call, site: Path) -> None:
    code, text = call("현장", "--groups", r"(?P<camera>cam\d+)_")
    assert code == 0, text
    assert "2 cameras, 18 to 18 images each" in text
    code, text = call("현장", "--groups", r"(?P<camera>ch\d+)_")
    assert code == 2
    assert "matches none of 36 names" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "does not exist"),
        (("현장", "--write", "groups.txt"), "--write must be a new .csv, or a scenario's .yaml"),
        (("현장", "--write", "no/groups.csv"), "there is no directory"),
        (("현장", "--pick", "2"), "--pick must be 1 to 1 but got 2"),
        (("현장", "--groups", "foldr"), "did you mean 'folder'?"),
        (("현장", "--groups", "("), "it is none of the three"),
    ],
)
def test_bad_input(call: Call, site: Path, words: tuple[str, ...], said: str) -> None:
    code, text = call(*words)
    assert code == 2
    assert said in text

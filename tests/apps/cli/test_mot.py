"""`guardianflow mot`: a table for people, one object for programs, exit code 2 for bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tracking import write_info, write_rows

from apps.cli.main import cli

BOX = (10, 10, 20, 40)


def call(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["mot", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two sequences; the tracker loses the second one's person and sees another."""
    for name in ("gate", "yard"):
        write_rows(tmp_path / "gt" / name / "gt" / "gt.txt", [(1, 1, *BOX, 1), (2, 1, *BOX, 1)])
    write_info(tmp_path / "gt" / "gate", 2)
    write_rows(tmp_path / "results" / "gate.txt", [(1, 9, *BOX), (2, 9, *BOX)])
    write_rows(tmp_path / "results" / "yard.txt", [(1, 9, *BOX), (3, 9, 300, 10, 20, 40)])
    return tmp_path


def test_the_table_has_sequences_and_what_they_come_to(site: Path) -> None:
    code, shown, _ = call("--gt", site / "gt", "--results", site / "results")
    assert code == 0
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}
    assert lines["HOTA"][:5] == ["DetA", "AssA", "MOTA", "IDF1", "IDSW"]
    assert " ".join(lines["gate"]) == "100 100 100 100 100 0 0 1 0 0 0 0"
    assert lines["yard"][3:5] == ["0", "50"]
    assert lines["yard"][-5:] == ["0", "1", "0", "1", "1"]
    assert lines["combined"][3] == "50"
    assert "5 frames, judged by trackeval" in shown  # yard has no seqinfo.ini: 3 by its results
    assert max(map(len, shown.splitlines())) < 100


def test_a_narrow_terminal_gets_fewer_columns_and_whole_names(site: Path) -> None:
    for kind, suffix in (("gt", ""), ("results", ".txt")):
        (site / kind / f"gate{suffix}").rename(site / kind / f"welding-hall-north-2{suffix}")
    words = ["mot", "--gt", str(site / "gt"), "--results", str(site / "results")]
    narrow = {"FORCE_COLOR": "1", "COLUMNS": "80"}
    shown = re.sub(r"\x1b\[[\d;]*m", "", CliRunner().invoke(cli, words, env=narrow).stdout)
    assert max(map(len, shown.splitlines())) <= 80
    header = next(line for line in shown.splitlines() if "HOTA" in line)
    assert "PT" not in header and "CLR_FN" in header and "…" not in shown
    assert "welding-hall-north-2  " in shown


def test_classes_are_shown_where_there_are_several(site: Path) -> None:
    for name in ("gate", "yard"):
        rows = [(1, 1, *BOX, 1, 1), (1, 2, 100, *BOX[1:], 1, 2)]
        write_rows(site / "gt" / name / "gt" / "gt.txt", rows)
        (site / "gt" / name / "gt" / "labels.txt").write_text("사람\n지게차\n크레인\n", "utf-8")
        write_rows(site / "results" / f"{name}.txt", [*rows, (1, 3, 200, *BOX[1:], 1, 3)])
    words = ("--gt", site / "gt", "--results", site / "results")
    code, shown, _ = call(*words)
    assert code == 0
    assert "class 사람" in shown and "class 지게차" in shown
    assert "2 boxes of class '크레인' were left out" in shown
    _, text, _ = call(*words, "--json")
    assert list(json.loads(text)["classes"]) == ["사람", "지게차"]


def test_json_has_every_field_under_trackevals_names(site: Path) -> None:
    code, text, _ = call("--gt", site / "gt", "--results", site / "results", "--json")
    assert code == 0
    said = json.loads(text.splitlines()[-1])
    assert {"sequences", "combined", "classes"} <= set(said)
    assert set(said["sequences"]) == {"gate", "yard"}
    assert said["combined"]["MOTA"] == 0.5
    assert {"HOTA", "DetA", "AssA", "LocA", "MOTP", "IDP", "IDR", "Frag"} <= set(said["combined"])
    one_alone = call("--gt", site / "gt" / "yard", "--results", site / "results", "--json")
    assert one_alone[0] == 2  # gate.txt has no ground truth then


def test_bad_input_is_told_at_once_with_exit_code_2(site: Path) -> None:
    write_rows(site / "gt" / "gate" / "gt" / "gt.txt", [(1, 1, 1, 1, 0, 5), (0, 1, *BOX)])
    (site / "results" / "yard.txt").unlink()
    code, shown, told = call("--gt", site / "gt", "--results", site / "results", "--json")
    assert code == 2
    assert json.loads(shown.splitlines()[-1])["error"]["exit_code"] == 2
    for said in ("3 problems", "gt.txt:1: a box's width", "gt.txt:2: the frame", "yard.txt: is"):
        assert said in told
    assert call("--gt", site / "nowhere", "--results", site)[0] == 2
    assert call("--gt", site / "gt")[0] == 2


def test_ground_truth_that_counts_nothing_is_bad_input(site: Path) -> None:
    for name in ("gate", "yard"):
        write_rows(site / "gt" / name / "gt" / "gt.txt", [(1, 1, *BOX, 0)])
    code, _, told = call("--gt", site / "gt", "--results", site / "results")
    assert code == 2
    assert "no row of any ground truth here counts" in told


def test_help_explains_itself_with_examples() -> None:
    code, text, _ = call("--help")
    assert code == 0
    assert "Examples:" in text and "guardianflow mot --gt" in text

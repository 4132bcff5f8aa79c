"""`guardianflow scan`: a table for people, one object for programs, and a file when asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from apps.cli.main import cli
from experiments_adapters.legacy.registry import load_registry

TRAIN = "from ultralytics import YOLO\nYOLO('a.pt').train(data='b.yaml')\n"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two directories, and a working directory to write in."""
    home = tmp_path / "old scripts"
    for name, scripts in {
        "donghwa-entec-ppe": ("train_v1.py", "train_v2.py"),
        "김해 [bct]": ("학습.py",),
    }.items():
        (home / name).mkdir(parents=True)
        for script in scripts:
            (home / name / script).write_text(TRAIN, "utf-8")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return home


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["scan", *words])
    return result.exit_code, result.output


def answer(*words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(cli, ["scan", *words, "--json"])
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return result.exit_code, found


def test_without_a_file_it_shows_and_writes_nothing(fleet: Path) -> None:
    code, text = call(str(fleet))
    assert code == 0
    for part in (
        "donghwa-entec-ppe",
        "김해 [bct]",
        "train_v2.py",
        "0.98, of 2",
        "Nothing was written",
    ):
        assert part in text
    plain = " ".join(text.split())
    assert "site.region, 1: donghwa-entec-ppe (donghwa-entec is known in busan)" in plain
    assert "site.customer, 1: 김해 [bct] (perhaps bct)" in plain
    assert list(Path().iterdir()) == []


def test_the_object_has_every_script_with_type_confidence_and_why(fleet: Path) -> None:
    code, found = answer(str(fleet))
    assert code == 0
    scripts = found["directories"]["donghwa-entec-ppe"]["scripts"]
    assert set(scripts) == {"train_v1.py", "train_v2.py"}
    assert scripts["train_v2.py"]["type"] == "train"
    assert scripts["train_v2.py"]["confidence"] > 0.9
    assert "YOLO.train (line 2)" in scripts["train_v2.py"]["why"]
    assert "site.region" in " ".join(found["todo"]["donghwa-entec-ppe"])
    assert found["written"] is None


def test_a_registry_is_written_once_and_then_updated(fleet: Path) -> None:
    target = Path("configs/experiments.yaml")
    code, text = call(str(fleet), "-o", str(target))
    assert code == 0
    assert f"Written: {target} with 2 experiments" in text
    assert (
        load_registry(target).get("donghwa-entec-ppe").select_script("train").name == "train_v2.py"
    )
    code, text = call(str(fleet), "-o", str(target))
    assert code == 2
    assert "is there already" in text
    (fleet / "third-fire").mkdir()
    (fleet / "third-fire" / "go.py").write_text(TRAIN, "utf-8")
    code, found = answer(str(fleet), "--update")
    assert code == 0
    assert found["changes"]["added"] == ["third-fire"]
    assert found["written"] == str(target)
    code, text = call(str(fleet), "--update")
    assert code == 0
    assert "Nothing new" in text
    assert "site.customer, 2: 김해 [bct], third-fire" in text


def test_customers_of_the_registry_are_known(fleet: Path) -> None:
    call(str(fleet), "-o", "configs/experiments.yaml")
    target = Path("configs/experiments.yaml")
    text = target.read_text("utf-8")
    at = text.index("김해 [bct]")
    target.write_text(text[:at] + text[at:].replace("customer: TODO", "customer: 한일", 1), "utf-8")
    (fleet / "한일-pohang-fire").mkdir()
    (fleet / "한일-pohang-fire" / "go.py").write_text(TRAIN, "utf-8")
    call(str(fleet), "--update")
    site = load_registry(target).get("한일-pohang-fire").require_site()
    assert (site.customer, site.region) == ("한일", "pohang")


def test_one_directory_can_be_the_experiment(fleet: Path) -> None:
    code, found = answer(str(fleet / "donghwa-entec-ppe"), "--single")
    assert code == 0
    assert list(found["directories"]) == ["donghwa-entec-ppe"]
    code, found = answer(str(fleet / "donghwa-entec-ppe"))
    assert found["loose"] == ["train_v1.py", "train_v2.py"]


def test_a_site_is_given_for_a_whole_tree(fleet: Path) -> None:
    words = ("--customer", "한일", "--region", "pohang", "--task", "fire")
    code, found = answer(str(fleet), *words, "-o", "e.yaml")
    assert (code, found["todo"]) == (0, {})
    for entry in load_registry(Path("e.yaml")):
        assert (entry.site.customer, entry.site.region, entry.task.type) == words[1::2]
    code, text = call(str(fleet), "--customer", "a/b", "--task", "_x")
    assert code == 2
    assert "--customer must be a part of a name but got 'a/b': it contains '/'" in text
    assert "--task must be" in text


def test_what_a_fleet_lacks_is_a_list_that_can_be_worked_off(tmp_path: Path) -> None:
    """44 directories, each without customer, region and task: three lines, not 132."""
    for number in range(44):
        (tmp_path / f"site {number}").mkdir()
        (tmp_path / f"site {number}" / "train.py").write_text(TRAIN)
    _, text = call(str(tmp_path))
    todo = " ".join(text[text.index("TODO: ") :].split())
    assert todo.startswith("TODO: to be filled in (3): site.customer, 44: site 0 (perhaps site), ")
    assert "site.region, 44: site 0, site 1, site 10, " in todo
    assert "task.type, 44: site 0, " in todo
    assert todo.count("site 43") == 3
    assert " --customer C --region R --task T " in todo
    assert len(text[text.index("TODO: ") :].splitlines()) < 44


def test_names_that_no_registry_can_hold_do_not_stop_a_scan(tmp_path: Path) -> None:
    home = tmp_path / "-fleet"
    for name in ("-old ppe", "--help", "-", "back\\slash", "a\nb", "tail ", "help"):
        (home / name).mkdir(parents=True)
        (home / name / "-train.py").write_text(TRAIN)
    (home / "help" / " lead.py").write_text(TRAIN)
    target = tmp_path / "e.yaml"
    code, text = call("-o", str(target), "--", str(home))
    assert code == 0, text
    assert "a?b: a registry can't hold its path; rename it" in text
    assert "help: ' lead.py': a registry can't hold its name; rename it" in " ".join(text.split())
    registry = load_registry(target)
    names = [each.name for each in registry]
    assert names == ["experiment", "help 2", "old ppe", "back_slash", "help"]
    for each in registry:
        assert each.select_script("train").name == "-train.py"
    assert registry.get("old ppe").directory == home / "-old ppe"
    code, found = answer(str(home), "--update", "-o", str(target))
    assert (code, found["changes"]["added"]) == (0, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "DIR must be a directory but there is no nowhere"),
        ((".", "-o", "."), "must be a YAML file but is a directory"),
    ],
)
def test_bad_input_ends_with_2(fleet: Path, words: tuple[str, ...], said: str) -> None:
    code, text = call(*words)
    assert code == 2
    assert said in text
    code, found = answer(*words)
    assert (code, found["error"]["exit_code"]) == (2, 2)


def test_a_broken_registry_is_not_touched(fleet: Path) -> None:
    target = Path("e.yaml")
    target.write_text("experiments:\n  a: {pth: x}\n", "utf-8")
    code, text = call(str(fleet), "-o", "e.yaml", "--update")
    assert code == 2
    assert "e.yaml:2:7: unknown key 'pth'" in text
    assert target.read_text("utf-8") == "experiments:\n  a: {pth: x}\n"


@pytest.mark.slow
def test_list_experiments_shows_the_directories(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/mlflow.db")
    call(str(fleet), "-o", "configs/experiments.yaml")
    result = CliRunner().invoke(cli, ["list", "experiments", "--json"])
    rows = {row["experiment"]: row for row in json.loads(result.stdout.splitlines()[-1])}
    row = rows["donghwa-entec/TODO-plant1/full"]
    assert (row["runs"], row["directories"]) == (0, "donghwa-entec-ppe")
    only = ["list", "experiments", "--customer", "donghwa-entec", "--json"]
    result = CliRunner().invoke(cli, only)
    assert len(json.loads(result.stdout.splitlines()[-1])) == 1

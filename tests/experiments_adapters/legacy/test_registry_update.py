"""A second scan adds what is new and leaves every hand-made letter as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments_adapters.legacy.registry import load_registry, parse_registry
from experiments_adapters.legacy.registry_update import (
    update_file,
    updated_text,
    write_atomically,
    write_new,
)
from experiments_adapters.legacy.scan import FoundDirectories, scan_directories
from experiments_adapters.legacy.scan.results import FoundDirectory, FoundEntry, FoundSite, Note
from experiments_adapters.legacy.scan.write import portable, scalar, to_yaml
from guardianflow.contracts.errors import ConfigurationError

TRAIN = "from ultralytics import YOLO\nYOLO('a.pt').train(data='b.yaml')\n"
EXPORT = "from ultralytics import YOLO\nYOLO('a.pt').export(format='onnx')\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two experiments."""
    for name in ("a-ppe", "나-화재"):
        (tmp_path / "fleet" / name).mkdir(parents=True)
        (tmp_path / "fleet" / name / "train_v1.py").write_text(TRAIN, "utf-8")
    return tmp_path / "fleet"


@pytest.fixture
def file(home: Path) -> Path:
    file = home.parent / "configs" / "experiments.yaml"
    write_new(scan_directories(home), file)
    return file


def test_a_new_file_loads_and_is_not_written_over(home: Path, file: Path) -> None:
    assert [each.name for each in load_registry(file)] == ["a-ppe", "나-화재"]
    with pytest.raises(ConfigurationError, match="is there already; add what is new with --update"):
        write_new(scan_directories(home), file)
    assert not list(file.parent.glob(".*"))


def test_nothing_new_touches_nothing(home: Path, file: Path) -> None:
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    assert not update_file(scan_directories(home), file)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_hand_made_edits_and_comments_stay_to_the_letter(home: Path, file: Path) -> None:
    text = file.read_text("utf-8")
    edited = (
        text.replace("region: TODO", "region:   'ulsan'   # asked Mr Kim\n      # a note", 1)
        .replace("    task: {type: ppe, classes: []}", "    task:\n      type: ppe\n", 1)
        .replace("experiments:\n", "experiments:   # ours\n", 1)
        + "# the end\n"
    )
    file.write_text(edited, "utf-8")
    (home / "c-fall").mkdir()
    (home / "c-fall" / "학습.py").write_text(TRAIN, "utf-8")
    changes = update_file(scan_directories(home), file)
    assert changes.added == ["c-fall"]
    after = file.read_text("utf-8")
    added = [line for line in after.splitlines() if line not in edited.splitlines()]
    start = after.index("\n  c-fall:")
    kept = after[:start] + after[after.index("# the end") :]
    assert kept.replace("\n", "") == edited.replace("\n", "")
    assert kept.splitlines() == edited.splitlines()
    assert added[0] == "  c-fall:"
    registry = load_registry(file)
    assert registry.get("a-ppe").site.region == "ulsan"
    assert registry.get("c-fall").select_script("train").name == "학습.py"


def test_new_scripts_come_into_patterns_that_nobody_edited(home: Path, file: Path) -> None:
    (home / "a-ppe" / "go.py").write_text(TRAIN, "utf-8")
    (home / "나-화재" / "go.py").write_text(TRAIN, "utf-8")
    text = file.read_text("utf-8")
    at = text.index("나-화재")
    text = text[:at] + text[at:].replace('["train*.py"]', '["train_v1.py"]', 1)
    file.write_text(text, "utf-8")
    changes = update_file(scan_directories(home), file)
    assert changes.extended == ["a-ppe: train"]
    assert changes.notes == ["나-화재: train: its patterns are yours and don't name go.py"]
    registry = load_registry(file)
    assert registry.get("a-ppe").entry_points.train.patterns == ("train*.py", "go.py")  # type: ignore[union-attr]
    assert registry.get("나-화재").entry_points.train.patterns == ("train_v1.py",)  # type: ignore[union-attr]
    assert not update_file(scan_directories(home), file)


def test_a_script_that_the_patterns_name_already_changes_nothing(home: Path, file: Path) -> None:
    (home / "a-ppe" / "train_v2.py").write_text(TRAIN, "utf-8")
    assert not update_file(scan_directories(home), file)


def test_a_new_kind_of_script_is_told(home: Path, file: Path) -> None:
    (home / "a-ppe" / "export.py").write_text(EXPORT, "utf-8")
    changes = update_file(scan_directories(home), file)
    assert changes.notes == ["a-ppe: quant has no entry point; the scan found export.py"]


def test_a_directory_that_went_is_marked_and_comes_back(home: Path, file: Path) -> None:
    before = file.read_text("utf-8")
    (home / "a-ppe").rename(home.parent / "elsewhere")
    assert update_file(scan_directories(home), file).gone == ["a-ppe"]
    marked = file.read_text("utf-8")
    assert "  # gone: there was no such directory at the last scan\n  a-ppe:\n" in marked
    assert len(load_registry(file)) == 2
    assert not update_file(scan_directories(home), file)
    (home.parent / "elsewhere").rename(home / "a-ppe")
    assert update_file(scan_directories(home), file).back == ["a-ppe"]
    assert file.read_text("utf-8") == before


def test_the_comments_below_the_last_entry_stay_with_it(home: Path, file: Path) -> None:
    assert "        # weights in its code: a.pt\n" in file.read_text("utf-8")
    (home / "z").mkdir()
    (home / "z" / "train.py").write_text(TRAIN, "utf-8")
    before = file.read_text("utf-8")
    update_file(scan_directories(home), file)
    assert file.read_text("utf-8").startswith(before.rstrip("\n"))


def test_an_entry_of_another_path_with_the_same_name_is_kept(home: Path, file: Path) -> None:
    text = file.read_text("utf-8").replace(f"{home}/a-ppe", "/somewhere/else")
    file.write_text(text, "utf-8")
    changes = update_file(scan_directories(home), file)
    assert "an entry called 'a-ppe' has another path" in changes.notes[0]
    assert changes.added == []


@pytest.mark.parametrize(
    "start", ["experiments:\n", "experiments: {}\n", "# ours\nexperiments: # x\n"]
)
def test_an_empty_registry_gets_its_first_entries(home: Path, start: str, tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    text, changes = updated_text(start, scan_directories(home), file)
    assert changes.added == ["a-ppe", "나-화재"]
    assert len(parse_registry(text, file)) == 2
    assert ("# x" in start) == ("# x" in text)


def test_a_layout_that_can_not_be_added_to_is_refused(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("experiments: {b: {path: /b}}\n", "utf-8")
    with pytest.raises(ConfigurationError, match="write them on lines of their own"):
        update_file(scan_directories(home), file)
    file.write_text("experiments: {b: {pth: /b}}\n", "utf-8")
    with pytest.raises(ConfigurationError, match="did you mean 'path'"):
        update_file(scan_directories(home), file)


def test_a_write_that_fails_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(ConfigurationError, match="can't be written: No space left on device"):
        write_atomically(file, "experiments:\n")
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_paths_are_written_so_that_they_serve_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/kim")
    monkeypatch.setenv("EXPERIMENTS_BASE", "/srv/old")
    assert portable(Path("/srv/old/a")) == "${EXPERIMENTS_BASE}/a"
    assert portable(Path("/home/kim/experiments/a b")) == "~/experiments/a b"
    assert portable(Path("/data/a")) == "/data/a"


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20)


@given(st.one_of(NAMES, st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_value_reads_back_as_it_was(value: str | int | float) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    assert yaml.load(f"a: {scalar(value)}  # c\n") == {"a": value}


@given(NAMES.map(str.strip).filter(bool), st.lists(NAMES, max_size=3))
def test_any_name_and_hint_makes_a_file_that_reads_back(name: str, notes: list[str]) -> None:
    from experiments_adapters.legacy.registry_schema import check_experiment_name

    try:
        name = check_experiment_name(name)
    except ValueError:
        return
    entry = FoundEntry("train", "t.py", name, True, ("t.py",), notes=tuple(map(Note, notes)))
    site = FoundSite("TODO", "TODO", "plant1", "full", "TODO", (("customer", name),))
    found = FoundDirectory(name, Path("/x"), (), (entry,), site)
    text = to_yaml(FoundDirectories(Path("/"), (found,)))
    registry = parse_registry(text, Path("e.yaml"))
    assert [each.name for each in registry] == [name]

"""Copies of libraries, dates from Git, and marks in the names of folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments_adapters.legacy.registry import parse_registry
from experiments_adapters.legacy.scan import FoundDirectory, scan_directories
from experiments_adapters.legacy.scan.write import entry_text

TRAIN = "from ultralytics import YOLO\nYOLO('a.pt').train(data='b.yaml')\n"
YOLOV5 = ("train.py", "detect.py", "export.py", "hubconf.py", "models/yolo.py", "utils/general.py",
          "segment/train.py")  # fmt: skip
ULTRALYTICS = ("ultralytics/engine/trainer.py", "docs/build.py", "examples/a/main.py",
               "tests/test_python.py", "docker/x", "mkdocs.yml")  # fmt: skip


def scan(directory: Path, *names: str) -> FoundDirectory:
    for name in names:
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TRAIN)
    return scan_directories(directory, single=True).directories[0]


def paths(found: FoundDirectory) -> list[str]:
    return [each.path for each in found.scripts]


@pytest.mark.parametrize("folder", ["yolov5", "yolov5-7.0", "yolov5-master", "libs/yolov5_v6.1"])
def test_a_copy_of_a_library_is_not_its_owners_work(tmp_path: Path, folder: str) -> None:
    found = scan(tmp_path, "go.py", *(f"{folder}/{each}" for each in YOLOV5))
    assert paths(found) == ["go.py"]
    assert any(f"{folder}/: a copy of YOLOv5" in each for each in found.passed_by)


def test_what_its_owner_put_into_a_copy_is_found(tmp_path: Path) -> None:
    inside = [f"yolov5/{each}" for each in YOLOV5]
    assert paths(scan(tmp_path, *inside, "yolov5/train_ppe.py")) == ["yolov5/train_ppe.py"]


def test_an_owners_folder_of_that_name_is_no_copy(tmp_path: Path) -> None:
    found = scan(tmp_path, "yolov5/train.py", "yolov5/utils/a.py", "yolov8/train.py")
    assert "yolov5/train.py" in paths(found) and "yolov8/train.py" in paths(found)


def test_a_copy_that_is_the_experiment_is_worked_with(tmp_path: Path) -> None:
    found = scan(tmp_path / "a", *YOLOV5)
    entry = found.entry("train")
    assert entry is not None and entry.default == "train.py"
    found = scan(tmp_path / "b", *ULTRALYTICS, "my_train.py")
    assert paths(found) == ["my_train.py"]


def test_a_directory_that_holds_nothing_but_a_copy_is_told(tmp_path: Path) -> None:
    for name in YOLOV5:
        file = tmp_path / "ppe/yolov5" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TRAIN)
    found = scan_directories(tmp_path)
    assert found.without_scripts == ("ppe",)
    assert "ppe: no script of its owner's own, only yolov5/: a copy of YOLOv5" in found.problems[0]


@pytest.mark.parametrize(
    ("names", "default", "sure"),
    [
        (["exp_v1/train.py", "exp_v2/train.py"], "exp_v2/train.py", True),
        (["exp_v2/train.py", "exp_v10/train.py"], "exp_v10/train.py", True),
        (["2024-05-01_ppe/train.py", "2023-12-01_ppe/train.py"], "2024-05-01_ppe/train.py", True),
        (["20240501/train.py", "20240601/train.py"], "20240601/train.py", True),
        (["최종/train.py", "a/train.py"], "최종/train.py", True),
        (["exp_v3/train_v1.py", "exp_v2/train_v2.py"], "exp_v2/train_v2.py", True),
        (["yolov8/train.py", "yolov11_v2/train.py"], "yolov11_v2/train.py", True),
        (["old/exp_v9/train.py", "exp_v2/train.py"], "exp_v2/train.py", True),
        (["test/train.py", "sub/inner/train.py"], "test/train.py", False),  # it lies higher
        (["fall_test/train.py", "backup/train.py"], "fall_test/train.py", True),
        (["train_aux.py", "train.py"], "train.py", False),
    ],
)
def test_marks_in_the_names_of_folders(
    tmp_path: Path, names: list[str], default: str, sure: bool
) -> None:
    entry = scan(tmp_path, *names).entry("train")
    assert entry is not None
    assert (entry.default, entry.sure) == (default, sure), entry.why


def commit(directory: Path, name: str, day: str) -> None:
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(TRAIN)
    for words in (
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", day],
    ):
        subprocess.run(
            ["git", *words],
            cwd=directory,
            check=True,
            env={**os.environ, "GIT_AUTHOR_DATE": f"{day}T00:00:00Z"},
        )


def choice(directory: Path) -> tuple[str | None, str]:
    entry = scan_directories(directory, single=True).directories[0].entry("train")
    assert entry is not None and not entry.sure
    return entry.default, entry.why


def test_git_tells_what_was_changed_last_where_files_can_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=home, check=True)
    commit(home, "학습 a/train_b.py", "2024-03-01")
    commit(home, "학습 a/train_a.py", "2024-02-01")
    for place in (home, home / "학습 a"):  # its own repository, and one around it
        default, why = choice(place)
        assert default is not None and default.endswith("train_b.py")
        assert why == "its last commit is the newest (of 2)"
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--no-local", str(home), str(clone)], check=True)
    assert choice(clone)[0] == "학습 a/train_b.py"
    shallow = tmp_path / "shallow"
    words = ["clone", "-q", "--depth=1", f"file://{home}", str(shallow)]
    subprocess.run(["git", *words], check=True)
    assert choice(shallow)[1] == "one of 2 alike: nothing tells which is in use"


def test_file_times_of_a_copy_say_nothing(tmp_path: Path) -> None:
    first = tmp_path / "first"
    scan(first, "train_a.py", "train_b.py")
    os.utime(first / "train_b.py", (1.7e9, 1.7e9))
    assert choice(first) == ("train_a.py", "its file was written last (of 2)")
    copied = tmp_path / "copied"
    shutil.copytree(first, copied, copy_function=shutil.copyfile)
    assert choice(copied) == ("train_a.py", "one of 2 alike: nothing tells which is in use")


def test_git_is_asked_only_where_several_scripts_do_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.setattr(subprocess, "run", None)
    assert len(scan_directories(tmp_path, single=True).directories[0].scripts) == 1


# --- data ---------------------------------------------------------------------------------------


def site_of(directory: Path, name: str, script: str, files: dict[str, str]) -> FoundDirectory:
    home = directory / name
    for file, text in {script: TRAIN.replace("b.yaml", "data/b.yaml"), **files}.items():
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_bytes(text.encode())
    return scan_directories(home, single=True).directories[0]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("names: [helmet, head]", ("helmet", "head")),
        ("nc: 2\nnames: {0: helmet, 1: head}", ("helmet", "head")),
        ("names: {'1': head, '0': helmet}", ("helmet", "head")),
        ("names:\n- 안전모\n- 머리\n", ("안전모", "머리")),
        ("nc: 3\nnames: [helmet, head]", ()),  # which of the two is right?
        ("names: {0: helmet, 2: head}", ()),
        ("names: [a, a]", ()),
        ("names: [1, 2]", ()),
        ('names: ["a\\nb"]', ()),
        ("names: [", ()),
        ("names: &a [*a]", ()),
        ("names: [" + "a, " * 40_000 + "b]", ()),
    ],
)
def test_classes_come_from_the_data_that_the_script_names(
    tmp_path: Path, names: str, classes: tuple[str, ...]
) -> None:
    found = site_of(
        tmp_path, "x", "train.py", {"data/b.yaml": names, "data.yaml": "names: [other]"}
    )
    assert found.classes == classes


@pytest.mark.parametrize(
    ("name", "script", "names", "task", "source"),
    [
        ("hanil-ppe", "train.py", "[fire, smoke]", "ppe", ""),  # its own name goes before
        ("hanil", "train.py", "[helmet, person]", "ppe", "the classes of data/b.yaml"),
        ("hanil", "train.py", "[Fire, Smoke]", "fire", "the classes of data/b.yaml"),
        ("hanil", "train.py", "[fallen_person]", "fall", "the classes of data/b.yaml"),
        ("hanil", "train.py", "[끼임]", "stuck", "the classes of data/b.yaml"),
        ("hanil", "train_collision_v2.py", "[person, forklift]", "collision", "its scripts' names"),
        ("hanil", "train.py", "[helmet, fire]", "TODO", ""),  # two tasks: a person must say
        ("hanil", "train.py", "[person, car]", "TODO", ""),
        ("hanil", "train.py", "[fireman]", "TODO", ""),  # no word of its own
    ],
)
def test_the_task_comes_from_names_classes_and_data(
    tmp_path: Path, name: str, script: str, names: str, task: str, source: str
) -> None:
    found = site_of(tmp_path, name, script, {"data/b.yaml": f"names: {names}"})
    assert (found.site.task, found.task_from) == (task, source)


def test_the_registry_says_where_classes_and_task_are_from(tmp_path: Path) -> None:
    found = site_of(tmp_path, "x", "train.py", {"data/b.yaml": "names: [helmet, 'no, hat']"})
    text = entry_text(found)
    assert '  task: {type: ppe, classes: ["helmet", "no, hat"]}' in text
    assert "# type from the classes of data/b.yaml; classes from data/b.yaml" in text
    registry = parse_registry(f"experiments:\n{text}", tmp_path / "e.yaml")
    assert registry.get("x").task.classes == ("helmet", "no, hat")

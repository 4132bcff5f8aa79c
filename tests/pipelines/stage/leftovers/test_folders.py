"""Dead attempts go after a day, what names no process after a week, all else never."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from pathlib import Path

import pytest
from owners import elsewhere, gone, living

from guardianflow.run_tracking.upkeep.ownership import PROCESS_TAG
from guardianflow.support.files import whole_directory, whole_file
from guardianflow.support.process_identity import ProcessIdentity
from pipelines.stage.leftovers.folders import (
    DAY_S,
    OWNER_FILE,
    TEMPORARY,
    WEEK_S,
    left_folders,
    mark_owner,
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary directory, of this test's own."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    place = tmp_path / "작업 a"
    place.mkdir()
    return place


def aged(path: Path, age_s: float) -> Path:
    """As if nothing in it had changed for so long."""
    then = time.time() - age_s
    for each in [*path.rglob("*"), path] if path.is_dir() else [path]:
        os.utime(each, (then, then))
    return path


def attempt(
    work_dir: Path, name: str, owner: dict[str, str] | None, age_s: float, home: str = "stages"
) -> Path:
    folder = work_dir / home / name
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "last.pt").write_text("x")
    if owner is not None:
        (folder / OWNER_FILE).write_text(owner[PROCESS_TAG])
    return aged(folder, age_s)


def found(work_dir: Path) -> set[Path]:
    return {each.path for each in left_folders(work_dir)}


@pytest.mark.parametrize("home", ["stages", "wrap"])
def test_an_attempt_goes_once_its_process_is_dead_and_it_was_still_for_a_day(
    work_dir: Path, home: str
) -> None:
    old = attempt(work_dir, "dead", gone(), 2 * DAY_S, home)
    before = attempt(work_dir, "nameless-old", None, 2 * WEEK_S, home)
    for name, owner, age_s in (
        ("dead-new", gone(), DAY_S / 2),
        ("living", living(), 2 * WEEK_S),
        ("elsewhere", elsewhere(), 2 * WEEK_S),
        ("nameless-new", None, 2 * DAY_S),
        ("ahead", gone(), -2 * WEEK_S),  # the clock was set back since
    ):
        attempt(work_dir, name, owner, age_s, home)
    assert found(work_dir) == {old, before}


def test_a_file_that_changed_inside_keeps_an_attempt(work_dir: Path) -> None:
    folder = attempt(work_dir, "dead", gone(), 2 * DAY_S)
    aged(folder / "weights" / "last.pt", 60)
    assert found(work_dir) == set()


def test_an_age_that_is_asked_for_makes_none_go_sooner(work_dir: Path) -> None:
    attempt(work_dir, "dead", gone(), DAY_S / 2)
    older = attempt(work_dir, "older", gone(), 5 * DAY_S)
    assert [each.path for each in left_folders(work_dir, 60)] == [older]
    assert not [*left_folders(work_dir, 6 * DAY_S)]


def test_the_owner_is_written_as_it_is_read(work_dir: Path) -> None:
    mark_owner(work_dir)
    text = (work_dir / OWNER_FILE).read_text(encoding="utf-8")
    assert ProcessIdentity.from_json(text) == ProcessIdentity.of_this_process()
    assert json.loads(text)["pid"] == os.getpid()


def test_what_was_never_finished_goes_after_a_week_and_what_is_whole_never(work_dir: Path) -> None:
    home, clone = work_dir / "datasets", work_dir / "code" / "git" / "clone-ab12cd34"
    (home / "whole" / "labels").mkdir(parents=True)
    (home / ".gitignore").write_text("*")
    (home / "whole" / "data.yaml").write_text("x")
    clone.mkdir(parents=True)
    with (
        whole_file(home / "best.json") as file,
        whole_directory(home / "ppe-0123456789ab") as folder,
    ):
        file.write_text("half")
        (folder / "labels").mkdir()
        assert found(work_dir) == set()
        aged(work_dir, 2 * WEEK_S)
        assert found(work_dir) == {file, folder.parent, clone}
    clone.rmdir()
    aged(work_dir, 2 * WEEK_S)
    assert found(work_dir) == set()


def test_nothing_of_a_checkout_or_behind_a_link_is_taken_for_unfinished(
    work_dir: Path, tmp_path: Path
) -> None:
    inside = work_dir / "code" / "git" / "0123456789abcdef" / ".own.settings"
    inside.mkdir(parents=True)
    users = tmp_path / "users"
    (users / ".photos.original").mkdir(parents=True)
    (work_dir / "datasets").mkdir()
    (work_dir / "datasets" / "site").symlink_to(users)
    (work_dir / ".site.abcdefgh").symlink_to(users)
    for place in (work_dir, users):
        aged(place, 2 * WEEK_S)
    assert found(work_dir) == set()


def test_temporary_directories_of_ours_go_after_a_week(work_dir: Path, temporary: Path) -> None:
    ours = [
        temporary / name
        for name in (
            "guardianflow-log-ab12cd34",
            "guardianflow-openvino-recipes-a_12cd34",
            "guardianflow-pull-0123456789ab-ab12cd34",
        )
    ]
    kept = [
        temporary / "guardianflow-training-ab12cd34",  # a user's results
        temporary / "guardianflow-notes",
        temporary / "others-log-ab12cd34",
    ]
    for folder in (*ours, *kept):
        folder.mkdir()
    assert found(work_dir) == set()
    aged(temporary, 2 * WEEK_S)
    assert found(work_dir) == set(ours)


def test_removing_takes_the_whole_tree_and_what_is_gone_is_no_failure(work_dir: Path) -> None:
    folder = attempt(work_dir, "dead", gone(), 2 * DAY_S)
    (left,) = left_folders(work_dir)
    assert left.remove()
    assert not folder.exists()
    assert not left.remove()
    assert [*left_folders(work_dir / "none")] == []


MAY_KEEP_STILL = {"automation", "code", "command", "project", "resume", "sweep", "training"}


def test_every_temporary_directory_of_ours_is_known(repository: Path) -> None:
    """Named where it is made: one that the reaper does not know would stay after a kill."""
    names = {
        name
        for room in ("guardianflow", "pipelines", "experiments_adapters", "apps")
        for file in (repository / room).rglob("*.py")
        for name in re.findall(r'"guardianflow-([a-z]+)-"', file.read_text(encoding="utf-8"))
    }
    assert len(names) > 15
    unknown = {name for name in names if not TEMPORARY.fullmatch(f"guardianflow-{name}-ab_d1234")}
    assert unknown == MAY_KEEP_STILL

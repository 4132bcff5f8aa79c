"""Git in a stranger's repository runs no program that the repository names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from experiments_adapters.git.command import GitFailedError, filters_switched_off, read_git
from experiments_adapters.legacy.git_state import git_state

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")


def git(directory: Path, *words: str) -> str:
    said = subprocess.run(
        ["git", *IDENTITY, *words], cwd=directory, check=True, capture_output=True, text=True
    )
    return said.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    home = tmp_path / "repository"
    home.mkdir()
    git(home, "init", "-q", "-b", "main")
    (home / "train.py").write_text("print(1)\n")
    git(home, "add", ".")
    git(home, "commit", "-qm", "one")
    return home


def trap(folder: Path, name: str) -> tuple[str, Path]:
    """A program that leaves a file, and that file."""
    left = folder / f"{name} ran"
    program = folder / f"{name}.sh"
    program.write_text(f"#!/bin/sh\ntouch '{left}'\ncat\n")
    program.chmod(0o755)
    return str(program), left


def rewrite(repository: Path) -> None:
    """The same content again: git must look into the file to know."""
    (repository / "train.py").write_text("print(1)\n")
    (repository / "train.py").touch()


def test_the_monitor_that_a_repository_names_is_not_asked(repository: Path, tmp_path: Path) -> None:
    program, left = trap(tmp_path, "monitor")
    git(repository, "config", "core.fsmonitor", program)
    git(repository, "status")
    assert left.exists(), "the trap works"
    left.unlink()
    assert git_state(repository)["exp.git_dirty"] == "false"
    assert not left.exists()


@pytest.mark.parametrize("name", ["plain", "a=b", "with.dots"])
def test_filters_of_a_repository_are_not_run(repository: Path, tmp_path: Path, name: str) -> None:
    program, left = trap(tmp_path, "filter")
    git(repository, "config", f"filter.{name}.clean", f"'{program}'")
    git(repository, "config", f"filter.{name}.required", "true")
    (repository / ".git/info/attributes").write_text(f"* filter={name}\n")
    rewrite(repository)
    git(repository, "status")
    assert left.exists(), "the trap works"
    left.unlink()
    rewrite(repository)
    assert git_state(repository)["exp.git_dirty"] == "false"
    (repository / "train.py").write_text("print(2)\n")
    # What a filter would have made of it is not known, so nothing is said.
    assert set(git_state(repository)) == {"exp.git_commit"}
    assert not left.exists()
    assert filters_switched_off(repository, wait_s=10)[0] == (f"filter.{name}.clean", "")


@pytest.mark.parametrize("end", ["exit 3", "kill -9 $$"])
def test_where_filters_can_not_be_listed_that_is_an_error_and_not_none(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    program = tmp_path / "programs" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{end}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(GitFailedError):
        filters_switched_off(repository, wait_s=10)


def test_filters_of_the_users_own_stay(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, left = trap(tmp_path, "filter")
    config = tmp_path / "gitconfig"
    config.write_text(f"[filter \"mine\"]\n\tclean = '{program}'\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    (repository / ".git/info/attributes").write_text("* filter=mine\n")
    (repository / "train.py").write_text("print(2)\n")
    assert git_state(repository)["exp.git_dirty"] == "true"
    assert left.exists()


def test_the_monitor_of_a_submodule_is_not_asked(repository: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "a").write_text("a")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "one")
    git(repository, "submodule", "--quiet", "add", str(inner), "sub")
    git(repository, "commit", "-qm", "two")
    program, left = trap(tmp_path, "monitor")
    git(repository / "sub", "config", "core.fsmonitor", program)
    git(repository, "status")
    assert left.exists(), "the trap works"
    left.unlink()
    assert git_state(repository)["exp.git_dirty"] == "false"
    assert not left.exists()


def test_what_is_missing_is_not_fetched(repository: Path, tmp_path: Path) -> None:
    """A partial clone fetches by a program that its configuration names."""
    program, left = trap(tmp_path, "transport")
    Path(program).write_text(f"#!/bin/sh\ntouch '{left}'\nexit 1\n")
    tree = git(repository, "rev-parse", "HEAD^{tree}").strip()
    (repository / ".git/objects" / tree[:2] / tree[2:]).unlink()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::{program}",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
    }.items():
        git(repository, "config", key, value)
    subprocess.run(["git", "status"], cwd=repository, capture_output=True, check=False, timeout=60)
    assert left.exists(), "the trap works"
    left.unlink()
    assert set(git_state(repository)) == {"exp.git_commit"}
    assert not left.exists()


def test_a_folder_that_only_looks_like_a_repository_is_none(
    repository: Path, tmp_path: Path
) -> None:
    program, left = trap(tmp_path, "monitor")
    bare = repository / "data"
    git(repository, "clone", "-q", "--bare", str(repository), str(bare))
    git(bare, "config", "core.bare", "false")
    git(bare, "config", "core.worktree", ".")
    git(bare, "config", "core.fsmonitor", program)
    git(bare, "status")
    assert left.exists(), "the trap works"
    left.unlink()
    assert git_state(bare) == {}
    assert not left.exists()


def test_a_directory_whose_name_begins_with_a_dash(repository: Path) -> None:
    odd = repository / "-C"
    odd.mkdir()
    (odd / "--help").write_text("x")
    git(repository, "add", "--", ".")
    git(repository, "commit", "-qm", "two")
    assert git_state(odd)["exp.git_dirty"] == "false"


def test_variables_of_an_outer_git_lead_nowhere_else(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = read_git(["rev-parse", "HEAD"], repository, wait_s=10)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "kim")
    assert read_git(["rev-parse", "HEAD"], repository, wait_s=10) == own
    assert read_git(["config", "user.name"], repository, wait_s=10) == "kim\n"

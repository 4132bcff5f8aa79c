"""What changed in a directory since it was scanned."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments_adapters.legacy.drift import find_drift, record_scan, sidecar_of
from guardianflow.contracts.errors import ConfigurationError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "김해 bct"
    (home / "lib").mkdir(parents=True)
    for name in ("학습.py", "old.py", "lib/net.py"):
        (home / name).write_text("print(1)\n", "utf-8")
    return home


def test_scripts_that_are_new_gone_or_changed_are_told(home: Path, tmp_path: Path) -> None:
    registry = tmp_path / "experiments.yaml"
    record_scan(registry, [home])
    drift = find_drift(registry, [home])[home]
    assert not drift.any
    assert drift.scanned_s
    (home / "old.py").unlink()
    (home / "새것.py").write_text("", "utf-8")
    (home / "lib/net.py").write_text("print(2)\n")
    (home / "학습.py").write_text("print(1)\n", "utf-8")  # touched, the same content
    (home / "data").mkdir()
    (home / "data/picture.py").write_text("")  # where no scripts are looked for
    drift = find_drift(registry, [home])[home]
    assert drift.any
    assert (drift.added, drift.removed, drift.changed) == (
        ("새것.py",), ("old.py",), ("lib/net.py",),
    )  # fmt: skip


def test_a_directory_is_the_same_by_whatever_way_it_is_named(home: Path, tmp_path: Path) -> None:
    registry = tmp_path / "experiments.yaml"
    record_scan(registry, [home / "lib" / ".." / ".." / home.name])
    assert find_drift(registry, [home])[home].scanned_s is not None


def test_a_scan_of_one_directory_keeps_what_is_known_of_others(home: Path, tmp_path: Path) -> None:
    registry, other = tmp_path / "experiments.yaml", tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text("")
    record_scan(registry, [home])
    record_scan(registry, [other])
    (home / "old.py").unlink()
    found = find_drift(registry, [home, other])
    assert found[home].removed == ("old.py",)
    assert not found[other].any


def test_nothing_is_said_of_what_was_never_scanned(home: Path, tmp_path: Path) -> None:
    registry = tmp_path / "experiments.yaml"
    found = find_drift(registry, [home, tmp_path / "gone"])
    assert found[home].scanned_s is None
    assert not found[home].any
    assert found[tmp_path / "gone"].missing


@pytest.mark.parametrize("content", ["{", "[]", '{"a": {"scanned_s": "x"}}', '{"a": 3}'])
def test_damaged_hashes_are_an_error_not_a_drift(home: Path, tmp_path: Path, content: str) -> None:
    registry = tmp_path / "experiments.yaml"
    sidecar_of(registry).write_text(content)
    with pytest.raises(ConfigurationError, match="scan again"):
        find_drift(registry, [home])


def test_hashes_follow_the_registry_to_another_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = tmp_path / "experiments.yaml"
    monkeypatch.setenv("EXPERIMENTS_BASE", str(home.parent))
    record_scan(registry, [home])
    assert str(tmp_path) not in sidecar_of(registry).read_text("utf-8")
    moved = tmp_path / "elsewhere" / home.name
    moved.parent.mkdir()
    home.rename(moved)
    monkeypatch.setenv("EXPERIMENTS_BASE", str(moved.parent))
    assert not find_drift(registry, [moved])[moved].any

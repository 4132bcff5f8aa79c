"""What a script wrote: told by content, without its data sets, one run at a time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments_adapters.legacy.changes import (
    Snapshot,
    category_of,
    find_changes,
    take_snapshot,
)
from experiments_adapters.legacy.directory_lock import locked
from experiments_adapters.legacy.git_state import git_state
from experiments_adapters.legacy.registry_schema import LegacyArtifacts
from experiments_adapters.legacy.scan.versions import glob_pattern
from experiments_adapters.legacy.walk import walk
from experiments_adapters.legacy.weights import best_weights, input_size_beside
from guardianflow.contracts.errors import ConcurrentChangeError


def write(root: Path, path: str, content: str | bytes = "x") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def changed(root: Path, before: Snapshot, rules: LegacyArtifacts | None = None) -> dict[str, str]:
    return {c.path: c.category for c in find_changes(root, before, rules or LegacyArtifacts()).kept}


def left_out(root: Path, before: Snapshot, rules: LegacyArtifacts | None = None) -> dict[str, str]:
    return dict(find_changes(root, before, rules or LegacyArtifacts()).left_out)


def test_new_and_changed_content_counts_and_a_touch_does_not(tmp_path: Path) -> None:
    for name in ("touched.pt", "rewritten.csv", "same_size.csv", "grown.csv", "old.png"):
        file = write(tmp_path, f"runs/{name}", "1234")
        os.utime(file, ns=(10**18, 10**18))
    before = take_snapshot(tmp_path)
    (tmp_path / "runs/touched.pt").touch()
    write(tmp_path, "runs/rewritten.csv", "1234")
    write(tmp_path, "runs/same_size.csv", "4321")
    write(tmp_path, "runs/grown.csv", "12345")
    write(tmp_path, "runs/예측.png")
    write(tmp_path, "args.yaml")
    write(tmp_path, "events.out.tfevents.1.host")
    assert changed(tmp_path, before) == {
        "runs/same_size.csv": "results",
        "runs/grown.csv": "results",
        "runs/예측.png": "plots",
        "args.yaml": "config",
        "events.out.tfevents.1.host": "results",
    }
    kept = {c.path: c.is_new for c in find_changes(tmp_path, before, LegacyArtifacts()).kept}
    assert kept["runs/예측.png"]
    assert not kept["runs/grown.csv"]


def test_content_that_changed_within_a_clock_tick_is_seen(tmp_path: Path) -> None:
    file = write(tmp_path, "metrics.json", "1")
    before = take_snapshot(tmp_path)
    times = file.stat()
    file.write_text("2")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert changed(tmp_path, before) == {"metrics.json": "results"}


def test_data_sets_are_neither_looked_into_nor_kept(tmp_path: Path) -> None:
    before = take_snapshot(tmp_path)
    write(tmp_path, "data/extra.csv")
    write(tmp_path, "Dataset/a.png")
    write(tmp_path, "site/images/1.jpg")
    write(tmp_path, "site/labels/1.txt")
    write(tmp_path, "venv/pyvenv.cfg")
    write(tmp_path, "venv/x.json")
    write(tmp_path, "__pycache__/x.json")
    for i in range(201):
        write(tmp_path, f"frames/{i}.jpg")
    write(tmp_path, "frames/summary.csv")
    write(tmp_path, "plots/a.png")
    assert changed(tmp_path, before) == {"frames/summary.csv": "results", "plots/a.png": "plots"}
    assert left_out(tmp_path, before) == {
        "data": "is a data set",
        "Dataset": "is a data set",
        "site/images": "is a data set",
        "site/labels": "is a data set",
        "frames": "holds 201 pictures: a data set, not plots",
    }


def test_limits_take_plots_before_weights(tmp_path: Path) -> None:
    before = take_snapshot(tmp_path)
    write(tmp_path, "a.png", b"x" * 400_000)
    write(tmp_path, "last.pt", b"x" * 600_000)
    write(tmp_path, "best.pt", b"x" * 600_000)
    write(tmp_path, "huge.onnx", b"x" * 1_100_000)
    rules = LegacyArtifacts(max_file_mb=1.0, max_total_mb=1.3)
    assert set(changed(tmp_path, before, rules)) == {"best.pt", "last.pt"}
    assert left_out(tmp_path, before, rules) == {
        "huge.onnx": "has 1 MB, over max_file_mb",
        "a.png": "max_total_mb is reached",
    }


def test_include_and_exclude_are_globs(tmp_path: Path) -> None:
    before = take_snapshot(tmp_path)
    for path in ("runs/a/x.bin2", "runs/b.pt", "runs/c/d/e.pt", "other.pt"):
        write(tmp_path, path)
    rules = LegacyArtifacts(include=["runs/**"], exclude=["runs/c/**"])
    assert changed(tmp_path, before, rules) == {"runs/a/x.bin2": "files", "runs/b.pt": "weights"}
    assert left_out(tmp_path, before, rules) == {
        "runs/c/d/e.pt": "is excluded",
        "other.pt": "is not included",
    }


def test_a_loop_of_links_ends_and_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a/b.csv")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "link.csv").symlink_to(tmp_path / "a/b.csv")
    told: list[tuple[str, str]] = []
    assert [f.path for f in walk(tmp_path, lambda *said: told.append(said))] == ["a/b.csv"]
    assert told == [("a/loop", "is a link to a directory")]


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("runs/**", "runs/a/b.csv", True),
        ("runs/**/results.csv", "runs/results.csv", True),
        ("runs/**/results.csv", "runs/a/b/results.csv", True),
        ("*.json", "a/b.json", False),
        ("a?[!x].csv", "abc.csv", True),
        ("a?[!x].csv", "abx.csv", False),
        ("(1)+.csv", "(1)+.csv", True),
    ],
)
def test_globs(glob: str, path: str, matches: bool) -> None:
    assert (glob_pattern(glob).fullmatch(path) is not None) is matches


@given(
    st.dictionaries(st.sampled_from(["a.csv", "b.pt", "c/d.json", "e.py"]), st.binary(max_size=9))
)
def test_nothing_changed_is_nothing_found_and_every_difference_is(
    files: dict[str, bytes],
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, "a.csv", b"before")
        before = take_snapshot(root)
        assert find_changes(root, before, LegacyArtifacts()).kept == ()
        for path, content in files.items():
            write(root, path, content)
        assert set(changed(root, before)) == {
            path
            for path, content in files.items()
            if category_of(path) and (path, content) != ("a.csv", b"before")
        }


# --- which weights --------------------------------------------------------------------------------


def chosen(root: Path, before: Snapshot, script_type: str) -> str | None:
    found = best_weights(find_changes(root, before, LegacyArtifacts()).kept, script_type)
    return found.path if found else None


def test_the_best_of_a_training_is_the_newest_best(tmp_path: Path) -> None:
    before = take_snapshot(tmp_path)
    assert chosen(tmp_path, before, "train") is None
    for age, path in enumerate(
        ("t/weights/last.pt", "t2/weights/best.pt", "t/weights/best.pt", "t/weights/best.onnx")
    ):
        os.utime(write(tmp_path, path), ns=(10**18 - age, 10**18 - age))
    assert chosen(tmp_path, before, "train") == "t2/weights/best.pt"
    assert chosen(tmp_path, before, "quant") == "t/weights/best.onnx"


def test_of_a_quantisation_an_xml_counts_only_with_its_bin(tmp_path: Path) -> None:
    before = take_snapshot(tmp_path)
    write(tmp_path, "annotations/1.xml")
    write(tmp_path, "model.pt")
    assert chosen(tmp_path, before, "quant") == "model.pt"
    write(tmp_path, "out/model.xml")
    write(tmp_path, "out/model.bin")
    assert chosen(tmp_path, before, "quant") == "out/model.xml"


def test_the_input_size_is_ultralytics_own(tmp_path: Path) -> None:
    weights = write(tmp_path, "train/weights/best.pt")
    assert input_size_beside(weights) is None
    write(tmp_path, "train/args.yaml", "imgsz: 320\nlr0: 0.01\n")
    assert input_size_beside(weights) == 320
    write(tmp_path, "train/args.yaml", "imgsz: [320, 640]\n")
    assert input_size_beside(weights) is None


# --- one run at a time ----------------------------------------------------------------------------


def hold(directory: Path, locks: Path, more: str = "") -> subprocess.Popen[str]:
    code = textwrap.dedent(
        f"""
        import subprocess, sys, time
        from pathlib import Path
        from experiments_adapters.legacy.directory_lock import locked
        with locked(Path({str(directory)!r}), Path({str(locks)!r})) as lock:
            lock.note(run="r1")
            {more}
            print("held", flush=True)
            time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_with_who_is_at_work(tmp_path: Path) -> None:
    directory, locks = tmp_path / "실험 1", tmp_path / "locks"
    directory.mkdir()
    (tmp_path / "link").symlink_to(directory)
    holder = hold(directory, locks)
    try:
        with (
            pytest.raises(ConcurrentChangeError, match=rf"process {holder.pid} since .*, run r1"),
            locked(tmp_path / "link", locks),
        ):
            pass
        other = tmp_path / "other"
        other.mkdir()
        with locked(other, locks):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(directory, locks):  # a killed holder's lock is nobody's
        pass
    assert list(directory.iterdir()) == []


def test_a_script_that_outlived_its_wrapper_is_found(tmp_path: Path) -> None:
    script = (
        "p = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL); "
        "lock.note(script_pid=p.pid)"
    )
    holder = hold(tmp_path, tmp_path / "locks", script)
    holder.kill()
    holder.communicate()
    (lock,) = (tmp_path / "locks").iterdir()
    pid = json.loads(lock.read_text())["script_pid"]
    try:
        with (
            pytest.raises(ConcurrentChangeError, match=f"a script still runs .* kill {pid}"),
            locked(tmp_path, tmp_path / "locks"),
        ):
            pass
    finally:
        script_process = psutil.Process(pid)
        script_process.kill()
        while script_process.is_running() and script_process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
    with locked(tmp_path, tmp_path / "locks"):
        pass


# --- Git ------------------------------------------------------------------------------------------


def test_the_commit_is_told_and_the_directory_stays_as_it_is(tmp_path: Path) -> None:
    assert git_state(tmp_path / "nowhere") == {}
    write(tmp_path, "train.py", "print(1)")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    (tmp_path / "train.py").touch()  # git would refresh its index for this
    index = hashlib.sha256((tmp_path / ".git/index").read_bytes()).hexdigest()
    clean = git_state(tmp_path)
    assert len(clean["exp.git_commit"]) == 40
    assert clean["exp.git_dirty"] == "false"
    assert hashlib.sha256((tmp_path / ".git/index").read_bytes()).hexdigest() == index
    write(tmp_path, "train.py", "print(2)")
    assert git_state(tmp_path)["exp.git_dirty"] == "true"

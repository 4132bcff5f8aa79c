"""A box's directory: what is pulled is whole, what stands stays until it is, damage is found."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_bundles import MODEL, made_bundle, spec, tree
from ruamel.yaml import YAML

from guardianflow.contracts.errors import BundleError, ConfigurationError
from guardianflow.contracts.results import DetectorPackage, sha256_of
from guardianflow.release.bundle import install as bundle_install
from guardianflow.release.bundle.build import Bundle, bundle_name, make_bundle
from guardianflow.release.bundle.check import (
    check_bundle,
    check_directory,
    is_inside,
    read_sums,
)
from guardianflow.release.bundle.install import BundleDirectory, Installed
from guardianflow.support import files as durable_files

DIGEST = "1a2b3c4d" + "0" * 56


def pull(target: Path, bundle: Bundle) -> Installed:
    with BundleDirectory.opened(target) as directory:
        return directory.install(bundle)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A directory that version 1, then 2 were pulled into."""
    target = tmp_path / "현장 box"
    for version in (1, 2):
        pull(target, made_bundle(tmp_path, version))
    return target


# --- what a bundle holds --------------------------------------------------------------------------


def test_a_bundle_tells_all_that_the_box_needs(tmp_path: Path) -> None:
    target = tmp_path / "box"
    installed = pull(target, made_bundle(tmp_path))
    current = target / "current"
    assert installed == Installed(installed.name, current, "installed", None)
    assert installed.name.startswith(f"{MODEL}-v1-")
    assert (current / "labels.txt").read_text("utf-8") == "머리\n안전모\n"
    described = YAML(typ="safe").load((current / "model.yaml").read_text("utf-8"))
    package = DetectorPackage.load(current)  # a bundle is a detector package too
    assert described["name"] == MODEL.replace(".", "/")
    assert described["version"] == "1"
    assert described["sha256"] == package.digest
    assert described["input"]["width"] == described["input"]["height"] == 640
    assert described["input"]["channel_order"] == "RGB"
    assert described["thresholds"] == {"confidence": 0.25, "iou": 0.45}
    assert described["requirements"] == ["onnxruntime==1.0"]
    assert described["lineage"] == {"run.commit": "abc", **package.spec.lineage}
    assert (current / "run_detector.py").is_file()
    assert (current / "runtime/runtime_0123456789ab/contracts/__init__.py").is_file()


def test_a_secret_in_an_old_runs_tags_does_not_get_to_the_box(tmp_path: Path) -> None:
    facts = {
        "pulled": {"reference": "x"},
        "lineage": {"run.experiment_code_path": "git+https://kim:t0ken@host/x.git@main"},
    }
    content = made_bundle(tmp_path, facts=facts).contents["model.yaml"]
    assert isinstance(content, bytes)
    lineage = YAML(typ="safe").load(content)["lineage"]
    assert lineage["run.experiment_code_path"] == "git+https://REDACTED@host/x.git@main"
    assert lineage["run_id"] == "r" * 32


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_sha256sum_reads_the_sums(box: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(command, cwd=box / "current").returncode == 0
    (box / "current" / "model.onnx").write_bytes(b"other")
    done = subprocess.run(command, cwd=box / "current", capture_output=True)
    assert done.returncode == 1


def test_the_directory_may_be_moved(box: Path, tmp_path: Path) -> None:
    box.rename(tmp_path / "moved")
    assert check_directory(tmp_path / "moved").intact


@given(st.text("가나다라abc-", min_size=1, max_size=120), st.integers(1, 10**9))
def test_names_fit_every_file_system(model: str, version: int) -> None:
    name = bundle_name(model, str(version), DIGEST)
    assert len(name.encode()) <= 255 - len("-r999")
    assert name.endswith(f"-v{version}-{DIGEST[:16]}")


def test_names_that_are_cut_stay_different() -> None:
    long = "현장." * 50
    assert bundle_name(long + "a", "1", DIGEST) != bundle_name(long + "b", "1", DIGEST)


@pytest.mark.parametrize("name", ["labels.txt", "SHA256SUMS", "runtime/x.bin", "../x", "/x"])
def test_a_model_whose_files_are_in_the_way_is_refused(tmp_path: Path, name: str) -> None:
    package = DetectorPackage(tmp_path, spec(files={name: "0" * 64}))
    (tmp_path / "runtime").mkdir()
    with pytest.raises(BundleError, match="can't hold under these names"):
        make_bundle(package, model="m", version="1", facts={}, runtime=tmp_path / "runtime")


def test_a_class_name_of_two_lines_is_refused(tmp_path: Path) -> None:
    package = DetectorPackage(tmp_path, spec(class_names=("head\nhelmet",)))
    with pytest.raises(BundleError, match=r"head\\nhelmet"):
        make_bundle(package, model="m", version="1", facts={}, runtime=tmp_path)


# --- pulling --------------------------------------------------------------------------------------


def test_the_one_before_stays_and_older_ones_go(box: Path, tmp_path: Path) -> None:
    names = [made_bundle(tmp_path, version).name for version in (1, 2, 3)]
    third = pull(box, made_bundle(tmp_path, 3))
    assert (third.name, third.previous, third.removed) == (names[2], names[1], (names[0],))
    assert sorted(entry.name for entry in (box / "versions").iterdir()) == names[1:]
    assert (box / "current").readlink() == Path("versions") / names[2]
    assert check_bundle((box / "previous").resolve()).intact


def test_what_is_current_is_left_alone(box: Path, tmp_path: Path) -> None:
    before = [(p, p.lstat().st_mtime_ns) for p in sorted(box.rglob("*"))]
    again = pull(box, made_bundle(tmp_path, 2))
    assert again.done == "already current"
    assert [(p, p.lstat().st_mtime_ns) for p in sorted(box.rglob("*"))] == before


def test_going_back_copies_nothing(box: Path, tmp_path: Path) -> None:
    one, two = (made_bundle(tmp_path, version) for version in (1, 2))
    kept = (box / "versions" / one.name / "model.onnx").stat().st_ino
    back = pull(box, one)
    assert (back.done, back.name, back.previous) == ("switched", one.name, two.name)
    assert (box / "current" / "model.onnx").stat().st_ino == kept


@pytest.mark.skipif(not Path("/bin/mv").exists(), reason="needs mv -T of GNU")
def test_going_back_by_hand_on_the_box(box: Path, tmp_path: Path, repository: Path) -> None:
    """The command that docs/bundle.md gives."""
    text = (repository / "docs/bundle.md").read_text("utf-8")
    (command,) = [line for line in text.splitlines() if line.startswith("cd /opt/ppe && ln")]
    subprocess.run(["sh", "-c", command.replace("cd /opt/ppe && ", "")], cwd=box, check=True)
    one, two = (made_bundle(tmp_path, version) for version in (1, 2))
    found = check_directory(box)
    assert (found.name, found.intact) == (one.name, True)
    again = pull(box, two)
    assert (again.done, again.previous) == ("switched", one.name)


def test_a_damaged_current_is_replaced_and_never_kept_as_previous(
    box: Path, tmp_path: Path
) -> None:
    one, two = (made_bundle(tmp_path, version) for version in (1, 2))
    (box / "current" / "model.onnx").write_bytes(b"damaged")
    repaired = pull(box, two)
    assert (repaired.done, repaired.previous) == ("installed", one.name)
    assert repaired.name == f"{two.name}-r2"
    assert check_directory(box).intact
    assert pull(box, two).done == "already current"
    (box / "current" / "model.onnx").write_bytes(b"damaged")
    assert pull(box, two).name == two.name
    # Version 2 is damaged, version 1 the only other one: there is nothing to go back to.
    (box / "current" / "model.onnx").write_bytes(b"damaged")
    assert pull(box, one).previous is None
    assert not os.path.lexists(box / "previous")


def test_progress_ends_at_the_bundles_size(tmp_path: Path) -> None:
    bundle = made_bundle(tmp_path, size=3 << 20)
    told: list[tuple[int, int]] = []
    with BundleDirectory.opened(tmp_path / "box") as directory:
        directory.install(bundle, lambda done, total: told.append((done, total)))
    assert told[-1] == (bundle.size_bytes, bundle.size_bytes)
    assert len([done for done, _ in told if done < 3 << 20]) >= 2
    written = sum(p.stat().st_size for p in (tmp_path / "box/current/").rglob("*") if p.is_file())
    assert written == bundle.size_bytes


def test_two_pulls_at_once_don_t_mix(box: Path, tmp_path: Path) -> None:
    with (
        BundleDirectory.opened(box),
        pytest.raises(BundleError, match="another pull is at work"),
        BundleDirectory.opened(box),
    ):
        pass
    assert pull(box, made_bundle(tmp_path, 3)).done == "installed"


# --- directories that are not ours ----------------------------------------------------------------


def foreign_file(target: Path) -> None:
    target.mkdir()
    (target / "thesis.tex").write_text("mine")


def current_is_a_directory(target: Path) -> None:
    (target / "current").mkdir(parents=True)


def versions_leads_elsewhere(target: Path) -> None:
    target.mkdir()
    (target / "versions").symlink_to("/etc")
    (target / ".guardianflow-bundle.json").write_text("{}")


def real_current(target: Path) -> None:
    target.mkdir()
    (target / ".guardianflow-bundle.json").write_text("{}")
    (target / "current").mkdir()


@pytest.mark.parametrize(
    "make",
    [
        foreign_file,
        current_is_a_directory,
        versions_leads_elsewhere,
        real_current,
        lambda target: target.write_text("a file"),
    ],
)
def test_a_directory_that_is_not_ours_is_not_touched(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    target = tmp_path / "box"
    make(target)
    before = list(tree(tmp_path))
    with pytest.raises(ConfigurationError) as caught:
        pull(target, made_bundle(tmp_path / "made"))
    assert str(target) in str(caught.value)
    after = [each for each in tree(tmp_path) if not each[0].startswith("made")]
    assert [name for name, _ in after if "guardianflow-lock" not in name] == [n for n, _ in before]


def test_an_empty_directory_and_a_file_systems_root_are_fine(tmp_path: Path) -> None:
    target = tmp_path / "card"
    (target / "lost+found").mkdir(parents=True)
    assert pull(target, made_bundle(tmp_path)).done == "installed"


def test_a_link_to_elsewhere_named_current_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "box", tmp_path / "elsewhere"
    pull(target, made_bundle(tmp_path))
    elsewhere.mkdir()
    (elsewhere / "file").write_text("theirs")
    (target / "current").unlink()
    (target / "current").symlink_to(elsewhere)
    with pytest.raises(BundleError, match="must be a link to versions/NAME"):
        check_directory(target)
    pull(target, made_bundle(tmp_path))
    assert check_directory(target).intact
    assert list(tree(elsewhere)) == [("file", b"theirs")]


# --- checking -------------------------------------------------------------------------------------


def damage(kind: str, bundle: Path) -> None:
    model, sums = bundle / "model.onnx", bundle / "SHA256SUMS"
    match kind:
        case "one bit":
            content = bytearray(model.read_bytes())
            content[1234] ^= 1
            model.write_bytes(content)
        case "cut":
            os.truncate(model, 2999)
        case "empty":
            os.truncate(model, 0)
        case "gone":
            (bundle / "data/tensors 1.bin").unlink()
        case "extra":
            (bundle / "runtime/evil.py").write_text("import os")
        case "linked file":
            content = model.read_bytes()
            outside = bundle.parent / "outside"
            outside.write_bytes(content)
            model.unlink()
            model.symlink_to(outside)
        case "linked folder":
            shutil.move(bundle / "runtime", bundle.parent.parent / "moved")
            (bundle / "runtime").symlink_to(bundle.parent.parent / "moved")
        case "no sums":
            sums.unlink()
        case "way out":
            sums.write_text(sums.read_text() + f"{'0' * 64}  ../../../etc/passwd\n")
        case "absolute":
            sums.write_text(sums.read_text() + f"{'0' * 64}  /etc/passwd\n")
        case "twice":
            sums.write_text(sums.read_text() * 2)
        case "nonsense":
            sums.write_text("nonsense\n" + sums.read_text())
        case "no labels":
            lines = [line for line in sums.read_text().splitlines(True) if "labels" not in line]
            sums.write_text("".join(lines))
            (bundle / "labels.txt").unlink()
        case "another model":  # which agrees with itself
            before = sha256_of(model)
            model.write_bytes(b"another model")
            for file in (bundle / "detector.json", sums):
                file.write_text(file.read_text("utf-8").replace(before, sha256_of(model)), "utf-8")
            lines = sums.read_text().splitlines(keepends=True)
            described = f"{sha256_of(bundle / 'detector.json')}  detector.json\n"
            sums.write_text(
                "".join(described if "detector.json" in line else line for line in lines)
            )


DAMAGES = {
    "one bit": ("changed", "model.onnx"),
    "cut": ("changed", "model.onnx"),
    "empty": ("changed", "model.onnx"),
    "gone": ("missing", "data/tensors 1.bin"),
    "extra": ("extra", "runtime/evil.py"),
    "linked file": ("extra", "model.onnx"),
    "linked folder": ("extra", "runtime"),
    "no sums": ("missing", "SHA256SUMS"),
    "way out": ("problems", "leads out of the bundle"),
    "absolute": ("problems", "leads out of the bundle"),
    "twice": ("problems", "a second time"),
    "nonsense": ("problems", "SHA256SUMS line 1 is not"),
    "no labels": ("missing", "labels.txt"),
    "another model": ("problems", "sha256 begins with"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_every_damage_is_found_and_named(kind: str, box: Path) -> None:
    assert check_directory(box).intact
    damage(kind, (box / "current").resolve())
    found = check_directory(box)
    assert not found.intact
    field, name = DAMAGES[kind]
    assert name in " ".join(getattr(found, field))


def test_only_names_that_stay_inside_are_inside() -> None:
    for name in ("model.xml", "a/b c/안전모.bin", "..x", "a/..b"):
        assert is_inside(name)
    for name in ("", ".", "..", "../a", "a/../../b", "/a", "a//b", "./a", "a/", "a\\b", "a\nb"):
        assert not is_inside(name)


@given(st.dictionaries(st.text(min_size=1).filter(is_inside), st.just("a" * 64)))
def test_sums_are_read_as_they_are_written(names: dict[str, str]) -> None:
    text = "".join(f"{digest}  {name}\n" for name, digest in names.items())
    assert read_sums(text) == (names, ())


def test_checking_what_no_pull_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no \.guardianflow-bundle\.json"):
        check_directory(tmp_path)
    with BundleDirectory.opened(tmp_path / "box"):
        pass
    with pytest.raises(BundleError, match="has no 'current'"):
        check_directory(tmp_path / "box")


# --- killed, full, failing ------------------------------------------------------------------------

INTENDED = {"first": (None, 1), "upgrade": (2, 3), "back": (2, 1), "repair": (2, 2)}


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder where a flush costs nothing, if there is one: the kill tests flush very often."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="guardianflow-test-") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", INTENDED)
def test_killed_at_any_step_the_old_one_or_the_new_one_stands(
    scenario: str, in_memory: Path, repository: Path
) -> None:
    tmp_path = in_memory
    paths = os.pathsep.join([str(repository), str(repository / "tests/helpers")])
    done = subprocess.run(
        [sys.executable, str(repository / "tests/helpers/killed_pulls.py"), tmp_path, scenario],
        env=os.environ | {"PYTHONPATH": paths, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    old, new = (number and made_bundle(tmp_path, number).name for number in INTENDED[scenario])
    if scenario == "repair":
        new = f"{new}-r2"
    stands = [each["after"]["current"] for each in found]
    assert all(each["killed"] for each in found[:-1])
    assert set(stands) == {old, new}
    assert stands == sorted(stands, key=lambda name: name == new), "it went back and forth"
    assert len(found) > (10 if scenario == "back" else 50)
    for each in found:
        after, repaired = each["after"], each["repaired"]
        damaged_before = scenario == "repair" and after["current"] == old
        assert after["current"] is None or after["current_intact"] is not damaged_before
        assert after["previous"] is None or after["previous_intact"]
        assert repaired["current"].removesuffix("-r2") == each["next"]
        assert repaired["current_intact"]
        assert repaired["previous"] != repaired["current"]
        assert repaired["previous"] is None or repaired["previous_intact"]
        kept = {repaired["current"], repaired["previous"]} - {None}
        assert set(repaired["versions"]) == kept
        assert repaired["others"] == [".guardianflow-bundle.json", ".guardianflow-lock"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("told", [True, False], ids=["free space is told", "a quota hides it"])
def test_a_full_disk_leaves_the_old_one(
    told: bool, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pull(small_disk, made_bundle(tmp_path, 1, 200_000))
    before, free = list(tree(small_disk)), shutil.disk_usage(small_disk).free
    if not told:
        real = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: real)
    with pytest.raises(BundleError) as caught:
        pull(small_disk, made_bundle(tmp_path, 2, 900_000))
    monkeypatch.undo()
    assert "has no room for" in str(caught.value)
    assert "it needs 1.0 MB" in str(caught.value) or "it needs 1.1 MB" in str(caught.value)
    assert f"'current' is still {old.name}" in str(caught.value)
    assert list(tree(small_disk)) == before
    assert shutil.disk_usage(small_disk).free == free
    assert pull(small_disk, made_bundle(tmp_path, 3, 200_000)).previous == old.name


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_medium_that_fails_at_any_flush_leaves_the_old_one(
    number: int, box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, old = made_bundle(tmp_path, 3), made_bundle(tmp_path, 2)
    before = list(tree(box))
    sync, left = os.fsync, [0]

    def failing(file: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(number, os.strerror(number))
        sync(file)

    monkeypatch.setattr(durable_files.os, "fsync", failing)
    failures = 0
    for step in range(1, 100):
        left[0] = step
        try:
            pull(box, bundle)
        except BundleError as exc:
            failures += 1
            if check_directory(box).name == old.name:
                assert "Nothing was changed" in str(exc)
                assert list(tree(box)) == before
            else:
                assert "Pull again to finish it" in str(exc)
                break
    assert failures > 15
    monkeypatch.undo()
    assert pull(box, bundle).name == bundle.name
    assert check_directory(box).name == bundle.name


def test_what_is_written_is_read_back(
    box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that stores something else than it was given."""
    before = list(tree(box))
    copy = bundle_install.copy

    def flipping(content: Path | bytes, destination: Path) -> Iterator[int]:
        yield from copy(content, destination)
        if destination.name == "model.onnx":
            destination.write_bytes(b"\x07" + destination.read_bytes()[1:])

    monkeypatch.setattr(bundle_install, "copy", flipping)
    with pytest.raises(BundleError, match=r"not what was read: model\.onnx"):
        pull(box, made_bundle(tmp_path, 3))
    assert list(tree(box)) == before


def test_a_source_that_vanishes_is_told(box: Path, tmp_path: Path) -> None:
    bundle = made_bundle(tmp_path, 3)
    shutil.rmtree(tmp_path / "package-3-3000")
    before = list(tree(box))
    with pytest.raises(BundleError, match=r"could not be put into .*No such file"):
        pull(box, bundle)
    assert list(tree(box)) == before


def test_an_interrupt_leaves_the_old_one(box: Path, tmp_path: Path) -> None:
    before = list(tree(box))

    def interrupted(done: int, _total: int) -> None:
        if done > 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), BundleDirectory.opened(box) as directory:
        directory.install(made_bundle(tmp_path, 3), interrupted)
    assert list(tree(box)) == before

"""`guardianflow pull`: from a real registry into a directory, and checking that directory alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from made_bundles import spec
from PIL import Image
from ruamel.yaml import YAML
from small_detectors import runtime_with, small_package

from apps.cli.main import cli
from guardianflow.contracts.results import RunRequest
from guardianflow.release.bundle.check import check_directory
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.registry import MlflowRegistry
from pipelines.registered_models import pull as delivery

NAME = "동화/부산-1공장/용접/ppe__onnx_fp32"
DOTTED = NAME.replace("/", ".")


@dataclass
class Site:
    """A store with three versions of a model: 1 is rollback, 2 champion, 3 candidate."""

    uri: str
    run_ids: tuple[str, ...]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder}/mlflow.db"
    store, registry = MlflowStore(uri), MlflowRegistry(uri, runtime_with("numpy"))
    tags = {"mlflow.source.git.commit": "0123abc", "experiment_code_fingerprint": "c" * 64}
    source = store.start_run(RunRequest("동화/부산-1공장/용접", "ppe-train-v1", tags=tags))
    run_ids = []
    for seed, alias in enumerate(("rollback", "champion", "candidate")):
        package = small_package(folder / f"package-{seed}", "onnx", seed)
        lineage = {"source_run_id": source, "export_versions": "onnx==1.2 onnxruntime==1.30.9"}
        package = package.with_lineage(lineage)
        run_id = store.start_run(RunRequest("동화/부산-1공장/용접", f"ppe-quant-v{seed}"))
        registry.register(run_id, package, NAME, alias=alias, tags={"release.outcome": "pass"})
        run_ids.append(run_id)
    return Site(uri, (source, *run_ids))


@pytest.fixture
def site(registered: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered.uri)
    monkeypatch.chdir(tmp_path)
    return registered


def call(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["pull", *map(str, words)])
    assert not isinstance(result.exception, (OSError, ValueError, TypeError)), result.exception
    return result.exit_code, result.stdout, result.stderr


def pulled(*words: object) -> dict[str, Any]:
    code, shown, errors = call(*words, "--json")
    assert code == 0, errors
    result: dict[str, Any] = json.loads(shown.splitlines()[-1])
    return result


@pytest.mark.parametrize(
    ("reference", "version"),
    [
        (NAME, "2"),
        (f"{NAME}@champion", "2"),
        (f"{DOTTED}@candidate", "3"),
        (f"{NAME}/1", "1"),
        (f"{DOTTED}/3", "3"),
        (f"models:/{NAME}@rollback", "1"),
        (f"models:/{DOTTED}", "2"),
        (f"models:/{DOTTED}/latest", "3"),
    ],
)
def test_every_form_of_a_reference_is_taken(
    reference: str, version: str, site: Site, tmp_path: Path
) -> None:
    result = pulled(reference, "--to", tmp_path / "box")
    assert result["version"] == version
    assert result["bundle"].startswith(f"{DOTTED}-v{version}-{result['sha256'][:8]}")
    assert check_directory(tmp_path / "box").sha256 == result["sha256"]


def test_people_are_told_what_happened_and_what_to_try(site: Site, tmp_path: Path) -> None:
    box = tmp_path / "현장 box"
    code, shown, errors = call(f"{NAME}@rollback", "--to", box)
    assert code == 0
    assert f"{NAME} version 1 @rollback" in shown
    assert "previous  –" in shown
    assert "verdict   pass" in shown
    assert f"try it: python {box}/current/run_detector.py IMAGE" in shown
    assert f"fetching {NAME} version 1" in errors
    code, shown, _ = call(NAME, "--to", box)
    assert f"previous  {DOTTED}-v1-" in shown
    code, shown, errors = call(f"{NAME}/2", "--to", box)
    assert code == 0
    assert "is current already and intact; nothing was changed" in shown
    assert "fetching" not in errors


def test_the_description_tells_where_the_model_comes_from(site: Site, tmp_path: Path) -> None:
    pulled(NAME, "--to", tmp_path / "box")
    text = (tmp_path / "box/current/model.yaml").read_text("utf-8")
    described = YAML(typ="safe").load(text)
    source = site.run_ids[0]
    lineage = described["lineage"]
    assert lineage["source_run_id"] == source
    assert lineage["run_id"] == "r" * 32  # what the package says of itself wins
    assert lineage["data_fingerprint"] == "f" * 64
    assert lineage["source_run.mlflow.source.git.commit"] == "0123abc"
    assert lineage["source_run.experiment_code_fingerprint"] == "c" * 64
    assert described["release"] == {"release.outcome": "pass"}
    assert described["pulled"]["aliases"] == ["champion"]
    assert described["name"] == NAME
    # The version that made the files, not the one that happens to be installed here.
    assert described["requirements"] == ["onnxruntime==1.30.9", f"numpy=={np.__version__}"]
    assert site.uri not in text


@pytest.mark.parametrize(
    ("backend", "lineage", "expected"),
    [
        ("onnx", {"export_versions": "onnxruntime==1.30.9"}, "onnxruntime==1.30.9"),
        ("tensorrt", {"tensorrt_version": "10.9.0"}, "tensorrt==10.9.0"),
        ("tensorrt", {}, "tensorrt"),  # none is known to work, so none is named
        ("pytorch", {"export_versions": "torch==2.9.1+cu130"}, "torch==2.9.1"),
    ],
)
def test_a_library_has_the_version_that_made_the_files(
    backend: str, lineage: dict[str, str], expected: str
) -> None:
    asked = delivery.requirements(spec(backend=backend, lineage=lineage))
    assert expected in asked
    opencv = [each for each in asked if each.startswith("opencv")]
    assert len(opencv) == (backend == "pytorch")
    assert all("==" in each for each in opencv)


def test_what_was_pulled_runs(site: Site, tmp_path: Path) -> None:
    pulled(NAME, "--to", tmp_path / "box")
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(tmp_path / "image.png")
    script = str(tmp_path / "box/current/run_detector.py")
    done = subprocess.run(
        [sys.executable, script, "image.png", "--json", "--conf", "0"],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["detections"]
    assert call("--check", tmp_path / "box")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["동화/부산-1공장/용접/pp", "--to", "box"], "nearest: "),
        ([f"{NAME}/9", "--to", "box"], "has no version 9; it has: 1, 2, 3"),
        ([f"{NAME}@chmpion", "--to", "box"], "has no alias 'chmpion'"),
        (["runs:/0123", "--to", "box"], "must name a registered model"),
        ([NAME], "needs a model and a directory"),
        (["--to", "box"], "needs a model and a directory"),
        ([NAME, "--to", "box", "--check", "box"], "needs a model and a directory"),
        ([NAME, "--to", "mine"], "holds other things"),
        (["--check", "mine"], "must be a directory that `guardianflow pull --to` has filled"),
        (["--check", "nowhere"], "must be a directory that"),
    ],
)
def test_bad_input_is_told_and_touches_nothing(
    words: list[str], message: str, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    code, shown, errors = call(*words)
    assert code == 2
    assert message in errors
    assert shown == ""
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "file"]
    code, shown, _ = call(*words, "--json")
    assert code == 2
    assert message in json.loads(shown)["error"]["message"]


def test_a_model_without_a_champion_says_how_to_get_one(site: Site, tmp_path: Path) -> None:
    registry = MlflowRegistry(site.uri, runtime_with("numpy"))
    run_id = MlflowStore(site.uri).start_run(RunRequest("a/b-c/d", "new"))
    registry.register(run_id, small_package(tmp_path / "new", "onnx", 7), "a/b-c/d/new")
    code, _, errors = call("a/b-c/d/new", "--to", tmp_path / "box")
    assert code == 2
    assert "has no alias 'champion'; it has: candidate" in errors
    assert "guardianflow promote a/b-c/d/new" in errors


def test_a_long_fetch_tells_how_far_it_is(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "TOLD_EVERY_S", 0.01)
    ports = connected(site)
    fetch = ports.registry.fetch

    def slowly(reference: str, destination: Path) -> Any:
        (destination.parent / "arrived").write_bytes(bytes(2_500_000))
        time.sleep(0.5)
        return fetch(reference, destination)

    monkeypatch.setattr(ports.registry, "fetch", slowly)
    told: list[str] = []
    delivery.pull_model(NAME, tmp_path / "box", ports, say=told.append)
    assert "fetched 2.5 MB" in told
    assert not [thread for thread in threading.enumerate() if thread.name == "fetch-progress"]


def test_checking_needs_no_store(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled(NAME, "--to", tmp_path / "box")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, shown, errors = call("--check", tmp_path / "box")
    assert (code, errors) == (0, "")
    assert "intact" in shown
    (tmp_path / "box/current/model.onnx").write_bytes(b"tampered")
    (tmp_path / "box/current/labels.txt").unlink()
    (tmp_path / "box/current/notes.txt").write_text("a visitor's")
    code, shown, _ = call("--check", tmp_path / "box")
    assert code == 1
    for line in ("changed   model.onnx", "missing   labels.txt", "extra     notes.txt"):
        assert line in shown
    code, shown, _ = call("--check", tmp_path / "box", "--json")
    found = json.loads(shown)
    assert (code, found["status"], found["changed"]) == (1, "DAMAGED", ["model.onnx"])
    assert (found["missing"], found["extra"]) == (["labels.txt"], ["notes.txt"])


def test_a_damaged_box_is_mended_by_the_next_pull(site: Site, tmp_path: Path) -> None:
    pulled(NAME, "--to", tmp_path / "box")
    (tmp_path / "box/current/model.onnx").write_bytes(b"tampered")
    assert pulled(NAME, "--to", tmp_path / "box")["done"] == "installed"
    assert call("--check", tmp_path / "box")[0] == 0


def test_a_model_tampered_with_in_the_store_never_reaches_the_box(
    registered: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(registered.uri.removeprefix("sqlite:///")).parent
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered.uri)
    box = tmp_path / "box"
    before = pulled(f"{NAME}/1", "--to", box)
    kept = {path: path.read_bytes() for path in folder.rglob("detector/model.onnx")}
    assert len(kept) >= 3
    try:
        for path, content in kept.items():
            path.write_bytes(content[:-1] + b"!")
        code, _, errors = call(NAME, "--to", box)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert code == 2
    assert "different from the sha256" in errors
    assert check_directory(box).name == before["bundle"]
    assert not list(box.glob(".guardianflow-tmp-*"))


def test_no_room_to_fetch_into_is_told(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    try:
        code, _, errors = call(NAME, "--to", tmp_path / "box")
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert code == 1
    assert f"{place} has no room to fetch" in errors
    assert "TMPDIR" in errors
    assert not (tmp_path / "box" / "current").exists()


def test_what_a_killed_pull_left_among_temporary_files_is_removed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    box = tmp_path / "box"
    with monkeypatch.context() as patch:  # its leftovers stay, as after a kill
        patch.setattr(delivery, "make_bundle", interrupt)
        patch.setattr(tempfile.TemporaryDirectory, "cleanup", lambda self: self._finalizer.detach())
        with pytest.raises(KeyboardInterrupt):
            delivery.pull_model(NAME, box, connected(site))
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    delivery.pull_model(NAME, box, connected(site))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert check_directory(box).intact


def interrupt(*_arguments: object, **_named: object) -> None:
    raise KeyboardInterrupt


def connected(site: Site) -> Any:
    from pipelines.wiring import connect

    return connect(site.uri)

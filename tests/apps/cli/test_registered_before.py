"""Models that an earlier release registered still load, are promoted and pulled, and say how."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from registered_before import (
    FAILED,
    FAILED_PIPELINE,
    NAME,
    OPENVINO,
    PYTORCH,
    RegisteredBefore,
    unpack,
)

from apps.cli.main import cli
from guardianflow.contracts.detector_package import IdentityRule
from guardianflow.contracts.errors import SourceError
from guardianflow.detector import Detector
from guardianflow.release.bundle.check import check_directory
from pipelines.wiring import connect

NOTE = "verified by the old rule"


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RegisteredBefore:
    site = unpack(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", site.uri)
    monkeypatch.chdir(tmp_path)
    return site


def call(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("name", [NAME, OPENVINO, PYTORCH])
def test_it_is_fetched_opened_and_finds_boxes(
    name: str, before: RegisteredBefore, tmp_path: Path
) -> None:
    package = connect(before.uri).registry.fetch(f"models:/{name}@candidate", tmp_path / "out")
    assert package.verified_by is IdentityRule.FILES
    side = package.spec.input_size
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    with Detector.open(package) as detector:
        assert len(detector.predict([image], confidence=0.0)[0]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [NAME, OPENVINO, PYTORCH])
def test_mlflow_loads_it_with_its_own_code(name: str, before: RegisteredBefore) -> None:
    code = (
        "import sys, mlflow, numpy as np\n"
        f"model = mlflow.pyfunc.load_model('models:/{name.replace('/', '.')}@candidate')\n"
        "print(len(model.predict(np.full((96, 96, 3), 90, np.uint8), {'confidence': 0.0})))\n"
    )
    environment = {"MLFLOW_TRACKING_URI": before.uri, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment, cwd=before.root, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) >= 0


def test_it_is_promoted_on_the_release_of_those_days_and_rolled_back(
    before: RegisteredBefore,
) -> None:
    code, out, err = call("promote", NAME)
    assert (code, "v2 is @champion now" in out) == (0, True), err
    assert f"v2 of {NAME} is {NOTE}" in err
    code, out, err = call("rollback", NAME, "--reason", "a test")
    assert (code, "v1 is @champion now" in out) == (0, True), err
    assert f"v1 of {NAME} is {NOTE}" in err


def test_it_is_pulled_into_the_box_of_those_days_and_is_covered_whole_there(
    before: RegisteredBefore,
) -> None:
    old = check_directory(before.box)
    assert old.intact
    assert old.verified_by is IdentityRule.FILES
    assert NOTE in call("pull", "--check", before.box)[1]
    image = before.root / "image.ppm"
    image.write_bytes(b"P6 96 96 255\n" + bytes(3 * 96 * 96))
    script = before.box / "current" / "run_detector.py"
    done = subprocess.run([sys.executable, script, image], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr

    code, _, err = call("pull", f"{NAME}@candidate", "--to", before.box)
    assert code == 0, err
    assert f"version 2 is {NOTE}" in err
    new = check_directory(before.box)
    assert (new.intact, new.verified_by) == (True, IdentityRule.WHOLE)
    assert NOTE not in call("pull", "--check", before.box)[1]
    done = subprocess.run([sys.executable, script, image], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    again = call("pull", f"{NAME}@candidate", "--to", before.box, "--json")
    assert json.loads(again[1].splitlines()[-1])["done"] == "already current"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_names", ["head", "helmet", "vest", "person"]),
        ("conf_threshold", 0.99),
        ("iou_threshold", 0.9),
        ("input_size", 128),
        ("lineage", {"export_versions": "openvino==1.0"}),
    ],
)
def test_its_description_is_held_to_what_its_mlmodel_file_says(
    field: str, value: object, before: RegisteredBefore, tmp_path: Path
) -> None:
    for file in before.root.glob("mlruns/*/models/*/artifacts/artifacts/detector/detector.json"):
        file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    with pytest.raises(SourceError, match=f"differ in {field}"):
        connect(before.uri).registry.fetch(f"models:/{NAME}@candidate", tmp_path / "out")
    for words in (("promote", NAME), ("pull", f"{NAME}@candidate", "--to", before.box)):
        code, _, err = call(*words)
        assert (code, "is not what was registered" in err) == (2, True), err
    assert check_directory(before.box).intact


def test_what_is_in_the_store_is_listed(before: RegisteredBefore) -> None:
    code, shown, _ = call("list", "models", "--json")
    assert code == 0
    listed = {each["model"] for each in json.loads(shown)}
    assert listed == {NAME, OPENVINO, PYTORCH}


@pytest.mark.slow
def test_a_pipeline_that_failed_in_those_days_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = unpack(tmp_path, FAILED)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", site.uri)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.chdir(site.root)
    trainer = site.root / "code" / "train.py"
    trainer.write_text(trainer.read_text().replace("the power failed", "it failed again"))

    code, _, told = call("pipeline", "scenario.yaml", "-e", "code", "--resume", FAILED_PIPELINE)
    assert code == 1
    assert f"--resume {FAILED_PIPELINE}" in told
    store = connect(site.uri).store
    parent = store.get_run(FAILED_PIPELINE)
    assert parent.status == "FAILED"
    assert "it failed again" in parent.tags["guardianflow.error"]
    below = store.find_runs(tags={"mlflow.parentRunId": FAILED_PIPELINE})
    assert sorted(run.status for run in below) == ["FAILED", "FAILED"]  # then, and now

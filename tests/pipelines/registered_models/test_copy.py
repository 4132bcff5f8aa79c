"""A detector in another registry: whole and with its lineage, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_detectors import small_package

from apps.cli.main import cli
from guardianflow.contracts.errors import (
    ConfigurationError,
    PromotionRefusedError,
    SourceError,
    TrackingError,
)
from guardianflow.contracts.results import DetectorPackage, RunRequest
from guardianflow.contracts.run_status import RunStatus
from pipelines.registered_models.copy import copy_model
from pipelines.registered_models.registry import ModelRegistry
from pipelines.wiring import Ports, connect, in_memory

EXPERIMENT = "donghwa/busan-plant1/welding"
NAME = f"{EXPERIMENT}/ppe"
COMMIT = "a" * 40


@dataclass
class Two:
    """An office with a champion that a release has judged, and a plant's empty registry."""

    office: Ports
    plant: Ports
    package: DetectorPackage
    run_id: str


def filled(office: Ports, plant: Ports, folder: Path) -> Two:
    package = small_package(folder / "detector", "onnx")
    tags = {"site.customer": "donghwa", "mlflow.source.git.commit": COMMIT, "own": "no"}
    run_id = office.store.start_run(
        RunRequest(EXPERIMENT, "ppe-small-train-v1", tags, {"train.epochs": "3"})
    )
    office.registry.register(run_id, package, NAME, tags={"task": "ppe"})
    office.store.end_run(run_id)
    judged = office.store.start_run(RunRequest(EXPERIMENT, "release"))
    report = folder / "release.html"
    report.write_text("the report")
    office.store.log_files(judged, report, "report")
    verdict = {"release.run_id": judged, "release.outcome": "pass", "release.champion_version": ""}
    office.registry.tag_version(NAME, "1", verdict)
    office.aliases.set_alias(NAME, "champion", "1")
    return Two(office, plant, package, run_id)


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Two:
    if request.param == "memory":
        office, plant = in_memory(), in_memory()
        plant.store.tracking_uri = "memory:plant"  # type: ignore[misc]
    else:
        office, plant = (connect(f"sqlite:///{tmp_path / name}.db") for name in ("office", "plant"))
    return filled(office, plant, tmp_path)


def test_a_champion_arrives_as_candidate_with_files_lineage_tags_and_report(
    two: Two, tmp_path: Path
) -> None:
    copied = copy_model(NAME, two.office, two.plant)
    assert (copied.made, copied.report) == (True, True)
    arrived = two.plant.registry.describe(f"models:/{NAME}@candidate")
    assert arrived.aliases == ("candidate",)
    assert arrived.tags["sha256"] == two.package.digest
    assert arrived.tags["task"] == "ppe"
    assert arrived.tags["source_run_id"] == two.run_id
    assert arrived.tags["copied.from"].endswith(f"{NAME.replace('/', '.')}/1")
    fetched = two.plant.registry.fetch(arrived.uri, tmp_path / "fetched")
    assert fetched.digest == two.package.digest
    assert fetched.weights_path.read_bytes() == two.package.weights_path.read_bytes()
    run = two.plant.store.get_run(arrived.run_id or "")
    assert (run.experiment_name, run.status) == (EXPERIMENT, RunStatus.FINISHED)
    assert run.tags["copied.run_id"] == two.run_id
    assert run.tags["mlflow.source.git.commit"] == COMMIT
    assert run.params == {"train.epochs": "3"}
    assert "own" not in run.tags
    there = two.plant.store.download(run.run_id, "report", tmp_path / "report")
    assert (there / "release.html").read_text() == "the report"


def test_a_verdict_is_told_and_promotes_nothing_there(two: Two) -> None:
    copy_model(NAME, two.office, two.plant)
    arrived = two.plant.registry.describe(f"models:/{NAME}@candidate")
    assert "release.outcome" not in arrived.tags
    assert arrived.tags["copied.release.outcome"] == "pass"
    with pytest.raises(PromotionRefusedError, match="no release has judged it"):
        ModelRegistry(ports=two.plant).promote(NAME)


def test_copying_again_makes_nothing_new(two: Two) -> None:
    first = copy_model(f"{NAME}/1", two.office, two.plant)
    again = copy_model(f"{NAME}@champion", two.office, two.plant)
    assert (again.made, again.target.version) == (False, first.target.version)
    assert len(two.plant.registry.list_models()) == 1
    assert len(two.plant.store.find_runs()) == 1


def test_what_arrives_otherwise_than_it_was_sent_is_taken_back(
    two: Two, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = small_package(tmp_path / "other", "onnx", seed=3)
    monkeypatch.setattr(two.plant.registry, "fetch", lambda *_: other)
    with pytest.raises(TrackingError, match="must have the sha256"):
        copy_model(NAME, two.office, two.plant)
    assert two.plant.registry.list_models() == []
    assert [run.status for run in two.plant.store.find_runs()] == [RunStatus.FAILED]


def test_a_damaged_detector_is_not_sent_at_all(tmp_path: Path) -> None:
    office, plant = (connect(f"sqlite:///{tmp_path / name}.db") for name in ("office", "plant"))
    two = filled(office, plant, tmp_path)
    weights = list((tmp_path / "mlruns").rglob("model.onnx"))
    assert weights
    for each in weights:
        each.write_bytes(each.read_bytes() + b"x")
    with pytest.raises(SourceError, match="sha256"):
        copy_model(NAME, two.office, two.plant)
    assert two.plant.store.find_runs() == []


def test_one_registry_is_no_other_one(two: Two) -> None:
    with pytest.raises(ConfigurationError, match="another registry"):
        copy_model(NAME, two.office, two.office)


def test_the_command_tells_what_arrived_and_refuses_what_is_no_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, plant = f"sqlite:///{tmp_path / 'office.db'}", f"sqlite:///{tmp_path / 'plant.db'}"
    two = filled(connect(office), connect(plant), tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_TRACKING_URI", office)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["copy", NAME, "--to", plant, "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert (answer["sha256"], answer["to"]["version"]) == (two.package.digest, "1")
    assert answer["to"]["aliases"] == ["candidate"]
    for target in ("/mnt/usb", "ftp://plant/x"):
        done = CliRunner().invoke(cli, ["copy", NAME, "--to", target])
        assert (done.exit_code, "--to must be the address" in done.stderr) == (2, True)
    done = CliRunner().invoke(cli, ["copy", f"{NAME}@champio", "--to", plant])
    assert done.exit_code == 2
    assert "champion" in done.stderr

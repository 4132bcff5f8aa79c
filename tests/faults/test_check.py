"""The check of the campaign finds what it is there to find: each breach, planted, is told."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from databases import copy_database

from benchmarks.faults.author.train import write_detector
from benchmarks.faults.check import (
    Breach,
    Expected,
    Finding,
    StoreCheck,
    commands_findings,
    left_alive,
    local_findings,
)
from benchmarks.faults.place import MARK, Command, Place
from benchmarks.faults.workloads import QUICK
from guardianflow.site_data.demo import demo_data_set

pytestmark = pytest.mark.slow


@dataclass
class Finished:
    """A training that ended well, and what it must have."""

    place: Place
    command: Command
    uri: str
    expected: Expected

    @property
    def check(self) -> StoreCheck:
        return StoreCheck(self.place, self.uri, self.expected)

    @property
    def run_id(self) -> str:
        return str(self.command.answer["run_id"])

    @property
    def artifacts(self) -> Path:
        (folder,) = self.place.root.glob(f"mlruns/*/{self.run_id}/artifacts")
        return folder

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.uri.removeprefix("sqlite:///"))) as database:
            assert database.execute(statement).rowcount != 0
            database.commit()

    def findings(self) -> list[Finding]:
        return [
            *commands_findings([("the command", self.command)]),
            *local_findings(self.place, 0),
            *self.check.findings(),
        ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Finished:
    folder = tmp_path_factory.mktemp("trained")
    data = demo_data_set("demo://ppe?images=14&size=96", folder / "datasets").parent
    root = folder / "round"
    root.mkdir()
    copy_database(empty_store, root / "mlflow.db")
    uri = f"sqlite:///{root / 'mlflow.db'}"
    place = Place(root, QUICK, data, uri, folder / "shared", root / "work")
    command = place.run()
    assert command.code == 0, command.last_words
    return Finished(place, command, uri, StoreCheck(place, uri, None).as_expected())


@pytest.fixture
def finished(trained: Finished, tmp_path: Path) -> Iterator[Finished]:
    """The training with a store of its own; its files are put back afterwards as they were."""
    root, kept = trained.place.root, tmp_path / "kept"
    shutil.copytree(root, kept, symlinks=True)
    store = tmp_path / "mlflow.db"  # one for each test: mlflow keeps it open
    copy_database(root / "mlflow.db", store)
    yield replace(trained, uri=f"sqlite:///{store}")
    shutil.rmtree(root)
    shutil.copytree(kept, root, symlinks=True)


def test_of_a_training_that_nothing_struck_nothing_is_told(finished: Finished) -> None:
    assert finished.findings() == []
    assert list(finished.check.half_made()) == []
    assert "weights/best.onnx" in finished.expected.artifacts["train"]
    assert "det.mAP50" in finished.expected.metrics["train"]


def _register_again(finished: Finished) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(finished.uri)
    ((name, (version,)),) = finished.check.models().items()
    client.create_model_version(name, version.source, finished.run_id)


def _register_nothing(finished: Finished) -> None:
    from mlflow import MlflowClient

    name = f"{finished.place.customer}.here-plant1.full.other"
    MlflowClient(finished.uri).create_registered_model(name)


def _damage_model(finished: Finished) -> None:
    models = finished.place.root.glob("mlruns/*/models/*/artifacts")
    (weights,) = (path for model in models for path in model.rglob("*.onnx"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")


def _weights_that_lack_an_epoch(finished: Finished) -> None:
    config = SimpleNamespace(input_size=64, num_classes=4)
    write_detector(finished.artifacts / "weights/best.onnx", config, "0123456789")


def _begin_another_run(finished: Finished) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(finished.uri)
    run = client.get_run(finished.run_id)
    tags = {"guardianflow.stage": "train"}
    made = client.create_run(run.info.experiment_id, tags=tags)
    client.set_terminated(made.info.run_id, "KILLED")


def _begin_an_epoch_again(finished: Finished) -> None:
    with (finished.place.root / "trained.jsonl").open("a") as stream:
        stream.write('{"what": "begun", "epoch": 3, "pid": 1}\n')


def _state_of(finished: Finished) -> None:
    folder = finished.place.trainings / "left"
    folder.mkdir(parents=True)
    (folder / "state.json").touch()


def _journal_of(finished: Finished) -> None:
    folder = finished.place.work_dir / "spool/left"
    folder.mkdir(parents=True)
    (folder / "journal.json").touch()


METRIC = "WHERE key = 'det.mAP50' AND step = 4"
PLANTED: dict[str, tuple[Callable[[Finished], object], Breach, str]] = {
    "a point twice": (
        lambda f: f.sql(
            "INSERT INTO metrics SELECT key, value, timestamp + 1, run_uuid, step, is_nan "
            f"FROM metrics {METRIC}"
        ),
        Breach.DOUBLED,
        "det.mAP50 of",
    ),
    "a point less": (
        lambda f: f.sql(f"DELETE FROM metrics {METRIC}"),
        Breach.LOSS,
        "[1, 2, 3, 5, 6, 7, 8]",
    ),
    "another value": (
        lambda f: f.sql(f"UPDATE metrics SET value = 0.9 {METRIC}"),
        Breach.LOSS,
        "0.03, 0.9, 0.05",
    ),
    "a run at work": (
        lambda f: f.sql(f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid = '{f.run_id}'"),
        Breach.ZOMBIE,
        "is RUNNING",
    ),
    "a second run": (_begin_another_run, Breach.LOSS, "it did not go on"),
    "a second version": (_register_again, Breach.REGISTRATION, "has 2 versions"),
    "a model without versions": (_register_nothing, Breach.REGISTRATION, "has 0 versions"),
    "a damaged model": (_damage_model, Breach.REGISTRATION, "is damaged"),
    "a version of a run that failed": (
        lambda f: f.sql(f"UPDATE runs SET status = 'FAILED' WHERE run_uuid = '{f.run_id}'"),
        Breach.REGISTRATION,
        "not FINISHED",
    ),
    "weights of other epochs": (_weights_that_lack_an_epoch, Breach.LOSS, "lack epochs"),
    "an artifact less": (
        lambda f: (f.artifacts / "results/results.csv").unlink(),
        Breach.LOSS,
        "results.csv",
    ),
    "a config cut off": (
        lambda f: os.truncate(f.artifacts / "config/resolved.json", 40),
        Breach.LOSS,
        "resolved.json",
    ),
    "no log": (lambda f: shutil.rmtree(f.artifacts / "logs"), Breach.LOSS, "has no log"),
    "a training's state": (_state_of, Breach.LOSS, "is left of a training"),
    "a journal": (_journal_of, Breach.LOSS, "is not sent"),
    "an epoch trained again": (
        _begin_an_epoch_again,
        Breach.REPEATED,
        "1 epochs were trained again",
    ),
    "a changed label": (
        lambda f: next((f.place.site / "data").rglob("*.txt")).write_text("0 0 0 1 1\n"),
        Breach.CHANGED,
        "data/labels",
    ),
    "a file beside the data": (
        lambda f: (f.place.site / "data/labels.cache").touch(),
        Breach.CHANGED,
        "labels.cache",
    ),
    "code gone": (
        lambda f: (f.place.site / "code/train.py").unlink(),
        Breach.CHANGED,
        "code/train.py",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(finished: Finished, name: str) -> None:
    plant, breach, text = PLANTED[name]
    plant(finished)
    found = finished.findings()
    assert any(each.breach is breach and text in each.text for each in found), found


def test_a_logged_model_that_is_no_versions_is_found(finished: Finished) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(finished.uri)
    run = client.get_run(finished.run_id)
    client.create_logged_model(run.info.experiment_id, name="detector")
    (found,) = finished.check.half_made()
    assert found.breach is Breach.REGISTRATION
    assert "is no version's" in found.text


def test_a_process_that_is_left_is_found(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.faults.check.GONE_WITHIN_S", 0.5)
    sleeper = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        env={**os.environ, MARK: finished.place.mark},
    )
    try:
        assert list(left_alive(finished.place)) == [sleeper.pid]
        assert Breach.ZOMBIE in {each.breach for each in finished.findings()}
    finally:
        sleeper.kill()
        sleeper.wait()
    assert left_alive(finished.place) == {}


def test_a_command_that_did_not_end_well_is_found(finished: Finished, tmp_path: Path) -> None:
    said = tmp_path / "said"
    for text, code in (('{"status": "FINISHED"}', 1), ('{"status": "FAILED"}', 0), ("", 0)):
        said.write_text(f"{text}\n")
        process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
        process.wait()
        (found,) = commands_findings([("it", Command(process, said, said))])
        assert found.breach is Breach.COMMAND

"""One story on a laptop's store and on a team's servers, with nothing changed but settings.

A pipeline, a sweep, promotion and rollback; then everything is copied, wiped and brought back, and
the box gets what was registered.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from offices import Office
from team_servers import BUCKET, Team, has_logins
from workplace import last_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

EXPERIMENT = "demo-construction/seoul-plant1/full"
NAME = f"{EXPERIMENT}/ppe"
TINY = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=64")
SMALL = (
    *TINY,
    *("-p", "benchmark.benchmark_runs=10", "-p", "benchmark.warmup_runs=1"),
    *("-p", "benchmark.batch_sizes=[1]", "-p", "quantization.calibration_size=8"),
)
VARIANTS = {"pytorch_fp32", "onnx_int8"}


@dataclass(frozen=True)
class Keeping:
    """How a store is copied and wiped.

    Args:
        place: the words of deploy/store_copy.py that name it.
        environment: more of that program's.
    """

    place: list[str]
    environment: Mapping[str, str]
    wipe: Callable[[], None]


@pytest.fixture(params=["laptop", "team"])
def office(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Office, Keeping]:
    made = Office(tmp_path, tmp_path / "work", repository)
    if request.param == "laptop":
        return made, laptop_keeping(tmp_path)
    team = request.getfixturevalue("team")
    made.uri = team.tracking_uri
    for name, value in team.settings.items():
        monkeypatch.setenv(name, value)
    return made, team_keeping(team)


def laptop_keeping(root: Path) -> Keeping:
    def wipe() -> None:
        for file in root.glob("mlflow.db*"):
            file.unlink()
        shutil.rmtree(root / "mlruns")

    words = ["--database", f"sqlite:///{root / 'mlflow.db'}", "--artifacts", str(root / "mlruns")]
    return Keeping(words, {}, wipe)


def team_keeping(team: Team) -> Keeping:
    postgres, s3 = team.postgres, team.s3
    assert postgres is not None and s3 is not None
    names = ["mlflow", *(["mlflow_auth"] if has_logins() else [])]

    def wipe() -> None:
        # The server stays: it asks the database anew at every request.
        for name in names:
            again = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
            postgres.run("psql", "-d", name, "-c", again)
        client = s3.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for each in page.get("Contents", []):
                client.delete_object(Bucket=BUCKET, Key=each["Key"])

    words = [word for name in names for word in ("--database", postgres.url(name))]
    path = f"{postgres.programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**postgres.environment, **s3.environment, "PATH": path}
    return Keeping([*words, "--artifacts", f"s3://{BUCKET}"], environment, wipe)


SNAPSHOT = """
import hashlib, json, tempfile
from pathlib import Path
from mlflow import MlflowClient
client = MlflowClient()
found = {"runs": {}, "models": {}}
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        with tempfile.TemporaryDirectory() as folder:
            client.download_artifacts(run.info.run_id, "", folder)
            files = {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in Path(folder).rglob("*") if path.is_file()
            }
        data = run.data
        found["runs"][run.info.run_id] = [
            experiment.name, run.info.run_name, run.info.status, data.params, data.metrics,
            {k: v for k, v in data.tags.items()}, files,
        ]
for model in client.search_registered_models():
    versions = client.search_model_versions(f"name='{model.name}'")
    found["models"][model.name] = [model.aliases, model.tags, [
        [v.version, v.run_id, v.source, v.tags] for v in versions
    ]]
print(json.dumps(found, sort_keys=True))
"""


def test_the_same_work_here_and_there(office: tuple[Office, Keeping], repository: Path) -> None:
    place, keeping = office
    scenario = demo(place)
    pipeline(place, scenario)
    sweep(place, scenario)
    promotion(place)

    before = place.ask(SNAPSHOT)
    weights = [name for each in before["runs"].values() for name in each[6] if "weights/" in name]
    assert {"weights/best.pt", "weights/best.onnx"} <= {*weights}  # of the pipeline, of a trial
    copied_and_restored(place, keeping, repository)
    assert place.ask(SNAPSHOT) == before
    pulling(place)


def demo(place: Office) -> str:
    """The demo with one variant, and without alarms: their films take longer than all the rest."""
    path = place.write_scenario()
    text = path.read_text(encoding="utf-8")
    text = text[: text.index("\nalarms:")]
    lines = text.splitlines(keepends=True)
    others = ("openvino, precision", "onnx, precision: fp32")
    path.write_text(
        "".join(line for line in lines if not any(each in line for each in others)), "utf-8"
    )
    return str(path)


def pipeline(place: Office, scenario: str) -> None:
    """Training by Ultralytics, an int8 variant, both judged; all of it kept and registered."""
    epochs = ("-p", "training.epochs=1")
    result = place.do("pipeline", scenario, *SMALL, *epochs, timeout=900)
    assert result["status"] == "FINISHED"
    assert {(each["stage"], each["variant"]) for each in result["stages"]} == {
        ("train", "pytorch_fp32"),
        ("quant", "onnx_int8"),
        *(("infer", variant) for variant in VARIANTS),
    }
    store = place.store
    for each in result["stages"]:
        run = store.get_run(each["run_id"])
        assert (run.status, run.parent_run_id) == ("FINISHED", result["run_id"])
        if each["stage"] == "infer":
            assert "det.mAP50" in run.metrics
    made = [each["models"][0]["name"] for each in result["stages"] if each["stage"] != "infer"]
    assert made == [name.replace("/", ".") for name in (NAME, f"{NAME}__onnx_int8")]
    summary = store.download(result["run_id"], "report/summary.json", place.root / "report")
    rows = last_json(summary.read_text(encoding="utf-8").replace("\n", ""))["rows"]
    assert {row["variant"] for row in rows} == VARIANTS
    # The same once more runs nothing: what is kept there is found again.
    again = place.do("pipeline", scenario, *SMALL, *epochs, timeout=900)
    assert {each["run_id"] for each in again["stages"]} == {
        each["run_id"] for each in result["stages"]
    }


def sweep(place: Office, scenario: str) -> None:
    """Two trials at once; the best is registered, once."""
    code = place.write_trainer("experiment")
    words = ("-p", "learning_rate=[0.001,0.003]", "-p", "training.epochs=2", "--parallel", "2")
    found = place.do("sweep", scenario, "-e", str(code), *TINY, *words, timeout=900)
    assert (found["status"], found["completed_runs"]) == ("FINISHED", 2)
    runs = [place.store.get_run(each["run_id"]) for each in found["trials"]]
    assert [run.status for run in runs] == ["FINISHED"] * 2
    assert {run.parent_run_id for run in runs} == {found["parent_run_id"]}
    assert {run.params["train.learning_rate"] for run in runs} == {"0.001", "0.003"}
    assert all(run.metrics["det.mAP50"] == pytest.approx(0.2) for run in runs)
    parent = place.store.get_run(found["parent_run_id"])
    assert parent.tags["exp.design"] == "sweep"
    assert found["best_run_id"] in {run.run_id for run in runs}


def promotion(place: Office) -> None:
    """Version 1 is the pipeline's, 2 the sweep's."""
    promote = ("promote", NAME, "--force", "--reason", "시험", "--version")
    first = place.do(*promote, "1")
    assert ("admin (" in first["entry"]["who"]) is (bool(place.uri) and has_logins())
    place.do(*promote, "2")
    assert place.aliases(NAME) == {"champion": "2", "rollback": "1"}
    place.do("rollback", NAME, "--reason", "back")
    assert place.aliases(NAME)["champion"] == "1"


def pulling(place: Office) -> None:
    """What the box gets is what was registered, signed by the team."""
    box = place.root / "box"
    pulled = place.do("pull", NAME, "--to", str(box))
    assert pulled["version"] == "1"
    weights = next((box / "current").resolve().rglob("*.pt"))
    source = place.store.download(run_of_version_1(place), "weights/best.pt", place.root / "source")
    assert sha256(weights) == sha256(source)
    place.do("keys", "make", "--to", str(place.root / "keys"), "--name", "team")
    place.do("sign", NAME, "--key", str(place.root / "keys/team.key"))
    key = ("--verify-key", str(place.root / "keys/team.pub"))
    place.do("pull", NAME, "--to", str(box), *key)
    assert place.do("pull", "--check", str(box), *key)["status"] == "INTACT"


def run_of_version_1(place: Office) -> str:
    code = (
        "from mlflow import MlflowClient; import json\n"
        f"found = MlflowClient().get_model_version({NAME.replace('/', '.')!r}, '1')\n"
        "print(json.dumps(dict(run=found.run_id)))"
    )
    run_id: str = place.ask(code)["run"]
    return run_id


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def copied_and_restored(place: Office, keeping: Keeping, repository: Path) -> None:
    def copy(what: str) -> None:
        program = [sys.executable, str(repository / "deploy/store_copy.py"), what]
        done = subprocess.run(
            [*program, str(place.root / "copy"), *keeping.place],
            env={**os.environ, **keeping.environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    copy("backup")
    keeping.wipe()
    copy("restore")


def test_the_check_of_the_team_s_settings(team: Team, tmp_path: Path, repository: Path) -> None:
    """All is well; with a wrong password it says so, and how to mend it."""
    place = Office(tmp_path, tmp_path / "work", repository, dict(team.settings), team.tracking_uri)
    answer = place.do("config", "check")
    assert [each["ok"] for each in answer["checks"]] == [True] * 4
    artifacts = answer["checks"][3]
    assert artifacts["address"].startswith("mlflow-artifacts:/")
    if not has_logins():
        pytest.skip("flask-wtf is not installed: the server has no logins")
    place.environment["MLFLOW_TRACKING_PASSWORD"] = "another-password-9"
    done = place.guardianflow("config", "check", "--json")
    assert done.returncode == 1
    tracking = json.loads(done.stdout.splitlines()[-1])["checks"][2]
    assert tracking["problem"] == "login"
    assert "MLFLOW_TRACKING_PASSWORD" in tracking["mend"]
    assert "another-password-9" not in done.stdout + done.stderr

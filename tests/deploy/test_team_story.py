"""One story on a laptop's store and on a team's servers, with nothing changed but settings.

Two trainings at once, promotion, rollback, the box's bundle; then everything is copied, wiped and
brought back.
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

SMALL = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
EXPERIMENT = "demo-construction/seoul-plant1/full"
NAME = f"{EXPERIMENT}/ppe"
EPOCHS = ("-p", "training.epochs=2")


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
    request: pytest.FixtureRequest, tmp_path: Path, repository: Path
) -> tuple[Office, Keeping]:
    made = Office(tmp_path, tmp_path / "work", repository)
    if request.param == "laptop":
        return made, laptop_keeping(tmp_path)
    team = request.getfixturevalue("team")
    made.uri = team.tracking_uri
    made.environment |= team.settings
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
    code = place.write_trainer("experiment")
    scenario = str(place.write_scenario())

    # Two at once, into one store.
    starts = [
        place.start(
            *(sys.executable, "-m", "apps.cli.main", "train", scenario, "-e", str(code)),
            *(*SMALL, *EPOCHS, "-p", f"environment.seed={seed}", "--json"),
        )
        for seed in (1, 2)
    ]
    said = [(each.communicate(timeout=600), each.returncode) for each in starts]
    assert [code for _, code in said] == [0, 0], said
    results = [last_json(out) for (out, _), _ in said]
    assert {each["status"] for each in results} == {"FINISHED"}
    assert {each["models"][0]["version"] for each in results} == {"1", "2"}

    promote = ("promote", NAME, "--force", "--reason", "시험", "--version")
    place.do(*promote, "1")
    place.do(*promote, "2")
    assert place.aliases(NAME) == {"champion": "2", "rollback": "1"}
    place.do("rollback", NAME, "--reason", "back")
    assert place.aliases(NAME)["champion"] == "1"

    before = place.ask(SNAPSHOT)
    runs = [each for each in before["runs"].values() if each[0] == EXPERIMENT]
    assert len(runs) == 2
    assert all("weights/best.onnx" in each[6] for each in runs)
    copied_and_restored(place, keeping, repository)
    assert place.ask(SNAPSHOT) == before

    # What the box gets is verified against the registered hashes.
    box = place.root / "box"
    place.do("pull", f"{NAME}@champion", "--to", str(box))
    weights = next((box / "current").resolve().rglob("*.onnx"))
    digests = {digest for each in runs for digest in each[6].values()}
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in digests


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

"""`guardianflow config show` and `config check`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from team_servers import free_port
from workplace import Workplace, last_json

from apps.cli.config.wording import CURES, UNREACHABLE, WRONG, how_to_mend, what_is_wrong
from guardianflow.run_tracking.services.answers import Cause
from pipelines.configuration.checks import Check, Problem, Service

SECRET = "correct-horse-battery-9"


@pytest.fixture
def place(tmp_path: Path, repository: Path) -> Workplace:
    return Workplace(tmp_path, tmp_path / "work", repository)


def test_every_cause_has_words_and_a_cure() -> None:
    own_words = {Cause.UNREACHABLE, Cause.CHECKSUM_FRAMES}
    for problem in (*Problem, *Cause):
        assert problem in WRONG
        assert (problem in CURES) != (problem in own_words)
        check = Check(Service.TRACKING, "http://mlflow", problem, "seen")
        assert what_is_wrong(check) and how_to_mend(check)
    assert set(UNREACHABLE) == {Service.TRACKING, Service.S3}


def test_frames_of_checksums_are_mended_where_the_upload_is_made() -> None:
    proxied = Check(Service.ARTIFACTS, "mlflow-artifacts:/1", Cause.CHECKSUM_FRAMES)
    straight = Check(Service.ARTIFACTS, "s3://mlflow/1", Cause.CHECKSUM_FRAMES)
    assert "AWS_REQUEST_CHECKSUM_CALCULATION" in how_to_mend(straight)
    assert "the environment;" in how_to_mend(straight)
    through = Check(**{**vars(proxied), "through_server": True})
    assert "the MLflow server's environment" in how_to_mend(through)


@pytest.mark.slow
def test_show_masks_secrets_and_names_sources(place: Workplace) -> None:
    (place.root / ".env").write_text(f"GUARDIANFLOW_DASHBOARD_TOKEN={SECRET}\n")
    place.environment["AWS_SECRET_ACCESS_KEY"] = SECRET + "-2"
    place.environment["GUARDIANFLOW_OF_OTHERS"] = "1"
    done = place.guardianflow("config", "show")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "GUARDIANFLOW_OF_OTHERS is no setting" in done.stderr
    done = place.guardianflow("config", "show", "--json")
    rows = {each["name"]: each for each in json.loads(done.stdout.splitlines()[-1])}
    token = rows["GUARDIANFLOW_DASHBOARD_TOKEN"]
    assert (token["value"], token["source"]) == ("********", ".env")
    assert rows["AWS_SECRET_ACCESS_KEY"]["source"] == "environment"
    assert rows["GUARDIANFLOW_WORK_DIR"]["value"] == str(place.work_dir)
    assert rows["GUARDIANFLOW_EXECUTOR"] == {
        "name": "GUARDIANFLOW_EXECUTOR",
        "value": "local",
        "source": "default",
        "meaning": "runs trials: processes of this machine, or a Ray cluster",
    }


@pytest.mark.slow
def test_check_of_a_laptop_without_a_server(place: Workplace) -> None:
    secrets = place.root / ".env"
    secrets.write_text(f"AWS_SECRET_ACCESS_KEY={SECRET}\n")
    secrets.chmod(0o644)
    done = place.guardianflow("config", "check", "--json")
    answer = last_json(done.stdout)
    checks = {each["service"]: each for each in answer["checks"]}
    assert (done.returncode, answer["status"]) == (1, "FAILED")
    assert checks["settings"]["mend"] == f"chmod 600 {secrets}"
    assert [name for name, each in checks.items() if not each["ok"]] == ["settings"]
    secrets.chmod(0o600)
    done = place.guardianflow("config", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok   artifact store: file://" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert list(place.work_dir.iterdir()) == []  # nothing of the trial is left


@pytest.mark.slow
def test_check_says_what_to_do_about_a_server_that_is_not_there(place: Workplace) -> None:
    place.environment["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{free_port()}"
    done = place.guardianflow("config", "check")
    assert done.returncode == 1
    assert "nothing answers there" in done.stdout
    assert "do:   start it, or correct MLFLOW_TRACKING_URI" in done.stdout
    assert "not tried: the tracking store can't be used" in done.stdout
    place.environment["GUARDIANFLOW_WROK_DIR"] = "/data"
    done = place.guardianflow("config", "check", "--json")
    assert done.returncode == 2
    assert "did you mean" in json.loads(done.stdout.splitlines()[-1])["error"]["message"]

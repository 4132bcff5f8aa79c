"""`guardianflow resume` where there is nothing to go on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from databases import copy_database

from apps.cli.options import ResumeCommand
from apps.cli.upkeep.resume import resume_run
from guardianflow.contracts.errors import ConfigurationError, SourceError
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.mlflow_store import MlflowStore
from pipelines.command_line import run_guarded


@pytest.fixture
def store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowStore:
    copy_database(empty_store, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    return MlflowStore(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_finished_run_is_told_and_is_no_failure(
    store: MlflowStore, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = store.start_run(RunRequest("a/b/c", "run"))
    store.end_run(run_id)
    assert resume_run(ResumeCommand(f"runs:/{run_id}", as_json=True)) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"run_id": run_id, "status": "FINISHED", "resumed": False}
    assert resume_run(ResumeCommand(run_id)) == 0
    assert "nothing is left to do" in capsys.readouterr().out


def test_a_wrong_id_names_the_nearest_and_ends_with_2(
    store: MlflowStore, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = store.start_run(RunRequest("a/b/c", "run"))
    store.end_run(run_id, RunStatus.FAILED)
    wrong = run_id[:-1] + ("0" if run_id[-1] != "0" else "1")
    with pytest.raises(SourceError, match=run_id):
        resume_run(ResumeCommand(wrong))
    code = run_guarded(lambda: resume_run(ResumeCommand(wrong, as_json=True)), as_json=True)
    assert code == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["exit_code"] == 2
    for odd in ("", " ", "runs:/", "models:/a/1", f"{run_id}/weights"):
        with pytest.raises(ConfigurationError, match="named by its id"):
            resume_run(ResumeCommand(odd))

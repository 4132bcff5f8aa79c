"""`guardianflow sync`: what it sends, what it says and what its exit code means."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from apps.cli.main import cli
from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.spool.store import SpooledStore
from pipelines.settings import load_settings
from pipelines.wiring import connect, connect_to_work

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def empty_store(tmp_path: Path) -> str:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    MlflowStore(uri)
    return uri


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A work directory in which a training under a dead server has left its journal."""
    store = SpooledStore(tmp_path / "work" / "spool", NOBODY, runtime_of, lambda _text: None)
    run_id = store.start_run(RunRequest("c/r-plant1/full", "ppe-v1"))
    store.log_metrics(run_id, {"det.mAP50": 0.5, "loss": 1.0}, step=1)
    (tmp_path / "best.pt").write_bytes(b"weights")
    store.log_files(run_id, tmp_path / "best.pt", "weights")
    store.end_run(run_id)
    store.close()
    return tmp_path / "work"


def call(*words: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(cli, ["sync", *words, "--json"])
    return result.exit_code, json.loads(result.stdout.strip().splitlines()[-1])


def test_what_is_left_stays_and_is_told_while_the_server_is_away(left: Path) -> None:
    code, answer = call("--work-dir", str(left))
    assert code == 1
    assert answer["status"] == "FAILED"
    (journal,) = answer["left"]
    assert (journal["points"], journal["files"], journal["store"]) == (2, 1, NOBODY)
    assert "can't be reached" in journal["reason"]
    text = CliRunner().invoke(cli, ["sync", "--work-dir", str(left)]).stdout
    assert "left 2 points, 1 file and 2 other records in" in text
    assert NOBODY in text


def test_a_copy_is_sent_to_the_store_under_the_address_it_has_here(
    left: Path, empty_store: str, tmp_path: Path
) -> None:
    copy = shutil.copytree(left, tmp_path / "stick")
    code, answer = call("--work-dir", str(copy), "--to", empty_store)
    assert (code, answer["status"], answer["left"]) == (0, "FINISHED", [])
    assert (answer["sent"]["points"], answer["sent"]["files"]) == (2, 1)
    (run,) = MlflowStore(empty_store).find_runs()
    assert (run.status, run.metrics) == ("FINISHED", {"det.mAP50": 0.5, "loss": 1.0})
    # the original as well: nothing is there twice
    code, answer = call("--work-dir", str(left / "spool"), "--to", empty_store)
    assert (code, answer["sent"]["points"]) == (0, 2)
    (again,) = MlflowStore(empty_store).find_runs()
    assert again == run
    code, answer = call("--work-dir", str(left), "--to", empty_store)
    assert (code, answer["sent"]["points"]) == (0, 0)


def test_bad_input_is_exit_code_2(tmp_path: Path) -> None:
    for words in (["--work-dir", str(tmp_path / "none")], ["--to", "mlflow:5000"]):
        code, answer = call(*words)
        assert code == 2
        assert words[1] in answer["error"]["message"]


@pytest.mark.parametrize(
    ("setting", "address", "spooled"),
    [
        ("auto", NOBODY, True),
        ("auto", "sqlite", False),
        ("on", "sqlite", True),
        ("off", "sqlite", False),
    ],
)
def test_the_setting_says_what_is_spooled(
    setting: str,
    address: str,
    spooled: bool,
    empty_store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUARDIANFLOW_SPOOL", setting)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    uri = empty_store if address == "sqlite" else address
    store = connect_to_work(uri).store
    assert isinstance(store, SpooledStore) == spooled
    assert load_settings().spool_dir.is_dir() == spooled
    assert not isinstance(connect(empty_store).store, SpooledStore), (
        "who only reads reads the store"
    )
    if isinstance(store, SpooledStore):
        store.close()


def test_another_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIANFLOW_SPOOL", "maybe")
    code, answer = call()
    assert code == 2
    assert "GUARDIANFLOW_SPOOL must be auto, on or off" in answer["error"]["message"]

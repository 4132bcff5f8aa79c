"""`guardianflow report`: fetches what the release run holds, and says what is wrong otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from release_reports import make_report

from apps.cli.main import cli
from apps.cli.report import put
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.results import RunRequest
from guardianflow.release.report.page import write_release_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A real store on SQLite with a release run, a run without a report, and their address."""
    from guardianflow.run_tracking.mlflow_store import MlflowStore

    home = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{home / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        store = MlflowStore(uri)
        made = {
            name: store.start_run(RunRequest("site/plant1/full", f"ppe-yolo11n-{name}-v1"))
            for name in ("release", "train")
        }
    write_release_report(make_report(), home / "report")
    store.log_files(made["release"], home / "report", "report")
    for run_id in made.values():
        store.end_run(run_id)
    return {**made, "uri": uri}


@pytest.fixture(autouse=True)
def home(runs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", runs["uri"])
    return tmp_path


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["report", *words])
    return result.exit_code, result.stdout, result.stderr


def test_the_page_is_fetched_in_the_language_asked_for(runs: dict[str, str], home: Path) -> None:
    run_id = runs["release"]
    code, shown, told = call(run_id)
    assert code == 0, told
    english = home / f"release-{run_id[:8]}.html"
    assert str(english) in shown
    assert "may be deployed" in english.read_text("utf-8")
    assert call(run_id, "--lang", "ko")[0] == 0
    korean = home / f"release-{run_id[:8]}.ko.html"
    assert "배포할 수 있습니다" in korean.read_text("utf-8")
    assert len(list(home.iterdir())) == 2


def test_the_file_says_the_format_and_json_says_the_file(runs: dict[str, str], home: Path) -> None:
    target = home / "보고서" / "릴리스.md"
    target.parent.mkdir()
    target.write_text("the old one", "utf-8")
    reference = f"runs:/{runs['release']}/report/release.html"  # as a version's tag has it
    code, text, told = call(reference, "--lang", "ko", "--to", str(target), "--json")
    assert code == 0, told
    assert json.loads(text.splitlines()[-1]) == {
        "run_id": runs["release"],
        "language": "ko",
        "format": "md",
        "file": str(target),
        "source": f"runs:/{runs['release']}/report/release.ko.md",
    }
    assert target.read_text("utf-8").startswith("# 릴리스 보고서")
    assert list(target.parent.iterdir()) == [target]


def test_a_directory_gets_the_usual_name(runs: dict[str, str], home: Path) -> None:
    (home / "reports").mkdir()
    assert call(runs["release"], "--to", "reports")[0] == 0
    assert (home / "reports" / f"release-{runs['release'][:8]}.html").is_file()


def test_a_run_without_a_report_is_bad_input_and_says_what_to_name(runs: dict[str, str]) -> None:
    code, text, told = call(runs["train"], "--json")
    assert code == 2
    assert "ppe-yolo11n-train-v1" in told and "no release report" in told
    assert "Name a release run" in told
    assert json.loads(text.splitlines()[-1])["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("0" * 32,), "0" * 32),
        (("runs:/",), "a run must be named by its id but got 'runs:/'"),
        (("RUN", "--to", "report.pdf"), "--to must end with .html or .md, or be a directory"),
        (("RUN", "--to", "nowhere/report.html"), "must lie in a directory that exists"),
    ],
)
def test_bad_input_is_told_with_exit_code_2(
    words: tuple[str, ...], said: str, runs: dict[str, str], home: Path
) -> None:
    code, _, told = call(*(runs["release"] if word == "RUN" else word for word in words))
    assert code == 2
    assert said in told
    assert list(home.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(
    runs: dict[str, str], home: Path
) -> None:
    (home / "release.md").mkdir()
    with pytest.raises(ConfigurationError, match=r"--to must be a file .*release\.md"):
        put(Path(__file__), home / "release.md")  # as if it had been made meanwhile
    code, _, told = call(runs["release"], "--to", "x" * 300 + ".html")
    assert code == 2 and "can't be used: File name too long" in told
    assert [each.name for each in home.iterdir()] == ["release.md"]


def test_help_explains_itself_with_examples() -> None:
    code, text, _ = call("--help")
    assert code == 0
    assert "Examples:" in text and "guardianflow report RUN_ID --lang ko" in text

"""`guardianflow metrics`: figures of the store beside mlflow.db, for people and programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stored_runs import FLEET

from apps.cli.main import cli
from guardianflow.metrics_store.store import MetricsStore


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    MetricsStore(tmp_path / "mlflow-metrics").save_metrics(FLEET)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["metrics", *words])


def test_a_summary_for_people_has_intervals_and_says_on_how_many_rows_a_mean_rests() -> None:
    shown = run("summary", "--customer", "donghwa-entec", "--type", "infer", "--json")
    (group,) = json.loads(shown.output.splitlines()[-1])["groups"]
    assert group["metrics"]["mAP50"]["rows"] == 2
    table = run("summary", "--customer", "한국철강")
    assert table.exit_code == 0
    assert "야적장" in table.output


def test_a_trend_of_a_class() -> None:
    shown = run("trend", "--metric", "det.ap.fire's", "--json")
    assert [each["value"] for each in json.loads(shown.output)["points"]] == [0.5]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_an_export_says_where_it_lies(place: Path, kind: str) -> None:
    shown = run("export", "--format", kind, "--output", "out", "--json")
    found = json.loads(shown.output)
    assert found == {"file": f"out/metrics.{kind}", "rows": len(FLEET)}
    assert (place / found["file"]).stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("summary", "--customer", "donghwa-entek"), "did you mean 'donghwa-entec'"),
        (("trend", "--metric", "mAP5O"), "did you mean 'mAP50'"),
        (("summary", "--days", "-1"), "days must be above 0"),
        (("export", "--output", "mlflow-metrics/journal/.lock"), "--output must be a directory"),
    ],
)
def test_bad_input_ends_with_2_and_what_was_expected(words: tuple[str, ...], said: str) -> None:
    refused = run(*words)
    assert refused.exit_code == 2
    assert said in refused.output


def test_a_store_that_is_switched_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIANFLOW_METRICS_STORE", "off")
    refused = run("summary")
    assert (refused.exit_code, "GUARDIANFLOW_METRICS_STORE" in refused.output) == (2, True)


def test_damaged_lines_are_told(place: Path) -> None:
    (journal,) = (place / "mlflow-metrics/journal").glob("*.jsonl")
    journal.write_bytes(journal.read_bytes() + b"{half\n")
    assert "1 lines of the journal are damaged" in run("summary").output

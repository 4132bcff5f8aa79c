"""`guardianflow alarms score` and `alarms tune`: rules judged and chosen without a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from alarm_footage import Spans, draw_recordings, seen
from click.testing import CliRunner
from recalling_detector import recalling_detector
from ruamel.yaml import YAML

from apps.cli.main import cli
from pipelines.measuring.alarms import detecting
from scenario import load_scenario

CLASSES = ("helmet", "person")
VAL: Mapping[str, Spans] = {f"cam{n % 2}/val{n}": ((20, 24), (60, 63)) for n in range(6)}
TEST: Mapping[str, Spans] = {f"cam{n % 2}/test{n}": ((30, 33), (70, 75)) for n in range(6)}
LOUD: Spans = ((5, 5), (50, 50))
"""A single picture each: a hold of two keeps them out."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    images = []
    for split, spans in (("val", VAL), ("test", TEST)):
        footage = draw_recordings(folder / "footage" / split, spans)
        images += seen(footage, {name: (*each, *LOUD) for name, each in spans.items()}, class_id=1)
    recalling_detector(folder / "model", images, CLASSES)
    (folder / "site.yaml").write_text(
        """\
name: gate
site: {customer: demo, region: seoul}
task: {type: ppe}
model: {architecture: yolo11n}
dataset: {path: demo://ppe}
environment: {device: cpu}
alarms:
  tolerance_s: 45
  recordings: {path: footage}
  rules:
    - {name: intruder, class: person, min_confidence: 0.3}
""",
        encoding="utf-8",
    )
    return folder


@pytest.fixture(autouse=True)
def at_site(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(site / "work"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")


def run(site: Path, *words: str, code: int = 0) -> str:
    command, *rest = words
    model = ["-m", str(site / "model" / "package")]
    result = CliRunner().invoke(cli, ["alarms", command, str(site / "site.yaml"), *model, *rest])
    assert result.exit_code == code, result.output
    return result.output


def last_object(output: str) -> dict[str, Any]:
    return dict(json.loads(output.splitlines()[-1]))


@pytest.mark.slow
def test_rules_are_scored_on_test_recordings_and_no_run_is_made(site: Path, tmp_path: Path) -> None:
    told = last_object(run(site, "score", "--json", "--to", str(tmp_path / "out")))
    assert told["split"] == "test"
    figures = told["figures"]
    assert (figures["incidents"], figures["hits"], figures["false"]) == (12, 12, 12)
    assert {row["outcome"] for row in told["incidents"]} == {"hit"}
    made = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert {"results/alarms.csv", "results/incidents.csv", "plots/alarms.png"} <= made
    shown = run(site, "score", "--split", "val", "-p", "alarms.rules.0.hold={frames: 2}")
    assert "12 incidents, 12 alarmed; 0 false alarms" in shown
    assert "6 val recordings of 2 cameras" in shown


@pytest.mark.slow
def test_what_is_chosen_on_val_keeps_the_limit_and_is_judged_on_test(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(site, "score")  # both splits are looked at by now, or here
    run(site, "score", "--split", "val")

    def looked(*_: object, **__: object) -> None:
        raise AssertionError("a recording is looked at again")

    monkeypatch.setattr("guardianflow.evaluation.alarms.detecting.detect_recording", looked)
    out = tmp_path / "tuned"
    words = ("tune", "--max-false-per-day", "2", "--to", str(out), "--json")
    told = last_object(run(site, *words))
    assert told["unseen"] is True
    assert (told["missed"], told["false_per_camera_day"]) == (0.0, 0.0)
    assert told["before"]["false"] == 12
    assert (told["after"]["false"], told["after"]["hits"]) == (0, 12)
    (rule,) = told["rules"]
    assert rule["hold"]["frames"] >= 2

    # The lines to paste give just that.
    lines = YAML(typ="safe").load(told["yaml"])
    (tuned,) = lines["alarms"]["rules"]
    overrides = [
        f"alarms.rules.0.min_confidence={tuned['min_confidence']}",
        f"alarms.rules.0.hold={json.dumps(dict(tuned['hold']))}",
    ]
    scenario = load_scenario(site / "site.yaml", overrides=overrides)
    assert scenario.alarms is not None
    assert scenario.alarms.alarm_rules()[0].hold.frames == rule["hold"]["frames"]
    assert (out / "rules.yaml").read_text(encoding="utf-8") == told["yaml"]
    assert (out / "curve.png").is_file()

    shown = run(site, *words[:3])
    assert "Chosen on val recordings" in shown
    assert "Paste over the same keys of these rules:" in shown


@pytest.mark.slow
def test_what_can_be_wrong(site: Path) -> None:
    told = run(site, "tune", "--max-false-per-day", "0", code=2)
    assert "--max-false-per-day must be above 0 but got 0" in told
    assert "tune needs a limit to keep" in run(site, "tune", code=2)
    told = run(site, "tune", "--max-false-per-day", "2", "--rule", "intrudr", code=2)
    assert "did you mean 'intruder'?" in told
    told = run(
        site, "tune", "--max-false-per-day", "2", "-p", "alarms.recordings.split=val", code=2
    )
    assert "rules are chosen on val and judged on test" in told
    told = run(site, "score", "-p", "alarms=", code=2)
    assert "has no section alarms" in told
    told = run(site, "score", "-p", "alarms.rules.0.class=persn", code=2)
    assert "did you mean 'person'?" in told
    told = run(site, "score", "-s", "abc", code=2)
    assert "name a model with -m or a run with -s, not both" in told
    assert detecting.MOST_BYTES > 0


def test_recordings_without_splits_are_chosen_and_judged_on_alike_and_it_is_said(
    site: Path,
) -> None:
    path = f"alarms.recordings.path={site / 'footage' / 'val'}"
    shown = run(site, "tune", "--max-false-per-day", "2", "-p", path)
    assert "they look better here than they are" in " ".join(shown.split())

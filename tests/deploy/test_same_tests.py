"""A pipeline, a sweep and a promotion, the same on SQLite and files as on PostgreSQL and S3."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from offices import Office
from team_servers import Team, has_logins
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


@pytest.fixture(params=["laptop", "team"])
def office(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Office:
    made = Office(tmp_path, tmp_path / "work", repository)
    if request.param == "team":
        team: Team = request.getfixturevalue("team")
        made.uri = team.tracking_uri
        for name, value in team.settings.items():
            monkeypatch.setenv(name, value)
    return made


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


def test_a_pipeline_a_sweep_and_a_promotion(office: Office) -> None:
    scenario = demo(office)
    pipeline(office, scenario)
    sweep(office, scenario)
    promotion(office)


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
    """Version 1 is the pipeline's, 2 the sweep's; the box gets the bytes that were registered."""
    promote = ("promote", NAME, "--force", "--reason", "시험", "--version")
    first = place.do(*promote, "1")
    assert ("admin (" in first["entry"]["who"]) is (bool(place.uri) and has_logins())
    place.do(*promote, "2")
    assert place.aliases(NAME) == {"champion": "2", "rollback": "1"}
    place.do("rollback", NAME, "--reason", "back")
    assert place.aliases(NAME)["champion"] == "1"
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

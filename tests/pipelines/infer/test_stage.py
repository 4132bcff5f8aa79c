"""Judging a model, however it is named; and what can't be judged is refused by name."""

from __future__ import annotations

import pytest
from machines import was_timed
from workplace import Workplace, last_json

from guardianflow.contracts.results import RunRequest

pytestmark = pytest.mark.slow

EXPERIMENT = "demo-construction/seoul-plant1/full"
SMALL = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
QUICK = ("--batch-sizes", "1,2", "--warmup", "1", "--runs", "20")


@pytest.mark.acceptance
def test_a_model_is_judged_by_run_alias_or_file(workplace: Workplace) -> None:
    scenario = str(workplace.write_scenario())
    code = str(workplace.write_trainer("mine"))
    words = ("-p", "training.epochs=1", "--json")
    trained = last_json(
        workplace.guardianflow("train", scenario, "-e", code, *SMALL, *words).stdout
    )
    name = trained["models"][0]["name"]

    by_run = workplace.guardianflow("infer", "-s", trained["run_id"], *QUICK, "--json")
    assert by_run.returncode == 0, by_run.stderr
    judged = last_json(by_run.stdout)
    assert judged["experiment_name"] == EXPERIMENT  # taken from the run's own scenario
    assert judged["metrics"]["det.images"] == 3  # the test split
    is_timed = was_timed(judged["metrics"], "bench.bs2.fps", "bench.bs2.latency_p50_ms")
    assert "bench.bs1.latency_p99_ms" not in judged["metrics"]  # 20 calls can't carry it
    run = workplace.store.get_run(judged["run_id"])
    assert run.tags["source.run_id"] == trained["run_id"]
    assert run.tags["det.evaluator"].startswith("guardianflow-coco/")
    pictures = ["plots/detections.png", *(["plots/latency.png"] if is_timed else [])]
    for artifact in ("results/predictions_model.npz", *pictures):
        assert workplace.store.download(run.run_id, artifact, workplace.root / "got").is_file()

    again = ("infer", "-m", f"models:/{name}@candidate", *QUICK, "--json")
    by_alias = last_json(workplace.guardianflow(*again).stdout)
    assert by_alias["reused"]  # the same files on the same images
    assert by_alias["run_id"] == judged["run_id"]

    package = workplace.store.download(trained["run_id"], "weights", workplace.root / "pulled")
    by_file = workplace.guardianflow(
        "infer", scenario, *SMALL, "-m", str(package / "best.onnx"), *QUICK, "--json"
    )
    assert by_file.returncode == 0, by_file.stderr
    assert last_json(by_file.stdout)["metrics"]["det.mAP50"] == judged["metrics"]["det.mAP50"]


@pytest.mark.acceptance
def test_what_can_not_be_started_from_is_named(workplace: Workplace) -> None:
    store = workplace.store
    failed = store.start_run(RunRequest(EXPERIMENT, "ppe-yolo11n-train-v1"))
    store.end_run(failed, "FAILED")
    empty = store.start_run(RunRequest(EXPERIMENT, "ppe-yolo11n-train-v1"))
    store.end_run(empty, "FINISHED")
    scenario = str(workplace.write_scenario())
    for source, said in ((failed, "is FAILED"), (empty, "no detector"), ("0" * 32, "no run")):
        done = workplace.guardianflow(
            "quant", scenario, "-s", source, "--backend", "onnx", "--json"
        )
        assert done.returncode == 2
        message = last_json(done.stdout)["error"]["message"]
        assert said in message, message
    assert len(store.find_runs(experiment_name=EXPERIMENT)) == 2

"""Training through the command line: what a user gets, and what is left when it goes wrong."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checkpoints import build_checkpoint
from leaking_data import leaking_data
from workplace import Workplace, last_json

from guardianflow.backends.hardware import cpu_model, gpu_names
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import TrainerError
from guardianflow.contracts.results import DetectorPackage
from pipelines.train.stage import require_activation

pytestmark = pytest.mark.slow

SMALL = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
EXPERIMENT = "demo-construction/seoul-plant1/full"


def train(workplace: Workplace, code: Path, *words: str) -> Any:
    return workplace.guardianflow(
        "train", str(workplace.write_scenario()), "-e", str(code), *SMALL, "--json", *words
    )


def statuses(workplace: Workplace) -> list[str]:
    return [run.status for run in workplace.store.find_runs(experiment_name=EXPERIMENT)]


def test_a_trainer_from_outside_ends_as_a_registered_candidate(workplace: Workplace) -> None:
    code = workplace.write_trainer("my_experiment")
    done = train(workplace, code, "-p", "training.epochs=3")
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert result["status"] == "FINISHED"
    assert result["experiment_name"] == EXPERIMENT
    assert result["run_name"] == "ppe-yolo11n-train-v1"
    (model,) = result["models"]
    assert model["aliases"] == ["candidate"]

    store = workplace.store
    run = store.get_run(result["run_id"])
    assert run.status == "FINISHED"
    assert run.params["train.epochs"] == "3"
    assert run.tags["sys.cpu"] == cpu_model()
    assert run.tags.get("sys.gpu", "") == ", ".join(gpu_names())
    assert run.tags["site.customer"] == "demo-construction"
    assert run.metrics["det.mAP50"] == pytest.approx(0.3)
    assert run.metrics["train.speed"] == 3.0
    for artifact in ("config/scenario.yaml", "config/resolved.json", "weights/best.onnx"):
        assert store.download(run.run_id, artifact, workplace.root / "got").is_file()
    assert run.tags["data.leak.val.share"] == run.tags["data.leak.test.share"] == "0"
    assert store.download(run.run_id, "results/leaks.csv", workplace.root / "got").is_file()
    log = store.download(run.run_id, "logs/stage.log", workplace.root / "got")
    assert log.is_file()

    again = last_json(train(workplace, code, "-p", "training.epochs=3").stdout)
    assert again["reused"]
    assert again["run_id"] == run.run_id
    assert again["models"] == result["models"]


def test_a_training_that_made_another_activation_than_was_asked_for_is_refused(
    tmp_path: Path,
) -> None:
    file = build_checkpoint("yolo11n", tmp_path / "best.pt")
    package = package_from_weights(file, tmp_path / "package", input_size=96)
    require_activation(package, "silu")
    with pytest.raises(TrainerError, match="asks for hardswish, but the trained network has silu"):
        require_activation(package, "hardswish")
    exported = DetectorPackage(package.directory, replace(package.spec, backend="onnx"))
    with pytest.raises(TrainerError, match=r"told of a \.pt alone, but the training ended with"):
        require_activation(exported, "silu")


def test_a_test_split_that_is_in_train_is_told_before_the_first_epoch(
    workplace: Workplace,
) -> None:
    code = workplace.write_trainer("my_experiment")
    data = leaking_data(workplace.root / "data", train=8, twins=4, others=4)
    done = train(workplace, code, "-p", f"dataset.path={data}")
    assert done.returncode == 0, done.stderr
    assert "50 % of the test images (4 of 8) have a twin in train" in done.stderr
    run = workplace.store.get_run(last_json(done.stdout)["run_id"])
    assert (run.tags["data.leak.test.share"], run.tags["data.leak.test.twins"]) == ("0.5", "4")
    for artifact, least in (("results/leaks.csv", 100), ("plots/leaks.png", 10_000)):
        file = workplace.store.download(run.run_id, artifact, workplace.root / "got")
        assert file.stat().st_size > least


def test_each_epoch_says_what_it_took_of_the_machine(workplace: Workplace) -> None:
    code = workplace.write_trainer("measured_experiment")
    options = ("-p", "training.epochs=2", "-p", "training.options.seconds_per_epoch=0.2")
    result = last_json(train(workplace, code, *options).stdout)
    history = {
        key: [(point.step, point.value) for point in metric_history(workplace, result, key)]
        for key in ("sys.cpu_utilization_pct", "sys.cpu_memory_used_mb", "det.mAP50")
    }
    assert [step for step, _ in history["det.mAP50"]] == [1, 2]
    for key in ("sys.cpu_utilization_pct", "sys.cpu_memory_used_mb"):
        assert [step for step, _ in history[key]] == [1, 2, 3], "the last is the whole training"
    assert all(0 <= value <= 100 for _, value in history["sys.cpu_utilization_pct"])
    assert all(value > 10 for _, value in history["sys.cpu_memory_used_mb"])
    run = workplace.store.get_run(result["run_id"])
    assert run.metrics["sys.cpu_memory_used_mb"] == history["sys.cpu_memory_used_mb"][-1][1]
    assert result["metrics"]["sys.cpu_memory_used_mb"] == run.metrics["sys.cpu_memory_used_mb"]
    assert "sys.model_params_m" not in run.metrics, "an ONNX file's are not known"


def metric_history(workplace: Workplace, result: Any, key: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(workplace.tracking_uri).get_metric_history(result["run_id"], key)


CHECKPOINT_TRAINER = """
class Trainer:
    def __init__(self, model_config, training_config, dataset_config, work_dir=None):
        self.classes, self.path = model_config.num_classes, str(work_dir / "best.pt")

    def train(self):
        import torch
        from ultralytics.nn.tasks import DetectionModel

        model = DetectionModel("yolo11n.yaml", nc=self.classes, verbose=False)
        model.names = dict(enumerate(NAMES))
        torch.save({"model": model.half(), "train_args": {}}, self.path)

    def get_best_model_path(self):
        return self.path
"""


def test_a_trained_checkpoint_says_how_large_it_is(workplace: Workplace) -> None:
    from demo_scenes.scene import CLASS_NAMES

    code = workplace.root / "checkpoint"
    code.mkdir()
    (code / "train.py").write_text(f"NAMES = {list(CLASS_NAMES)!r}\n{CHECKPOINT_TRAINER}", "utf-8")
    done = train(workplace, code)
    assert done.returncode == 0, done.stderr
    metrics = last_json(done.stdout)["metrics"]
    assert metrics["sys.model_params_m"] == pytest.approx(2.58, abs=0.05)
    assert 0.1 < metrics["sys.model_flops_g"] < 0.2, "6.3 at 640 pixels, here at 96"


def test_metrics_arrive_while_it_trains(workplace: Workplace) -> None:
    code = workplace.write_trainer("slow_experiment")
    process = workplace.start(
        *(sys.executable, "-m", "apps.cli.main", "train", str(workplace.write_scenario())),
        *("-e", str(code), *SMALL),
        *("-p", "training.epochs=60", "-p", "training.options.seconds_per_epoch=0.5"),
    )
    try:
        seen = wait_for(lambda: running_metric(workplace), process)
        assert 0 < seen < 6.0
    finally:
        os.kill(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    assert statuses(workplace) == ["KILLED"]


def running_metric(workplace: Workplace) -> float | None:
    for run in workplace.store.find_runs(experiment_name=EXPERIMENT, status="RUNNING"):
        if "det.mAP50" in run.metrics:
            return float(run.metrics["det.mAP50"])
    return None


def wait_for(look: Any, process: Any, seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.3)
    raise AssertionError("it did not come")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("raise RuntimeError('loss is NaN')", "RuntimeError: loss is NaN (train.py:"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL"),
        ("import os; os._exit(7)", "ended with code 7"),
    ],
)
def test_training_that_fails_ends_its_run_and_says_where_to_look(
    workplace: Workplace, before: str, said: str
) -> None:
    done = train(workplace, workplace.write_trainer("broken", before))
    assert done.returncode == 1
    error = last_json(done.stdout)["error"]
    assert said in error["message"]
    assert error["stage"] == "train"
    assert Path(error["log"]).is_file()
    assert (Path(error["log"]).parent / "training").is_dir(), "leads to what the trainer wrote"
    assert statuses(workplace) == ["FAILED"]
    assert workplace.store.get_run(error["run_id"]).tags["guardianflow.error"]


def test_bad_input_leaves_no_run(workplace: Workplace) -> None:
    empty = workplace.root / "empty"
    empty.mkdir()
    done = train(workplace, empty)
    assert done.returncode == 2
    assert "train.py" in last_json(done.stdout)["error"]["message"]
    assert statuses(workplace) == []


def test_what_the_built_in_trainer_can_t_do_leaves_no_run(workplace: Workplace) -> None:
    changes = ("model.architecture=yolo11q", "training.options.mosiac=1")
    words = [word for each in changes for word in ("-p", each)]
    scenario = str(workplace.write_scenario())
    done = workplace.guardianflow("train", scenario, *SMALL, "--json", *words)
    assert done.returncode == 2
    message = last_json(done.stdout)["error"]["message"]
    assert "but is 'yolo11q'; did you mean 'yolo11n'" in message
    assert "mosaic" in message
    assert statuses(workplace) == []


def test_a_data_set_that_contradicts_the_scenario_is_refused(workplace: Workplace) -> None:
    code = workplace.write_trainer("fine")
    done = train(workplace, code, "-p", "dataset.image_count=5")
    assert done.returncode == 2
    assert "says 5 images but 14" in last_json(done.stdout)["error"]["message"]
    assert statuses(workplace) == []

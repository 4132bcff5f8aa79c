"""Two releases as a site lives through them: every command a process, MLflow real."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from workplace import Workplace, last_json

NAME = "gatehouse/seoul-plant1/full/ppe"
TRAINER = '''
import sys
from pathlib import Path

sys.path.insert(0, {support!r})
from recalling_detector import recalling_detector
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset


class Trainer:
    """Learns the test images by heart, but for the share it is told to miss."""

    def __init__(self, model_config, training_config, dataset_config, work_dir=None):
        self.options, self.data = training_config.options, dataset_config
        self.size, self.work_dir = model_config.input_size, Path(work_dir)

    def train(self):
        self.on_epoch_end(1, {{"mAP50": 0.5}})

    def get_best_model_path(self):
        dataset = resolve_dataset(self.data.path, cache_dir=self.work_dir, base_dir=self.work_dir)
        images = read_labelled_images(dataset, "test")
        made = recalling_detector(
            self.work_dir / "made", images, dataset.class_names, size=self.size,
            missed=self.options["missed"],
        )
        return str(made.weights_path)
'''
SCENARIO = """
name: gatehouse
site: {customer: gatehouse, region: seoul}
task: {type: ppe}
model: {architecture: yolo11n, input_size: 96}
dataset: {path: "demo://ppe?images=120&size=96", version: v1}
environment: {device: cpu}
training: {epochs: 1, options: {missed: 0.25}}
benchmark: {batch_sizes: [1], warmup_runs: 1, benchmark_runs: 60}
release:
  min_mAP50: 0.5
  max_drop_vs_champion: {mAP50: 0.02}
"""


class Plant:
    """A workplace with a scenario, and commands that end in one JSON object."""

    def __init__(self, workplace: Workplace, repository: Path) -> None:
        self.workplace = workplace
        self.scenario = workplace.root / "gatehouse.yaml"
        self.scenario.write_text(SCENARIO, encoding="utf-8")
        self.code = workplace.root / "by_heart"
        self.code.mkdir()
        support = str(repository / "tests" / "helpers")
        (self.code / "train.py").write_text(TRAINER.format(support=support), encoding="utf-8")

    def command(self, *words: str, code: int = 0) -> Any:
        done = self.workplace.guardianflow(*words, "--json")
        assert done.returncode == code, done.stderr
        self.stderr = done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    def train(self, missed: float) -> str:
        told = ("-p", f"training.options.missed={missed}", "--code-path", str(self.code))
        run_id: str = self.command("train", str(self.scenario), *told)["run_id"]
        return run_id

    def release(self, run_id: str, *words: str, code: int = 0) -> dict[str, Any]:
        source = ("--source-run-id", run_id)
        result = self.command("release", str(self.scenario), *source, *words, code=code)
        return dict(result["release"])

    def champion(self) -> int:
        """As a deployment asks for it."""
        ask = (
            "import sys, mlflow\n"
            "client = mlflow.MlflowClient()\n"
            "found = client.get_model_version_by_alias(sys.argv[1], 'champion')\n"
            "mlflow.pyfunc.load_model(f'models:/{found.name}@champion')\n"
            "print(found.version)"
        )
        done = self.workplace.run(sys.executable, "-c", ask, NAME.replace("/", "."))
        assert done.returncode == 0, done.stderr
        return int(done.stdout)


@pytest.fixture
def plant(workplace: Workplace, repository: Path) -> Plant:
    return Plant(workplace, repository)


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_a_model_goes_to_the_site_a_worse_one_does_not_and_one_command_goes_back(
    plant: Plant,
) -> None:
    first = plant.train(0.25)
    plan = plant.command("release", str(plant.scenario), "-s", first, "--dry-run")
    assert plan["stages"][0]["source"] == f"pytorch_fp32 {first}"
    assert plant.release(first, "--fail-on-gate")["outcome"] == "pass"
    plant.command("promote", NAME)
    assert plant.champion() == 1

    decision = plant.release(plant.train(0.0), "-p", "release.auto_promote=on_pass")
    assert (decision["outcome"], decision["promoted"]) == ("pass", [NAME])
    assert plant.champion() == 2

    refused = plant.release(plant.train(0.4), "--fail-on-gate", code=1)
    assert refused["outcome"] == "fail"
    assert "FAIL max_drop_vs_champion.mAP50: mAP50 drops by" in plant.stderr
    refusal = plant.command("promote", NAME, "--version", "3", code=1)
    assert "failed its release" in refusal["error"]["message"]
    assert plant.champion() == 2

    unsure = plant.release(plant.train(0.03), "-p", "release.max_drop_vs_champion.mAP50=0.04")
    assert unsure["outcome"] == "undecided"
    (drop,) = [g for g in unsure["variants"][0]["gates"] if g["outcome"] == "undecided"]
    assert drop["cause"]["more"] >= 10
    assert f"about {drop['cause']['more']} more test images" in drop["reason"]

    plant.command("rollback", NAME, "--reason", "false alarms at night")
    assert plant.champion() == 1
    shown = plant.workplace.guardianflow("history", NAME).stdout
    for words in ("promote", "rollback", "false alarms at night", "on_pass"):
        assert words in shown


@pytest.mark.slow
def test_a_release_says_what_it_lacks_before_it_makes_a_run(plant: Plant) -> None:
    scenario = str(plant.scenario)
    for words, message in (
        ((), "name either a pipeline with --run"),
        (("--run", "f" * 32), "there is no run"),
        (("-p", "release=", "--run", "x"), "the scenario has no release section"),
    ):
        done = plant.workplace.guardianflow("release", scenario, *words, "--json")
        assert done.returncode == 2, done.stderr
        assert message in last_json(done.stdout)["error"]["message"]
    assert plant.workplace.store.find_runs(experiment_name="gatehouse/seoul-plant1/full") == []

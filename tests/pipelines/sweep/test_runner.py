"""Real sweeps of small trainings, killed where it hurts, and gone on with."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from detectors_of_a_site import sections
from ray_clusters import ray_cluster
from sweeps_at_work import (
    EXPERIMENT,
    TRAINING,
    at_work,
    command,
    ended_well,
    runs_of,
    training_now,
    wait_until,
    workers,
    write_code,
    write_scenario,
)
from workplace import Workplace, last_json

from pipelines.console import SilentReporter
from pipelines.settings import Settings
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import Planner, RunOptions
from pipelines.sweep.runner import SweepRunner
from pipelines.sweep.search.combinations import TrialRun
from pipelines.train.unfinished import all_unfinished
from scenario import build_scenario

pytestmark = pytest.mark.slow
GIVEN = {"training.learning_rate": 0.001}


def steps(workplace: Workplace, run_id: str) -> list[int]:
    from mlflow import MlflowClient

    points = MlflowClient(workplace.tracking_uri).get_metric_history(run_id, "det.mAP50")
    return sorted(point.step for point in points)


@pytest.mark.timeout(1500)
def test_twelve_trials_end_as_twelve_whoever_is_killed(workplace: Workplace) -> None:
    code = write_code(workplace)
    rates = [0.001, 0.002, 0.003, 0.004, 0.005, 0.006]
    longer = TRAINING.replace("seconds: 0.4", "seconds: 0.8")
    file = write_scenario(workplace, longer.format(rates=rates))

    sweep = workplace.start(*command(file, "-e", code))
    wait_until(sweep, lambda: ended_well(workplace) >= 2 and bool(training_now(workplace)))
    os.kill(training_now(workplace)[0], signal.SIGKILL)  # a trial
    wait_until(sweep, lambda: ended_well(workplace) >= 5 and bool(training_now(workplace)))
    os.kill(sweep.pid, signal.SIGKILL)  # the sweep; its trials see to themselves
    told = sweep.communicate()[1]
    assert "its parameters are tried again, try 2" in told

    parent = runs_of(workplace)[0].run_id
    done = workplace.run(*command(file, "-e", code, "--resume", parent, "--json"), timeout=900)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert (result["completed_runs"], result["total_runs"]) == (12, 12)
    assert result["run_id"] == parent
    assert result["best_metric"] == pytest.approx(4 * 0.006)

    run, trials = runs_of(workplace)
    assert {each.status for each in (run, *trials)} == {"FINISHED"}
    assert sorted(int(each.tags["sweep.index"]) for each in trials) == list(range(12))
    assert len({each.tags["sweep.params"] for each in trials}) == 12
    for each in trials:
        assert steps(workplace, each.run_id) == [1, 2, 3, 4], each.run_name
    resumed = [each for each in trials if each.tags.get("resumed.times")]
    assert resumed, "no trial went on in its own run"

    # Only the best three keep weights, and only the best is registered.
    with_weights = [each for each in trials if each.tags.get("sweep.weights") != "removed"]
    assert sorted(json.loads(each.tags["sweep.params"])["training.learning_rate"]
                  for each in with_weights) == [0.005, 0.006, 0.006]  # fmt: skip
    registered = [each for each in trials if "registered_model_name" in each.tags]
    assert [each.run_id for each in registered] == [result["best_run_id"]]
    assert run.metrics["sweep.completed"] == 12 and run.tags["best.run_id"] == result["best_run_id"]
    report = workplace.store.download(parent, "report", workplace.root / "got")
    assert {each.name for each in report.iterdir()} == {
        "sweep.csv", "sweep.parquet", "sweep.json", "sweep.md", "sweep.html", "history.png",
        "parallel_coordinates.png", "importance.png",
    }  # fmt: skip


@pytest.mark.timeout(900)
def test_a_training_that_was_pruned_goes_on_in_its_own_run_though_the_sweep_was_killed(
    workplace: Workplace,
) -> None:
    code = write_code(workplace)
    training = TRAINING.replace("epochs: 4", "epochs: 9").format(rates=[0.003, 0.002, 0.001])
    file = write_scenario(workplace, f"{training}  pruning: asha\n")

    def goes_on() -> bool:
        """Whether one that had been stopped reports again."""
        states = [state for _, state in all_unfinished(workplace.work_dir) if state.attempts > 1]
        return any(len(steps(workplace, each.run_id)) > 5 for each in states)

    sweep = workplace.start(*command(file, "-e", code))
    wait_until(sweep, goes_on)
    os.kill(sweep.pid, signal.SIGKILL)
    told = sweep.communicate()[1]
    assert "pruned after epoch 5" in told
    # On a busy machine it has trained another epoch before it hears that it shall stop.
    assert re.search(r"goes on after epoch \d+: it is among the best", told), told

    parent = runs_of(workplace)[0].run_id
    done = workplace.run(*command(file, "-e", code, "--resume", parent, "--json"), timeout=600)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert result["best_metric"] == pytest.approx(9 * 0.003)
    run, trials = runs_of(workplace)
    assert len(trials) == 6, "who goes on does it in its own run"
    whole = [each for each in trials if each.status == "FINISHED"]
    for each in whole:
        assert steps(workplace, each.run_id) == list(range(1, 10)), each.run_name
        assert each.tags["sweep.state"] == "complete" and "sweep.reason" not in each.tags
    assert [each.run_id for each in whole if each.run_id == result["best_run_id"]]
    stopped = [each for each in trials if each.status == "KILLED"]
    assert len(stopped) == 6 - len(whole) == run.metrics["sweep.pruned"] >= 4
    assert {each.tags["sweep.state"] for each in stopped} == {"pruned"}
    assert list(all_unfinished(workplace.work_dir)) == [], "nothing is left to go on with"


@pytest.fixture
def cluster() -> Iterator[None]:
    pytest.importorskip("ray")
    with TemporaryDirectory(prefix="ray") as folder, ray_cluster(Path(folder), cores=2):
        yield


def worker_of(workplace: Workplace, run_name: str) -> psutil.Process | None:
    """The Ray worker that has started the process of a trial."""
    for each in psutil.process_iter():
        with suppress(psutil.Error, OSError, StopIteration):
            words = each.cmdline()
            scratch = next(word for word in words if word.startswith(f"{workplace.work_dir}/"))
            request = json.loads((Path(scratch) / "request.json").read_text(encoding="utf-8"))
            if request["run_name"] == run_name:
                return each.parent()
    return None


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("cluster")
# Ray's own processes are ended, and not waited for, when a cluster is.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_twelve_trials_on_a_cluster_end_as_twelve_though_a_worker_is_killed(
    workplace: Workplace,
) -> None:
    code = write_code(workplace)
    rates = [0.001, 0.002, 0.003, 0.004, 0.005, 0.006]
    longer = TRAINING.replace("seconds: 0.4", "seconds: 0.8")
    file = write_scenario(workplace, longer.format(rates=rates))
    sweep = workplace.start(*command(file, "-e", code, "--executor", "ray", "--json"))
    killed: list[str] = []

    def kill_one_that_trains() -> bool:
        if ended_well(workplace) < 2:
            return False
        for run in runs_of(workplace)[1]:
            trains = run.status == "RUNNING" and steps(workplace, run.run_id)
            if trains and (worker := worker_of(workplace, run.run_name)) is not None:
                assert "ray::" in worker.cmdline()[0]
                worker.kill()
                killed.append(run.run_id)
                return True
        return False

    wait_until(sweep, kill_one_that_trains)
    printed, told = sweep.communicate(timeout=600)
    assert sweep.returncode == 0, told
    result = last_json(printed)
    assert (result["completed_runs"], result["total_runs"]) == (12, 12)
    assert "vanished" in told
    assert "its parameters are tried again, try 2" in told

    run, trials = runs_of(workplace)
    assert {each.status for each in (run, *trials)} == {"FINISHED"}
    assert sorted(int(each.tags["sweep.index"]) for each in trials) == list(range(12))
    assert len({each.tags["sweep.params"] for each in trials}) == 12
    for each in trials:
        assert steps(workplace, each.run_id) == [1, 2, 3, 4], each.run_name
    assert [each.run_id for each in trials if each.tags.get("resumed.times")] == killed


@pytest.mark.timeout(600)
def test_ctrl_c_ends_all_and_says_how_to_go_on(workplace: Workplace) -> None:
    code = write_code(workplace)
    longer = TRAINING.replace("seconds: 0.4", "seconds: 5")
    file = write_scenario(workplace, longer.format(rates=[0.001, 0.002]))
    sweep = workplace.start(*command(file, "-e", code))
    wait_until(sweep, lambda: len(training_now(workplace)) == 2)
    os.kill(sweep.pid, signal.SIGINT)
    _, told = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    run, trials = runs_of(workplace)
    assert f"--resume {run.run_id}" in told
    assert {each.status for each in (run, *trials)} == {"KILLED"}


@pytest.mark.timeout(600)
def test_a_sweep_that_was_made_of_something_else_is_not_gone_on_with(workplace: Workplace) -> None:
    code = write_code(workplace)
    file = write_scenario(workplace, TRAINING.format(rates=[0.001, 0.002]))
    sweep = workplace.start(*command(file, "-e", code))
    wait_until(sweep, lambda: len(workers(sweep)) == 2)
    os.kill(sweep.pid, signal.SIGINT)
    sweep.communicate(timeout=60)
    (parent, _) = runs_of(workplace)
    write_scenario(
        workplace, TRAINING.format(rates=[0.001, 0.002]).replace("epochs: 4", "epochs: 5")
    )
    refused = workplace.run(*command(file, "-e", code, "--resume", parent.run_id))
    assert refused.returncode == 2
    assert "made of something else: training.epochs 4 → 5. Change it back" in refused.stderr
    assert runs_of(workplace)[0].status == "KILLED"


WAYS = {
    "module": (sys.executable, "-m", "pipelines.sweep", "--scenario", "FILE", "--code-path", "CODE",
               "--learning_rate", "[0.001, 0.002]", "--json"),
    "mlflow": (sys.executable, "-m", "mlflow", "run", "REPOSITORY", "-e", "sweep", "--env-manager",
               "local", "-P", "scenario_path=FILE", "-P", "experiment_code_path=CODE", "-P",
               "learning_rate=[0.001, 0.002]", "-P", "parallel=2"),
    "run-scenario": (sys.executable, "-m", "apps.cli.main", "run-scenario", "FILE", "-e", "CODE",
                     "-p", "lr=[0.001, 0.002]", "--parallel", "2"),
    "python": (sys.executable, "-c", """
from pipelines import create_runner
from scenario import load_scenario

scenario = load_scenario('FILE', overrides={'design': 'single'})
runner = create_runner(
    scenario.with_sweep({'lr': [0.001, 0.002]}), experiment_code_path='CODE'
)
done = runner.run(metric_key='mAP50', parallel=2)
assert done.parent_run_id and done.best_run_id != done.parent_run_id
assert (done.completed_runs, done.total_runs, len(done.trials)) == (2, 2, 2)
assert done.best_params == {'training.learning_rate': 0.002}
assert abs(done.best_metric - 0.004) < 1e-9
"""),
}  # fmt: skip


@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS)
def test_a_sweep_is_asked_for_in_every_way(workplace: Workplace, way: str) -> None:
    code = write_code(workplace)
    more = "training: {epochs: 2, options: {seconds: 0.0}}\nsweep: {parameters: {lr: [9.0]}}"
    file = write_scenario(workplace, more)
    names = {"FILE": str(file), "CODE": str(code), "REPOSITORY": str(workplace.repository)}
    words = []
    for word in WAYS[way]:
        for name, path in names.items():
            word = word.replace(name, path)
        words.append(word)
    workplace.environment["PYTHONPATH"] = str(workplace.repository)
    done = workplace.run(*words, timeout=800)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    run, trials = runs_of(workplace)
    assert {each.status for each in (run, *trials)} == {"FINISHED"}
    assert sorted(json.loads(each.tags["sweep.params"])["training.learning_rate"]
                  for each in trials) == [0.001, 0.002]  # fmt: skip
    assert run.metrics["best.mAP50"] == pytest.approx(0.004)
    assert "registered_model_name" in workplace.store.get_run(run.tags["best.run_id"]).tags


@pytest.mark.timeout(900)
def test_two_sweeps_that_come_to_the_same_trials_share_them(workplace: Workplace) -> None:
    code = write_code(workplace)
    file = write_scenario(workplace, TRAINING.format(rates=[0.001]))
    first = workplace.start(*command(file, "-e", code))
    wait_until(first, lambda: at_work(workplace))
    second = workplace.start(*command(file, "-e", code, "-p", "name=other", "--json"))
    told, errors = second.communicate(timeout=700)
    assert second.returncode == 0, errors
    first.communicate(timeout=300)
    assert first.returncode == 0
    assert last_json(told)["completed_runs"] == 2
    runs = workplace.store.find_runs(experiment_name=EXPERIMENT, limit=1000)
    trained = [each for each in runs if each.tags["guardianflow.stage"] == "train"]
    assert len(trained) == 2, "each was trained once"
    assert {each.status for each in runs} == {"FINISHED"}


JUDGED = """
experiment_type: {kind}
environment: {{device: cpu}}
benchmark: {{batch_sizes: [1], warmup_runs: 1, benchmark_runs: 5}}
quantization: {{backend: onnx, precision: int8, calibration_size: 4}}
sweep:
  parameters: {parameters}
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kind", "parameters", "models"),
    [("infer", "{conf_threshold: [0.1, 0.3]}", 0),
     ("quant", "{calibration_method: [minmax, percentile]}", 1)],
)  # fmt: skip
def test_judgings_and_quantisations_are_swept_too(
    workplace: Workplace, tiny_weights: Path, kind: str, parameters: str, models: int
) -> None:
    workplace.environment["GUARDIANFLOW_QUIET_WAIT_S"] = "0"
    more = JUDGED.format(kind=kind, parameters=parameters)
    file = write_scenario(workplace, more)
    weights = f"model.weights_path={tiny_weights}"
    done = workplace.run(*command(file, "-p", weights, "--json"), timeout=800)
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert [each["state"] for each in result["trials"]] == ["complete", "complete"]
    assert len(result["models"]) == models
    run, trials = runs_of(workplace)
    assert {each.tags["guardianflow.stage"] for each in trials} == {kind}
    assert "best.mAP50" in run.metrics


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("stage", "design", "names"),
    [("sweep", "sweep: {parameters: {architecture: [yolo11q, yolo99x]}}",
      ["ppe-sweep-000 (model.architecture=yolo11q)", "ppe-sweep-001 (model.architecture=yolo99x)"]),
     ("compare", "comparison: {architectures: [yolo11q, yolo99x], repeats: 2}",
      ["arch-yolo11q-r1", "arch-yolo99x-r1"])],
)  # fmt: skip
def test_architectures_that_do_not_exist_are_all_told_before_a_run_is_made(
    workplace: Workplace, stage: str, design: str, names: list[str]
) -> None:
    file = write_scenario(workplace, design)
    refused = workplace.guardianflow(stage, str(file), timeout=800)
    assert refused.returncode == 2
    for name, wrong in zip(names, ("yolo11q", "yolo99x"), strict=True):
        assert f"{name}: " in refused.stderr
        assert f"can build, with its size in the name, but is '{wrong}'" in refused.stderr
    assert "did you mean 'yolo11" in refused.stderr
    assert workplace.store.find_runs() == []


def test_an_executor_that_is_none_is_told_before_a_run_is_made(workplace: Workplace) -> None:
    file = write_scenario(workplace, TRAINING.format(rates=[0.001, 0.002]))
    refused = workplace.run(*command(file, "--executor", "rai"))
    assert refused.returncode == 2, refused.stderr
    assert "must be one of local, ray, ray://HOST:PORT but got 'rai'" in refused.stderr
    assert workplace.store.find_runs() == []


def test_what_a_forced_sweep_has_begun_is_gone_on_with(tmp_path: Path) -> None:
    """Also with --force: a trial that crashed, or was pruned, is not trained from its beginning."""
    scenario = build_scenario(sections()).with_sweep({"learning_rate": [0.001, 0.002]})
    settings, options = Settings(work_dir=tmp_path), RunOptions(force=True)
    runner = SweepRunner(scenario, options, settings, LocalExecutor(SilentReporter()))
    planner, (trial,) = Planner(scenario, settings, options, ""), runner.trials.of(0, GIVEN)
    assert runner.request_of(planner, TrialRun(trial)).force
    assert not runner.request_of(planner, TrialRun(trial, run_id="abc")).force

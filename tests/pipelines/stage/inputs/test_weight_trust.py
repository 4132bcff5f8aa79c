"""Weights from elsewhere run nothing, whichever way they come in; who trusts them says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from checkpoints import TINY_SIDE as SIDE
from hostile_pickles import LIVE
from inprocess import InProcessExecutor
from workplace import Workplace, last_json
from wrapped_site import Site

from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import StageFailedError
from guardianflow.contracts.results import SPEC_FILE, DetectorPackage, RunRequest
from pipelines.command_line import parse_stage
from pipelines.runner import create_runner
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageRequest
from pipelines.wrap_batch.batch import WrapBatchOrder, load_batch, new_batch, request_of
from scenario import Scenario, build_scenario, load_scenario

SMALL = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
QUICK = ("--batch-sizes", "1", "--warmup", "1", "--runs", "10")
FOREIGN = "fractions.Fraction"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it ran"


@pytest.fixture
def hostile(tmp_path: Path, marker: Path) -> Path:
    file = tmp_path / "hostile.pt"
    file.write_bytes(LIVE["protocol 2"](marker))
    return file


@pytest.fixture
def foreign(tmp_path: Path, tiny_weights: Path) -> Path:
    """A detector whose checkpoint holds one thing more, of a class that no detector needs."""
    import torch

    content = torch.load(tiny_weights, weights_only=False)
    file = tmp_path / "foreign.pt"
    torch.save({**content, "share": Fraction(1, 3)}, file)
    return file


@pytest.fixture
def ask(executor: InProcessExecutor) -> Callable[..., StageRequest]:
    """(stage, source, weights, trust, options) → the order of a stage on drawn data."""

    def make(
        stage: str,
        source: Path | str = "",
        *,
        weights: Path | None = None,
        trust: bool = False,
        code: Path | None = None,
        **training: Any,
    ) -> StageRequest:
        scenario = build_scenario(
            {
                "name": "demo",
                "site": {"customer": "demo", "region": "seoul"},
                "task": {"type": "ppe"},
                "model": {
                    "architecture": "yolo11n",
                    "input_size": SIDE,
                    "weights_path": str(weights) if weights else None,
                },
                "dataset": {"path": "demo://ppe?images=14&size=96"},
                "training": {"epochs": 1, "batch_size": 4, **training},
                "benchmark": {"warmup_runs": 1, "benchmark_runs": 10, "batch_sizes": [1]},
                "quantization": {"backend": "onnx", "precision": "fp32"},
            }
        )
        options = RunOptions(trust_weights=trust, code_path=str(code) if code else "")
        planner = Planner(scenario, executor.settings, options, "")
        if stage == "train":
            return planner.train()
        if stage == "quant":
            return planner.quant(scenario.quantization_variants[0], str(source))
        return planner.infer(str(source))

    return make


def refused(executor: InProcessExecutor, request: StageRequest) -> str:
    """The error of a stage that left no run; its exit code is that of bad input."""
    with pytest.raises(StageFailedError) as caught:
        executor.run(request)
    assert caught.value.exit_code == 2
    assert executor.store.find_runs() == []
    return str(caught.value)


# --- a model to start from ------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["infer", "quant"])
def test_a_file_to_start_from_is_looked_at_first(
    stage: str, executor: InProcessExecutor, ask: Any, hostile: Path, marker: Path
) -> None:
    told = refused(executor, ask(stage, hostile))
    assert f"{hostile} would run '{__import__('os').system.__module__}.system'" in told
    assert "--trust-weights opens it all the same" in told
    assert not marker.exists()


def test_a_directory_of_trusted_weights_opens_what_lies_there_and_no_link_to_elsewhere(
    executor: InProcessExecutor,
    ask: Any,
    foreign: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    monkeypatch.setenv("GUARDIANFLOW_TRUSTED_WEIGHTS", f"{tmp_path / 'other'}:{trusted}")
    link = trusted / "link.pt"
    link.symlink_to(foreign)
    assert FOREIGN in refused(executor, ask("infer", link))
    inside = trusted / "foreign.pt"
    shutil.copyfile(foreign, inside)
    assert executor.run(ask("infer", inside)).status == "FINISHED"
    (run,) = executor.store.find_runs()
    assert run.tags["weights.foreign_names"] == FOREIGN


def test_a_package_that_somebody_names_vouches_for_nothing(
    executor: InProcessExecutor,
    ask: Any,
    trained: Path,
    hostile: Path,
    marker: Path,
    tmp_path: Path,
) -> None:
    place = tmp_path / "package"
    shutil.copytree(trained, place)
    spec = DetectorPackage.load(place).spec
    shutil.copyfile(hostile, place / spec.weights)
    claims = {**spec.lineage, "pickle_names": "posix.system os.system *"}
    (place / SPEC_FILE).unlink()
    DetectorPackage.create(place, replace(spec, lineage=claims))
    assert "would run" in refused(executor, ask("infer", place))
    assert not marker.exists()


def test_a_model_registered_before_weights_were_looked_into(
    executor: InProcessExecutor, ask: Any, foreign: Path, tmp_path: Path
) -> None:
    """Its lineage names nothing: it opens where it is trusted, and is refused before a run else."""
    made = package_from_weights(foreign, tmp_path / "made", input_size=SIDE, trusted=True)
    assert made.spec.lineage["pickle_names"] == FOREIGN
    registry, store = executor.registry, executor.store
    references = []
    for name, lineage in (("new", made.spec.lineage), ("old", {})):
        run = store.start_run(RunRequest("demo", "train"))
        package = DetectorPackage.create(made.directory, replace(made.spec, lineage=lineage))
        registry.register(run, package, f"demo/seoul-plant1/full/{name}")
        store.end_run(run)
        references.append(f"runs:/{run}")
    new, old = references
    executor.run(replace(ask("infer", new), check_only=True))
    with pytest.raises(StageFailedError, match=f"would run '{FOREIGN}'"):
        executor.run(replace(ask("infer", old), check_only=True))
    executor.run(replace(ask("infer", old, trust=True), check_only=True))


@pytest.mark.slow
def test_who_trusts_a_file_says_so_and_the_run_says_it_too(
    executor: InProcessExecutor, ask: Any, foreign: Path
) -> None:
    assert f"would run '{FOREIGN}'" in refused(executor, ask("infer", foreign))
    result = executor.run(ask("infer", foreign, trust=True))
    assert f"{foreign} is trusted and may run: {FOREIGN}" in executor.messages
    assert executor.store.get_run(result.run_id).tags["weights.foreign_names"] == FOREIGN


# --- weights to train from, for any trainer -------------------------------------------------------

EAGER = """
import pickle
from pathlib import Path

import torch


class Trainer:
    def __init__(self, model_config, training_config, dataset_config, work_dir=None):
        self.work_dir, self.weights = Path(work_dir), model_config.weights_path
        self.content = torch.load(self.weights, weights_only=False)

    def train(self):
        self.on_epoch_end(1, {"box_loss": 1.0})

    def get_best_model_path(self):
        best = self.work_dir / "best.pt"
        torch.save(self.content, best)
        return str(best)
"""


@pytest.fixture
def eager(tmp_path: Path) -> Path:
    """A trainer that opens what it is given, whatever it is."""
    (tmp_path / "eager").mkdir()
    (tmp_path / "eager" / "train.py").write_text(EAGER, encoding="utf-8")
    return tmp_path / "eager"


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.weights_of_mine", "folder"])
def test_a_trainer_gets_no_weights_that_would_run_something(
    name: str, executor: InProcessExecutor, ask: Any, eager: Path, hostile: Path, marker: Path
) -> None:
    place = hostile.with_name(name)
    if name == "folder":
        place.mkdir()
        shutil.copyfile(hostile, place / "last.PT")
    else:
        shutil.copyfile(hostile, place)
    told = refused(executor, ask("train", weights=place, code=eager))
    assert "would run" in told
    assert not marker.exists()


def test_nor_among_the_options_of_the_training(
    executor: InProcessExecutor, ask: Any, hostile: Path, marker: Path
) -> None:
    options = {"pretrained": str(hostile)}
    assert "would run" in refused(executor, ask("train", options=options))
    options = {"nested": [{"teacher": str(hostile)}]}
    assert "would run" in refused(executor, ask("train", options=options))
    assert not marker.exists()


@pytest.mark.slow
def test_a_training_vouches_for_what_it_made(
    executor: InProcessExecutor, ask: Any, eager: Path, foreign: Path
) -> None:
    """Its code has run already; the registered model opens from then on, and says what it names."""
    trained = executor.run(ask("train", weights=foreign, code=eager, trust=True))
    assert f"what the training starts from is trusted and may run: {FOREIGN}" in executor.messages
    said = f"the trained weights hold the experiment's code and may run: {FOREIGN}"
    assert said in executor.messages
    assert executor.store.get_run(trained.run_id).tags["weights.foreign_names"] == FOREIGN
    judged = executor.run(ask("infer", f"runs:/{trained.run_id}"))
    assert executor.store.get_run(judged.run_id).tags["weights.foreign_names"] == FOREIGN


# --- the weights of a wrapped script --------------------------------------------------------------

COPY = "import shutil; shutil.copyfile({file!r}, 'best.pt')\n"


@pytest.fixture
def site(tmp_path: Path, executor: InProcessExecutor) -> Site:
    return Site(tmp_path, executor)


@pytest.mark.slow
def test_a_wrapped_scripts_weights_are_looked_at_and_cost_no_run(
    site: Site, hostile: Path, marker: Path, foreign: Path
) -> None:
    site.script("학습_v2.py", COPY.format(file=str(hostile)))
    outcome = site.wrap()
    assert (outcome.status, outcome.model) == ("FINISHED", None)
    (told,) = [note for note in outcome.notes if "best.pt can't be used" in note]
    assert "would run" in told
    assert "--trust-weights" in told
    assert not marker.exists()

    site.script("학습_v2.py", COPY.format(file=str(foreign)) + "# again\n")
    outcome = site.wrap(trust_weights=True)
    assert outcome.model is not None, outcome.notes
    assert site.store.get_run(outcome.run_id).tags["weights.foreign_names"] == FOREIGN
    assert any(f"may run: {FOREIGN}" in note for note in outcome.notes)


# --- the command line -----------------------------------------------------------------------------


@pytest.mark.acceptance
def test_the_flag_of_the_command(
    workplace: Workplace, hostile: Path, marker: Path, foreign: Path
) -> None:
    scenario = str(workplace.write_scenario())
    words = ("infer", scenario, *SMALL, *QUICK, "--json", "-m")
    done = workplace.guardianflow(*words, str(hostile))
    assert done.returncode == 2
    assert "would run" in last_json(done.stdout)["error"]["message"]
    weights = ("-p", f"model.weights_path={hostile}")
    done = workplace.guardianflow("train", scenario, *SMALL, *weights, "--json")
    assert done.returncode == 2
    assert "would run" in last_json(done.stdout)["error"]["message"]
    assert not marker.exists()
    assert workplace.store.find_runs() == []
    done = workplace.guardianflow(*words, str(foreign), "--trust-weights")
    assert done.returncode == 0, done.stderr
    assert f"may run: {FOREIGN}" in done.stdout + done.stderr


@pytest.mark.parametrize("stage", ["train", "infer", "quant", "full_pipeline", "compare"])
def test_mlflow_run_passes_it_on(stage: str) -> None:
    """`-P trust-weights=true` arrives as `--trust-weights true`."""
    for words, expected in (
        (["--trust-weights", "true"], True),
        (["--trust-weights"], True),
        ([], False),
    ):
        asked, _ = parse_stage(stage, ["--scenario", "s.yaml", *words])
        assert asked.trust_weights is expected


def test_python_and_a_batch_pass_it_on(ask: Any, tmp_path: Path) -> None:
    request = ask("infer", "x.pt")
    scenario = load_scenario_text(request.scenario_yaml, tmp_path)
    for trusting in (True, False):
        runner = create_runner(scenario, source_run_id="x.pt", trust_weights=trusting)
        assert [each.trust_weights for each in runner.planned()] == [trusting]
    batch = new_batch(WrapBatchOrder("train", "e.yaml", trust_weights=True), ["one"], tmp_path)
    batch.folder.mkdir(parents=True)
    batch.save()
    again = load_batch(batch.batch_id, tmp_path)
    assert request_of(again, "one").trust_weights


def load_scenario_text(text: str, folder: Path) -> Scenario:
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return load_scenario(folder / "s.yaml")

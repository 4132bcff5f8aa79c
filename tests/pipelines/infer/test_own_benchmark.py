"""An author's Benchmark in an infer run: its boxes and tracks are judged as any detector's are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inprocess import InProcessExecutor
from machines import was_timed
from recalling_detector import recalling_detector

from demo_scenes.scene import CLASS_NAMES
from guardianflow.contracts.errors import ExperimentCodeError, StageFailedError
from guardianflow.contracts.results import StageResult
from guardianflow.evaluation.mot.tracker import match_classes
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.mot.sequences import resolve_sequences
from pipelines.stage.plan import Planner, RunOptions
from scenario import Scenario, build_scenario

DATA = "demo://ppe?images=24&size=96"
CROSSING = "demo://crossing?frame_rate=30&frames=20&size=96"
HEAD = """
import json
from pathlib import Path

class Benchmark:
    def __init__(self, model_config, benchmark_config, dataset_config, detector=None,
                 work_dir=None, class_names=None, environment_config=None):
        self.detector, self.work_dir = detector, work_dir
        assert Path(model_config.weights_path).is_file()
        assert Path(dataset_config.path).is_file() and dataset_config.split == "test"
        assert model_config.num_classes == len(class_names) == 4
"""
SAME = """
    def predict(self, images):
        found = self.detector.predict(images, confidence=0.001, iou=0.7, multi_label=True)
        return [(each.boxes_xyxy, each.scores, each.class_ids) for each in found]
"""
Run = Callable[..., StageResult]


def scenario_of(**benchmark: Any) -> Scenario:
    return build_scenario(
        {
            "name": "demo",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n", "input_size": 96},
            "dataset": {"path": DATA},
            "benchmark": {
                "batch_sizes": [1, 2],
                "warmup_runs": 1,
                "benchmark_runs": 20,
                **benchmark,
            },
        }
    )


@pytest.fixture
def model(executor: InProcessExecutor, tmp_path: Path) -> Path:
    """A detector that misses every third object of the test split."""
    data = resolve_dataset(DATA, cache_dir=executor.settings.datasets_dir)
    images = read_labelled_images(data, "test")
    made = recalling_detector(tmp_path / "model", images, CLASS_NAMES, missed=0.3)
    return made.directory


@pytest.fixture
def run(executor: InProcessExecutor, model: Path, tmp_path: Path) -> Run:
    """An infer run with the benchmark.py whose text is given; with our own way for ''."""

    def run(body: str, head: str = HEAD, **benchmark: Any) -> StageResult:
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        if body:
            (folder / "benchmark.py").write_text(head + body, encoding="utf-8")
        options = RunOptions(code_path=str(folder)) if body else RunOptions()
        planner = Planner(scenario_of(**benchmark), executor.settings, options, "")
        return executor.run(planner.infer(str(model)))

    return run


def failure(run: Run, body: str, **more: Any) -> StageFailedError:
    with pytest.raises(StageFailedError) as caught:
        run(body, **more)
    return caught.value


def test_the_same_boxes_are_worth_the_same_whoever_finds_them(
    run: Run, executor: InProcessExecutor, tmp_path: Path
) -> None:
    ours = run("")
    theirs = run(SAME)
    assert 0.4 < ours.metrics["det.mAP50"] < 0.9
    for key, value in ours.metrics.items():
        if key.startswith("det."):
            assert theirs.metrics[key] == value, key
    assert (ours.author, theirs.author) == ("", "Benchmark (benchmark.py)")
    # What one can't look into has no stages, and nothing stands for them.
    singly = was_timed(theirs.metrics, "bench.bs1.fps", "bench.bs1.latency_p50_ms", "sys.fps")
    is_timed = was_timed(theirs.metrics, "bench.bs2.fps") and singly
    absent = [k for k in theirs.metrics if "inference_time" in k or "processing_time" in k]
    assert absent == []
    made = executor.store.get_run(theirs.run_id)
    assert made.tags["guardianflow.author_class"] == "Benchmark (benchmark.py)"
    assert made.tags["experiment_code_fingerprint"]
    assert "det.lowest_score" not in made.tags or float(made.tags["det.lowest_score"]) > 0.01
    pictures = ["plots/detections.png", *(["plots/latency.png"] if is_timed else [])]
    for name in ("results/predictions_model.npz", *pictures):
        assert executor.store.download(made.run_id, name, tmp_path / "got").is_file()
    if is_timed:
        latency = executor.store.download(made.run_id, "results/latency.json", tmp_path / "got")
        timed = json.loads(latency.read_text(encoding="utf-8"))["latency"]["model"]
        assert [(each["batch_size"], each["runs"]) for each in timed] == [(1, 20), (2, 20)]

    again = run(SAME)
    assert (again.reused, again.run_id, again.author) == (True, theirs.run_id, theirs.author)
    changed = run(SAME + "    # nothing but a comment: the author's file is another\n")
    assert not changed.reused


def test_the_truth_is_worth_one_and_a_whole_split_has_no_times(
    run: Run, executor: InProcessExecutor, tmp_path: Path
) -> None:
    data = resolve_dataset(DATA, cache_dir=executor.settings.datasets_dir)
    truth = {
        image.path.name: [image.boxes_xyxy.tolist(), image.class_ids.tolist()]
        for image in read_labelled_images(data, "test")
    }
    answers = tmp_path / "truth.json"
    answers.write_text(json.dumps(truth), encoding="utf-8")
    result = run(
        f"""
    def predict_split(self, image_paths):
        truth = json.loads(Path({str(answers)!r}).read_text())
        (self.work_dir / "notes.csv").write_text("image,boxes\\n")
        for path in image_paths:
            boxes, class_ids = truth[path.name]
            yield {{"boxes_xyxy": boxes, "scores": [0.9] * len(boxes), "class_ids": class_ids}}

    def extra_metrics(self):
        return {{"tiles": 4, "seconds": float("nan")}}
"""
    )
    assert result.metrics["det.mAP50_95"] == result.metrics["det.f1"] == 1.0
    assert result.metrics["bench.tiles"] == 4
    assert [key for key in result.metrics if key.startswith("bench.")] == ["bench.tiles"]
    assert not [key for key in result.metrics if "fps" in key or "latency" in key]
    assert "seconds of extra_metrics() is NaN or infinite and is left out" in executor.messages
    said = [text for text in executor.messages if "what scores less was cut away" in text]
    assert len(said) == 1
    assert "0.900" in said[0]
    assert executor.store.get_run(result.run_id).tags["det.lowest_score"] == "0.9"
    kept = executor.store.download(result.run_id, "benchmark/results/notes.csv", tmp_path / "got")
    assert kept.is_file()


TRACKER = """
    def predict(self, images):
        return [([], [], []) for _ in images]

    def track(self, frames, frame_rate):
        for number, frame in enumerate(frames, start=1):
            yield json.loads((Path(__file__).parent / "truth.json").read_text())[str(number)]
"""


@pytest.mark.slow
def test_its_tracks_are_judged_as_tracks(
    run: Run, executor: InProcessExecutor, tmp_path: Path
) -> None:
    (sequence,) = resolve_sequences(
        [CROSSING], cache_dir=executor.settings.datasets_dir, search_dirs=[]
    )
    truth, answers = sequence.truth, {}
    pairs = match_classes(CLASS_NAMES, [sequence]).pairs[sequence.name]
    known = {theirs: ours for ours, theirs in pairs.items()}
    for frame in range(1, sequence.length + 1):
        judged = np.isin(truth.class_ids, list(known)) & truth.counted
        here = truth.where((truth.frames == frame) & judged)
        corner = here.boxes_ltwh[:, :2] - sequence.first_pixel
        boxes = np.concatenate([corner, corner + here.boxes_ltwh[:, 2:]], axis=1)
        answers[frame] = [
            boxes.tolist(),
            [0.9] * len(here),
            [known[int(each)] for each in here.class_ids],
            here.ids.tolist(),
        ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "truth.json").write_text(json.dumps(answers), encoding="utf-8")
    result = run(TRACKER, use_tracking=True, sequences=[CROSSING])
    for key in ("mot.mota", "mot.idf1", "mot.hota"):
        assert result.metrics[key] == pytest.approx(1.0, abs=1e-4), key
    assert result.metrics["mot.id_switches"] == 0
    tags = executor.store.get_run(result.run_id).tags
    assert tags["mot.tracker"] == "Benchmark (benchmark.py)"
    assert result.metrics["det.mAP50"] == 0.0  # it found nothing in single images: measured

    # Without a tracker of its own, the scenario's follows what predict finds.
    plain = run(SAME, use_tracking=True, sequences=[CROSSING])
    assert executor.store.get_run(plain.run_id).tags["mot.tracker"] == "bytetrack"
    assert "mot.mota" in plain.metrics


def test_a_benchmark_that_fails_is_named_with_its_line_and_leaves_a_failed_run(
    run: Run, executor: InProcessExecutor
) -> None:
    error = failure(run, "\n    def predict(self, images):\n        return helper(images)\n")
    assert error.exit_code == 1
    assert "predict() of Benchmark raised NameError: name 'helper'" in error.reason
    assert 'benchmark.py", line 14, in predict' in error.reason
    record = executor.store.get_run(str(error.run_id))
    assert record.status == "FAILED"
    assert not [key for key in record.metrics if key.startswith(("det.", "bench."))]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    pass\n", "lacks a method predict or predict_split"),
        ("    def predict(self):\n        pass\n", "predict is called with (images) but takes 0"),
        ("    def predict(self, images, more): ...\n", "called with (images) but asks for more"),
        (
            "    def predict_split(self, image_paths): ...\n    track = 3\n",
            "track must be a method but is 3",
        ),
        ("import not_there_at_all\n", "imports 'not_there_at_all', which is not installed"),
    ],
)
def test_a_class_that_breaks_the_contract_is_refused_before_a_run(
    run: Run, executor: InProcessExecutor, body: str, words: str
) -> None:
    error = failure(run, body)
    assert error.exit_code == 2
    assert words in error.reason
    assert executor.store.find_runs(tags={"guardianflow.stage": "infer"}) == []


def test_tracking_by_one_that_takes_no_single_frames_is_refused_before_a_run(
    run: Run, executor: InProcessExecutor
) -> None:
    error = failure(
        run,
        "    def predict_split(self, image_paths): ...\n",
        use_tracking=True,
        sequences=[CROSSING],
    )
    assert error.exit_code == 2
    assert "must have track(frames, frame_rate) or predict(images)" in error.reason
    assert executor.store.find_runs(tags={"guardianflow.stage": "infer"}) == []


def planner_of(executor: InProcessExecutor, code: Path | str, **more: Any) -> Planner:
    options = RunOptions(code_path=str(code))
    return Planner(scenario_of(), executor.settings, options, "", **more)


def test_where_there_is_no_benchmark_the_built_in_way_is_taken_and_told(
    run: Run, executor: InProcessExecutor, model: Path, tmp_path: Path
) -> None:
    ours = run("")
    folder = tmp_path / "trainer_alone"
    folder.mkdir()
    (folder / "train.py").write_text("class Trainer: ...\n", encoding="utf-8")
    planner = planner_of(executor, folder)
    assert planner.code_notes("infer") == [
        f"{folder} has no benchmark.py with a Benchmark: "
        "GuardianFlow finds the boxes and times that"
    ]
    request = planner.infer(str(model))
    assert request.code_shown == "the built-in way (benchmark.py is not there)"
    assert executor.run(request).run_id == ours.run_id  # nothing of it depends on a Trainer
    assert planner_of(executor, "experiments_adapters/yolo").code_notes("infer") == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "does not exist"),
        ({"evaluate.py": "class Benchmark: ..."}, "has no benchmark.py in .* e.g. '.*evaluate.py'"),
        ({"benchmark.py": "class Bencmark: ..."}, "Did you mean 'Bencmark'"),
        ({"benchmark.py": "class Benchmark(:"}, r"benchmark\.py:1:17: .*Python can't read"),
    ],
)
def test_code_that_is_none_is_refused_while_planning(
    executor: InProcessExecutor, tmp_path: Path, files: dict[str, str], words: str
) -> None:
    folder = tmp_path / "mine"
    for name, text in files.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(ExperimentCodeError, match=words):
        planner_of(executor, folder).infer("best.pt")


def test_a_file_may_hold_it_and_a_plan_names_it(
    executor: InProcessExecutor, tmp_path: Path
) -> None:
    file = tmp_path / "evaluate.py"
    file.write_text(
        "from experiments_adapters.base import BaseBenchmark\n"
        "raise SystemExit('a plan runs nothing')\n"
        "class Tiled(BaseBenchmark):\n    def predict(self, images): ...\n",
        encoding="utf-8",
    )
    assert planner_of(executor, file).infer("best.pt").code_shown == f"Tiled of {file}"
    # In a chain one file need not hold every class; alone it must.
    chain = planner_of(executor, file, shared_code=True)
    assert chain.code("train").note.endswith("the built-in YOLO experiment trains")
    with pytest.raises(ExperimentCodeError, match="has no class Trainer; its classes are Tiled"):
        planner_of(executor, file).train()


def test_the_chains_first_check_finds_what_is_wrong_with_later_code(
    executor: InProcessExecutor, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "benchmark.py").write_text("class Benchmark: ...\n", encoding="utf-8")
    planner = planner_of(executor, folder, shared_code=True)
    check = planner.check(planner.train(), "quant", "infer")
    assert check.later_code == {"infer": str(folder)}
    with pytest.raises(StageFailedError, match="lacks a method predict or predict_split"):
        executor.run(replace(check, register=False))
    assert executor.store.find_runs() == []

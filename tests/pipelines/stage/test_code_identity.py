"""A stage is done anew when code that makes its result has changed, and only then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipelines.stage import code_identity
from pipelines.stage.code_identity import OUR_PACKAGES, code_digest, code_of, entry_modules

STAGES = {
    "train": ("pytorch",),
    "quant": ("pytorch", "openvino"),
    "infer": ("openvino",),
    "release": ("pytorch", "openvino", "onnx"),
}
BACKENDS, EVALUATION = "guardianflow/backends", "guardianflow/evaluation"
IMAGES = f"{EVALUATION}/images"
EVERYWHERE = {
    "guardianflow.backends.catalogue",
    "guardianflow.backends.sessions",
    "guardianflow.contracts.results",
    "guardianflow.detector",
    "guardianflow.evaluation.images.postprocessing",
    "guardianflow.evaluation.images.preprocessing",
    "guardianflow.run_tracking.model_files",
    "guardianflow.run_tracking.runtime_copy",
    "guardianflow.site_data.datasets",
    "guardianflow.site_data.labels",
    "guardianflow.support.pictures.decoding",
    "guardianflow.support.pictures.headers",
    "pipelines.stage.inputs.data_sets",
    "pipelines.stage.inputs.sources",
}
JUDGING = {
    "guardianflow.evaluation.accuracy.average_precision",
    "guardianflow.evaluation.accuracy.detection",
    "guardianflow.evaluation.accuracy.significance",
    "guardianflow.evaluation.timing.latency",
    "guardianflow.evaluation.timing.order_statistics",
    "pipelines.measuring.accuracy",
    "pipelines.measuring.timing",
    "pipelines.stage.backend_check",
}
MUST_HAVE = {
    "train": {
        "experiments_adapters.code_path",
        "experiments_adapters.metrics",
        "experiments_adapters.yolo.arguments",
        "experiments_adapters.yolo.engine",
        "experiments_adapters.yolo.ranks.rank",
        "experiments_adapters.yolo.train",
        "guardianflow.backends.pytorch",
        "guardianflow.backends.weights.packages",
        "pipelines.train.stage",
    },
    "quant": {
        *JUDGING,
        "experiments_adapters.yolo.finetune",
        "guardianflow.backends.exporting",
        "guardianflow.backends.openvino.quantisation",
        "guardianflow.backends.openvino.recipes",
        "guardianflow.backends.openvino.runtime",
        "guardianflow.backends.openvino.trainable_network",
        "guardianflow.backends.pytorch",
        "guardianflow.backends.quantisation.detection_tail",
        "pipelines.quant.calibration",
        "pipelines.quant.qat",
        "pipelines.quant.search",
        "pipelines.quant.stage",
    },
    "infer": {
        *JUDGING,
        "guardianflow.backends.openvino.runtime",
        "guardianflow.evaluation.mot.scores",
        "guardianflow.evaluation.mot.tracker",
        "guardianflow.evaluation.timing.throughput",
        "guardianflow.site_data.mot.sequences",
        "pipelines.infer.stage",
        "pipelines.measuring.mot",
    },
    "release": {
        *JUDGING,
        "guardianflow.backends.onnx.runtime",
        "guardianflow.backends.openvino.runtime",
        "guardianflow.release.decision",
        "guardianflow.release.gates.judging",
        "pipelines.release.decision",
        "pipelines.release.measurement",
        "pipelines.release.stage",
    },
}
ALL = set(STAGES)
JUDGED = ALL - {"train"}

Codes = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def project(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our code, to be changed."""
    place = tmp_path_factory.mktemp("project")
    for package in OUR_PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / package, place / package, ignore=ignored)
    return place


@pytest.fixture(scope="module")
def unchanged(project: Path) -> Codes:
    return codes(project)


def codes(project: Path) -> Codes:
    return {
        stage: code_of(entry_modules(stage, backends), project)
        for stage, backends in STAGES.items()
    }


@contextmanager
def rewritten(file: Path, new: str) -> Iterator[None]:
    text = file.read_text(encoding="utf-8")
    file.write_text(new, encoding="utf-8")
    yield
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("stage", STAGES)
def test_what_makes_a_stages_result_is_in_its_code(stage: str, unchanged: Codes) -> None:
    assert EVERYWHERE | MUST_HAVE[stage] <= unchanged[stage].keys()


@pytest.mark.parametrize("stage", STAGES)
def test_faces_and_bookkeeping_are_not(stage: str, unchanged: Codes) -> None:
    foreign = ("apps", "pipelines.console", "pipelines.command_line", "pipelines.runner")
    foreign += ("pipelines.worker", "pipelines.wrap", "pipelines.compare", "pipelines.stage.events")
    foreign += (
        "pipelines.registered_models",
        "pipelines.full_pipeline",
        "pipelines.stage.executor",
    )
    foreign += ("guardianflow.release.report", "guardianflow.run_tracking.mlflow_store")
    assert not [name for name in unchanged[stage] if name.startswith(foreign)]


def test_comments_docstrings_and_layout_change_nothing(project: Path, unchanged: Codes) -> None:
    with ExitStack() as stack:
        for file in (
            each for package in OUR_PACKAGES for each in (project / package).rglob("*.py")
        ):
            text = file.read_text(encoding="utf-8")
            said = text.replace('"""', '"""Said anew. ', 1).replace("\n\n\n", "\n\n\n# said\n\n\n")
            stack.enter_context(rewritten(file, f"# a comment\n{said}"))
        assert codes(project) == unchanged


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("pipelines/console.py", "LINE_EVERY_S = 10.0", "LINE_EVERY_S = 20.0", set()),
        ("pipelines/stage/events.py", "SHOWING_S = 2.0", "SHOWING_S = 3.0", set()),
        ("pipelines/tables.py", "WIDE_NOTE = ", "NOTE = ", set()),
        ("scenario/explain.py", "SHOWN_LENGTH = 60", "SHOWN_LENGTH = 50", set()),
        ("guardianflow/backends/tensorrt_runtime.py", "MAX_BATCH = 32", "MAX_BATCH = 8", set()),
        # these travel in every registered model
        (f"{IMAGES}/postprocessing.py", "NMS_BLOCK = 128", "NMS_BLOCK = 64", ALL),
        (f"{IMAGES}/preprocessing.py", "PADDING_VALUE = 114", "PADDING_VALUE = 0", ALL),
        (f"{EVALUATION}/accuracy/detection.py", "IOU = 0.7", "IOU = 0.6", JUDGED),
        (f"{EVALUATION}/accuracy/significance.py", "DENCE = 0.95", "DENCE = 0.9", JUDGED),
        ("pipelines/measuring/timing.py", "LATENCY_IMAGES = 32", "LATENCY_IMAGES = 8", JUDGED),
        (f"{BACKENDS}/openvino/runtime.py", '"AUTO", "OPENVINO"', '"AUTO"', JUDGED),
        (f"{BACKENDS}/openvino/quantisation.py", "= 0.9999", "= 0.999", JUDGED),
        (f"{BACKENDS}/onnx/quantisation.py", "= 99.999", "= 99.99", {"release"}),
        ("pipelines/quant/search.py", "THROUGHPUT_S = 2.0", "THROUGHPUT_S = 1.0", {"quant"}),
        ("experiments_adapters/yolo/finetune.py", "GRADIENT = 10.0", "GRADIENT = 1.0", {"quant"}),
        ("experiments_adapters/yolo/engine.py", "import math", "import cmath as math", {"train"}),
    ],
)
def test_the_stages_whose_results_a_change_touches(
    project: Path, unchanged: Codes, file: str, old: str, new: str, stages: set[str]
) -> None:
    text = (project / file).read_text(encoding="utf-8")
    assert old in text
    with rewritten(project / file, text.replace(old, new)):
        after = codes(project)
    assert {stage for stage in STAGES if after[stage] != unchanged[stage]} == stages


def test_the_digest_is_that_of_the_code_and_counts_each_backend_once() -> None:
    openvino = code_digest("quant", ["pytorch", "openvino"])
    assert code_digest("quant", ["openvino", "native", "pytorch"]) == openvino
    assert code_digest("quant", ["pytorch", "onnx"]) != openvino


def test_a_kept_digest_is_of_this_very_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, asked = tmp_path / "own_code.json", ("infer", ["onnx"])
    right = code_digest(*asked)
    assert code_digest(*asked, memory) == right
    assert right in memory.read_text()
    monkeypatch.setattr(code_identity, "_digest", lambda _entries: "made anew")
    assert code_digest(*asked, memory) == right
    monkeypatch.setattr(code_identity, "_text_of_all", lambda: "edited")
    assert code_digest(*asked, memory) == "made anew"
    memory.write_text(memory.read_text().replace("made anew", "tampered!"))
    assert code_digest(*asked, memory) == "made anew"

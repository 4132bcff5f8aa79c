"""An author's Quantizer in a quant run: judged, compared and registered like any variant."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkpoints import TINY_SIDE as SIDE
from inprocess import InProcessExecutor
from machines import was_timed
from once_per_run import OncePerRun

from guardianflow.contracts.errors import StageFailedError
from guardianflow.contracts.results import DetectorPackage, ExportRequest, StageResult
from guardianflow.site_data.datasets import resolve_dataset
from pipelines.stage.plan import Planner, RunOptions
from scenario import Scenario, build_scenario

DATA = f"demo://ppe?images=24&size={SIDE}"
HEAD = """
import json, shutil
from pathlib import Path

class Quantizer:
    makes = {makes}

    def __init__(self, model_config, quantization_config, dataset_config, work_dir=None):
        self.config, self.data, self.work_dir = quantization_config, dataset_config, work_dir
        self.float_file = Path(__file__).parent / "float.onnx"

    def quantize(self, weights, calibration_images, out_dir):
        assert weights.suffix == ".pt" and weights.is_file()
"""
COPY = "        return shutil.copy(self.float_file, out_dir / 'mine.onnx')\n"
STATIC = """
        from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

        class Images(CalibrationDataReader):
            images = iter(calibration_images)

            def get_next(self):
                image = next(self.images, None)
                if image is None:
                    return None
                assert image.shape == (96, 96, 3) and image.dtype == "uint8"
                return {"images": image.transpose(2, 0, 1)[None].astype("float32") / 255}

        given = {"count": len(calibration_images), "data": self.data.path,
                 "paths": [str(path) for path in calibration_images.paths]}
        Path(self.config_file).write_text(json.dumps(given))
        quantize_static(self.float_file, out_dir / "mine.onnx", Images(),
                        op_types_to_quantize=["Conv"], weight_type=QuantType.QInt8)
        return out_dir
"""
Run = Callable[..., StageResult]


def scenario_of(**quantization: Any) -> Scenario:
    return build_scenario(
        {
            "name": "demo",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n", "input_size": SIDE},
            "dataset": {"path": DATA},
            "environment": {"device": "cpu"},
            "benchmark": {"warmup_runs": 1, "benchmark_runs": 10},
            "quantization": {"backend": "onnx", "calibration_size": 6, **quantization},
        }
    )


@pytest.fixture(scope="session")
def float_onnx(trained: Path, once_per_run: OncePerRun) -> Path:
    """The trained detector as an ONNX file, as somebody's exporter would write it."""
    from guardianflow.backends.catalogue import get_backend

    def fill(folder: Path) -> None:
        source = DetectorPackage.load(trained)
        made = get_backend("onnx").export(source, ExportRequest("fp32"), folder / "package")
        shutil.copy(made.weights_path, folder / "float.onnx")

    return once_per_run.made("float-onnx", fill) / "float.onnx"


@pytest.fixture
def run(executor: InProcessExecutor, trained: Path, float_onnx: Path, tmp_path: Path) -> Run:
    """A quant run with the quantize.py whose text is given; with our own exporter for ''."""

    def run(body: str, makes: str = '"onnx_int8"', **quantization: Any) -> StageResult:
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        if body:
            text = HEAD.replace("{makes}", makes) + body
            (folder / "quantize.py").write_text(text, encoding="utf-8")
            shutil.copy(float_onnx, folder / "float.onnx")
        options = RunOptions(code_path=str(folder)) if body else RunOptions()
        scenario = scenario_of(**quantization)
        planner = Planner(scenario, executor.settings, options, "")
        return executor.run(planner.quant(scenario.quantization_variants[0], str(trained)))

    return run


def failure(run: Run, body: str, **more: Any) -> StageFailedError:
    with pytest.raises(StageFailedError) as caught:
        run(body, **more)
    return caught.value


def runs(executor: InProcessExecutor) -> list[str]:
    return [run.status for run in executor.store.find_runs(tags={"guardianflow.stage": "quant"})]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_same_file_is_worth_the_same_whoever_made_it(
    run: Run, executor: InProcessExecutor, trained: Path, tmp_path: Path
) -> None:
    ours = run("", precision="fp32")
    theirs = run(COPY, makes="['onnx_fp32', 'onnx_fp16']", precision="fp32")
    judged = [key for key in ours.metrics if key.startswith(("det.quantized.", "det.original."))]
    assert ours.metrics["det.quantized.predictions"] > 0
    assert {key: theirs.metrics[key] for key in judged} == {k: ours.metrics[k] for k in judged}
    was_timed(theirs.metrics, "comparison.speedup_ratio")
    (model,) = theirs.models
    assert model.display_name == "demo/seoul-plant1/full/ppe__onnx_fp32"
    assert (model.version, model.tags["quant_exporter"]) == ("2", "Quantizer (quantize.py)")
    assert theirs.author == "Quantizer (quantize.py)"
    package = executor.registry.fetch(f"runs:/{theirs.run_id}", tmp_path / "got")
    assert package.spec.lineage["exporter"] == "Quantizer (quantize.py)"
    assert package.spec.lineage["source_digest"] == DetectorPackage.load(trained).digest
    tags = executor.store.get_run(theirs.run_id).tags
    assert (
        tags["experiment_code_fingerprint"] == package.spec.lineage["experiment_code_fingerprint"]
    )

    again = run(COPY, makes="['onnx_fp32', 'onnx_fp16']", precision="fp32")
    assert (again.reused, again.run_id, again.author) == (True, theirs.run_id, theirs.author)
    changed = run(COPY + "        # said anew\n", makes="'onnx_fp32'", precision="fp32")
    assert not changed.reused


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_calibrates_on_train_images_alone(
    run: Run, executor: InProcessExecutor, tmp_path: Path
) -> None:
    given = tmp_path / "given.json"
    result = run(STATIC.replace("self.config_file", repr(str(given))))
    (model,) = result.models
    assert model.display_name == "demo/seoul-plant1/full/ppe__onnx_int8"
    assert model.tags["precision"] == "int8"
    told = json.loads(given.read_text(encoding="utf-8"))
    data = resolve_dataset(DATA, cache_dir=executor.settings.datasets_dir)
    train = {str(path) for path in data.splits["train"]}
    assert told["count"] == 6
    assert set(told["paths"]) < train
    content = yaml.safe_load(Path(told["data"]).read_text(encoding="utf-8"))
    assert content["names"] == list(data.class_names)
    for split in ("train", "val"):  # many exporters calibrate on val
        listed = Path(content[split]).read_text(encoding="utf-8").splitlines()
        assert listed == told["paths"]
    assert not set(told["paths"]) & {str(path) for path in data.splits["val"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "words", "code"),
    [
        (COPY, "mine.onnx, .* must be onnx_int8 but is onnx_fp32", 2),
        (
            "        (out_dir / 'mine.onnx').write_bytes(b'none')\n        return out_dir\n",
            "mine.onnx, made by quantize.* can't be used: .* is not an ONNX model",
            2,
        ),
        ("        raise RuntimeError('no calibrator')\n", "raised RuntimeError: no calibrator", 1),
        ("        return weights\n", "exactly one .onnx file, .* but returned model.pt", 1),
    ],
    ids=["float", "garbage", "raises", "weights"],
)
def test_files_that_are_not_the_variant_end_in_a_failed_run_and_no_model(
    run: Run, executor: InProcessExecutor, body: str, words: str, code: int
) -> None:
    with pytest.raises(StageFailedError, match=words) as caught:
        run(body)
    assert caught.value.exit_code == code
    assert "quantize.py" in str(caught.value)
    assert runs(executor) == ["FAILED"]
    assert executor.registry.list_models() == []


def test_one_that_makes_another_variant_is_refused_before_a_run(
    run: Run, executor: InProcessExecutor
) -> None:
    error = failure(run, COPY, makes="'openvino_int8'")
    assert error.exit_code == 2
    assert "makes openvino_int8, but onnx_int8 is to be made" in error.reason
    error = failure(run, COPY, search={"budget_minutes": 1})
    assert "quantization.search tries recipes of GuardianFlow's own" in error.reason
    error = failure(run, COPY, makes="()")
    assert "must say which variants it makes" in error.reason
    assert runs(executor) == []


def test_one_of_several_variants_may_be_its_own(
    run: Run, executor: InProcessExecutor, trained: Path, tmp_path: Path
) -> None:
    failure(run, COPY, makes="'onnx_fp16'")  # alone it would be for nothing; writes the file
    scenario = build_scenario(
        scenario_of().model_dump(mode="json", exclude={"quantization"})
        | {"quantization": [{"backend": "onnx"}, {"backend": "onnx", "precision": "fp16"}]}
    )
    options = RunOptions(code_path=str(tmp_path / "mine"))
    planner = Planner(scenario, executor.settings, options, "")
    first, second = scenario.quantization_variants
    requests = [planner.quant(each, str(trained), check_only=True) for each in (first, second)]
    assert requests[0].variants == ("onnx_int8", "onnx_fp16")
    for request in requests:
        executor.run(request)
    check = planner.check(planner.quant(first, str(trained)), "quant")
    assert check.later_code == {"quant": str(tmp_path / "mine")}

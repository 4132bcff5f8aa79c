"""Answers of an author's benchmark and quantizer: read in any usual form, or refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from author_code import Write

from experiments_adapters.author_classes import BENCHMARK, QUANTIZER
from experiments_adapters.benchmarks import RunningBenchmark, build_benchmark, clipped
from experiments_adapters.code_path import load_experiment
from experiments_adapters.quantizers import RunningQuantizer, build_quantizer
from guardianflow.contracts.errors import ExperimentCodeError, ExperimentError
from guardianflow.contracts.results import LabelledImage
from guardianflow.contracts.sequences import TrackingSequence, TrackRows

NAMES = ("helmet", "vest")
IMAGE = np.zeros((40, 60, 3), np.uint8)
FORM = """
class Benchmark:
    def __init__(self, model_config, benchmark_config, dataset_config{more}):
        self.seen = []
{body}
"""
BOX = "[[1, 2, 11, 12], [20, 5, 30, 25]], [0.2, 0.9], [1, 0]"


@pytest.fixture
def benchmark(write_experiment: Write, tmp_path: Path) -> Callable[..., RunningBenchmark]:
    def make(body: str, **optional: Any) -> RunningBenchmark:
        more = "".join(f", {name}=None" for name in optional)
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        directory = write_experiment({"benchmark.py": FORM.format(more=more, body=lines)})
        code = load_experiment(str(directory), BENCHMARK, cache_dir=tmp_path)
        configs = dict.fromkeys(BENCHMARK.required)
        return build_benchmark(code, NAMES, optional, **configs)

    return make


@pytest.fixture
def quantizer(write_experiment: Write, tmp_path: Path) -> Callable[..., RunningQuantizer]:
    def make(body: str, makes: str = "'onnx_int8'") -> RunningQuantizer:
        text = (
            "from pathlib import Path\n"
            "class Quantizer:\n"
            f"    makes = {makes}\n"
            "    def __init__(self, model_config, quantization_config, dataset_config): ...\n"
            f"    def quantize(self, weights, calibration_images, out_dir):\n        {body}\n"
        )
        directory = write_experiment({"quantize.py": text})
        code = load_experiment(str(directory), QUANTIZER, cache_dir=tmp_path)
        return build_quantizer(code, {}, **dict.fromkeys(QUANTIZER.required))

    return make


@pytest.mark.parametrize(
    "answer",
    [
        f"[({BOX}) for _ in images]",
        f"(({BOX}) for _ in images)",
        f"[dict(zip(('boxes_xyxy', 'scores', 'class_ids'), ({BOX}))) for _ in images]",
        f"[__import__('types').SimpleNamespace(**dict(zip("
        f"('boxes_xyxy', 'scores', 'class_ids'), ({BOX})))) for _ in images]",
        f"[tuple(map(__import__('torch').tensor, ({BOX}))) for _ in images]",
        f"[tuple(map(__import__('numpy').array, ({BOX}))) for _ in images]",
    ],
    ids=["tuples", "generator", "mappings", "objects", "torch", "numpy"],
)
def test_boxes_may_come_in_any_usual_form(
    benchmark: Callable[..., RunningBenchmark], answer: str
) -> None:
    asked = benchmark(f"def predict(self, images):\n    return {answer}")
    with asked.at_work():
        one, other = asked.predict([IMAGE, IMAGE])
    assert one.boxes_xyxy.tolist() == [[20, 5, 30, 25], [1, 2, 11, 12]]  # the best score first
    assert one.scores.tolist() == [np.float32(0.9), np.float32(0.2)]
    assert other.class_ids.tolist() == [0, 1]
    with asked.at_work():
        (above,) = asked.predict([IMAGE], confidence=0.5)
    assert above.class_ids.tolist() == [0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("[]", "one answer for each of 1 images but gave 0"),
        ("None", "must return one answer for each image but gave None"),
        ("[([[1, 2, 3, 4]], [0.5])]", r"must give \(boxes_xyxy, scores, class_ids\) for image 1"),
        ("[([[1, 2, 3]], [0.5], [0])]", r"gave shapes \(1, 3\), \(1,\) and \(1,\)"),
        ("[([[1, 2, 3, 4]], [50], [0])]", "scores in 0…1 but gave 50 to 50 .* per cent"),
        ("[([[1, 2, 3, 4]], [0.5], [2])]", r"class ids in 0…1 but gave 2 to 2 .*'vest'"),
        ("[([[1, 2, 3, 4]], [0.5], [0.5])]", "whole numbers as class_ids"),
        ("[([[9, 9, 3, 4]], [0.5], [0])]", "are they centre, width and height"),
        ("[([[1, 2, float('nan'), 4]], [0.5], [0])]", "boxes_xyxy with NaN"),
        ("[(['a'], [0.5], [0])]", "must give numbers as boxes_xyxy"),
        ("[][0]", r"predict\(\) of Benchmark raised IndexError"),
        ("exit(0)", r"predict\(\) of Benchmark raised SystemExit"),
    ],
)
def test_an_answer_that_can_not_be_judged_is_refused_with_its_file(
    benchmark: Callable[..., RunningBenchmark], answer: str, words: str
) -> None:
    asked = benchmark(f"def predict(self, images):\n    return {answer}")
    with asked.at_work(), pytest.raises(ExperimentError, match=words) as caught:
        asked.predict([IMAGE])
    assert str(asked.code.path) in str(caught.value)
    if " raised " in words:
        assert "line 6, in predict" in str(caught.value)


def test_ctrl_c_in_an_authors_code_is_ctrl_c(benchmark: Callable[..., RunningBenchmark]) -> None:
    asked = benchmark("def predict(self, images):\n    raise KeyboardInterrupt")
    with asked.at_work(), pytest.raises(KeyboardInterrupt):
        asked.predict([IMAGE])


def labelled(tmp_path: Path) -> LabelledImage:
    return LabelledImage(
        tmp_path / "a.png", 60, 40, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    )


def test_shares_of_a_side_are_no_pixels_and_boxes_elsewhere_are_told(
    benchmark: Callable[..., RunningBenchmark], tmp_path: Path
) -> None:
    asked = benchmark("def predict_split(self, image_paths):\n    return [self.answer]")
    images = [labelled(tmp_path)]
    asked._made.answer = ([[0.1, 0.2, 0.4, 0.9]], [0.5], [0])  # type: ignore[attr-defined]
    with pytest.raises(ExperimentError, match="every coordinate is 1 or less; multiply"):
        asked.require_pixels(asked.predict_split(images, 0.001), images)
    asked._made.answer = ([[100, 10, 120, 30]], [0.5], [0])  # type: ignore[attr-defined]
    found = asked.predict_split(images, 0.001)
    assert "1 of 1 boxes have their middle outside" in asked.require_pixels(found, images)
    asked._made.answer = ([[50, 10, 69, 30]], [0.5], [0])  # type: ignore[attr-defined]
    (found_one,) = asked.predict_split(images, 0.001)
    assert asked.require_pixels([found_one], images) == ""
    assert clipped(found_one, images[0]).boxes_xyxy.tolist() == [[50, 10, 60, 30]]


@pytest.mark.parametrize(
    ("given", "kept", "left_out"),
    [
        ("{'tiles': 4, 'bench.recall@0.5': 0.5}", {"bench.tiles": 4, "bench.recall_0.5": 0.5}, []),
        ("{'seconds': float('nan'), 'tiles': 4}", {"bench.tiles": 4}, ["seconds"]),
        ("{}", {}, []),
    ],
)
def test_own_measurements_stand_under_bench(
    benchmark: Callable[..., RunningBenchmark],
    given: str,
    kept: dict[str, float],
    left_out: list[str],
) -> None:
    asked = benchmark(
        f"def predict(self, images): ...\ndef extra_metrics(self):\n    return {given}"
    )
    assert asked.extra_metrics() == (kept, left_out)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{'bs1.fps': 3}", "'bs1.fps' is a metric of GuardianFlow's own"),
        ("{'cameras': 3}", "'cameras' is a metric of GuardianFlow's own"),
        ("{'det.mAP50': 0.9}", "'det.mAP50' is a metric of GuardianFlow's own"),
        ("{'taken': 3}", "'taken' is a metric of GuardianFlow's own"),
        ("{'a@b': 1, 'a_b': 2}", "both stand for bench.a_b"),
        ("{'mAP': 'high'}", "'mAP' is 'high'"),
        ("[1]", "metrics must be a mapping"),
    ],
)
def test_a_measurement_that_would_pass_for_ours_is_refused(
    benchmark: Callable[..., RunningBenchmark], given: str, words: str
) -> None:
    asked = benchmark(
        f"def predict(self, images): ...\ndef extra_metrics(self):\n    return {given}"
    )
    with pytest.raises(ExperimentError, match=r"extra_metrics\(\) of Benchmark") as caught:
        asked.extra_metrics(taken={"bench.taken"})
    assert words in str(caught.value)


def sequence(tmp_path: Path, frames: int) -> TrackingSequence:
    paths = []
    for number in range(frames):
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), IMAGE)
    none = np.zeros(0, np.int64)
    truth = TrackRows(none, none, np.zeros((0, 4)), none, np.zeros(0))
    return TrackingSequence(
        "yard", tmp_path, frames, truth, {1: "helmet"}, "own", 15.0, 60, 40, tuple(paths)
    )


def test_tracks_are_read_frame_by_frame_and_told_as_they_come(
    benchmark: Callable[..., RunningBenchmark], tmp_path: Path
) -> None:
    asked = benchmark(
        "def predict(self, images): ...\n"
        "def track(self, frames, frame_rate):\n"
        "    for frame in frames:\n"
        "        assert frame.shape == (40, 60, 3) and frame_rate == 15.0\n"
        "        yield [[1, 1, 5, 5], [50, 30, 70, 50]], [0.3, 0.8], [0, 1], [7, 9]"
    )
    told: list[tuple[int, int]] = []
    with asked.at_work():
        first, _ = asked.track(sequence(tmp_path, 2), lambda *done: told.append(done))
    assert first.ids.tolist() == [9, 7]
    assert first.boxes_xyxy.tolist() == [[50, 30, 60, 40], [1, 1, 5, 5]]
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("[]", "one answer for each of the 2 frames of 'yard' but gave 0"),
        ("[([], [], [], [])] * 3", "but gave 3"),
        ("[([[1, 1, 5, 5]] * 2, [0.3] * 2, [0] * 2, [1, 1])] * 2", "gave one twice in frame 1"),
        ("[([[1, 1, 5, 5]], [0.3], [0], [1, 2])] * 2", "an id for each box of frame 1"),
    ],
)
def test_tracks_that_can_not_be_judged_are_refused(
    benchmark: Callable[..., RunningBenchmark], tmp_path: Path, answer: str, words: str
) -> None:
    asked = benchmark(
        f"def predict(self, images): ...\ndef track(self, frames, frame_rate):\n    return {answer}"
    )
    with asked.at_work(), pytest.raises(ExperimentError, match=words):
        asked.track(sequence(tmp_path, 2), lambda *_: None)


@pytest.mark.parametrize(
    "body",
    [
        "(out_dir / 'm.onnx').write_text('x'); return out_dir / 'm.onnx'",
        "(out_dir / 'm.onnx').write_text('x'); return str(out_dir)",
        "[(out_dir / n).write_text('x') for n in ('m.onnx', 'm.txt')]; "
        "return [out_dir / 'm.onnx', out_dir / 'm.txt']",
    ],
)
def test_files_are_named_by_file_directory_or_list(
    quantizer: Callable[..., RunningQuantizer], tmp_path: Path, body: str
) -> None:
    out = tmp_path / "out"
    found = quantizer(body).quantize(tmp_path / "best.pt", [], out, ".onnx")
    assert found == out / "m.onnx"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "must return the path of the model's file but returned None"),
        ("return []", r"but returned \[\]"),
        ("return out_dir / 'm.onnx'", r"m\.onnx', which does not exist; write into out_dir"),
        ("return out_dir", "exactly one .onnx file, .* but returned nothing"),
        ("(out_dir / 'm.xml').write_text('x'); return out_dir", "but returned m.xml"),
        ("(out_dir / 'm.onnx').touch(); return out_dir", "is an empty file"),
        ("raise OSError('no space')", r"quantize\(\) of Quantizer raised OSError: no space"),
    ],
)
def test_files_that_are_none_are_refused(
    quantizer: Callable[..., RunningQuantizer], tmp_path: Path, body: str, words: str
) -> None:
    made = quantizer(body)
    with pytest.raises(ExperimentError, match=words) as caught:
        made.quantize(tmp_path / "best.pt", [], tmp_path / "out", ".onnx")
    assert str(made.code.path) in str(caught.value)


@pytest.mark.parametrize(
    ("makes", "words"),
    [
        ("()", "must say which variants it makes"),
        ("3", "must say which variants it makes but says 3"),
        ("'openvino_in8'", "names 'openvino_in8'; did you mean 'openvino_int8'"),
        ("('onnx_fp16', 'pytorch_fp16')", "but names 'pytorch_fp16'"),
    ],
)
def test_a_quantizer_says_what_it_makes(
    quantizer: Callable[..., RunningQuantizer], makes: str, words: str
) -> None:
    with pytest.raises(ExperimentCodeError, match=words):
        quantizer("return out_dir", makes)


def test_a_benchmark_gets_what_its_constructor_names(
    benchmark: Callable[..., RunningBenchmark],
) -> None:
    given = SimpleNamespace()
    body = "def predict(self, images):\n    return []"
    asked = benchmark(body, detector=given, class_names=NAMES)
    assert asked.code.accepts == {"detector", "class_names"}
    assert asked.can("predict")
    assert not asked.can("track")

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from guardianflow.backends.weights import weight_files
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import ConfigurationError, SourceError
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]
MakeWeights = Callable[[str], Path]
NAMES = ("helmet", "vest", "person", "bare head")


def test_a_checkpoint_tells_what_it_is(weights: MakeWeights, tmp_path: Path) -> None:
    source = weights("yolo11n")
    before = sorted(source.parent.iterdir())
    made = package_from_weights(
        source,
        tmp_path / "new" / "made",
        input_size=96,
        conf_threshold=0.3,
        lineage={"source_run_id": "abc"},
    )
    loaded = DetectorPackage.load(made.directory)
    assert loaded.spec == made.spec
    assert (made.spec.backend, made.spec.precision, made.spec.output) == ("pytorch", "fp32", "grid")
    assert made.spec.class_names == NAMES
    assert made.spec.architecture == "yolo11n"
    assert (made.spec.input_size, made.spec.conf_threshold) == (96, 0.3)
    assert made.spec.lineage["source_run_id"] == "abc"
    assert made.spec.lineage.keys() == {"source_run_id", "parameters", "flops"}
    assert sorted(source.parent.iterdir()) == before
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["made"]


@pytest.mark.parametrize(
    ("architecture", "output"), [("yolo26n", "end_to_end"), ("yolov10n", "end_to_end")]
)
def test_a_one_to_one_head_is_an_end_to_end_detector(
    weights: MakeWeights, tmp_path: Path, architecture: str, output: str
) -> None:
    made = package_from_weights(weights(architecture), tmp_path / "made", input_size=96)
    assert made.spec.output == output


@pytest.mark.parametrize(
    ("backend", "precision", "files"),
    [
        ("onnx", "fp32", {"model.onnx"}),
        ("onnx", "fp16", {"model.onnx"}),
        ("onnx", "int8", {"model.onnx"}),
        ("openvino", "fp32", {"model.xml", "model.bin"}),
        ("openvino", "fp16", {"model.xml", "model.bin"}),
        ("openvino", "int8", {"model.xml", "model.bin"}),
    ],
)
def test_exported_files_tell_what_they_are(
    package: MakePackage, tmp_path: Path, backend: str, precision: str, files: set[str]
) -> None:
    source = package("yolo11n", backend, precision)
    made = package_from_weights(source.weights_path, tmp_path / "made", input_size=160)
    spec = made.spec
    assert (spec.backend, spec.precision, spec.output) == (backend, precision, "grid")
    assert spec.class_names == NAMES
    assert set(spec.files) == files


def test_end_to_end_exports_are_recognised_by_their_shape(
    package: MakePackage, tmp_path: Path
) -> None:
    for backend in ("onnx", "openvino"):
        source = package("yolo26n", backend)
        made = package_from_weights(source.weights_path, tmp_path / backend, input_size=160)
        assert made.spec.output == "end_to_end"


def test_a_directory_with_one_model_is_that_model(package: MakePackage, tmp_path: Path) -> None:
    folder = tmp_path / "best_openvino_model"
    shutil.copytree(package("yolo11n", "openvino").directory, folder)
    (folder / "detector.json").unlink()
    (folder / "metadata.yaml").write_text("names: {0: a, 1: b, 2: c, 3: d}\nimgsz: [160, 160]\n")
    made = package_from_weights(folder, tmp_path / "made", input_size=160)
    assert made.spec.class_names == ("a", "b", "c", "d")
    (folder / "metadata.yaml").write_text("names: {0: [unclosed")
    with pytest.raises(SourceError, match=r"metadata.yaml: not valid YAML"):
        package_from_weights(folder, tmp_path / "again", input_size=160)
    (folder / "other.onnx").touch()
    with pytest.raises(SourceError, match=r"exactly one of .* holds model.xml, other.onnx"):
        package_from_weights(folder, tmp_path / "again", input_size=160)


# --- what does not agree ------------------------------------------------------------------------


def test_all_contradictions_are_told_at_once(weights: MakeWeights, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        package_from_weights(
            weights("yolo11n"),
            tmp_path / "made",
            input_size=100,
            class_names=("helmet", "vest"),
            conf_threshold=1.5,
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "'helmet', 'vest', 'person', 'bare head'" in text
    assert "the scenario has ['helmet', 'vest']" in text
    assert "multiple of 32 but is 100" in text
    assert "conf_threshold must be from 0 to 1 but is 1.5" in text
    assert not (tmp_path / "made").exists()


def test_an_export_of_another_size_is_refused(package: MakePackage, tmp_path: Path) -> None:
    for backend in ("onnx", "openvino"):
        with pytest.raises(ConfigurationError, match="must be 160, as the file was exported"):
            package_from_weights(
                package("yolo11n", backend).weights_path, tmp_path / "made", input_size=640
            )


def without_names(source: Path, target: Path) -> Path:
    import onnx

    model = onnx.load(str(source))
    del model.metadata_props[:]
    onnx.save(model, str(target))
    return target


def test_a_file_without_names_takes_the_callers(package: MakePackage, tmp_path: Path) -> None:
    bare = without_names(package("yolo11n", "onnx").weights_path, tmp_path / "bare.onnx")
    with pytest.raises(ConfigurationError, match="names no classes; give class_names"):
        package_from_weights(bare, tmp_path / "made", input_size=160)
    with pytest.raises(ConfigurationError, match="made for 4 classes but 2 are named"):
        package_from_weights(bare, tmp_path / "made", input_size=160, class_names=("a", "b"))
    made = package_from_weights(
        bare, tmp_path / "made", input_size=160, class_names=NAMES, architecture="yolo11n"
    )
    assert made.spec.class_names == NAMES
    decomposed = [unicodedata.normalize("NFD", name) for name in ("안전모", "head", "vest", "a b")]
    other = package_from_weights(
        bare, tmp_path / "other", input_size=160, class_names=decomposed, architecture="yolo11n"
    )
    assert other.spec.class_names == ("안전모", "head", "vest", "a b")
    with pytest.raises(ConfigurationError, match="exists already"):
        package_from_weights(bare, tmp_path / "made", input_size=160, class_names=NAMES)


# --- what is no detector ------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")  # makes a TorchScript archive
def test_files_that_are_nothing_of_the_kind(tmp_path: Path) -> None:
    import torch

    state = tmp_path / "state.pt"
    torch.save({"layer.weight": torch.zeros(3)}, state)
    script = tmp_path / "script.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Identity(), torch.zeros(1)), str(script))
    contents = {
        "empty.pt": b"",
        "text.pt": b"hello world",
        "bad.onnx": b"hello",
        "bad.engine": b"x",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "lonely.xml").write_text("<net/>")
    (tmp_path / "broken.xml").write_text("<net/>")
    (tmp_path / "broken.bin").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("?")
    expected = {
        "state.pt": "holds a dict",
        "script.pt": "TorchScript",
        "empty.pt": "the file is empty",
        "text.pt": "starts with the bytes",
        "bad.onnx": "is not an ONNX model",
        "bad.engine": "does not say what it holds",
        "lonely.xml": "lonely.bin is missing",
        "broken.xml": "is not an OpenVINO model",
        "notes.txt": r"must end in one of .pt, .onnx, .xml, .engine but ends in '.txt'",
        "absent.pt": "does not exist",
        ".": "exactly one of",
    }
    for name, words in expected.items():
        with pytest.raises(SourceError, match=words):
            package_from_weights(tmp_path / name, tmp_path / "made", input_size=160)
    assert not (tmp_path / "made").exists()


def test_a_model_for_another_task_is_named(tmp_path: Path, weights: MakeWeights) -> None:
    weights("yolo11n")  # imports Ultralytics the way the room does
    import torch
    from ultralytics.nn.tasks import ClassificationModel, SegmentationModel

    for model, task in (
        (SegmentationModel("yolo11n-seg.yaml", nc=2, verbose=False), "segment"),
        (ClassificationModel("yolo11n-cls.yaml", nc=2, verbose=False), "classify"),
    ):
        model.task = task
        torch.save({"model": model, "train_args": {}}, tmp_path / "other.pt")
        with pytest.raises(SourceError, match=f"detection model but is a model for '{task}'"):
            package_from_weights(tmp_path / "other.pt", tmp_path / "made", input_size=96)


def onnx_graph(
    file: Path, input_shape: Sequence[Any], output_shape: Sequence[Any], outputs: int = 1
) -> Path:
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("RandomNormal", [], [f"out{i}"], f"n{i}", shape=[1])
        for i in range(outputs)
    ]
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, input_shape)],
        [
            helper.make_tensor_value_info(f"out{i}", TensorProto.FLOAT, output_shape)
            for i in range(outputs)
        ],
    )
    onnx.save(helper.make_model(graph, ir_version=8), str(file))
    return file


@pytest.mark.parametrize(
    ("input_shape", "output_shape", "outputs", "words"),
    [
        ([1, 3, 64, 64], [1, 1000], 1, "output must be one tensor .* but is 1×1000"),
        ([1, 3, 64, 64], [1, 84, 84], 2, "but is 1×84×84, 1×84×84"),
        ([1, 3, 64, 64], ["batch", 8400, 84], 1, r"but is \?×8400×84"),
        ([1, 3, 64, 96], [1, 84, 126], 1, "64×96 pixels; only square"),
        ([1, 512], [1, 84, 126], 1, "input must be one N×3×S×S tensor but is 1×512"),
    ],
)
def test_networks_of_other_shapes_are_told_what_they_are(
    tmp_path: Path,
    input_shape: list[Any],
    output_shape: list[Any],
    outputs: int,
    words: str,
) -> None:
    file = onnx_graph(tmp_path / "other.onnx", input_shape, output_shape, outputs)
    with pytest.raises(SourceError, match=words):
        weight_files.read(file)


def test_tensors_in_files_of_their_own_come_along_from_the_same_directory_only(
    package: MakePackage, tmp_path: Path
) -> None:
    import onnx

    model = onnx.load(str(package("yolo11n", "onnx").weights_path))
    onnx.save(model, str(tmp_path / "big.onnx"), save_as_external_data=True, location="big.data")
    made = package_from_weights(tmp_path / "big.onnx", tmp_path / "made", input_size=160)
    assert set(made.spec.files) == {"model.onnx", "big.data"}
    (tmp_path / "inner").mkdir()
    outside = (tmp_path / "big.onnx").read_bytes().replace(b"big.data", b"../a.dat")
    (tmp_path / "inner" / "big.onnx").write_bytes(outside)
    (tmp_path / "big.data").rename(tmp_path / "a.dat")
    with pytest.raises(SourceError):
        package_from_weights(tmp_path / "inner" / "big.onnx", tmp_path / "b", input_size=160)


# --- TensorRT engines as Ultralytics writes them ------------------------------------------------


def engine_file(file: Path, metadata: dict[str, Any]) -> Path:
    header = json.dumps(metadata).encode()
    file.write_bytes(len(header).to_bytes(4, "little", signed=True) + header + b"engine")
    return file


def test_an_engines_header_is_read_and_the_engine_found_behind_it(tmp_path: Path) -> None:
    file = engine_file(
        tmp_path / "best.engine",
        {"names": {"0": "a", "1": "b"}, "imgsz": [640, 640], "args": {"half": True}},
    )
    facts = weight_files.read(file)
    assert (facts.backend, facts.precision, facts.output) == ("tensorrt", "fp16", "grid")
    assert (facts.class_names, facts.input_size) == (("a", "b"), 640)
    _, start = weight_files.engine_header(file)
    assert file.read_bytes()[start:] == b"engine"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'a', 1: 'b'}", ("a", "b")),
        (["a", "b"], ("a", "b")),
        ("{1: 'a', 2: 'b'}", None),
        ("{'x': 'a'}", None),
        ("__import__('os')", None),
        ("not python", None),
        (None, None),
    ],
)
def test_names_are_read_as_data_never_run(text: Any, names: tuple[str, ...] | None) -> None:
    assert weight_files._parse_names(text) == names

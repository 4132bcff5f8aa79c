"""Small graphs, each odd in one way: told by name, or refused by its values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from guardianflow.backends.weights import weight_files, weight_notes
from guardianflow.backends.weights.foreign import trial_run
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import ConfigurationError, SourceError
from guardianflow.contracts.results import DetectorPackage

SIDE = 160
CELLS = 20 * 20 + 10 * 10 + 5 * 5
TWO = {"names": "{0: 'helmet', 1: 'head'}"}


def network(
    file: Path,
    values: np.ndarray | tuple[int, ...],
    *,
    image: tuple[Any, ...] = (1, 3, SIDE, SIDE),
    element: int = TensorProto.FLOAT,
    divisor: float | None = None,
    outputs: int = 1,
    opset: int = 18,
    **metadata: str,
) -> Path:
    """A network that answers with `values` (zeros of a shape), whatever it is shown."""
    if isinstance(values, tuple):
        values = np.zeros(values, np.float32)
    nodes, given = [], "images"
    if element != TensorProto.FLOAT:
        nodes, given = (
            [helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT)],
            "cast",
        )
    if divisor is not None:
        nodes.append(helper.make_node("Div", [given, "divisor"], ["divided"]))
        given = "divided"
    nodes.append(helper.make_node("ReduceMin", [given], ["least"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["least", "zero"], ["nothing"]))
    names = [f"output{i}" for i in range(outputs)]
    nodes += [helper.make_node("Add", ["values", "nothing"], [name]) for name in names]
    constants = {"values": values, "zero": np.zeros((), np.float32)}
    if divisor is not None:
        constants["divisor"] = np.array(divisor, np.float32)
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("images", element, image)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, values.shape) for n in names],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, str(file))
    return file


def grid(classes: int = 2) -> np.ndarray:
    """1×(4+classes)×cells: a box of 20 px around every cell's centre."""
    centres = []
    for stride in (8, 16, 32):
        ticks = (np.arange(SIDE // stride) + 0.5) * stride
        centres.append(np.stack(np.meshgrid(ticks, ticks)).reshape(2, -1))
    places = np.concatenate(centres, axis=1)
    rows = [places, np.full_like(places, 20.0), np.full((classes, CELLS), 0.3)]
    return np.concatenate(rows)[None].astype(np.float32)


def end_to_end(*rows: tuple[float, ...], count: int = 300) -> np.ndarray:
    values = np.zeros((1, count, 6), np.float32)
    for place, row in enumerate(rows):
        values[0, place] = row
    return values


@pytest.mark.parametrize(
    ("shape", "more", "words"),
    [
        ((1, CELLS, 7), TWO, "objectness before its classes, as YOLOv5"),
        ((1, CELLS, 6), TWO, "channels last"),
        ((1, CELLS, 6), {"names": "{0: 'head'}"}, "objectness before its classes, as YOLOv5"),
        ((1, CELLS * 3, 6), {}, "objectness before its classes, as YOLOv5"),
        ((1, CELLS * 3, 85), {}, "objectness before its classes, as YOLOv5"),
        ((1, 7, CELLS), TWO, r"an angle \(an OBB model\) or an objectness"),
        ((1, 6 + 51, CELLS), TWO, "keypoints: it is a pose model"),
        ((1, 6 + 32, CELLS), TWO, "masks: it is a segmentation model"),
        ((1, 10, CELLS), TWO, "names 2 classes, so 6 rows are right"),
        ((1, 300, 7), {}, "OBB, segmentation or pose"),
        ((1, 300, 57), {}, "OBB, segmentation or pose"),
        ((1, 300, 38), {}, "OBB, segmentation or pose"),
        ((1, 300, 84), {}, "RT-DETR is not served"),
        ((1, 1000), {}, "classification model"),
        ((100, 7), {}, "YOLOv7 gives with its own NMS"),
        ((1, 255, 20, 20), {}, "feature maps, not yet decoded"),
        ((1, 6, CELLS), {"task": "pose"}, "task 'pose'"),
    ],
)
def test_what_is_no_plain_detector_is_named(
    tmp_path: Path, shape: tuple[int, ...], more: dict[str, str], words: str
) -> None:
    file = network(tmp_path / "odd.onnx", shape, **more)
    with pytest.raises(SourceError, match=words):
        weight_files.read(file)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"element": TensorProto.UINT8}, "must be float32 or float16.* but is uint8"),
        ({"image": (1, SIDE, SIDE, 3)}, "channels last, as TensorFlow"),
        ({"image": (1, 1, SIDE, SIDE)}, "images of 1 channels, not RGB"),
        ({"image": (1, 3, SIDE, 96)}, "only square inputs"),
        ({"divisor": 255.0}, "values from 0 to 255"),
        ({"Image.BitmapPixelFormat": "Bgr8"}, "Bgr8 pictures, not RGB"),
        ({"Image.NominalPixelRange": "NominalRange_0_255"}, "values from 0 to 255"),
        ({"opset": 99}, "older opset"),
    ],
)
def test_inputs_of_another_kind_are_named(tmp_path: Path, odd: Any, words: str) -> None:
    file = network(tmp_path / "odd.onnx", grid(), **odd, **TWO)
    with pytest.raises(SourceError, match=words):
        weight_files.read(file)


def tried(file: Path, folder: Path) -> DetectorPackage:
    package = package_from_weights(file, folder / "made", input_size=None)
    images = trial_run.made_up_images(package.spec.input_size)
    trial_run.require_usual_values(package, str(file), images, "cpu")
    return package


def corners() -> np.ndarray:
    values = grid()
    x, y, w, h = values[0, :4].copy()
    values[0, :4] = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    return values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (grid() * np.array([1 / SIDE] * 4 + [1] * 2, np.float32)[:, None], "boxes lie in 0…1"),
        (corners(), "boxes are corners"),
        (grid() * np.array([1] * 4 + [-9] * 2, np.float32)[:, None], "leaves out the sigmoid"),
        (end_to_end((0.1, 0.1, 0.4, 0.5, 0.9, 1)), "boxes lie in 0…1"),
        (end_to_end((10, 10, 40, 50, 1, 0.9)), "last column must be class numbers"),
        (end_to_end((10, 10, 40, 50, 0.9, 7)), "answers with class 7 but 2 classes are named"),
        (end_to_end((80, 90, 40, 50, 0.9, 1)), "no corners"),
        (grid().transpose(0, 2, 1)[:, :84].copy(), "rows are anchors"),
    ],
)
def test_values_of_another_kind_are_refused_by_a_trial(
    tmp_path: Path, values: np.ndarray, words: str
) -> None:
    file = network(tmp_path / "odd.onnx", values, **TWO)
    with pytest.raises(SourceError, match=words):
        tried(file, tmp_path)


@pytest.mark.parametrize("values", [grid(), end_to_end((10, 10, 40, 50, 0.9, 1)), end_to_end()])
def test_usual_values_pass(tmp_path: Path, values: np.ndarray) -> None:
    assert tried(network(tmp_path / "usual.onnx", values, **TWO), tmp_path).spec.input_size == SIDE


def test_the_size_is_the_files_where_nobody_says_another(tmp_path: Path) -> None:
    any_size = (1, 3, "height", "width")
    said = network(tmp_path / "said.onnx", grid(), image=any_size, imgsz="[160, 160]", **TWO)
    made = package_from_weights(said, tmp_path / "said", input_size=None)
    assert made.spec.input_size == SIDE
    assert weight_notes.notes_of(made.spec) == ()
    other = package_from_weights(said, tmp_path / "other", input_size=320)
    assert other.spec.input_size == 320
    assert weight_notes.tags_of(other.spec)["weights.made_for_size"] == "160"
    assert (
        "made for an input of 160 px but is used at 320 px" in weight_notes.notes_of(other.spec)[0]
    )
    silent = network(tmp_path / "silent.onnx", grid(), image=any_size, **TWO)
    with pytest.raises(SourceError, match=r"set model.input_size .*--imgsz"):
        package_from_weights(silent, tmp_path / "silent", input_size=None)
    assumed = package_from_weights(silent, tmp_path / "a", input_size=None, assumed_size=640)
    assert (assumed.spec.input_size, weight_notes.is_assumed(assumed.spec)) == (640, True)
    fixed = network(tmp_path / "fixed.onnx", grid(), **TWO)
    with pytest.raises(ConfigurationError, match=r"model.input_size \(--imgsz\) must be 160"):
        package_from_weights(fixed, tmp_path / "fixed", input_size=640)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("best.tflite", "a TensorFlow Lite model"),
        ("best.torchscript", "a TorchScript archive"),
        ("best.safetensors", "tensors without a network"),
        ("best.PTH", "a PyTorch file of another trainer"),
        ("best.bin", r"name its \.xml file"),
        ("best.rknn", "a Rockchip model"),
    ],
)
def test_other_formats_are_refused_by_name(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"?")
    with pytest.raises(SourceError, match=words):
        weight_files.read(tmp_path / name)


def test_a_file_without_its_tensors_says_which_file_is_missing(tmp_path: Path) -> None:
    model = onnx.load(str(network(tmp_path / "small.onnx", grid(), **TWO)))
    onnx.save(
        model,
        str(tmp_path / "big.onnx"),
        save_as_external_data=True,
        location="big.data",
        size_threshold=0,
    )
    (tmp_path / "big.data").unlink()
    with pytest.raises(SourceError, match=r"needs big\.data beside it, which is missing"):
        weight_files.read(tmp_path / "big.onnx")

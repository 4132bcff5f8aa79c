"""A detector as good as one wants, made without training: it knows its images by heart.

An ONNX file like any other: it brings an image to a few numbers, finds the nearest of the images it
was made of, and gives the boxes kept for that one. What is kept decides how good it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.results import DetectorPackage, LabelledImage
from guardianflow.evaluation.images.preprocessing import Letterbox, letterbox, load_image

GRID = 8
SLOTS = 32


def recalling_detector(
    folder: Path,
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    *,
    size: int = 96,
    missed: float = 0.0,
    missed_class: str = "",
    seed: int = 0,
) -> DetectorPackage:
    """A package that finds the true boxes of `images` but for those it misses.

    Args:
        missed: share of the boxes that it does not know.
        missed_class: misses are of this class alone; '' takes every class.
        seed: of which boxes are missed.
    """
    chance = np.random.default_rng(seed)
    rows = 4 + len(class_names)
    features, answers = [], np.zeros((len(images), rows, SLOTS), np.float32)
    for place, image in enumerate(images):
        pixels, fit = letterbox(load_image(image.path), size)
        features.append(_feature(pixels))
        kept = 0
        for box, class_id in zip(image.boxes_xyxy, image.class_ids, strict=True):
            gated = missed_class in ("", class_names[int(class_id)])
            if (gated and chance.random() < missed) or kept == SLOTS:
                continue
            answers[place, :4, kept] = _centred(box, fit)
            answers[place, 4 + int(class_id), kept] = 0.5 + 0.4 * chance.random()
            kept += 1
    folder.mkdir(parents=True)
    file = folder / "best.onnx"
    _write(file, np.stack(features), answers, size, class_names)
    return package_from_weights(
        file,
        folder / "package",
        input_size=size,
        class_names=class_names,
        architecture="recalling",
    )


def _feature(pixels: np.ndarray) -> np.ndarray:
    """3·GRID² means of a letterboxed uint8 image, as the network takes them."""
    side = pixels.shape[0] // GRID
    cells = pixels.astype(np.float32).reshape(GRID, side, GRID, side, 3) / 255
    return cells.mean(axis=(1, 3)).transpose(2, 0, 1).ravel()


def _centred(box: np.ndarray, fit: Letterbox) -> np.ndarray:
    """x1, y1, x2, y2 in image pixels → centre and size in input pixels."""
    gain = np.array([fit.scaled_width / fit.width, fit.scaled_height / fit.height] * 2)
    x1, y1, x2, y2 = box * gain + [fit.pad_left, fit.pad_top] * 2
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], np.float32)


def _write(
    file: Path, features: np.ndarray, answers: np.ndarray, size: int, names: Sequence[str]
) -> None:
    """argmin ‖f − k‖² = argmax 2·f·k − ‖k‖²"""
    _, rows, slots = answers.shape
    constants = {
        "keys": (2 * features.T).astype(np.float32),
        "norms": (features**2).sum(axis=1).astype(np.float32),
        "answers": answers,
        "flat": np.array([-1, features.shape[1]], np.int64),
    }
    cell = [size // GRID] * 2
    nodes = [
        helper.make_node("AveragePool", ["images"], ["cells"], kernel_shape=cell, strides=cell),
        helper.make_node("Reshape", ["cells", "flat"], ["feature"]),
        helper.make_node("MatMul", ["feature", "keys"], ["likeness"]),
        helper.make_node("Sub", ["likeness", "norms"], ["nearness"]),
        helper.make_node("ArgMax", ["nearness"], ["nearest"], axis=1, keepdims=0),
        helper.make_node("Gather", ["answers", "nearest"], ["output0"], axis=0),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "recalling",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", rows, slots])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    described = {"names": str(dict(enumerate(names))), "imgsz": f"[{size}, {size}]"}
    helper.set_model_props(model, described)
    onnx.save(model, file)

"""ONNX files of others: opened and checked before anything is believed of them.

ONNX's own checker is stricter than runtimes are: Ultralytics' half=True writes nodes in an order
that it refuses and ONNX Runtime runs. So where the runtime is installed it has the last word, on
files that the checker refuses and on those that it lets through.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....contracts.errors import SourceError
from ...exporting import require

RAW_DIVISOR = 100
"""A network that divides its input by this or more takes values from 0 to 255."""


def open_file(file: Path) -> tuple[Any, dict[str, Path]]:
    """An `onnx.ModelProto` without its external tensors, and the files that hold these.

    Raises:
        SourceError: no ONNX model, or files of its tensors are missing.
    """
    onnx = require("onnx", "reading an .onnx file", "pip install onnx")
    try:
        model = onnx.load(str(file), load_external_data=False)
    except Exception as exc:
        raise SourceError(f"{file} is not an ONNX model: {_first_line(exc)}") from exc
    if not model.graph.node:
        raise SourceError(f"{file} is not an ONNX model: it holds no network")
    beside = _external_data(file, model)
    missing = [path.name for path in beside.values() if not path.is_file()]
    if missing:
        raise SourceError(
            f"{file} needs {', '.join(missing[:5])} beside it, which is missing: copy all files of "
            "the export together"
        )
    return model, beside


def require_opens(file: Path) -> None:
    """Refuse a file that the runtime, or where there is none ONNX's checker, does not open.

    Raises:
        SourceError: says why.
    """
    onnx = require("onnx", "reading an .onnx file", "pip install onnx")
    fault = ""
    try:
        onnx.checker.check_model(str(file))
    except Exception as exc:
        fault = _first_line(exc)
    ran, refused = _opened_by_runtime(file)
    if refused:
        raise SourceError(f"{file} can't be opened by ONNX Runtime: {refused}")
    if fault and not ran:
        raise SourceError(f"{file} is not an ONNX model: {fault}")


def _opened_by_runtime(file: Path) -> tuple[bool, str]:
    """Whether ONNX Runtime opened the file, and why not; nothing is computed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return False, ""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Optimising computes constants, and an instruction that this machine lacks ends the process.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # its errors have no common class
        hint = ""
        if "opset" in str(exc).lower() or "ir version" in str(exc).lower():
            hint = ". Export it with an older opset (opset=18), or update onnxruntime"
        return False, _first_line(exc).rpartition(" failed:")[2][:400] + hint
    return True, ""


def element_type(value: Any) -> str:
    """As numpy calls the elements of an input."""
    import onnx

    number = value.type.tensor_type.elem_type
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(number).name)
    except (KeyError, TypeError, ValueError):
        return f"ONNX type {number}"


def require_plain_input(file: Path, model: Any, name: str, metadata: Mapping[str, str]) -> None:
    """Refuse a network that takes other pictures than RGB with values from 0 to 1.

    Args:
        name: of its input.
        metadata: of the file; Windows ML's keys say colours and range.

    Raises:
        SourceError: it divides by 255 itself, or says BGR or 0…255.
    """
    faults = []
    if "bgr" in metadata.get("Image.BitmapPixelFormat", "").lower():
        faults.append(f"{metadata['Image.BitmapPixelFormat']} pictures, not RGB")
    if "255" in metadata.get("Image.NominalPixelRange", "") or _divides_by_255(model, name):
        faults.append("values from 0 to 255, which it divides itself")
    if faults:
        raise SourceError(
            f"{file} takes {' and '.join(faults)}: it would be judged on pictures that it was not "
            "made for. Export it for RGB with values from 0 to 1"
        )


def _divides_by_255(model: Any, name: str) -> bool:
    from onnx import numpy_helper

    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    through = {name}
    for node in graph.node:
        if not through & set(node.input):
            continue
        if node.op_type in ("Cast", "Identity"):
            through.update(node.output)
        others = [constants[each] for each in node.input if each in constants]
        if node.op_type not in ("Div", "Mul") or len(others) != 1 or others[0].external_data:
            continue
        values = numpy_helper.to_array(others[0]).astype(float).ravel()
        if node.op_type == "Mul" and len(values):
            values = 1 / values.clip(1e-9)
        if len(values) and values.min() >= RAW_DIVISOR:
            return True
    return False


def _external_data(file: Path, model: Any) -> dict[str, Path]:
    """Files beside a large .onnx that hold its tensors; they keep their names."""
    places = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    outside = [p for p in places if Path(p).is_absolute() or ".." in Path(p).parts]
    if outside:
        raise SourceError(f"{file} refers to files outside its directory: {', '.join(outside)}")
    return {place: file.parent / place for place in sorted(places)}


def _first_line(exc: BaseException) -> str:
    lines = str(exc).strip().splitlines()
    return lines[0] if lines else type(exc).__name__

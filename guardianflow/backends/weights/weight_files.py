"""Reads what a weight file says of itself: class names, input size, precision, output.

    read(file)        .pt  .onnx  .xml(+.bin)  .engine  or a directory with one of them
      └─ WeightFacts  checked to be a detector; what a file does not say is None

A file is opened with the library it belongs to, never run: an int8 network may kill the process
on this very machine, and finding that out is the probe's business.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...contracts.backends import SOURCE, BackendInfo
from ...contracts.errors import SourceError
from ..catalogue import CATALOGUE, load
from ..exporting import require
from . import ultralytics_models

QUANTISED_KINDS = frozenset(
    {"QuantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}
)
CHECKPOINT = "model.pt"
"""What a checkpoint is called in a package."""
END_TO_END_COLUMNS = 6
BOX_ROWS = 4
# Where our own OpenVINO models keep their class names, spelled as a Python mapping.
RT_INFO_NAMES = ["guardianflow", "names"]


@dataclass(frozen=True)
class WeightFacts:
    """The words of a detector's file about itself.

    Args:
        files: name in a package → where it lies now; the first is the one a backend opens.
        class_names: None where the file has none worth the name.
        class_count: None for end-to-end outputs without names.
        input_size: side, pixels; None where any will do.
        stride: input_size must be a multiple of it; 1 where unknown.
    """

    backend: str
    precision: str
    output: str
    files: Mapping[str, Path]
    class_names: tuple[str, ...] | None = None
    class_count: int | None = None
    input_size: int | None = None
    architecture: str = ""
    stride: int = 1


def read(weights: Path, accepted: Collection[str] = ()) -> WeightFacts:
    """Find out what `weights` is.

    Args:
        accepted: names beyond detectors' that a .pt may hold; see `checkpoints`.

    Raises:
        SourceError: no such file, of no known kind, or not a detector; says what it is. A .pt that
            would run something else when it is opened.
        MissingDependencyError: the library that reads it is not installed.
    """
    file = the_file(weights)
    info = readable()[file.suffix.lower()]
    facts: WeightFacts = load(info.reader)(file, *([accepted] if info.pickled else []))
    return facts


def readable() -> dict[str, BackendInfo]:
    """Suffix → the backend whose files have it, as far as such files tell what they are."""
    return {info.file_kind: info for info in CATALOGUE.values() if info.reader}


def the_file(weights: Path) -> Path:
    """The weight file that a path means: itself, or the only one of a directory."""
    kinds = readable()
    if not weights.exists():
        raise SourceError(f"{weights} does not exist; name a weight file on this machine")
    if weights.is_dir():
        found = sorted(p for p in weights.iterdir() if p.suffix.lower() in kinds)
        if len(found) != 1:
            have = ", ".join(p.name for p in found) or "none"
            raise SourceError(
                f"{weights} must hold exactly one of *{', *'.join(kinds)} but holds {have}; "
                "name the file itself"
            )
        return found[0]
    if weights.suffix.lower() not in kinds:
        raise SourceError(
            f"{weights} must end in one of {', '.join(kinds)} but ends in '{weights.suffix}'"
        )
    return weights


def read_pt(file: Path, accepted: Collection[str]) -> WeightFacts:
    return facts_of(ultralytics_models.load_detector(file, accepted), file)


def facts_of(model: Any, file: Path) -> WeightFacts:
    """Read what an opened checkpoint says of itself."""
    names = ultralytics_models.class_names(model)
    return WeightFacts(
        backend=SOURCE,
        precision="fp32",
        output="end_to_end" if ultralytics_models.is_end_to_end(model) else "grid",
        files={CHECKPOINT: file},
        class_names=_worth_the_name(names),
        class_count=len(names),
        architecture=ultralytics_models.architecture(model),
        stride=int(max(model.stride)),
    )


def read_onnx(file: Path) -> WeightFacts:
    onnx = require("onnx", "reading an .onnx file", "pip install onnx")
    try:
        onnx.checker.check_model(str(file))
        model = onnx.load(str(file), load_external_data=False)
    except Exception as exc:
        raise SourceError(f"{file} is not an ONNX model: {str(exc).splitlines()[0]}") from exc
    initialisers = {tensor.name for tensor in model.graph.initializer}
    inputs = [_onnx_shape(v) for v in model.graph.input if v.name not in initialisers]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    names = _parse_names(metadata.get("names"))
    side = _square_side(file, inputs)
    outputs = [_onnx_shape(value) for value in model.graph.output]
    output, count = _kind_of_output(file, outputs, names)
    return WeightFacts(
        backend="onnx",
        precision=_onnx_precision(model),
        output=output,
        files={"model.onnx": file, **_external_data(file, model)},
        class_names=_worth_the_name(names),
        class_count=count,
        input_size=side,
    )


def read_xml(file: Path) -> WeightFacts:
    openvino = require("openvino", "reading an OpenVINO model", "pip install openvino")
    weights = file.with_suffix(".bin")
    if not weights.is_file():
        raise SourceError(f"{file} needs its weights beside it, but {weights.name} is missing")
    try:
        model = openvino.Core().read_model(str(file))
    except RuntimeError as exc:
        first = str(exc).strip().splitlines()[-1]
        raise SourceError(f"{file} is not an OpenVINO model: {first}") from exc
    metadata = _xml_metadata(file, model)
    names = _parse_names(metadata.get("names"))
    inputs = [_openvino_shape(port) for port in model.inputs]
    side = _square_side(file, inputs)
    outputs = [_openvino_shape(port) for port in model.outputs]
    output, count = _kind_of_output(file, outputs, names)
    return WeightFacts(
        backend="openvino",
        precision=_openvino_precision(model),
        output=output,
        files={"model.xml": file, "model.bin": weights},
        class_names=_worth_the_name(names),
        class_count=count,
        input_size=side,
    )


def read_engine(file: Path) -> WeightFacts:
    """An engine can be read only on the GPU it was built for, but Ultralytics writes a header."""
    metadata, _ = engine_header(file)
    if not metadata:
        raise SourceError(
            f"{file} does not say what it holds (no header as Ultralytics writes it); start from "
            "its .pt file and quantise with backend 'tensorrt'"
        )
    names = _parse_names(metadata.get("names"))
    arguments = metadata.get("args") or {}
    int8 = arguments.get("int8") or str(arguments.get("quantize")) in ("8", "int8")
    half = arguments.get("half") or str(arguments.get("quantize")) in ("16", "fp16")
    return WeightFacts(
        backend="tensorrt",
        precision="int8" if int8 else "fp16" if half else "fp32",
        output="end_to_end" if metadata.get("end2end") else "grid",
        files={"model.engine": file},
        class_names=_worth_the_name(names),
        class_count=len(names) if names else None,
        input_size=_metadata_side(metadata.get("imgsz")),
    )


def engine_header(file: Path) -> tuple[dict[str, Any], int]:
    """Ultralytics' header of a TensorRT engine and where the engine itself starts.

    The header is a little-endian 4-byte length and as many bytes of JSON; ({}, 0) without one.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(4), "little", signed=True)
        if not 0 < length < 1 << 20:
            return {}, 0
        text = stream.read(length)
    try:
        metadata = json.loads(text.decode("utf-8"))
    except ValueError:
        return {}, 0
    return (metadata, 4 + length) if isinstance(metadata, dict) else ({}, 0)


# --- shapes ------------------------------------------------------------------------------------

Shape = tuple[int | None, ...]


def _onnx_shape(value: Any) -> Shape:
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in dimensions)


def _openvino_shape(port: Any) -> Shape:
    return tuple(d.get_length() if d.is_static else None for d in port.get_partial_shape())


def _square_side(file: Path, inputs: Sequence[Shape]) -> int | None:
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][1] not in (3, None):
        raise SourceError(
            f"{file} is not a detector as known here: its input must be one N×3×S×S tensor but "
            f"is {_show(inputs)}"
        )
    _, _, height, width = inputs[0]
    if height != width:
        raise SourceError(
            f"{file} takes images of {height}×{width} pixels; only square inputs are served. "
            "Export it with one side, e.g. imgsz=640"
        )
    return height


def _kind_of_output(
    file: Path, outputs: Sequence[Shape], names: Sequence[str] | None
) -> tuple[str, int | None]:
    """('grid' or 'end_to_end', number of classes where the shape tells it).

    N×(4+classes)×anchors has far more anchors than rows; N×K×6 ends in 6.
    """
    if len(outputs) == 1 and len(outputs[0]) == 3:
        _, rows, columns = outputs[0]
        if columns == END_TO_END_COLUMNS:
            return "end_to_end", len(names) if names else None
        if rows is not None and rows > BOX_ROWS and (columns is None or columns >= rows // 4):
            return "grid", rows - BOX_ROWS
    raise SourceError(
        f"{file} is not a detector as known here: its output must be one tensor "
        f"N×(4+classes)×anchors or N×K×6 but is {_show(outputs)}"
    )


def _show(shapes: Sequence[Shape]) -> str:
    return ", ".join("×".join("?" if d is None else str(d) for d in s) for s in shapes) or "none"


# --- names, precision, size --------------------------------------------------------------------


def _parse_names(text: Any) -> tuple[str, ...] | None:
    """Class names from a mapping, a list, or either spelled as Python; None for anything else."""
    if isinstance(text, str):
        try:
            text = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return None
    if isinstance(text, Mapping):
        try:
            by_id = {int(key): str(name) for key, name in text.items()}
        except (TypeError, ValueError):
            return None
        if sorted(by_id) != list(range(len(by_id))):
            return None
        return tuple(by_id[i] for i in range(len(by_id)))
    return tuple(map(str, text)) if isinstance(text, (list, tuple)) and text else None


def _worth_the_name(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """None for names that only number the classes, as a model without data has them."""
    if not names or all(n in (str(i), f"class{i}") for i, n in enumerate(names)):
        return None
    return names


def _metadata_side(text: Any) -> int | None:
    try:
        value = ast.literal_eval(text) if isinstance(text, str) else text
    except (ValueError, SyntaxError):
        return None
    if isinstance(value, (list, tuple)):
        value = value[0] if len(set(value)) == 1 else None
    return value if isinstance(value, int) else None


def _onnx_precision(model: Any) -> str:
    if any(node.op_type in QUANTISED_KINDS for node in model.graph.node):
        return "int8"
    float16 = 10  # onnx.TensorProto.FLOAT16
    weights = [t for t in model.graph.initializer if len(t.dims) > 1]
    half = sum(t.data_type == float16 for t in weights)
    return "fp16" if half * 2 > len(weights) else "fp32"


def _openvino_precision(model: Any) -> str:
    operations = model.get_ops()
    if any(operation.get_type_name() == "FakeQuantize" for operation in operations):
        return "int8"
    weights = [
        operation.get_element_type().get_type_name()
        for operation in operations
        if operation.get_type_name() == "Constant" and len(operation.get_output_shape(0)) == 4
    ]
    return "fp16" if weights.count("f16") * 2 > len(weights) else "fp32"


def _xml_metadata(file: Path, model: Any) -> dict[str, Any]:
    """Class names from Ultralytics' metadata.yaml beside the file, else from the model."""
    beside = file.parent / "metadata.yaml"
    if beside.is_file():
        from ...support.foreign_yaml import UnreadableYamlError, read_yaml

        try:
            content = read_yaml(beside)
        except UnreadableYamlError as exc:
            raise SourceError(f"{beside}: {exc}") from exc
        return dict(content) if isinstance(content, Mapping) else {}
    for path in (RT_INFO_NAMES, ["framework", "names"]):
        if model.has_rt_info(path):
            return {"names": model.get_rt_info(path).astype(str)}
    if model.has_rt_info(["model_info", "labels"]):
        return {"names": model.get_rt_info(["model_info", "labels"]).astype(str).split()}
    return {}


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

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
from .foreign import onnx_files
from .foreign.network_shapes import Shape, kind_of_output, require_detection, side_of_input
from .foreign.other_formats import other_format

QUANTISED_KINDS = frozenset(
    {"QuantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}
)
CHECKPOINT = "model.pt"
"""What a checkpoint is called in a package."""
NMS_CONFIDENCE = 0.25
"""Below which Ultralytics' exported NMS drops boxes where nothing else is said."""
LETTERBOX = "fit_to_window_letterbox"
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
        made_for: side that it was trained or exported for, where it says so; any other works too.
        nms_confidence: below which its own NMS drops boxes; None where it has none.
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
    made_for: int | None = None
    nms_confidence: float | None = None


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
        known = other_format(weights)
        raise SourceError(
            f"{weights} must end in one of {', '.join(kinds)} but ends in '{weights.suffix}'"
            + (f": {known}" if known else "")
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
        made_for=ultralytics_models.trained_size(model),
    )


def read_onnx(file: Path) -> WeightFacts:
    model, beside = onnx_files.open_file(file)
    graph = model.graph
    initialisers = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialisers]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    facts = _facts_of_network(
        file,
        metadata,
        inputs=[_onnx_shape(value) for value in inputs],
        types=[onnx_files.element_type(value) for value in inputs],
        outputs=[_onnx_shape(value) for value in graph.output],
        suppresses=any(node.op_type == "NonMaxSuppression" for node in graph.node),
    )
    onnx_files.require_plain_input(file, model, inputs[0].name, metadata)
    onnx_files.require_opens(file)
    return WeightFacts(
        backend="onnx",
        precision=_onnx_precision(model),
        files={"model.onnx": file, **beside},
        **facts,
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
    kinds = {operation.get_type_name() for operation in model.get_ops()}
    facts = _facts_of_network(
        file,
        metadata,
        inputs=[_openvino_shape(port) for port in model.inputs],
        types=[port.get_element_type().to_dtype().name for port in model.inputs],
        outputs=[_openvino_shape(port) for port in model.outputs],
        suppresses=any("NonMaxSuppression" in kind for kind in kinds),
    )
    _require_plain_pictures(file, model)
    return WeightFacts(
        backend="openvino",
        precision=_openvino_precision(model),
        files={"model.xml": file, "model.bin": weights},
        **facts,
    )


def _facts_of_network(
    file: Path,
    metadata: Mapping[str, Any],
    *,
    inputs: Sequence[Shape],
    types: Sequence[str],
    outputs: Sequence[Shape],
    suppresses: bool,
) -> dict[str, Any]:
    """What inputs, outputs and metadata say together, as values of WeightFacts.

    Args:
        suppresses: the network ends in an NMS of its own.

    Raises:
        SourceError: it is no detector; names what it is.
    """
    require_detection(file, metadata.get("task"))
    names = _parse_names(metadata.get("names"))
    side = side_of_input(file, inputs, types)
    made_for = _metadata_side(metadata.get("imgsz"))
    arguments = _mapping(metadata.get("args"))
    ends = suppresses or str(metadata.get("end2end")) == "True"
    output, count = kind_of_output(file, outputs, names, side or made_for, said_end_to_end=ends)
    confidence = arguments.get("conf")
    return {
        "output": output,
        "class_names": _worth_the_name(names),
        "class_count": count,
        "input_size": side,
        "made_for": made_for,
        "nms_confidence": (
            (float(confidence) if isinstance(confidence, (int, float)) else NMS_CONFIDENCE)
            if suppresses
            else None
        ),
    }


def read_engine(file: Path) -> WeightFacts:
    """An engine can be read only on the GPU it was built for, but Ultralytics writes a header."""
    metadata, _ = engine_header(file)
    if not metadata:
        raise SourceError(
            f"{file} does not say what it holds (no header as Ultralytics writes it); start from "
            "its .pt file and quantise with backend 'tensorrt'"
        )
    require_detection(file, metadata.get("task"))
    names = _parse_names(metadata.get("names"))
    arguments = _mapping(metadata.get("args"))
    int8 = arguments.get("int8") or str(arguments.get("quantize")) in ("8", "int8")
    half = arguments.get("half") or str(arguments.get("quantize")) in ("16", "fp16")
    return WeightFacts(
        backend="tensorrt",
        precision="int8" if int8 else "fp16" if half else "fp32",
        output="end_to_end" if metadata.get("end2end") or arguments.get("nms") else "grid",
        files={"model.engine": file},
        nms_confidence=NMS_CONFIDENCE if arguments.get("nms") else None,
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


def _onnx_shape(value: Any) -> Shape:
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in dimensions)


def _openvino_shape(port: Any) -> Shape:
    return tuple(d.get_length() if d.is_static else None for d in port.get_partial_shape())


# --- names, precision, size --------------------------------------------------------------------


def _value(said: Any) -> Any:
    """What a text spells as Python, None where it spells nothing; what is no text, as it is."""
    try:
        return ast.literal_eval(said) if isinstance(said, str) else said
    except (ValueError, SyntaxError):
        return None


def _parse_names(said: Any) -> tuple[str, ...] | None:
    """Class names from a mapping, a list, or either spelled as Python; None for anything else."""
    names = _value(said)
    if isinstance(names, Mapping):
        try:
            by_id = {int(key): str(name) for key, name in names.items()}
        except (TypeError, ValueError):
            return None
        if sorted(by_id) != list(range(len(by_id))):
            return None
        return tuple(by_id[i] for i in range(len(by_id)))
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) and names else None


def _worth_the_name(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """None for names that only number the classes, as a model without data has them."""
    if not names or all(n in (str(i), f"class{i}") for i, n in enumerate(names)):
        return None
    return names


def _mapping(said: Any) -> Mapping[str, Any]:
    """A mapping, or one spelled as Python; {} for anything else."""
    value = _value(said)
    return value if isinstance(value, Mapping) else {}


def _metadata_side(said: Any) -> int | None:
    return ultralytics_models.square_side(_value(said))


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


def _require_plain_pictures(file: Path, model: Any) -> None:
    """Refuse an OpenVINO model that asks for other pictures than ours in its `model_info`.

    OpenVINO's Model API and Ultralytics write there how pictures are to be prepared.
    """
    said = {
        key: model.get_rt_info(["model_info", key]).astype(str).strip().lower()
        for key in ("resize_type", "reverse_input_channels", "mean_values", "scale_values")
        if model.has_rt_info(["model_info", key])
    }
    numbers = {key: said[key].replace(",", " ").split() for key in said if "values" in key}
    faults = []
    if said.get("resize_type", LETTERBOX) not in (LETTERBOX, ""):
        faults.append(f"pictures stretched or cropped ('{said['resize_type']}'), not letterboxed")
    if said.get("reverse_input_channels", "yes") in ("false", "no", "0"):
        faults.append("BGR pictures, not RGB")
    if any(float(each) != 0 for each in numbers.get("mean_values", [])):
        faults.append(f"mean values {said['mean_values']} taken off")
    if any(float(each) != 255 for each in numbers.get("scale_values", [])):
        faults.append(f"values divided by {said['scale_values']}, not by 255")
    if faults:
        raise SourceError(
            f"{file} says that it takes {'; '.join(faults)}: it would be judged on pictures that "
            "it was not made for. Export it for letterboxed RGB with values from 0 to 1"
        )

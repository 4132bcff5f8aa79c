"""PyTorch → ONNX: the one graph that every other export starts from.

The batch is free, height and width are fixed: anchors fold into constants, which every runtime
turns into faster code, and a fixed side is what the deployed letterbox produces anyway.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from ..contracts.errors import BackendError
from ..contracts.results import DetectorPackage, DetectorSpec
from .exporting import foreign_errors, prints_to_log, require
from .weights import checkpoints, ultralytics_models

# The newest whose INT8 quantisation ONNX Runtime accepts unchanged (it rejects 21 and later) and
# for which its CUDA provider has all kernels of these networks (Resize 19 is not among them).
OPSET = 18
INPUT_NAME = "images"
OUTPUT_NAME = "output0"
INSTALL = "pip install onnx onnxslim"


def to_onnx(source: DetectorPackage, file: Path) -> None:
    """Write the interchange graph of a PyTorch package: float32, N×3×S×S in 0…1.

    Raises:
        BackendError: tracing or simplifying failed.
        MissingDependencyError: onnx or onnxslim is not installed.
    """
    onnx = require("onnx", "export to ONNX", INSTALL)
    onnxslim = require("onnxslim", "export to ONNX", INSTALL)
    spec = source.spec
    model = ultralytics_models.load_detector(source.weights_path, checkpoints.accepted_by(spec))
    stride = int(max(model.stride))
    with foreign_errors(f"export of {spec.architecture or 'the detector'} to ONNX"):
        _trace(ultralytics_models.prepare(model, spec.output, spec.input_size), spec, file)
        with prints_to_log():
            graph = onnxslim.slim(onnx.load(str(file)))
        graph.ir_version = min(graph.ir_version, 10)
        name_nodes(graph)
        facts = {
            "task": "detect",
            "names": str(dict(enumerate(spec.class_names))),
            "imgsz": str([spec.input_size, spec.input_size]),
            "stride": str(stride),
            "end2end": str(spec.output == "end_to_end"),
        }
        onnx.helper.set_model_props(graph, facts)
        onnx.save(graph, str(file))
    if len(graph.graph.output) != 1:
        raise BackendError(f"a detector has one output but this graph has {graph.graph.output}")


def _trace(model: Any, spec: DetectorSpec, file: Path) -> None:
    import torch
    from ultralytics.nn.modules import C2f

    for module in model.modules():
        if isinstance(module, C2f):  # split gives one node where chunk gives a slice per part
            module.forward = module.forward_split
    side = spec.input_size
    image = torch.zeros(1, 3, side, side)
    with torch.no_grad(), prints_to_log(), warnings.catch_warnings():
        # The exporter by tracing is the one that keeps the batch free and node names readable;
        # PyTorch announces on every call that another is the default, and the tracer that
        # Python branches on shapes are fixed, which with a fixed side they are.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        model(image)
        torch.onnx.export(
            model,
            (image,),
            str(file),
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_axes={INPUT_NAME: {0: "batch"}, OUTPUT_NAME: {0: "batch"}},
            dynamo=False,
        )


def name_nodes(graph: Any) -> None:
    """Give every node of an `onnx.ModelProto` a name of its own."""
    seen: set[str] = set()
    for index, node in enumerate(graph.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{index}"
        seen.add(node.name)

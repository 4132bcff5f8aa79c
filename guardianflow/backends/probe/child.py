"""Run as a script in a process of its own: does a backend run here at this precision?

    python child.py BACKEND PRECISION LIBRARY [DEVICE]

Builds a tiny network on the spot (convolutions and a matrix product, quantised for int8), runs it
and prints one JSON object as its last line. It imports nothing of this project, so that a native
crash can only come from the library on trial. The network is wide enough (64 channels, 32×32)
that the matrix-multiply kernels real detectors use are the ones that are chosen. Of a backend
that no network is known for here, the library is loaded.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

CHANNELS, SIDE = 64, 32


class MissingDeviceError(Exception):
    """The library is there, the device it needs is not."""


def main(backend: str, precision: str, library: str = "", device: str = "") -> dict[str, str]:
    """Try it; the answer is one of ok, missing-library, missing-device, failed."""
    tries: dict[str, Callable[[str], Any]] = {
        "pytorch": try_pytorch,
        "onnx": try_onnx,
        "openvino": try_openvino,
        "tensorrt": try_tensorrt,
    }
    try:
        if device:
            output = np.asarray(try_openvino(precision, device), dtype=np.float32)
        elif backend in tries:
            output = np.asarray(tries[backend](precision), dtype=np.float32)
        else:
            output = np.array([importlib.import_module(library) is not None], np.float32)
    except ModuleNotFoundError as exc:
        return {"verdict": "missing-library", "reason": str(exc), "library": exc.name or ""}
    except MissingDeviceError as exc:
        return {"verdict": "missing-device", "reason": str(exc)}
    except Exception as exc:
        return {"verdict": "failed", "reason": f"{type(exc).__name__}: {exc}"}
    if output.size == 0 or not np.isfinite(output).all():
        return {"verdict": "failed", "reason": "the tiny network's output is not finite"}
    return {"verdict": "ok", "reason": f"output of {output.size} values"}


def arrays() -> tuple[Any, Any, Any]:
    """Image 1×C×S×S, convolution weights C×C×3×3, matrix C×C; seeded."""
    random = np.random.default_rng(0)
    image = random.random((1, CHANNELS, SIDE, SIDE), dtype=np.float32)
    weights = random.standard_normal((CHANNELS, CHANNELS, 3, 3), dtype=np.float32) * 0.05
    matrix = random.standard_normal((CHANNELS, CHANNELS), dtype=np.float32) * 0.1
    return image, weights, matrix


def try_pytorch(precision: str) -> Any:
    """Convolution and matrix product, on the GPU for fp16."""
    import torch

    if precision == "fp16" and not torch.cuda.is_available():
        raise MissingDeviceError("PyTorch fp16 needs a CUDA GPU and none is there")
    device = "cuda" if precision == "fp16" else "cpu"
    dtype = torch.float16 if precision == "fp16" else torch.float32
    image, weights, matrix = (torch.from_numpy(a).to(device, dtype) for a in arrays())
    with torch.inference_mode():
        features = torch.nn.functional.conv2d(image, weights, padding=1)
        product = features.flatten(2).transpose(1, 2) @ matrix
    return product.float().cpu().numpy()


def try_onnx(precision: str) -> Any:
    """The same network as an ONNX graph; QDQ pairs for int8."""
    import onnxruntime

    model = onnx_model(precision)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    image = arrays()[0].astype(np.float16 if precision == "fp16" else np.float32)
    return session.run(None, {"image": image})[0]


def onnx_model(precision: str) -> Any:
    """Conv → Reshape → MatMul."""
    from onnx import TensorProto, helper, numpy_helper

    _, weights, matrix = arrays()
    kind = np.float16 if precision == "fp16" else np.float32
    constants: dict[str, Any] = {
        "flat": np.array([1, CHANNELS, -1], np.int64),
        "matrix": matrix.astype(kind),
    }
    nodes = []
    data, kernel = "image", "weights"
    if precision == "int8":
        scale = np.float32(np.abs(weights).max() / 127)
        constants |= {
            "image_scale": np.float32(1 / 255),
            "image_zero": np.uint8(0),
            "quantised": np.clip(np.round(weights / scale), -127, 127).astype(np.int8),
            "weights_scale": scale,
            "weights_zero": np.int8(0),
        }
        image_ends, weight_ends = ["image_scale", "image_zero"], ["weights_scale", "weights_zero"]
        nodes = [
            helper.make_node("QuantizeLinear", ["image", *image_ends], ["image_q"]),
            helper.make_node("DequantizeLinear", ["image_q", *image_ends], ["image_dq"]),
            helper.make_node("DequantizeLinear", ["quantised", *weight_ends], ["weights_dq"]),
        ]
        data, kernel = "image_dq", "weights_dq"
    else:
        constants["weights"] = weights.astype(kind)
    nodes += [
        helper.make_node("Conv", [data, kernel], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["features", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["columns", "matrix"], ["output"]),
    ]
    element = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("image", element, [1, CHANNELS, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", element, [1, SIDE * SIDE, CHANNELS])],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def try_openvino(precision: str, device: str = "CPU") -> Any:
    """The same network compiled as our sessions compile theirs; FakeQuantize for int8."""
    import openvino
    from openvino import opset13 as ops

    core = openvino.Core()
    there = list(core.available_devices)
    if device != "AUTO" and not any(device in (n, n.partition(".")[0]) for n in there):
        raise MissingDeviceError(f"OpenVINO finds no {device} here, only {', '.join(there)}")
    image, weights, matrix = arrays()
    data = ops.parameter(list(image.shape), np.float32)
    kind = np.float16 if precision == "fp16" else np.float32
    kernel, node = ops.constant(weights.astype(kind)), data
    if kind is np.float16:
        kernel = ops.convert(kernel, "f32")
    if precision == "int8":
        node = ops.fake_quantize(data, *(np.float32(v) for v in (0, 1, 0, 1)), 256)
        edge = np.float32(np.abs(weights).max())
        kernel = ops.fake_quantize(kernel, -edge, edge, -edge, edge, 255)
    node = ops.convolution(node, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    rows = ops.reshape(ops.relu(node), np.array([1, CHANNELS, -1]), special_zero=False)
    product = ops.matmul(rows, ops.constant(matrix), True, False)
    model = openvino.Model([product], [data], "probe")
    settings = {"PERFORMANCE_HINT": "LATENCY"}
    if device in ("CPU", "AUTO") or precision == "fp32":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = core.compile_model(model, device, settings)
    return compiled([image])[0]


def try_tensorrt(precision: str) -> Any:  # noqa: ARG001 - a builder that starts does them all
    """Whether a builder starts on the GPU; building would take longer than a probe may."""
    import tensorrt
    import torch

    if not torch.cuda.is_available():
        raise MissingDeviceError("TensorRT needs an NVIDIA GPU with its driver and none is there")
    builder = tensorrt.Builder(tensorrt.Logger(tensorrt.Logger.ERROR))
    return np.array([builder is not None], np.float32)


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(main(*sys.argv[1:5])) + "\n")

"""The meaning of calls: the functions of libraries that train, infer or quantise.

A call comes as its full name with the imports resolved: `trt.Builder` is 'tensorrt.Builder', and
`model.train` after `model = YOLO(…)` is 'ultralytics.YOLO().train'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .results import Kind


@dataclass(frozen=True)
class Meaning:
    """The kind of work that a call is evidence for.

    Args:
        strength: 0…1.
        said: how the sentence says it, e.g. 'calls YOLO.train'.
        part: '': enough by itself; else it needs the other parts (a backward and a step).
    """

    kind: Kind
    strength: float
    said: str
    part: str = ""


DETECTORS = re.compile(
    r"(?:^|\.)(YOLO|RTDETR|YOLOWorld|YOLOE|NAS|FastSAM|SAM|YOLOv10)\(\)"
    r"(?:\.(?:load|to|cuda|cpu|eval|half|float|fuse)\(\))*$"
)
_TRAINERS = re.compile(r"(?:Trainer|Runner(?:\.from_cfg)?)\(\)$")
_FITTERS = re.compile(
    r"(?:^|\.)(?:lightning|pytorch_lightning|keras|tensorflow|autogluon|fastai)\b"
)
_HUB = re.compile(
    r"(?:torch\.hub\.load|DetectMultiBackend|attempt_load|AutoBackend|AutoDetectionModel\.from_pretrained"
    r"|torch\.jit\.load|load_model)\(\)$"
)
_NOT_TORCH_MODE = {"data", "epochs", "imgsz", "batch", "cfg", "hyp", "batch_size", "resume"}
_OF_A_DETECTOR: dict[str, tuple[Kind, float, set[str]]] = {
    "train": ("train", 1.0, _NOT_TORCH_MODE),
    "tune": ("train", 1.0, _NOT_TORCH_MODE),
    "val": ("infer", 0.75, {"data", "split", "imgsz", "conf", "iou", "batch"}),
    "predict": ("infer", 0.85, {"source", "imgsz", "conf", "iou", "save", "stream", "show",
                                "classes", "device"}),
    "track": ("infer", 0.9, {"source", "tracker", "persist", "stream", "conf"}),
    "export": ("quant", 0.85, {"format", "int8", "half", "opset", "dynamic", "simplify"}),
}  # fmt: skip
"""Method → kind and strength, and the arguments that tell a detector's from another class's."""

_QUANTISERS: tuple[tuple[str, float, str], ...] = (
    (r"(?:.*\.)?nncf\.(?:.*\.)?(?:quantize\w*|compress_weights|create_compressed_model)$", 1.0,
     "NNCF"),
    (r"onnxruntime\.quantization\.(?!.*(?:CalibrationDataReader|QuantType|QuantFormat))", 1.0,
     "ONNX Runtime's quantisation"),
    (r"torch\.(?:ao\.)?quantization\.", 1.0, "PyTorch's quantisation"),
    (r"(?:pytorch_quantization|modelopt|neural_compressor|tensorflow_model_optimization|aimet_torch)\.",
     1.0, "a quantisation library"),
    (r"openvino\.tools\.pot\.", 1.0, "OpenVINO's POT"),
    (r"tensorrt\.(?:Builder|OnnxParser)$", 1.0, "TensorRT's builder"),
    (r"(?:.*\.)?(?:build_serialized_network|build_cuda_engine|engine_from_network)$", 1.0,
     "TensorRT's builder"),
    (r"(?:.*\.)?torch2trt$|torch_tensorrt\.compile$", 0.95, "a TensorRT converter"),
    (r"openvino\.(?:.*\.)?(?:convert_model|save_model|serialize)$", 0.85, "OpenVINO's converter"),
    (r"torch\.onnx\.(?:dynamo_)?export$", 0.8, "torch.onnx.export"),
    (r"(?:onnxsim|onnxslim|onnx_simplifier)\.\w+$", 0.75, "an ONNX simplifier"),
    (r"(?:onnxconverter_common|onnxmltools)\.(?:.*\.)?convert\w*$", 0.9, "an ONNX converter"),
    (r"coremltools\.(?:.*\.)?convert$|tensorflow\.lite\.TFLiteConverter\.", 0.9,
     "a model converter"),
    (r"torch\.jit\.(?:trace|script)$", 0.5, "torch.jit"),
)  # fmt: skip
_RUNNERS: tuple[tuple[str, float, str], ...] = (
    (r"onnxruntime\.InferenceSession$", 0.7, "an ONNX Runtime session"),
    (r"onnxruntime\.InferenceSession\(\)\.run$", 0.85, "an ONNX Runtime session"),
    (r"openvino\.(?:.*\.)?Core\(\)\.compile_model$|openvino\.(?:.*\.)?compile_model$", 0.75,
     "a compiled OpenVINO model"),
    (r"(?:.*\.)?(?:infer_new_request|start_async|create_infer_request)$", 0.75,
     "a compiled OpenVINO model"),
    (r"(?:.*\.)?(?:deserialize_cuda_engine|execute_async_v[23]|execute_v2)$", 0.85,
     "a TensorRT engine"),
    (r"cv2\.dnn\.(?:readNet\w*|DetectionModel\w*)$", 0.75, "OpenCV's network reader"),
    (r"(?:.*\.)?non_max_suppression$", 0.6, "non-maximum suppression"),
    (r"(?:.*\.)?get_sliced_prediction$|sahi\.(?:.*\.)?predict\w*$", 0.8, "SAHI's prediction"),
    (r"ultralytics\.utils\.benchmarks\.\w+$", 0.75, "Ultralytics' benchmark"),
)  # fmt: skip
_KINDS: tuple[tuple[Kind, tuple[tuple[str, float, str], ...]], ...] = (
    ("quant", _QUANTISERS),
    ("infer", _RUNNERS),
)
_TABLE = [
    (re.compile(pattern), Meaning(kind, strength, f"uses {said}"))
    for kind, rows in _KINDS
    for pattern, strength, said in rows
]
STARTERS = re.compile(r"^(?:os\.(?:system|popen|exec\w+|spawn\w+)|subprocess\.\w+|.*\.system)$")


def meaning_of(name: str, keywords: frozenset[str], positional: int) -> Meaning | None:
    """The work that a call is evidence for; None: none.

    Args:
        name: full, with a `()` behind what was called to make the receiver.
        keywords: names of its keyword arguments.
        positional: how many it has without a name.
    """
    receiver, _, method = name.rpartition(".")
    found = _method(receiver, method, keywords)
    if found is not None:
        return found
    if DETECTORS.search(f"{name}()") and not name.endswith("()"):
        return Meaning("infer", 0.4, "makes a detector", part="made")
    if (DETECTORS.search(name) or _HUB.search(name)) and positional:
        return Meaning("infer", 0.8, "calls a detector on images")
    return next((meaning for pattern, meaning in _TABLE if pattern.match(name)), None)


def _method(receiver: str, method: str, keywords: frozenset[str]) -> Meaning | None:
    """A method that many classes have: its receiver or its arguments must say whose it is."""
    detector = DETECTORS.search(receiver) is not None
    if method in _OF_A_DETECTOR:
        kind, strength, arguments = _OF_A_DETECTOR[method]
        trainer = kind == "train" and _TRAINERS.search(receiver)
        if detector or trainer or keywords & arguments:
            return Meaning(kind, strength, f"calls {_shown(receiver)}.{method}")
    elif method == "run" and receiver.rpartition(".")[2] == "train":
        return Meaning("train", 0.95, "calls train.run")
    elif method in ("fit", "fit_one_cycle"):
        if _FITTERS.search(receiver) or keywords & {"epochs", "train_dataloaders", "datamodule"}:
            return Meaning("train", 0.85, f"calls .{method}")
    elif method == "backward":
        return Meaning("train", 0.95, "runs a training loop", part="backward")
    elif method == "step" and re.search(r"opt|scaler|sgd|adam", receiver, re.I):
        return Meaning("train", 0.95, "runs a training loop", part="step")
    elif method == "benchmark" and detector:
        return Meaning("infer", 0.75, "calls YOLO.benchmark")
    elif method == "eval":
        return Meaning("infer", 0.45, "runs a network without learning", part="eval")
    elif receiver == "torch" and method in ("no_grad", "inference_mode"):
        return Meaning("infer", 0.45, "runs a network without learning", part="no_grad")
    return None


def _shown(receiver: str) -> str:
    """'YOLO' of 'ultralytics.YOLO()', 'model' of 'self.model'."""
    if match := DETECTORS.search(receiver):
        return match[1]
    return receiver.removesuffix("()").rpartition(".")[2] or "the model"


_MODES: dict[str, Kind] = {
    "train": "train", "tune": "train", "val": "infer", "predict": "infer", "track": "infer",
    "benchmark": "infer", "export": "quant",
}  # fmt: skip
_COMMANDS: tuple[tuple[re.Pattern[str], Kind, str], ...] = (
    (re.compile(r"\b(?:trtexec|ovc|mo(?:\.py)?\s+--|pot\s+-|polygraphy\s+convert|onnxsim|torch2trt)\b"),
     "quant", "a converter"),
    (re.compile(r"\bbenchmark_app\b"), "infer", "benchmark_app"),
    (re.compile(r"\bdarknet\S*\s+detector\s+train\b"), "train", "Darknet's training"),
    (re.compile(r"\bdarknet\S*\s+detector\s+(?:test|demo|map|valid)\b"), "infer", "Darknet"),
    (re.compile(r"(?:^|[\s/])(?:train|finetune|학습)\w*\.py\b"), "train", "a training script"),
    (re.compile(r"(?:^|[\s/])(?:detect|predict|val|track|infer|test|추론)\w*\.py\b"), "infer",
     "an inference script"),
    (re.compile(r"(?:^|[\s/])(?:export|quant|convert|양자화|변환)\w*\.py\b"), "quant",
     "an export script"),
)  # fmt: skip
_YOLO = re.compile(r"(?:^|[\s/;&])yolo\s+(.*)", re.S)


def meaning_of_command(command: str) -> Meaning | None:
    """The work that a shell's command is evidence for: `yolo detect train …`, `python train.py`."""
    if match := _YOLO.search(command):
        for word in re.findall(r"(?:mode=)?(\w+)(?![\w=.])", match[1]):
            if word in _MODES:
                return Meaning(_MODES[word], 0.85, f"starts the command 'yolo {word}'")
    for pattern, kind, said in _COMMANDS:
        if pattern.search(command):
            return Meaning(kind, 0.7, f"starts {said}")
    return None

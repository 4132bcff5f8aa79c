"""The meaning of commands: `yolo detect train …`, `trtexec …`, `python train.py`."""

from __future__ import annotations

import re

from ..results import Kind
from ..script_names import read_name
from .calls import Meaning, kinds_of_methods

LONGEST = 4000
STARTERS = re.compile(r"^(?:os\.(?:system|popen|exec\w+|spawn\w+)|subprocess\.\w+|.*\.system)$")
PIPELINES = re.compile(r"(?:^|\.)(?:parse_launch|ElementFactory\.make|parse_bin_from_description)$")
_ELEMENTS = re.compile(
    r"\b(?:nvinfer(?:server)?|nvdspreprocess|hailonet|gva(?:detect|inference)|qtiml\w+|vvas_xinfer"
    r"|dxinfer|axinference\w*|edgetpu|tensor_filter|xvtrack|inferencebin)\b"
)
_MODES = kinds_of_methods() | {"benchmark": "infer"}
_COMMANDS: tuple[tuple[re.Pattern[str], Kind, str], ...] = (
    (re.compile(
        r"\b(?:trtexec|ovc|mo(?:\.py)?\s+--|pot\s+-|polygraphy\s+convert|onnxsim|torch2trt"
        r"|onnx2ncnn|ncnn2int8|ncnnoptimize|ncnn2table|pnnx|mnnconvert|MNNConvert|edgetpu_compiler"
        r"|snpe-(?:onnx|tflite|pytorch|tensorflow)-to-dlc|snpe-dlc-quant\w*|qnn-\w+-converter"
        r"|qnn-model-lib-generator|qnn-context-binary-generator|qairt-(?:converter|quantizer)"
        r"|dxcom|dx_com|hailomz\s+(?:compile|optimize|parse)|hailo\s+(?:optimize|compiler|parser)"
        r"|tvmc\s+(?:compile|tune)|atc\s+--|model_(?:transform|deploy)\.py|hb_mapper|furiosa-compiler"
        r"|furiosa\s+compile|vai_[qc]_\w+|onnx2tf|tf2onnx|tflite_convert|paddle2onnx|x2paddle"
        r"|xmodel|coremlc\w*|torch-model-archiver)\b"),
     "quant", "a converter"),
    (re.compile(
        r"\b(?:benchmark_app|snpe-net-run|qnn-net-run|qnn-throughput-net-run|hailortcli\s+(?:run|benchmark)"
        r"|run_model|tvmc\s+run|benchmark_model|benchncnn|rknn_benchmark|axrunmodel|deepstream-app"
        r"|furiosa-bench|trtexec\s+--loadEngine)\b"),
     "infer", "a runtime's application"),
    (re.compile(r"\bdarknet\S*\s+detector\s+train\b"), "train", "Darknet's training"),
    (re.compile(r"\bdarknet\S*\s+detector\s+(?:test|demo|map|valid)\b"), "infer", "Darknet"),
    (re.compile(r"(?:^|[\s/])(?:train|finetune|학습)\w*\.py\b"), "train", "a training script"),
    (re.compile(r"(?:^|[\s/])(?:detect|predict|val|track|infer|test|추론)\w*\.py\b"), "infer",
     "an inference script"),
)  # fmt: skip
_EXPORTS = re.compile(r"(?:^|[\s/])((?:export|quant|convert|양자화|변환)\w*\.py)\b")
_YOLO = re.compile(r"(?:^|[\s/;&])yolo\s+(.*)", re.S)
_LOADS_ENGINE = re.compile(r"\btrtexec\b.*--loadEngine\b", re.S)


def meaning_of_command(command: str) -> Meaning | None:
    """The work that a shell's command is evidence for."""
    command = command[:LONGEST]
    if match := _YOLO.search(command):
        for word in re.findall(r"(?<![\w=.])(?:mode=)?(\w+)(?![\w=.])", match[1]):
            if word in _MODES:
                return Meaning(_MODES[word], 0.85, f"starts the command 'yolo {word}'")
    if _LOADS_ENGINE.search(command):
        return Meaning("infer", 0.7, "starts trtexec on an engine")
    for pattern, kind, said in _COMMANDS:
        if pattern.search(command):
            return Meaning(kind, 0.7, f"starts {said}")
    found = _EXPORTS.search(command)
    if found and "quant" in read_name(found[1]).hints:
        return Meaning("quant", 0.7, "starts an export script")
    return None


def meaning_of_pipeline(description: str) -> Meaning | None:
    """A pipeline of GStreamer infers where one of its elements runs a network."""
    found = _ELEMENTS.search(description[:LONGEST])
    return Meaning("infer", 0.85, f"runs GStreamer's {found[0]}") if found else None

"""Names model files of other formats, for the message that refuses them."""

from __future__ import annotations

from pathlib import Path

FORMATS = {
    ".tflite": "a TensorFlow Lite model",
    ".lite": "a TensorFlow Lite model",
    ".pb": "a TensorFlow graph",
    ".h5": "a Keras model",
    ".keras": "a Keras model",
    ".torchscript": "a TorchScript archive",
    ".pth": "a PyTorch file of another trainer",
    ".safetensors": "tensors without a network",
    ".ckpt": "a checkpoint of another trainer",
    ".pkl": "a pickle",
    ".mlmodel": "a Core ML model",
    ".mlpackage": "a Core ML model",
    ".param": "an NCNN model",
    ".mnn": "an MNN model",
    ".rknn": "a Rockchip model",
    ".hef": "a Hailo model",
    ".pdmodel": "a PaddlePaddle model",
    ".pdiparams": "a PaddlePaddle model",
    ".weights": "a Darknet model",
    ".plan": "a TensorRT engine without Ultralytics' header",
    ".trt": "a TensorRT engine without Ultralytics' header",
    ".blob": "an OpenVINO blob, compiled for one device",
    ".pte": "an ExecuTorch model",
    ".ptl": "a TorchScript archive for phones",
}
PARTS = {".bin": ".xml", ".data": ".onnx"}
"""Files that go with another, which is the one to name."""


def other_format(file: Path) -> str:
    """What a file is by its suffix, and what to give instead; '' where nothing is known."""
    suffix = file.suffix.lower()
    if what := FORMATS.get(suffix):
        return f"'{suffix}' is {what}. Give the .pt it was made from, or export that to .onnx"
    if main := PARTS.get(suffix):
        return f"'{suffix}' holds the numbers of a network alone: name its {main} file"
    return ""

"""Calls that can be seen in the text of a script which has no syntax tree."""

from __future__ import annotations

import re
from collections.abc import Iterator


def _method(name: str, options: str) -> re.Pattern[str]:
    """A call of a method with one of its options; bounded, as a line may have 2 MB."""
    return re.compile(rf"\.{name}\s{{0,8}}\([^)\n]{{0,400}}(?:{options})\s{{0,8}}=")


_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"\.train\s{0,8}\([^)\n]{0,400}(?:data|epochs|imgsz)\s*="),
        "ultralytics.YOLO().train",
    ),
    (_method("val", "data|imgsz|split"), "ultralytics.YOLO().val"),
    (
        re.compile(r"\.predict\s{0,8}\([^)\n]{0,400}(?:source|conf|imgsz)\s*="),
        "ultralytics.YOLO().predict",
    ),
    (
        re.compile(r"\.track\s{0,8}\([^)\n]{0,400}(?:source|tracker|persist)\s*="),
        "ultralytics.YOLO().track",
    ),
    (
        re.compile(r"\.export\s{0,8}\([^)\n]{0,400}(?:format|int8|half)\s*="),
        "ultralytics.YOLO().export",
    ),
    (re.compile(r"\bnncf\.quantize"), "nncf.quantize"),
    (re.compile(r"\bquantize_(?:static|dynamic)\s*\("), "onnxruntime.quantization.quantize_static"),
    (re.compile(r"\b(?:trt|tensorrt)\.Builder\b|build_cuda_engine"), "tensorrt.Builder"),
    (re.compile(r"\btorch\.onnx\.export\b"), "torch.onnx.export"),
    (re.compile(r"\bInferenceSession\s*\("), "onnxruntime.InferenceSession"),
    (re.compile(r"deserialize_cuda_engine"), "x.deserialize_cuda_engine"),
    (re.compile(r"\breadNet\w*\s*\("), "cv2.dnn.readNet"),
    (re.compile(r"\.backward\s*\("), "loss.backward"),
    (re.compile(r"\b\w*(?:optim|opt|solver|scaler)\w*\.step\s*\("), "optimizer.step"),
)


def calls_in_text(text: str) -> Iterator[tuple[str, int]]:
    """The full name of each call that is found, and where it stands; each once."""
    for pattern, name in _TEXT:
        if match := pattern.search(text):
            yield name, match.start()

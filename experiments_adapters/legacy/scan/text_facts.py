"""Facts of a script that has no syntax tree: the calls that can be found in its text."""

from __future__ import annotations

import re

from .call_meanings import meaning_of, meaning_of_command
from .evidence import Evidence, Facts
from .source import Source

_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\.train\s*\([^)\n]*(?:data|epochs|imgsz)\s*="), "ultralytics.YOLO().train"),
    (re.compile(r"\.val\s*\([^)\n]*(?:data|imgsz|split)\s*="), "ultralytics.YOLO().val"),
    (re.compile(r"\.predict\s*\([^)\n]*(?:source|conf|imgsz)\s*="), "ultralytics.YOLO().predict"),
    (re.compile(r"\.track\s*\([^)\n]*(?:source|tracker|persist)\s*="), "ultralytics.YOLO().track"),
    (re.compile(r"\.export\s*\([^)\n]*(?:format|int8|half)\s*="), "ultralytics.YOLO().export"),
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
_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+import|import\s+([\w.]+))", re.M)


def facts_of_text(source: Source) -> Facts:
    """Reads the facts from the text of a script."""
    text = re.sub(r"(?m)#.*$", "", source.text)
    evidence = []
    for pattern, name in _TEXT:
        match = pattern.search(text)
        meaning = meaning_of(name, frozenset(), 0) if match else None
        if match and meaning:
            evidence.append(Evidence(meaning, text.count("\n", 0, match.start()) + 1))
    evidence += [
        Evidence(meaning, 0) for line in source.commands if (meaning := meaning_of_command(line))
    ]
    modules = {first or second for first, second in _IMPORT.findall(text)}
    main = "__main__" in text
    return Facts(
        evidence=tuple(evidence),
        modules=frozenset(modules),
        acts=bool(evidence) or main,
        has_main=main,
    )

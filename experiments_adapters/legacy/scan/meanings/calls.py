"""The meaning of calls: the functions of libraries that train, infer or quantise.

A call comes as its full name with the imports resolved: `trt.Builder` is 'tensorrt.Builder', and
`model.train` after `model = YOLO(…)` is 'ultralytics.YOLO().train'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..results import Kind
from .libraries import KINDS


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
    r"(?:^|\.)(YOLO|RTDETR|YOLOWorld|YOLOE|NAS|FastSAM|SAM|YOLOv10|RFDETR\w*)\(\)"
    r"(?:\.(?:load|to|cuda|cpu|eval|half|float|fuse)\(\))*$"
)
TRAINERS = re.compile(r"(?:Trainer|Runner(?:\.from_cfg)?)\(\)$")
_FITTERS = re.compile(
    r"(?:^|\.)(?:lightning|pytorch_lightning|keras|tensorflow|autogluon|fastai)\b"
)
_HUB = re.compile(
    r"(?:torch\.hub\.load|DetectMultiBackend|attempt_load|AutoBackend|AutoDetectionModel\.from_pretrained"
    r"|torch\.jit\.load|load_model)\(\)$"
)
_NOT_TORCH_MODE = {
    *("data", "epochs", "imgsz", "batch", "cfg", "hyp", "batch_size", "resume", "dataset_dir"),
    "training_params",
}
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

_NO_NETWORK = re.compile(
    r"(?:^|[._])(?:\w*data_?sets?|labels?|annotations?|\w*audio\w*|sound|song|frames?|df|figure|fig"
    r"|fiftyone|supervision|roboflow|pylabel|datumaro|pydub|pandas|trimesh|plotly)(?:\(\)|[._]|$)",
    re.I,
)
"""Receivers of an export(format=…) that writes labels, sound or a table."""
_DETECTOR_LIKE = re.compile(r"(?:^|\.)\w*(?:YOLO|Yolo|Detector|DETR|FastSAM)\w*\(\)$")
_RUNS = frozenset(
    ("predict", "track", "detect", "infer", "inference", "detect_image", "run_inference")
)
_TABLE = [
    (re.compile(pattern), Meaning(kind, strength, f"uses {said}"))
    for kind, rows in KINDS.items()
    for pattern, strength, said in rows
]
# One search for all, since most calls are none of them.
_ANY = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _TABLE))


def kinds_of_methods() -> dict[str, Kind]:
    """Method of a detector, which is a mode of the command `yolo` too → kind."""
    return {method: kind for method, (kind, _, _) in _OF_A_DETECTOR.items()}


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
    if _ANY.match(name) is None:
        return None
    return next((meaning for pattern, meaning in _TABLE if pattern.match(name)), None)


def _method(receiver: str, method: str, keywords: frozenset[str]) -> Meaning | None:
    """A method that many classes have: its receiver or its arguments must say whose it is."""
    detector = DETECTORS.search(receiver) is not None
    if method in _OF_A_DETECTOR:
        kind, strength, arguments = _OF_A_DETECTOR[method]
        trainer = kind == "train" and TRAINERS.search(receiver)
        alone = keywords & arguments and not (method == "export" and _NO_NETWORK.search(receiver))
        if detector or trainer or alone:
            return Meaning(kind, strength, f"calls {_shown(receiver)}.{method}")
    if method in ("test", "validate", "predict", "val") and TRAINERS.search(receiver):
        return Meaning("infer", 0.8, f"calls {_shown(receiver)}.{method}")
    if method in _RUNS and _DETECTOR_LIKE.search(receiver):
        return Meaning("infer", 0.6, f"calls {_shown(receiver)}.{method}")
    if method == "run" and receiver.rpartition(".")[2] == "train":
        return Meaning("train", 0.95, "calls train.run")
    if method in ("fit", "fit_one_cycle"):
        if _FITTERS.search(receiver) or keywords & {"epochs", "train_dataloaders", "datamodule"}:
            return Meaning("train", 0.85, f"calls .{method}")
    elif method == "backward":
        return Meaning("train", 0.95, "runs a training loop", part="backward")
    elif method == "step" and re.search(r"opt|scaler|sgd|adam", receiver, re.I):
        return Meaning("train", 0.95, "runs a training loop", part="step")
    elif method == "benchmark" and detector:
        return Meaning("infer", 0.75, "calls YOLO.benchmark")
    elif method == "build" and receiver.endswith("RKNN()"):
        return Meaning("quant", 0.8, "builds an RKNN model", part="built")
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

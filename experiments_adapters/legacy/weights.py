"""Finds the detector among the files that a script wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from guardianflow.support.foreign_yaml import UnreadableYamlError, read_yaml

from .changes import WEIGHTS, Change

TRAINED = (".pt",)
EXPORTED = (".onnx", ".xml", ".engine")
PUBLISHED = re.compile(
    r"(?:yolo(?:v?\d+|e-v?\d+)[a-z]?(?:6|u|6u)?(?:-(?:seg|cls|pose|obb|world|worldv2|oiv7|tiny))*|"
    r"rtdetr-[lx]|yolo_nas_[sml]|mobile_sam|sam(?:2(?:\.1)?)?_[tsbl]|FastSAM-[sx])\.pt",
    re.I,
)
"""Names of the weights that Ultralytics' assets, YOLOv5's and others' releases carry."""
SIZE_NAMES = ("imgsz", "img_size", "image_size", "input_size", "img")


def best_weights(changes: Sequence[Change], script_type: str) -> Change | None:
    """The detector of a train or quant run; None where it wrote none.

    A training's is a .pt named best, else another that is not 'last' or of one epoch, else the
    last; a quantisation's is an exported file. Among equals the newest counts. Weights that
    Ultralytics publishes under their own name were downloaded, to begin with or to try AMP.
    """
    weights = [each for each in changes if each.category == WEIGHTS and not is_published(each)]
    exported = [each for each in weights if _suffix(each) in EXPORTED and _has_pair(each, weights)]
    trained = [each for each in weights if _suffix(each) in TRAINED]
    first, second = (exported, trained) if script_type == "quant" else (trained, exported)
    found = first or second
    return max(found, key=lambda each: (_standing(each), each.mtime_ns), default=None)


def is_published(change: Change) -> bool:
    """Whether a file has the name of weights that anybody can download."""
    return PUBLISHED.fullmatch(PurePosixPath(change.path).name) is not None


def input_size_beside(weights: Path) -> int | None:
    """The `imgsz` of Ultralytics' args.yaml beside a weight file; None where it says none."""
    for folder in (weights.parent, weights.parent.parent):
        try:
            content = read_yaml(folder / "args.yaml")
        except UnreadableYamlError:
            continue
        size = content.get("imgsz") if isinstance(content, dict) else None
        if isinstance(size, list) and size and all(each == size[0] for each in size):
            size = size[0]
        if isinstance(size, int) and size > 0:
            return size
    return None


def _suffix(change: Change) -> str:
    return PurePosixPath(change.path).suffix.lower()


def _has_pair(change: Change, weights: Sequence[Change]) -> bool:
    """An .xml is an OpenVINO network only with its .bin; other .xml files are labels."""
    path = PurePosixPath(change.path)
    if path.suffix.lower() != ".xml":
        return True
    return any(each.path == str(path.with_suffix(".bin")) for each in weights)


def _standing(change: Change) -> int:
    name = PurePosixPath(change.path).stem.lower()
    if "best" in name:
        return 2
    return 0 if name.startswith("last") or name.startswith("epoch") else 1

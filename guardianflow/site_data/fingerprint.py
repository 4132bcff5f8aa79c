"""Identifies a data set by a sha256 over the names and contents of its images and labels."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def fingerprint(
    splits: Mapping[str, Sequence[Path]],
    class_names: Sequence[str],
    image_hashes: Mapping[Path, str],
    label_hashes: Mapping[Path, str],
    pose_columns: int = 0,
) -> str:
    """sha256 (hex) over class names, and per split the names and contents of images and labels.

    Names are taken relative to the folder that holds all images: moving a set does not change it.

    Args:
        label_hashes: by image path; absent for an image without a label file.
        pose_columns: of a label row that is a pose: the same row means another box without it.
    """
    everything = [str(path) for images in splits.values() for path in images]
    top = os.path.commonpath([str(Path(p).parent) for p in everything]) if everything else ""
    digest = hashlib.sha256(json.dumps(list(class_names), ensure_ascii=False).encode())
    if pose_columns:
        digest.update(f"pose {pose_columns}\n".encode())
    for split, images in splits.items():
        for image in sorted(images, key=lambda path: path.parts):
            name = os.path.relpath(image, top)
            line = (split, name, image_hashes[image], label_hashes.get(image, "-"))
            digest.update("\0".join((*line, "\n")).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()

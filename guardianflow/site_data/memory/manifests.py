"""The files of data sets by their fingerprint, so that one can tell later what has changed.

Kept in the work directory, and of the last sets alone, as they are large.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...support.sealed_files import read_sealed, write_sealed

MOST_KEPT = 20
_DIGITS = 16
"""Of a sha256: enough to tell two files apart where nobody forges any."""


@dataclass(frozen=True)
class DataChanges:
    """How many images of a data set are others than they were.

    Args:
        images, labels: files of the same name with another content.
        new, gone: images by name and split.
        classes: the class names are others, or stand in another order.
    """

    images: int = 0
    labels: int = 0
    new: int = 0
    gone: int = 0
    classes: bool = False


def keep_manifest(
    cache_dir: Path,
    fingerprint: str,
    splits: Mapping[str, Sequence[Path]],
    class_names: Sequence[str],
    image_hashes: Mapping[Path, str],
    label_hashes: Mapping[Path, str],
) -> None:
    """Note the files of a set, if that has not been done."""
    file = _file_of(cache_dir, fingerprint)
    with suppress(OSError):
        if file.is_file():
            os.utime(file)
            return
    everything = [str(path.parent) for images in splits.values() for path in images]
    top = os.path.commonpath(everything) if everything else ""
    start = len(top) + 1
    files = {
        f"{split}/{str(image)[start:]}": [
            image_hashes[image][:_DIGITS],
            label_hashes.get(image, "")[:_DIGITS],
        ]
        for split, images in splits.items()
        for image in images
    }
    write_sealed(file, {"classes": list(class_names), "files": files})
    with suppress(OSError):
        found = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for older in found[:-MOST_KEPT]:
            older.unlink(missing_ok=True)


def changes_between(cache_dir: Path, before: str, now: str) -> DataChanges | None:
    """What is another in a set since it had an older fingerprint; None where that is not known."""
    old, new = (read_sealed(_file_of(cache_dir, each)) for each in (before, now))
    if not old or not new:
        return None
    was, there = old["files"], new["files"]
    both = was.keys() & there.keys()
    return DataChanges(
        images=sum(was[name][0] != there[name][0] for name in both),
        labels=sum(was[name][1] != there[name][1] for name in both),
        new=len(there.keys() - both),
        gone=len(was.keys() - both),
        classes=old["classes"] != new["classes"],
    )


def _file_of(cache_dir: Path, fingerprint: str) -> Path:
    return cache_dir / "manifests" / f"{fingerprint}.json"

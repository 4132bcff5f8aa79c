"""The files that an author's code left in its work directory, sorted by kind for the upload."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

_KINDS = {
    "weights": (".pt", ".pth", ".onnx", ".safetensors", ".ckpt"),
    "results": (".csv", ".json", ".jsonl", ".md", ".txt", ".log"),
    "plots": (".png", ".jpg", ".jpeg", ".svg", ".webp", ".pdf"),
    "config": (".yaml", ".yml", ".toml", ".ini"),
}
_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}
_DATA_DIRECTORIES = {"images", "labels", "datasets", "__pycache__"}
_SNAPSHOT = re.compile(r"epoch[_-]?\d+$", re.IGNORECASE)
MEBIBYTE = 1 << 20


def collect_outputs(
    work_dir: Path,
    best: Path | None,
    *,
    max_file_bytes: int = 256 * MEBIBYTE,
    max_total_bytes: int = 1024 * MEBIBYTE,
    max_files: int = 100,
) -> dict[str, list[Path]]:
    """Files of an author's work by kind: 'weights', 'results', 'plots', 'config'; none is empty.

    Data sets (directories named images, labels or datasets), snapshots of single epochs, links
    and hidden files are no results. What a limit keeps out is logged as a warning.

    Args:
        work_dir: where the code wrote.
        best: the model that is kept, a file or a directory; always taken, listed first, and not
            counted against the limits. None where the code made none.
        max_file_bytes, max_total_bytes, max_files: limits for one file, for all, for each kind.

    Returns:
        Kind → absolute paths, best weights first, the others sorted.
    """
    taken: list[Path] = []
    if best is not None:
        best = best.absolute()
        taken = sorted(_files(best)) if best.is_dir() else [best]
    collected: dict[str, list[Path]] = {"weights": list(taken)}
    left_out: list[str] = []
    total = 0
    for path in sorted(_files(work_dir.absolute())):
        kind = _KIND_OF.get(path.suffix.lower())
        if kind is None or path in taken or (kind == "weights" and _SNAPSHOT.search(path.stem)):
            continue
        size, files = path.stat().st_size, collected.setdefault(kind, [])
        if size > max_file_bytes or total + size > max_total_bytes or len(files) >= max_files:
            left_out.append(f"{path.name} ({size / MEBIBYTE:.1f} MiB)")
            continue
        files.append(path)
        total += size
    if left_out:
        shown = ", ".join(left_out[:10]) + (" …" if len(left_out) > 10 else "")
        logger.warning(
            "%d files of %s are not kept, being too large or too many: %s",
            len(left_out),
            work_dir,
            shown,
        )
    return {kind: files for kind, files in collected.items() if files}


def weight_files(work_dir: Path) -> list[Path]:
    """Every file of weights below a directory, snapshots of single epochs too; the newest first."""
    found = [p for p in _files(work_dir) if _KIND_OF.get(p.suffix.lower()) == "weights"]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _files(directory: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(directory):
        below[:] = [n for n in below if n not in _DATA_DIRECTORIES and not n.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path

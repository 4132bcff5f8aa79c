"""Which checkpoint of a training that broke off is whole and holds numbers.

A disk that fills up, or a kill, leaves half a file; a training that broke down may have saved NaN.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..outputs import weight_files

TORCH_SUFFIXES = (".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights that can be used.

    Args:
        epoch: the last one it was trained for, counted from 1; None where the file does not say.
        resumable: a training can go on from it: one of Ultralytics holds its optimizer; what an
            author's holds is not known, but it is named last.
    """

    path: Path
    epoch: int | None = None
    resumable: bool = False


def last_good(folder: Path, *, only_numbers: bool = False) -> Checkpoint | None:
    """The newest checkpoint below a training's directory that is whole; None where none is.

    Args:
        only_numbers: open it with torch, which runs what it names, and pass over one that holds NaN
            or infinity; only for files that code of this very process has written. Else epoch and
            `resumable` are not known.
    """
    for path in weight_files(folder):
        if not is_whole(path):
            continue
        if not only_numbers or path.suffix.lower() not in TORCH_SUFFIXES:
            return Checkpoint(path)
        if (opened := _opened(path)) is not None:
            return opened
    return None


def is_whole(path: Path) -> bool:
    """Whether a file of weights was written to its end; torch's are archives with checksums."""
    try:
        if path.suffix.lower() not in TORCH_SUFFIXES:
            return path.stat().st_size > 0
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _opened(path: Path) -> Checkpoint | None:
    """What a checkpoint says of itself; None where it can't be opened or holds NaN."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=False)  # nosec B614
    except Exception:  # whatever its classes raise while they are built
        return None
    if not all(bool(torch.isfinite(each).all()) for each in _tensors(content)):
        return None
    if not isinstance(content, Mapping):
        return Checkpoint(path)
    if "train_args" not in content:
        return Checkpoint(path, resumable=path.stem.lower() == "last")
    # Ultralytics counts from 0, and writes -1 into what it has stripped of its optimizer.
    return Checkpoint(
        path, (content.get("epoch", -1) + 1) or None, content.get("optimizer") is not None
    )


def _tensors(value: Any) -> Iterator[Any]:
    """Floating point tensors within modules, mappings and lists."""
    import torch

    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, torch.nn.Module):
        yield from _tensors(dict(value.state_dict()))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)

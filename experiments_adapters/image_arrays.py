"""Ultralytics without the arrays that lie beside images.

Where `a.npy` beside `a.jpg` is no older, Ultralytics trains on it in place of the image: features,
depths or another day's picture. One that it can't use it deletes or overwrites. What is judged is
the image, and neither file is ours to change. So it looks for arrays in a directory of ours alone,
which is there while `cache: disk` asks it to write some.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

NAME = "npy_files"
PREFIX = "guardianflow-images-"
SAMPLES = 30
ROOM = 1.1


@contextmanager
def arrays_elsewhere(base: ModuleType) -> Iterator[None]:
    """Keep the data sets that are made while the block runs from arrays beside their images.

    Args:
        base: ultralytics.data.base.
    """
    owner = getattr(base, "BaseDataset", None)
    if owner is None or hasattr(owner, NAME):  # another age's; or done already, around this
        yield
        return
    folder = Path(tempfile.gettempdir()) / f"{PREFIX}{uuid4().hex[:8]}"
    check = getattr(owner, "check_cache_disk", None)
    setattr(owner, NAME, _Elsewhere(folder))
    if check is not None:
        owner.check_cache_disk = _room_check(base, folder)
    try:
        yield
    finally:
        delattr(owner, NAME)
        if check is not None:
            owner.check_cache_disk = check
        shutil.rmtree(folder, ignore_errors=True)


class _Elsewhere:
    """The attribute of a data set that holds a path for each image."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __get__(self, dataset: Any, _owner: type | None = None) -> Any:
        return self if dataset is None else dataset.__dict__[NAME]

    def __set__(self, dataset: Any, paths: Sequence[Path]) -> None:
        # By the path: several data sets of one training, and all of its processes, may share them.
        dataset.__dict__[NAME] = [
            self._folder / f"{hashlib.sha256(str(path).encode()).hexdigest()}.npy" for path in paths
        ]


def _room_check(base: ModuleType, folder: Path) -> Any:
    def check_cache_disk(self: Any, *_: object) -> bool:
        """Whether the arrays of all images have room; the directory is there then."""
        chosen = self.im_files[:: max(1, self.ni // SAMPLES)]
        pictures = [base.imread(each, flags=self.cv2_flag) for each in chosen]
        size = sum(each.nbytes for each in pictures if each is not None)
        needed = size / max(1, len(chosen)) * self.ni * ROOM
        free = shutil.disk_usage(folder.parent).free
        if needed > free:
            self.cache = None
            base.LOGGER.warning(
                f"{self.prefix}{needed / 1e9:.1f} GB are needed in {folder.parent} to keep images "
                f"as arrays but {free / 1e9:.1f} GB are free: images are read anew each time"
            )
            return False
        folder.mkdir(mode=0o700, exist_ok=True)
        return True

    return check_cache_disk

"""Reads Ultralytics' `labels/*.cache` without running what it holds.

Ultralytics writes a pickle beside a data set's labels and opens it at the next training. A data
set from elsewhere brings its own. A cache needs arrays, numbers and texts alone: one that names
anything else is not opened, and Ultralytics reads the labels anew, as where there is none.
"""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

NEEDED = frozenset(
    {
        ("_codecs", "encode"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
        *((f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")),
        *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    }
)
_told: set[str] = set()


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NEEDED:
            raise pickle.UnpicklingError(f"it would run '{module}.{name}'")
        return super().find_class(module, name)


def load_label_cache(path: Path) -> Any:
    """The cache's dictionary, as Ultralytics' own `load_dataset_cache_file` gives it.

    Raises:
        UnpicklingError: it names more than a cache needs; told once for each file.
        ValueError, OSError: it is not there, or no file that `numpy.save` wrote.
    """
    from numpy.lib import format as npy

    with Path(path).open("rb") as stream:
        if npy.read_magic(stream) != (1, 0):
            raise ValueError(f"{path} is not a cache as Ultralytics writes it")
        npy.read_array_header_1_0(stream)
        try:
            return _ArraysOnly(stream).load().item()
        except pickle.UnpicklingError as exc:
            if str(path) not in _told:
                _told.add(str(path))
                logger.warning("%s is not used and the labels are read anew: %s", path, exc)
            raise

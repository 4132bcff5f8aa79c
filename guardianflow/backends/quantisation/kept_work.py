"""What an exporter of recipes has of its source: the float network, and what it keeps of its work.

    cache_dir/
      graph-KEY/        the float network, traced once for each source
      calibration-KEY/  what calibrating it on these images by this method found
      sensitivity-KEY/  how much each group of layers harms after that calibration
      training-KEY/     the network after quantisation-aware training
      activations-KEY/  the PyTorch network with other activations, trained on or not; every
                        backend's exporter takes it
      harm-KEY/         how much each group of activations harms when it is changed
      gain-KEY/         how much time each saves on this machine

A directory there is complete or absent, and its name is a hash of all that its content depends
on, so it is never out of date: another source, other images or another version of a library or of
GuardianFlow make another name.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ... import __version__
from ...contracts.errors import ConfigurationError
from ...contracts.results import DetectorPackage
from .. import exporting, interchange
from .calibration import CalibrationImages

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

LOGGER = logging.getLogger(__name__)
SHARES = "shares.json"
TRAINERS = ("torch", "ultralytics")
"""What a PyTorch network that is kept was made by."""


class KeptWork(ABC):
    """Keeps in a directory what takes long to make of a source and its calibration images.

    Args:
        source: a PyTorch package.
        calibration: letterboxed images of the train split, uint8 S×S×3 RGB.
        cache_dir: made where it is missing; several exporters may share it.

    Raises:
        ConfigurationError: no images, or a source of another kind.
    """

    backend: str
    float_weights: str
    """The float network's file, as this backend opens it."""
    libraries: tuple[str, ...]
    tracers = ("torch", "ultralytics", "onnx", "onnxslim")

    def __init__(
        self, source: DetectorPackage, calibration: Sequence[ImageArray], cache_dir: Path
    ) -> None:
        exporting.check_source(source)
        self._source = source
        self._images = CalibrationImages(calibration, source.spec.input_size)
        self._cache = cache_dir
        self._work: Path | None = None

    @abstractmethod
    def _prepare(self, graph: Path, target: Path) -> None:
        """Write the float network's file from the interchange graph."""

    def close(self) -> None:
        """Remove work files; what is in the cache stays."""
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    @cached_property
    def images_digest(self) -> str:
        """sha256 (hex) over the contents of the calibration images, in their order."""
        digest = hashlib.sha256()
        for index in range(len(self._images)):
            image = self._images.image(index)
            digest.update(repr(image.shape).encode())
            digest.update(np.ascontiguousarray(image).data)
        return digest.hexdigest()

    def work_dir(self) -> Path:
        """A directory for work files, removed by `close`."""
        if self._work is None:
            self._work = Path(tempfile.mkdtemp(prefix=f"guardianflow-{self.backend}-recipes-"))
        return self._work

    def _float_package(self) -> DetectorPackage:
        weights = self._float_weights()
        spec = replace(
            self._source.spec,
            backend=self.backend,
            precision="fp32",
            weights=weights.name,
            files={},
        )
        return DetectorPackage(weights.parent, spec)

    def _float_weights(self) -> Path:
        """The float network's file, in the cache, traced where it is missing."""

        def trace(folder: Path) -> None:
            graph = self.work_dir() / "float.onnx"
            interchange.to_onnx(self._source, graph)
            self._prepare(graph, folder / self.float_weights)

        return self.cached("graph", trace) / self.float_weights

    def cached(
        self,
        kind: str,
        fill: Callable[[Path], None],
        key: str = "",
        *,
        for_every_backend: bool = False,
    ) -> Path:
        """The directory of a calibration, or of what else is kept; see the head of this module.

        Args:
            fill: makes its content where it is missing.
            key: all that it depends on beside source, images and libraries; '' where the images
                don't matter either.
            for_every_backend: it is of the PyTorch network, so that another backend's exporter
                finds it as well.
        """
        facts = {"key": key, "images": self.images_digest} if key else {}
        if not for_every_backend:
            facts["backend"] = self.backend
        spec = self._source.spec
        libraries = TRAINERS if for_every_backend else (*self.tracers, *self.libraries)
        told = {
            "source": self._source.digest,
            "output": spec.output,
            "side": str(spec.input_size),
            "guardianflow": __version__,
            **{name: importlib.metadata.version(name) for name in libraries},
            **facts,
        }
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        place = self._cache / f"{kind}-{key}"
        if place.is_dir():
            LOGGER.debug("%s: taken from %s", kind, place)
            return place
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with exporting.complete_or_absent(place) as work:
                fill(work)
        except (OSError, ConfigurationError) as exc:
            # Another process may have been first: what it made of the same is the same.
            if not place.is_dir():
                if isinstance(exc, ConfigurationError):
                    raise
                raise ConfigurationError(
                    f"the cache must be a directory that can be written to but {self._cache} can't "
                    f"({exc}); name another one"
                ) from exc
        return place

    def kept_shares(
        self,
        kind: str,
        measure: Callable[[], Mapping[str, float]],
        key: str,
        *,
        for_every_backend: bool = False,
    ) -> Mapping[str, float]:
        """What was measured of each group, from the cache if it is there and whole."""

        def fill(place: Path) -> None:
            (place / SHARES).write_text(json.dumps(dict(measure())), encoding="utf-8")

        def kept() -> Path:
            return self.cached(kind, fill, key, for_every_backend=for_every_backend)

        found = kept()
        try:
            return _read_shares(found / SHARES)
        except (OSError, ValueError) as exc:
            LOGGER.warning("%s is damaged (%s); it is measured anew", found, exc)
        shutil.rmtree(found, ignore_errors=True)
        return _read_shares(kept() / SHARES)


def _read_shares(file: Path) -> dict[str, float]:
    """Raises OSError or ValueError: not there, or not as it was written."""
    shares = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(shares, dict):
        raise ValueError("it is no mapping of groups to shares")
    return {str(group): float(share) for group, share in shares.items()}

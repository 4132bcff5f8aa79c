"""The part that recipe exporters share: checks, kept calibrations, sensitivity.

    cache_dir/
      graph-KEY/        the float network, traced once for each source
      calibration-KEY/  what calibrating it on these images by this method found
      sensitivity-KEY/  how much each group of layers harms after that calibration
      training-KEY/     the network after quantisation-aware training

A directory there is complete or absent, and its name is a hash of all that its content depends
on, so it is never out of date: another source, other images or another version of a library make
another name.
"""

from __future__ import annotations

import contextlib
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
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...contracts.errors import BackendUnavailableError, ConfigurationError
from ...contracts.quantisation import PRESETS, LayerGroup, Recipe
from ...contracts.results import DetectorPackage, ExportRequest
from .. import catalogue, exporting
from .calibration import CalibrationImages, int8_facts
from .output_error import output_error

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray, RawOutput

LOGGER = logging.getLogger(__name__)
SENSITIVITY_IMAGES = 8
SHARES = "shares.json"
Facts = Mapping[str, str]


class BaseRecipeExporter(ABC):
    """The part of a `contracts.quantisation.RecipeExporter` that does not depend on the backend.

    Args:
        source: a PyTorch package.
        calibration: letterboxed images of the train split, uint8 S×S×3 RGB.
        cache_dir: made where it is missing; several exporters may share it.

    Raises:
        ConfigurationError: no images, or a source of another kind.
    """

    backend: str
    weights: str
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

    @property
    @abstractmethod
    def groups(self) -> tuple[LayerGroup, ...]:
        """See `contracts.quantisation.RecipeExporter.groups`."""

    @abstractmethod
    def _float_weights(self) -> Path:
        """The float network's file, in the cache, as this backend opens it."""

    @abstractmethod
    def _make(self, recipe: Recipe, destination: Path) -> DetectorPackage:
        """The package of a recipe that was checked."""

    def check(self, recipe: Recipe) -> None:
        """Check that a recipe means something to this exporter, before any work.

        Raises:
            ConfigurationError: an unknown group, preset or method; all of them at once.
            BackendUnavailableError: a preset that this backend can't do.
        """
        names = [group.name for group in self.groups]
        asked = [
            ("preset", recipe.preset, PRESETS),
            ("calibration_method", recipe.calibration_method, catalogue.CALIBRATION_METHODS),
            *(("a float group", name, names) for name in recipe.float_groups),
        ]
        problems = [
            catalogue.unknown(what, value, tuple(choices))
            for what, value, choices in asked
            if value not in choices
        ]
        if problems:
            raise ConfigurationError(problems)

    def make(self, recipe: Recipe, destination: Path) -> DetectorPackage:
        """See `contracts.quantisation.RecipeExporter.make`."""
        self._require_some_quantised(recipe)
        if recipe.training is not None:
            raise ConfigurationError("a recipe with training is made by make_trained, not make")
        return self._make(recipe, destination)

    def make_trained(
        self,
        recipe: Recipe,
        destination: Path,
        train: Callable[[Any], Mapping[str, str]],
        data: str,
    ) -> DetectorPackage:
        """See `contracts.quantisation.RecipeExporter.make_trained`."""
        if not catalogue.CATALOGUE[self.backend].supports("int8", "qat"):
            raise BackendUnavailableError(catalogue.no_training(self.backend))
        self._require_some_quantised(recipe)
        if recipe.training is None:
            raise ConfigurationError("a recipe without training is made by make, not make_trained")
        return self._make_trained(recipe, destination, train, data)

    def _make_trained(
        self,
        recipe: Recipe,
        destination: Path,
        train: Callable[[Any], Mapping[str, str]],
        data: str,
    ) -> DetectorPackage:
        """The package of a recipe that was checked; for backends whose catalogue entry has it."""
        raise NotImplementedError

    def _require_some_quantised(self, recipe: Recipe) -> None:
        self.check(recipe)
        if set(recipe.float_groups) >= {group.name for group in self.groups}:
            raise ConfigurationError(
                "a recipe must leave at least one group to quantise but all "
                f"{len(self.groups)} stay float; export the detector as fp32 or fp16 instead"
            )

    def sensitivity(
        self, recipe: Recipe, progress: Callable[[int, int], None] | None = None
    ) -> Mapping[str, float]:
        """See `contracts.quantisation.RecipeExporter.sensitivity`.

        Measured on up to 8 calibration images, spread evenly over all; output_error defines the
        error.
        """
        self.check(recipe)

        def measure(place: Path) -> None:
            shares = self._shares_of_error(recipe, progress)
            (place / SHARES).write_text(json.dumps(shares), encoding="utf-8")

        facts = {"key": recipe.calibration_key, "images": self.images_digest}
        found = self._cached("sensitivity", facts, measure)
        try:
            return _read_shares(found / SHARES)
        except (OSError, ValueError) as exc:
            LOGGER.warning("%s is damaged (%s); it is measured anew", found, exc)
        shutil.rmtree(found, ignore_errors=True)
        return _read_shares(self._cached("sensitivity", facts, measure) / SHARES)

    def _shares_of_error(
        self, recipe: Recipe, progress: Callable[[int, int], None] | None
    ) -> dict[str, float]:
        chosen = np.linspace(0, len(self._images) - 1, min(SENSITIVITY_IMAGES, len(self._images)))
        images = [self._images.image(round(index)) for index in chosen]
        reference = _outputs(self._float_package(), images)

        def error_with(*float_groups: str) -> float:
            tried = replace(recipe, float_groups=float_groups)
            with tempfile.TemporaryDirectory(dir=self.work_dir()) as scratch:
                output = _outputs(self._make(tried, Path(scratch) / "made"), images)
            return output_error(reference, output, self._source.spec.output)

        whole = error_with()
        shares: dict[str, float] = {}
        for number, group in enumerate(self.groups, 1):
            # an error of 0 has no parts: no group harms
            shares[group.name] = (whole - error_with(group.name)) / whole if whole else 0.0
            if progress is not None:
                progress(number, len(self.groups))
        return shares

    def close(self) -> None:
        """Remove work files; calibrations in the cache stay."""
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _package(
        self, recipe: Recipe, destination: Path, write: Callable[[Path], tuple[Facts, Facts]]
    ) -> DetectorPackage:
        """The package of a recipe, complete or not at all.

        Args:
            write: writes the weights to the file that it is given; returns what was done, as
                `how_done` gives it, and more facts for the lineage.
        """
        with exporting.complete_or_absent(destination) as work:
            done, facts = write(work / self.weights)
            request = ExportRequest("int8", recipe.method, recipe.calibration_method)
            lineage = exporting.lineage(
                self._source,
                [*self.tracers, *self.libraries],
                **int8_facts(request, done, len(self._images)),
                recipe_label=recipe.label,
                recipe_digest=recipe.digest,
                float_groups=", ".join(recipe.float_groups) or "none",
                preset=recipe.preset,
                calibration_digest=self.images_digest,
                **facts,
            )
            return exporting.finished_package(
                work,
                destination,
                self._source.spec,
                backend=self.backend,
                precision="int8",
                weights=self.weights,
                lineage=lineage,
            )

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

    def cached_graph(self, fill: Callable[[Path], None]) -> Path:
        """The directory of the float network; `fill` makes its content where it is missing."""
        return self._cached("graph", {}, fill)

    def cached_calibration(self, key: str, fill: Callable[[Path], None]) -> Path:
        """The directory of a calibration.

        Args:
            key: all that it depends on beside source, images and libraries.
            fill: makes its content where it is missing.
        """
        return self._cached("calibration", {"key": key, "images": self.images_digest}, fill)

    def cached_training(self, key: str, fill: Callable[[Path], None]) -> Path:
        """The directory of a network that was trained on; the rest as `cached_calibration`."""
        return self._cached("training", {"key": key, "images": self.images_digest}, fill)

    def _cached(self, kind: str, facts: Mapping[str, str], fill: Callable[[Path], None]) -> Path:
        spec = self._source.spec
        versions = {n: importlib.metadata.version(n) for n in (*self.tracers, *self.libraries)}
        told = {
            "backend": self.backend,
            "source": self._source.digest,
            "output": spec.output,
            "side": str(spec.input_size),
            **versions,
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


def _outputs(package: DetectorPackage, images: Sequence[ImageArray]) -> RawOutput:
    """Raw outputs on the CPU, one row for each image."""
    with contextlib.closing(catalogue.open_session(package, device="cpu")) as session:
        return np.concatenate([session.infer(image[None]) for image in images])


def _read_shares(file: Path) -> dict[str, float]:
    """Raises OSError or ValueError: not there, or not as it was written."""
    shares = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(shares, dict):
        raise ValueError("it is no mapping of groups to shares")
    return {str(group): float(share) for group, share in shares.items()}

"""The part that recipe exporters share: checks, sensitivity, what changed activations do.

What they keep: see kept_work.
"""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from ...contracts.errors import BackendUnavailableError, ConfigurationError
from ...contracts.quantisation import (
    ACTIVATIONS,
    PRESETS,
    ActivationChange,
    ActivationGroup,
    Distiller,
    Recipe,
    RecipeExporter,
    TimePackages,
    Train,
)
from ...contracts.results import DetectorPackage, ExportRequest
from .. import catalogue, exporting
from . import activations
from .calibration import CalibrationImages, int8_facts
from .kept_work import KeptWork
from .output_error import output_error
from .reconstruction import SETTINGS, answers, require_finite

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray, RawOutput

SENSITIVITY_IMAGES = 8
CHECKPOINT, FACTS = "model.pt", "facts.json"
Facts = Mapping[str, str]


class BaseRecipeExporter(KeptWork, RecipeExporter, ABC):
    """The part of a `contracts.quantisation.RecipeExporter` that does not depend on the backend.

    Args, Raises: as of KeptWork.
    """

    weights: str

    def __init__(
        self, source: DetectorPackage, calibration: Sequence[ImageArray], cache_dir: Path
    ) -> None:
        super().__init__(source, calibration, cache_dir)
        self._origin = source
        self._changed: dict[ActivationChange, Self] = {}

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
        catalogue.check_words(
            ("preset", recipe.preset, PRESETS),
            ("calibration_method", recipe.calibration_method, catalogue.CALIBRATION_METHODS),
            *(("a float group", name, names) for name in recipe.float_groups),
            *self._words_of(recipe.activations),
        )

    def _words_of(self, change: ActivationChange | None) -> list[tuple[str, str, Sequence[str]]]:
        if change is None:
            return []
        names = [group.name for group in self.activation_groups]
        return [
            *(("an activation", kind, ACTIVATIONS) for _, kind in change.kinds),
            *(("an activation group", name, names) for name in change.groups),
        ]

    def make(
        self, recipe: Recipe, destination: Path, distiller: Distiller | None = None
    ) -> DetectorPackage:
        self._require_some_quantised(recipe)
        if recipe.training is not None:
            raise ConfigurationError("a recipe with training is made by make_trained, not make")
        return self._for(recipe, distiller)._make(recipe, destination)

    def make_trained(
        self, recipe: Recipe, destination: Path, train: Train, data: str
    ) -> DetectorPackage:
        if not catalogue.CATALOGUE[self.backend].supports("int8", "qat"):
            raise BackendUnavailableError(catalogue.no_training(self.backend))
        self._require_some_quantised(recipe)
        if recipe.training is None:
            raise ConfigurationError("a recipe without training is made by make, not make_trained")
        return self._for(recipe)._make_trained(recipe, destination, train, data)

    def _make_trained(
        self, recipe: Recipe, destination: Path, train: Train, data: str
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
        exporter = self._for(recipe)
        return exporter.kept_shares(
            "sensitivity",
            lambda: exporter._shares_of_error(recipe, progress),
            recipe.calibration_key,
        )

    @cached_property
    def activation_groups(self) -> tuple[ActivationGroup, ...]:
        network = activations.open_network(self._source)
        return activations.activation_groups(
            activations.steps_of(network, self._source.spec.input_size)
        )

    def activation_harm(
        self, kind: str, progress: Callable[[int, int], None] | None = None
    ) -> Mapping[str, float]:
        """See `contracts.quantisation.RecipeExporter.activation_harm`; as for `sensitivity`."""

        def measure() -> dict[str, float]:
            images, shares = self._images.few(SENSITIVITY_IMAGES), dict[str, float]()
            spec, original = self._source.spec, activations.open_network(self._source)
            reference = answers(original, images)
            for number, group in enumerate(self.activation_groups, 1):
                network = copy.deepcopy(original)
                change = ActivationChange.of((group.name,), kind)
                activations.change_activations(
                    network, change, self._images, spec.input_size, spec.output
                )
                output = answers(network, images)
                shares[group.name] = output_error(reference, output, spec.output)
                if progress is not None:
                    progress(number, len(self.activation_groups))
            return shares

        key = json.dumps([kind, activations.MOST_IMAGES, SETTINGS])
        return self.kept_shares("harm", measure, key, for_every_backend=True)

    def activation_gain(self, kind: str, time: TimePackages, timed_on: str) -> Mapping[str, float]:
        """See `contracts.quantisation.RecipeExporter.activation_gain`.

        Ranges and statistics don't matter for time: one image gives the ranges that a graph must
        have, and no batch norm is measured.
        """
        brief = Recipe(calibration_method="minmax", bias_correction=False)
        images = CalibrationImages(self._images.few(1), self._source.spec.input_size)

        def measure() -> dict[str, float]:
            with tempfile.TemporaryDirectory(dir=self.work_dir()) as scratch:
                made: dict[str, DetectorPackage] = {}
                for name in ("", *(group.name for group in self.activation_groups)):
                    change = ActivationChange.of((name,) if name else (), kind)
                    with self._one_changed(change, images) as each:
                        made[name] = each._make(brief, Path(scratch) / str(len(made)))
                times = time(made)
            return {name: 1 - times[name] / times[""] for name in made if name}

        return self.kept_shares("gain", measure, f"{kind} {timed_on}")

    def _for(self, recipe: Recipe, distiller: Distiller | None = None) -> Self:
        """The exporter of the network that the recipe's activations make; kept until closed."""
        change = recipe.activations
        if change is None:
            return self
        if change not in self._changed:
            self._changed[change] = self._exporter_of(
                self.changed_source(change, distiller), self._images, self._cache
            )
        return self._changed[change]

    @contextlib.contextmanager
    def _one_changed(self, change: ActivationChange, images: CalibrationImages) -> Iterator[Self]:
        """The exporter of a network with other activations and the same numbers, for once."""
        with tempfile.TemporaryDirectory(dir=self.work_dir()) as name:
            place, source = Path(name), self._source
            if change.kinds:
                network = activations.open_network(source)
                activations.put_in(network, change, source.spec.input_size)
                activations.save_network(network, place / CHECKPOINT)
                spec = replace(source.spec, weights=CHECKPOINT, files={})
                source = DetectorPackage.create(place, spec)
            with self._exporter_of(source, images, place / "kept") as exporter:
                yield exporter

    def _exporter_of(self, source: DetectorPackage, images: CalibrationImages, cache: Path) -> Self:
        """The exporter of a changed source; what it makes names the unchanged one."""
        exporter = type(self)(source, images.as_given, cache)
        exporter._origin = self._origin
        return exporter

    def changed_source(
        self, change: ActivationChange, distiller: Distiller | None = None
    ) -> DetectorPackage:
        """See `contracts.quantisation.RecipeExporter.changed_source`."""
        catalogue.check_words(*self._words_of(change))
        side, training = self._source.spec.input_size, change.distillation
        activations.require_images(len(self._images))
        if training is not None and distiller is None:
            raise ConfigurationError(
                "activations that are trained on need a distiller, but none was given"
            )

        def fill(folder: Path) -> None:
            network = activations.open_network(self._source)
            form, facts = self._source.spec.output, dict[str, str]()
            done = activations.change_activations(network, change, self._images, side, form)
            if training is not None and distiller is not None:
                original = activations.open_network(self._source)
                images, told = distiller.distil(network, original, training)
                require_finite(dict(network.named_parameters()), "training")
                done, facts = replace(done, distilled=images), dict(told)
            activations.save_network(network, folder / CHECKPOINT)
            text = json.dumps(done.as_lineage() | facts)
            (folder / FACTS).write_text(text, encoding="utf-8")

        kinds = dict(change.kinds)
        changes = [
            (kinds[group.name], group.places)
            for group in self.activation_groups
            if group.name in kinds
        ]
        trained = [asdict(training), distiller.data] if training and distiller else []
        key = json.dumps([changes, activations.MOST_IMAGES, SETTINGS, *trained])
        folder = self.cached("activations", fill, key, for_every_backend=True)
        with exporting.foreign_errors(f"reading {folder} (remove it to make it anew)"):
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        spec = self._source.spec
        changed = replace(spec, weights=CHECKPOINT, files={}, lineage={**spec.lineage, **facts})
        return DetectorPackage.create(folder, changed)

    def _shares_of_error(
        self, recipe: Recipe, progress: Callable[[int, int], None] | None
    ) -> dict[str, float]:
        images = self._images.few(SENSITIVITY_IMAGES)
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
        for exporter in self._changed.values():
            exporter.close()
        self._changed.clear()
        super().close()

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
                source_digest=self._origin.digest,
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


def _outputs(package: DetectorPackage, images: Sequence[ImageArray]) -> RawOutput:
    """Raw outputs on the CPU, one row for each image."""
    with contextlib.closing(catalogue.open_session(package, device="cpu")) as session:
        return np.concatenate([session.infer(image[None]) for image in images])

"""Recipes for INT8 models, the parts of a network they choose among, and who makes them.

Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from .results import DetectorPackage

PRESETS = ("mixed", "performance")
HARDSWISH = "hardswish"
RELU = "relu"
ACTIVATIONS = (HARDSWISH, RELU, "relu6")
"""What SiLU can be changed for."""
LEAST_IMAGES = 16
"""Fewer than these don't tell the mean and spread of a channel: batch norms are not measured."""


@dataclass(frozen=True)
class Training:
    """The settings of quantisation-aware training (QAT) of a quantised network.

    Args:
        epochs: over the train split.
        batch_size: images a step.
        learning_rate: of the first step; it falls to a hundredth along a cosine.
        seed: of the order of images and of what is changed in them.
    """

    epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 1e-4
    seed: int = 42


@dataclass(frozen=True)
class Distillation:
    """Further training of a float network until it answers as the original does. No labels.

    Args:
        minutes: how long it may take; there are fewer steps where `epochs` would take longer.
        epochs: over the images that are trained on, at most.
        batch_size: images a step.
        seed: of what is held out, of the order of images and of what is changed in them.
    """

    minutes: float = 10.0
    epochs: int = 20
    batch_size: int = 8
    seed: int = 42


@dataclass(frozen=True)
class ActivationChange:
    """Cheaper activations in place of SiLU in a detector's float network.

    The batch norms behind them are measured anew on calibration images before anything else.

    Args:
        kinds: (name of an activation group, what it is changed for: one of ACTIVATIONS), sorted;
            one at least.
        distillation: the training after that; None where measuring is all.
    """

    kinds: tuple[tuple[str, str], ...]
    distillation: Distillation | None = None

    @classmethod
    def of(
        cls,
        groups: Iterable[str],
        kind: str = HARDSWISH,
        distillation: Distillation | None = None,
    ) -> ActivationChange:
        """One kind in all of some groups."""
        return cls(tuple(sorted((group, kind) for group in groups)), distillation)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(group for group, _ in self.kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """What SiLU are changed for, each once."""
        return tuple(sorted({kind for _, kind in self.kinds}))

    @property
    def label(self) -> str:
        """For people: 'hardswish in 3 groups and relu in 1'."""
        counts = sorted(Counter(kind for _, kind in self.kinds).items())
        told = [f"{kind} in {count}" for kind, count in counts]
        told[0] += " group" if counts[0][1] == 1 else " groups"
        words = " and ".join(told)
        return words + (" trained on" if self.distillation is not None else "")


@dataclass(frozen=True)
class Recipe:
    """One way to quantise a detector. The detection tail stays float in every recipe.

    Args:
        float_groups: names of the layer groups that stay float beside the tail, sorted.
        preset: 'mixed' (asymmetric activations) or 'performance' (symmetric ones).
        bias_correction: whether biases make up for the mean error of quantised weights.
        calibration_method: 'entropy', 'minmax' or 'percentile'.
        training: what comes after calibrating; None where calibrating is all.
        activations: what is changed in the float network before; None leaves it as it was trained.
    """

    float_groups: tuple[str, ...] = ()
    preset: str = "mixed"
    bias_correction: bool = True
    calibration_method: str = "entropy"
    training: Training | None = None
    activations: ActivationChange | None = None

    @property
    def method(self) -> str:
        """As in ExportRequest: 'static' or 'qat'."""
        return "static" if self.training is None else "qat"

    @property
    def calibration_key(self) -> str:
        """The key of all that fixes the ranges: recipes that share it share one calibration."""
        bias = "bias" if self.bias_correction else "nobias"
        return f"{self.calibration_method}-{self.preset}-{bias}"

    @property
    def digest(self) -> str:
        """sha256 (hex) of all its fields."""
        fields = asdict(self)
        if self.activations is None:  # so that it is the digest of before there were any
            del fields["activations"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """For people: 'entropy mixed, 3 groups float'."""
        words = f"{self.calibration_method} {self.preset}"
        if self.training is not None:
            epochs = self.training.epochs
            words += f", trained {epochs} epoch{'s' if epochs != 1 else ''}"
        words += "" if self.bias_correction else ", no bias correction"
        words += f", {self.activations.label}" if self.activations is not None else ""
        count = len(self.float_groups)
        return words + (f", {count} group{'s' if count != 1 else ''} float" if count else "")


@dataclass(frozen=True)
class LayerGroup:
    """Layers that are quantised or left float together.

    Args:
        name: unique in its network, e.g. 'attention', 'heads', 'part 3 of 8'.
        operations: names of its operations in the graph that is quantised, in its order.
    """

    name: str
    operations: tuple[str, ...]


@dataclass(frozen=True)
class ActivationGroup:
    """Activations of a float network that are changed together.

    Args:
        name: unique in its network: 'activations 1 of 8'.
        places: the activations' names in the PyTorch network, in the order of execution.
    """

    name: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class NetworkChange:
    """The change of activations that was made in a float network, as its lineage holds it.

    Args:
        kinds: (name of an activation group, what it was changed for), as of ActivationChange.
        changed, in_all: how many SiLU were changed, of how many.
        measured, norms: how many batch norms were measured anew, of how many.
        images: how many train images they were measured on.
        put_in: how many of the batch norms a fused network was given back.
        fitted: how many convolutions were fitted to what they gave before; 0 where that was of no
            use, or not done yet, as in packages of before.
        distilled: how many train images it was trained on afterwards; 0 where it was not.
    """

    kinds: tuple[tuple[str, str], ...]
    changed: int
    in_all: int
    measured: int
    norms: int
    images: int
    put_in: int = 0
    fitted: int = 0
    distilled: int = 0

    def as_lineage(self) -> dict[str, str]:
        counts = {f"activations_{key}": str(getattr(self, key)) for key in _COUNTS}
        return {
            "activations": ", ".join(self.names),
            "activation_groups": ", ".join(group for group, _ in self.kinds),
            "activation_kinds": ", ".join(kind for _, kind in self.kinds),
            **counts,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What SiLU were changed for, each once."""
        return tuple(sorted({kind for _, kind in self.kinds}))

    @classmethod
    def from_lineage(cls, lineage: Mapping[str, str]) -> Self | None:
        """None where nothing was changed."""
        if "activations" not in lineage:
            return None
        counts = {key: int(lineage.get(f"activations_{key}", 0)) for key in _COUNTS}
        groups = lineage["activation_groups"].split(", ")
        # there was one kind for all, and no list of them, in packages of before
        told = lineage.get("activation_kinds")
        kinds = told.split(", ") if told else [lineage["activations"]] * len(groups)
        return cls(tuple(zip(groups, kinds, strict=True)), **counts)


_COUNTS = ("changed", "in_all", "measured", "norms", "images", "put_in", "fitted", "distilled")
TimePackages = Callable[[Mapping[str, DetectorPackage]], Mapping[str, float]]
"""Times packages by turns on this machine; name → a call's time, in any unit."""
Train = Callable[[Any], Mapping[str, str]]
"""Trains a quantised network, a torch.nn.Module, where it is; returns facts for the lineage."""


@dataclass(frozen=True)
class Distiller:
    """The one who trains a network with other activations on.

    Args:
        distil: given the changed network and the original, both torch.nn.Module, and how; trains
            the first where it is, returns how many images it was trained on, and facts for the
            lineage.
        data: a digest of the images that are trained on and held out.
    """

    distil: Callable[[Any, Any, Distillation], tuple[int, Mapping[str, str]]]
    data: str


class RecipeExporter(Protocol):
    """Makes INT8 packages of one source by recipes, calibrating once for recipes that share it."""

    @property
    def groups(self) -> tuple[LayerGroup, ...]:
        """In the graph's order; every quantisable layer beyond the tail is in exactly one."""

    def sensitivity(
        self, recipe: Recipe, progress: Callable[[int, int], None] | None = None
    ) -> Mapping[str, float]:
        """Measure how much of the quantised network's error leaving each group float takes away.

        Args:
            recipe: whose ranges are used; its float groups don't matter.
            progress: called with (groups done, groups in all).

        Returns:
            Group name → share of the output's error on some calibration images, about 0…1; the
            higher, the more the group harms. Below 0 where floating it makes matters worse.
        """

    @property
    def activation_groups(self) -> tuple[ActivationGroup, ...]:
        """In the order of execution; () where the network has no SiLU.

        Raises:
            ConfigurationError: too few images to measure batch norms on.
            BackendError: there is no batch norm to measure, and none can be put in.
        """

    def activation_harm(
        self, kind: str, progress: Callable[[int, int], None] | None = None
    ) -> Mapping[str, float]:
        """Measure the error that each activation group alone brings into the float network.

        Args:
            kind: one of ACTIVATIONS.
            progress: called with (groups done, groups in all).

        Returns:
            Group name → change of the output on some calibration images, as `sensitivity` counts
            it but not as a share; the higher, the more it harms.
        """

    def activation_gain(self, kind: str, time: TimePackages, timed_on: str) -> Mapping[str, float]:
        """Measure the share of the quantised network's time that each group alone saves.

        Args:
            kind: one of ACTIVATIONS.
            time: times packages; what it raises leaves nothing in the cache.
            timed_on: a digest of all that times depend on beside the packages.
        """

    def changed_source(
        self, change: ActivationChange, distiller: Distiller | None = None
    ) -> DetectorPackage:
        """The PyTorch package with other activations, kept in the cache; `make` goes on from it.

        Raises:
            as `make`.
        """

    def make(
        self, recipe: Recipe, destination: Path, distiller: Distiller | None = None
    ) -> DetectorPackage:
        """The package of a recipe, complete or not at all.

        Args:
            distiller: for recipes whose activations have a `distillation`. What was trained is
                kept with the calibrations: the same once more is not trained again.

        Raises:
            whatever `distiller.distil` raises.
            ConfigurationError: an unknown group, preset or method; every group float, so that
                nothing is left to quantise; `destination` exists; too few images for a change of
                activations; no distiller where one is needed.
            BackendUnavailableError: a preset that this backend can't do.
            BackendError: it failed.
        """

    def make_trained(
        self, recipe: Recipe, destination: Path, train: Train, data: str
    ) -> DetectorPackage:
        """The package of a recipe whose network is trained on before it is made.

        What was trained is kept with the calibrations: the same once more is not trained again.

        Args:
            recipe: with its `training`.
            train: given the quantised network, a torch.nn.Module whose parameters are weights,
                biases and ranges; trains it where it is and returns facts for the lineage. The
                module gives raw predictions: {'boxes': N×(4·reg_max)×A, 'scores': N×classes×A
                (logits), 'feats': a tensor for each level, of which only the shape counts}.
            data: a digest of the data trained on.

        Raises:
            as `make`, and whatever `train` raises.
            BackendUnavailableError: this backend's networks can't be trained on.
            BackendError: training left a weight or range that is not finite.
        """

    def close(self) -> None:
        """Remove work files; calibrations in the cache stay."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

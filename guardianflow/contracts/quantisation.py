"""Recipes for INT8 models, the parts of a network they choose among, and who makes them.

Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from .results import DetectorPackage

PRESETS = ("mixed", "performance")


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
class Recipe:
    """One way to quantise a detector. The detection tail stays float in every recipe.

    Args:
        float_groups: names of the layer groups that stay float beside the tail, sorted.
        preset: 'mixed' (asymmetric activations) or 'performance' (symmetric ones).
        bias_correction: whether biases make up for the mean error of quantised weights.
        calibration_method: 'entropy', 'minmax' or 'percentile'.
        training: what comes after calibrating; None where calibrating is all.
    """

    float_groups: tuple[str, ...] = ()
    preset: str = "mixed"
    bias_correction: bool = True
    calibration_method: str = "entropy"
    training: Training | None = None

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
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """For people: 'entropy mixed, 3 groups float'."""
        words = f"{self.calibration_method} {self.preset}"
        if self.training is not None:
            epochs = self.training.epochs
            words += f", trained {epochs} epoch{'s' if epochs != 1 else ''}"
        words += "" if self.bias_correction else ", no bias correction"
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


class RecipeExporter(Protocol):
    """Makes INT8 packages of one source by recipes, calibrating once for recipes that share it."""

    @property
    def groups(self) -> tuple[LayerGroup, ...]:
        """In the graph's order; every quantisable layer beyond the tail is in exactly one."""
        ...

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
        ...

    def make(self, recipe: Recipe, destination: Path) -> DetectorPackage:
        """The package of a recipe, complete or not at all.

        Raises:
            ConfigurationError: an unknown group, preset or method; every group float, so that
                nothing is left to quantise; `destination` exists.
            BackendUnavailableError: a preset that this backend can't do.
            BackendError: it failed.
        """
        ...

    def make_trained(
        self,
        recipe: Recipe,
        destination: Path,
        train: Callable[[Any], Mapping[str, str]],
        data: str,
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
        ...

    def close(self) -> None:
        """Remove work files; calibrations in the cache stay."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

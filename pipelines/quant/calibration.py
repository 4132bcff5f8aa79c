"""The images that a static int8 calibrates on, and what is to be said of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.quantisation import LEAST_IMAGES
from guardianflow.contracts.results import LocalDataset, sha256_of
from scenario import QuantizationParams

from ..stage.stage import StageContext


@dataclass(frozen=True)
class Calibration:
    """Args: images: of the train split, sampled by class. tags: for the run."""

    images: tuple[Path, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """sha256 over the images' contents, in their order; '' where there are none."""
        digest = hashlib.sha256()
        for path in self.images:
            digest.update(sha256_of(path).encode())
        return digest.hexdigest() if self.images else ""


def sample_calibration(
    context: StageContext, dataset: LocalDataset, variant: QuantizationParams
) -> Calibration:
    """Images of the train split alone; none where the variant needs none.

    Fewer than were asked for, and classes that no train image shows, are told and go on.

    Raises:
        DatasetError: the train split has no image of its own, or too few to measure batch norms on
            where the search may change activations.
    """
    from guardianflow.site_data.sampling import images_by_class, sample_calibration_images

    changed = variant.activation is not None
    if not changed and (variant.precision != "int8" or variant.method == "dynamic"):
        return Calibration()
    wanted = variant.calibration_size
    sample = sample_calibration_images(dataset, wanted, seed=context.scenario.environment.seed)
    tags: dict[str, str] = {}
    searched = variant.search is not None and variant.search.allow_activations
    asked = "activation" if changed else "search.allow_activations"
    if (searched or changed) and len(sample) < LEAST_IMAGES:
        raise DatasetError(
            f"quantization.{asked} measures batch norms anew, on at least "
            f"{LEAST_IMAGES} train images, but there are {len(sample)}; take more images into the "
            "train split, or leave it out"
        )
    if len(sample) < wanted:
        context.events.message(
            f"calibrating on all {len(sample)} train images; {wanted} were asked for"
        )
        tags["quant.calibration_images_missing"] = str(wanted - len(sample))
    shown = images_by_class(dataset, "train")
    if absent := [name for name, count in shown.items() if not count]:
        context.events.message(
            f"no train image shows {', '.join(absent)}: nothing is calibrated on such objects, "
            "and what quantising does to them is not known"
        )
        tags["quant.classes_without_train_image"] = ",".join(absent)
    return Calibration(sample, tags)

"""The images that a static int8 calibrates on, and what is to be said of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from guardianflow.contracts.results import LocalDataset
from scenario import QuantizationParams

from ..stage.stage import StageContext


@dataclass(frozen=True)
class Calibration:
    """Args: images: of the train split, sampled by class. tags: for the run."""

    images: tuple[Path, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)


def sample_calibration(
    context: StageContext, dataset: LocalDataset, variant: QuantizationParams
) -> Calibration:
    """Images of the train split alone; none where the variant needs none.

    Fewer than were asked for, and classes that no train image shows, are told and go on.

    Raises:
        DatasetError: the train split has no image of its own.
    """
    from guardianflow.site_data.datasets import images_by_class, sample_calibration_images

    if variant.precision != "int8" or variant.method == "dynamic":
        return Calibration()
    wanted = variant.calibration_size
    sample = sample_calibration_images(dataset, wanted, seed=context.scenario.environment.seed)
    tags: dict[str, str] = {}
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

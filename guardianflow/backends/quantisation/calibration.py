"""Calibration images, and the lineage of a quantisation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ...contracts.errors import ConfigurationError
from ...contracts.results import ExportRequest
from .detection_tail import FLOAT_TAIL_RULE

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from ...contracts.ports import ImageArray


T = TypeVar("T")
BATCH = 8


class CalibrationImages:
    """Calibration images as float32 network inputs, checked one by one as they are read.

    Iterating gives float32, 1×3×S×S, 0…1, one after another, any number of times.

    Args:
        images: uint8, S×S×3, RGB, letterboxed.
        side: S.

    Raises:
        ConfigurationError: none given, or one of another shape or type.
    """

    def __init__(self, images: Sequence[ImageArray] | None, side: int) -> None:
        if images is None or len(images) == 0:
            raise ConfigurationError(
                "static int8 needs calibration images of the train split but got none; set "
                "quantization.calibration_size to 1 or more, or use method 'dynamic' or fp16"
            )
        self._images, self._side = images, side
        self.image(0)  # the others are checked as they are read; this one before any work is done

    def __len__(self) -> int:
        return len(self._images)

    def few(self, most: int) -> list[ImageArray]:
        """Up to so many of them as they are, uint8 S×S×3, spread evenly over all."""
        return [self.image(index) for index in spread(range(len(self)), most)]

    @property
    def as_given(self) -> Sequence[ImageArray]:
        """The images as the caller gave them."""
        return self._images

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        for index in range(len(self)):
            yield network_input(self.image(index))

    def image(self, index: int) -> ImageArray:
        """One image, uint8 S×S×3, checked."""
        image = self._images[index]
        wanted = (self._side, self._side, 3)
        if image.dtype != np.uint8 or image.shape != wanted:
            raise ConfigurationError(
                f"calibration image {index} must be uint8 of shape {wanted} but is "
                f"{image.dtype} of {image.shape}; letterbox it to the detector's input_size"
            )
        return image


def spread(images: Sequence[T], most: int) -> list[T]:
    """Up to so many of some images, spread evenly over all."""
    count = min(most, len(images))
    return [images[round(place)] for place in np.linspace(0, len(images) - 1, count)]


def batches(images: Sequence[ImageArray]) -> Iterator[torch.Tensor]:
    """uint8 S×S×3 → float32 N×3×S×S in 0…1, up to 8 at a time.

    All have about as many images, so that each counts alike in a mean over batches.
    """
    import torch

    for part in np.array_split(np.arange(len(images)), -(-len(images) // BATCH)):
        batch = np.stack([images[index] for index in part]).transpose(0, 3, 1, 2)
        yield torch.from_numpy(np.ascontiguousarray(batch)).float() / 255


def network_input(image: ImageArray) -> npt.NDArray[np.float32]:
    """uint8 S×S×3 → float32 1×3×S×S in 0…1."""
    scaled = image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(scaled)


def how_done(used: str, float_nodes: int, missing: Sequence[str] = ()) -> dict[str, str]:
    """The facts of what a library really did, for `int8_facts`.

    Args:
        used: the calibration, in the library's own terms.
        float_nodes: how many nodes were left float.
        missing: what was not found in a graph of no known structure.
    """
    done = {"used": used, "float_nodes": str(float_nodes)}
    return done | ({"structure_not_found": "; ".join(missing)} if missing else {})


def int8_facts(request: ExportRequest, done: Mapping[str, str], images: int) -> dict[str, str]:
    """Lineage of a quantisation: what was asked, what was really used.

    Args:
        done: as `how_done` gives it.
        images: number of calibration images; 0 where there are none.
    """
    missing = done.get("structure_not_found")
    return {
        "recipe": FLOAT_TAIL_RULE,
        **({"structure_not_found": missing} if missing else {}),
        "quantization_method": request.method,
        "calibration_method": request.calibration_method if images else "none",
        "calibration_method_used": done["used"],
        "calibration_images": str(images),
        "float_nodes": done["float_nodes"],
    }

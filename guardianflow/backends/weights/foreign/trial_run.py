"""Runs a foreign network on a few pictures and looks at what comes out.

A shape does not tell boxes in 0…1 from boxes in pixels, corners from centres, logits from scores.
Judged as they stand these give an mAP of 0 without a word, so they are refused before a run is
made. What the pictures leave open, such as a file with its own NMS that finds nothing on any of
them, passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from ....contracts.backends import SOURCE
from ....contracts.errors import (
    BackendError,
    BackendUnavailableError,
    EvaluationError,
    SourceError,
)
from ....contracts.results import DetectorPackage, DetectorSpec
from ... import catalogue
from .network_shapes import EXPORT_AGAIN

if TYPE_CHECKING:
    from ....contracts.ports import ImageArray, RawOutput

MOST_IMAGES = 16
LARGEST_NORMALISED = 2.0
"""Boxes in 0…1 may reach a little beyond; a box in pixels of a whole grid is far from it."""
SCORE_TOLERANCE = 0.01
HEAD_STRIDES = (8, 16, 32)
TELLING_SCORE = 0.01


def needs_trial(spec: DetectorSpec) -> bool:
    """Whether a file is another library's export; a checkpoint's head is known by its class."""
    return spec.backend != SOURCE


def require_usual_values(
    package: DetectorPackage, name: str, images: Iterable[ImageArray], device: str = "auto"
) -> None:
    """Run a network on pictures and refuse values that mean something else than ours.

    Args:
        name: of the file, for people.
        images: letterboxed, uint8 S×S×3; as many are taken as it needs, MOST_IMAGES at most.

    Raises:
        SourceError: it does not run, or its values are of another kind; says which.
        BackendUnavailableError: this machine can't run it.
    """
    spec = package.spec
    outputs: list[RawOutput] = []
    try:
        with closing(catalogue.open_session(package, device=device)) as session:
            for image in images:
                raw = session.infer(image[None])[0]
                outputs.append(raw)
                told = spec.output == "grid" or (raw[:, 4] >= TELLING_SCORE).any()
                if (told and len(outputs) > 1) or len(outputs) == MOST_IMAGES:
                    break
    except BackendUnavailableError:
        raise
    except (BackendError, EvaluationError) as exc:
        raise SourceError(f"{name} does not run: {exc}") from exc
    faults = _grid_faults if spec.output == "grid" else _end_to_end_faults
    if found := next(faults(outputs, spec), ""):
        raise SourceError(f"{name} is not a detector as known here: {found}")


def made_up_images(side: int) -> Iterator[ImageArray]:
    """Pictures where no real ones are at hand: noise in blocks of several sizes."""
    random = np.random.default_rng(0)
    for block in (4, 8, 16, 32):
        cells = -(-side // block)
        coarse = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        yield coarse.repeat(block, axis=0).repeat(block, axis=1)[:side, :side]


def _normalised(spec: DetectorSpec) -> str:
    return (
        f"its boxes lie in 0…1, not in pixels of its input (0…{spec.input_size}), as TensorFlow "
        f"and RKNN exports have them. Multiply them by {spec.input_size} at the end of the "
        f"network, or {EXPORT_AGAIN}"
    )


def _score_fault(scores: RawOutput) -> str:
    low, high = float(scores.min()), float(scores.max())
    if low >= -SCORE_TOLERANCE and high <= 1 + SCORE_TOLERANCE:  # NaN fails both
        return ""
    return (
        f"its scores must lie in 0…1 but reach from {low:.3g} to {high:.3g}: the export leaves out "
        f"the sigmoid, or has other columns. {EXPORT_AGAIN.capitalize()}"
    )


def _grid_faults(outputs: list[RawOutput], spec: DetectorSpec) -> Iterator[str]:
    whole = np.concatenate(outputs, axis=1)
    boxes = whole[:4]
    if fault := _score_fault(whole[4:]):
        yield fault
    if not np.isfinite(boxes).all():
        yield f"its boxes have NaN or infinity in them. {EXPORT_AGAIN.capitalize()}"
    elif np.abs(boxes).max() <= LARGEST_NORMALISED:
        yield _normalised(spec)
    elif all(_has_corners(raw[:4], spec.input_size) for raw in outputs):
        yield (
            "its boxes are corners (x1, y1, x2, y2), not centre and size. Export it without "
            f"decoding to corners, or {EXPORT_AGAIN}"
        )


def _has_corners(boxes: RawOutput, side: int) -> bool:
    """Whether boxes fit their anchors as corners far better than as centres and sizes."""
    centres = [
        np.stack(np.meshgrid(ticks, ticks), 0).reshape(2, -1)
        for ticks in ((np.arange(side // s) + 0.5) * s for s in HEAD_STRIDES)
    ]
    anchors = np.concatenate(centres, axis=1)
    if anchors.shape[1] != boxes.shape[1]:
        return False
    as_centres = np.abs(boxes[:2] - anchors).mean()
    as_corners = np.abs((boxes[:2] + boxes[2:]) / 2 - anchors).mean()
    return bool(as_corners * 4 < as_centres and (boxes[2:] >= boxes[:2]).mean() > 0.99)


def _end_to_end_faults(outputs: list[RawOutput], spec: DetectorSpec) -> Iterator[str]:
    whole = np.concatenate(outputs)
    numbers, highest = whole[:, 5], len(spec.class_names) - 1
    if not ((numbers >= 0) & (numbers == np.round(numbers))).all():
        yield (
            "its last column must be class numbers but is none: its rows are anchors (channels "
            "last, or YOLOv5's with an objectness), or its columns are in another order. "
            f"{EXPORT_AGAIN.capitalize()}"
        )
    elif numbers.max(initial=0) > highest:
        yield (
            f"it answers with class {int(numbers.max())} but {len(spec.class_names)} classes are "
            f"named, 0…{highest}"
        )
    elif fault := _score_fault(whole[:, 4]) if len(whole) else "":
        yield fault
    found = whole[whole[:, 4] >= TELLING_SCORE]
    if not len(found):
        return
    if np.abs(found[:, :4]).max() <= LARGEST_NORMALISED:
        yield _normalised(spec)
    elif ((found[:, 2] < found[:, 0]) | (found[:, 3] < found[:, 1])).mean() > 0.5:
        yield (
            "its boxes are no corners (x1, y1, x2, y2): most end before they begin, as centre and "
            f"size do. {EXPORT_AGAIN.capitalize()}"
        )

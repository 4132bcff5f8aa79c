"""An author's benchmark, asked for boxes, tracks and measurements; what it answers is checked.

    build_benchmark   ExperimentCode + configurations → RunningBenchmark
    RunningBenchmark  an ObjectDetector where the author's class has predict(images)

Everything that is asked of the author's object goes through `_ask`, the one place that translates
what it raises. `at_work()` makes the author's modules importable around many calls: doing so for
each would cost more than some detectors take.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from guardianflow.contracts.errors import ExperimentError
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.images.postprocessing import MAX_DETECTIONS
from guardianflow.evaluation.mot.tracker import TrackedObjects, frames_of

from .code_path import ExperimentCode, build, calling
from .metrics import FORBIDDEN_IN_KEYS, checked_metrics

if TYPE_CHECKING:
    from guardianflow.contracts.ports import ImageArray
    from guardianflow.contracts.sequences import TrackingSequence

PARTS = ("boxes_xyxy", "scores", "class_ids")
TRACK_PARTS = (*PARTS, "ids")
OWN_PREFIXES = ("det.", "sys.", "mot.", "comparison.", "alarm.", "train.", "batch.")
# What GuardianFlow measures itself under `bench.`: of batch sizes, and of cameras.
OWN_KEYS = re.compile(r"bench\.(bs\d+\.|cameras)")
# A box's middle may lie outside its picture now and then; more often, its unit is another.
MOST_OUTSIDE = 0.01


class RunningBenchmark:
    """An author's Benchmark at work.

    Args:
        code: its code.
        made: its object.
        class_names: index = class id.
    """

    def __init__(self, code: ExperimentCode, made: object, class_names: Sequence[str]) -> None:
        self.code, self._made, self.class_names = code, made, tuple(class_names)

    def can(self, method: str) -> bool:
        return callable(getattr(self._made, method, None))

    def at_work(self) -> AbstractContextManager[None]:
        """Around everything that asks it: its modules are importable within."""
        return self.code.running()

    def predict(
        self,
        images: Sequence[ImageArray],
        *,
        confidence: float | None = None,
        iou: float | None = None,  # noqa: ARG002 - the port's
        multi_label: bool = False,  # noqa: ARG002 - the port's
    ) -> list[Detections]:
        """What it finds in decoded images; see the ObjectDetector port.

        Args:
            confidence: boxes below are left out.
            iou, multi_label: the author's matter, and so without effect.

        Raises:
            ExperimentError: it raised, or its answer is none.
        """
        answer = self._ask("predict", list(images))
        places = [f"image {number} of {len(images)}" for number in range(1, len(images) + 1)]
        found = self._detections("predict", answer, places)
        return [_above(each, confidence or 0.0) for each in found]

    def call(self, images: list[ImageArray]) -> None:
        """predict() as it is timed: until its boxes are numbers in memory, and unchecked."""
        with calling(self.code, "predict()"):
            for each in self._made.predict(images):  # type: ignore[attr-defined]
                parts = each if isinstance(each, (tuple, list)) else _parts(each, PARTS)
                for part in parts:
                    np.asarray(_on_cpu(part))

    def predict_split(self, images: Sequence[LabelledImage], confidence: float) -> list[Detections]:
        """What it finds in the files of a split; arguments and errors as predict."""
        answer = self._ask("predict_split", [image.path for image in images])
        found = self._detections("predict_split", answer, [image.path.name for image in images])
        return [_above(each, confidence) for each in found]

    def track(
        self, sequence: TrackingSequence, progress: Callable[[int, int], None]
    ) -> list[TrackedObjects]:
        """Its tracks over a sequence, frame by frame.

        Raises:
            ExperimentError: it raised, or its answer is none; not one answer for each frame.
        """

        def told(count: int) -> None:
            progress(count, sequence.length)

        answer = self._ask_all("track", frames_of(sequence), sequence.frame_rate, told=told)
        if len(answer) != sequence.length:
            raise self._wrong(
                "track",
                f"must give one answer for each of the {sequence.length} frames of "
                f"'{sequence.name}' but gave {len(answer)}",
            )
        return [
            self._tracked(each, f"frame {number} of '{sequence.name}'", sequence)
            for number, each in enumerate(answer, start=1)
        ]

    def extra_metrics(self, taken: Collection[str] = ()) -> tuple[dict[str, float], list[str]]:
        """Its own measurements under `bench.*`; none where it has no such method.

        Args:
            taken: keys that the run has already.

        Returns:
            The metrics, and the names of those that are no finite number: they are left out.

        Raises:
            ExperimentError: it raised, no mapping of names to numbers, a name that GuardianFlow
                uses itself, two names for one key.
        """
        if not self.can("extra_metrics"):
            return {}, []
        answer = self._ask("extra_metrics")
        try:
            given = checked_metrics(answer)
        except ExperimentError as exc:
            raise self._wrong("extra_metrics", f"gave what can't be kept: {exc}") from exc
        keyed: dict[str, float] = {}
        problems, unmeasured = [], []
        for name, value in given.items():
            key = "bench." + FORBIDDEN_IN_KEYS.sub("_", name.removeprefix("bench."))
            if name.startswith(OWN_PREFIXES) or OWN_KEYS.match(key) or key in taken:
                problems.append(f"'{name}' is a metric of GuardianFlow's own")
            elif key in keyed:
                problems.append(f"'{name}' and another name both stand for {key}")
            elif not math.isfinite(value):
                unmeasured.append(name)
            keyed[key] = value
        if problems:
            raise self._wrong("extra_metrics", f"gave what can't be kept: {'; '.join(problems)}")
        return {key: value for key, value in keyed.items() if math.isfinite(value)}, unmeasured

    def close(self) -> None:
        """Let it free what it holds."""
        if self.can("close"):
            with self.at_work():
                self._ask("close")

    # --- asking -----------------------------------------------------------------------------------

    def _ask(self, method: str, *arguments: object) -> Any:
        with calling(self.code, f"{method}()"):
            return getattr(self._made, method)(*arguments)

    def _ask_all(
        self, method: str, frames: Iterator[ImageArray], *more: object, told: Callable[[int], None]
    ) -> list[Any]:
        """As _ask, for a method that may answer bit by bit; what reading frames raises is ours."""

        def given() -> Iterator[ImageArray]:
            for count, frame in enumerate(frames, start=1):
                yield frame
                told(count)

        with calling(self.code, f"{method}()"):
            answer = getattr(self._made, method)(given(), *more)
            return [] if answer is None else list(answer)

    def _detections(self, method: str, answer: Any, places: Sequence[str]) -> list[Detections]:
        if not isinstance(answer, (list, tuple)) and not hasattr(answer, "__iter__"):
            raise self._wrong(method, f"must return one answer for each image but gave {answer!r}")
        with calling(self.code, f"{method}()"):  # it may be a generator
            each_image = list(answer)
        if len(each_image) != len(places):
            raise self._wrong(
                method,
                f"must return one answer for each of {len(places)} images but gave "
                f"{len(each_image)}: a list with (boxes_xyxy, scores, class_ids) for each image",
            )
        return [
            self._checked(method, place, *self._read(method, each, place, PARTS))
            for each, place in zip(each_image, places, strict=True)
        ]

    # --- what it answers --------------------------------------------------------------------------

    def _read(self, method: str, answer: Any, where: str, parts: Sequence[str]) -> list[Any]:
        """The parts of one answer: a tuple, a mapping, or an object with these attributes."""
        found = list(answer) if isinstance(answer, (tuple, list)) else _parts(answer, parts)
        if len(found) != len(parts) or any(each is None for each in found):
            raise self._wrong(
                method,
                f"must give ({', '.join(parts)}) for {where} but gave {_shown(answer)}",
            )
        return found

    def _tracked(self, answer: Any, where: str, sequence: TrackingSequence) -> TrackedObjects:
        """One frame's tracks, as far as they lie in the picture."""
        boxes, scores, class_ids, ids = self._read("track", answer, where, TRACK_PARTS)
        found = self._checked("track", where, boxes, scores, class_ids)
        numbers = self._whole("track", "ids", ids, where)
        if len(numbers) != len(found):
            raise self._wrong(
                "track", f"must give an id for each box of {where} but gave {len(numbers)}"
            )
        if len(set(numbers.tolist())) != len(numbers):
            raise self._wrong(
                "track", f"must give each id once a frame but gave one twice in {where}"
            )
        numbers = numbers[np.argsort(-np.asarray(_on_cpu(scores), np.float64), kind="stable")]
        side = (sequence.width or np.inf, sequence.height or np.inf)
        placed = np.clip(found.boxes_xyxy, np.float32(0), np.array(side * 2, dtype=np.float32))
        seen = ((placed[:, 2] > placed[:, 0]) & (placed[:, 3] > placed[:, 1])).nonzero()[0]
        return TrackedObjects(
            placed[seen], found.scores[seen], found.class_ids[seen], numbers[seen]
        )

    def _checked(
        self, method: str, where: str, boxes: Any, scores: Any, class_ids: Any
    ) -> Detections:
        box_array = self._numbers(method, "boxes_xyxy", boxes, where)
        score_array = self._numbers(method, "scores", scores, where).reshape(-1)
        count = len(score_array)
        if box_array.size == 0:
            box_array = box_array.reshape(0, 4)
        ids = self._whole(method, "class_ids", class_ids, where)
        if box_array.shape != (count, 4) or ids.shape != (count,):
            raise self._wrong(
                method,
                f"must give K×4 boxes, K scores and K class ids for {where} but gave shapes "
                f"{box_array.shape}, {score_array.shape} and {ids.shape}",
            )
        if count and not ((score_array >= 0) & (score_array <= 1)).all():
            raise self._wrong(
                method,
                f"must give scores in 0…1 but gave {score_array.min():g} to "
                f"{score_array.max():g} for {where}; are they logits, or per cent?",
            )
        known = len(self.class_names)
        if count and not (ids.min() >= 0 and ids.max() < known):
            raise self._wrong(
                method,
                f"must give class ids in 0…{known - 1} but gave {ids.min()} to {ids.max()} for "
                f"{where}; an id is a place in {list(self.class_names)}",
            )
        if (box_array[:, 2:] < box_array[:, :2]).any():
            raise self._wrong(
                method,
                f"must give boxes as x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2 but gave "
                f"{box_array[(box_array[:, 2:] < box_array[:, :2]).any(axis=1)][0].tolist()} for "
                f"{where}; are they centre, width and height?",
            )
        order = np.argsort(-score_array, kind="stable")
        return Detections(
            box_array[order].astype(np.float32), score_array[order].astype(np.float32), ids[order]
        )

    def _numbers(self, method: str, part: str, value: Any, where: str) -> Any:
        try:
            array = np.asarray(_on_cpu(value), dtype=np.float64)
        except (TypeError, ValueError) as exc:
            raise self._wrong(
                method, f"must give numbers as {part} for {where} but gave {_shown(value)} ({exc})"
            ) from exc
        if not np.isfinite(array).all():
            raise self._wrong(method, f"gave {part} with NaN or infinity for {where}")
        return array

    def _whole(self, method: str, part: str, value: Any, where: str) -> Any:
        array = self._numbers(method, part, value, where).reshape(-1)
        if (array != np.round(array)).any():
            raise self._wrong(method, f"must give whole numbers as {part} but gave {array[:3]}")
        return array.astype(np.int64)

    def _wrong(self, method: str, what: str) -> ExperimentError:
        return ExperimentError(
            f"{self.code.path}: {method}() of {self.code.loaded_class.__name__} {what}"
        )

    def require_pixels(
        self, predictions: Sequence[Detections], images: Sequence[LabelledImage]
    ) -> str:
        """Whether its boxes can be in pixels of the original images.

        Returns:
            A doubt, for people; '' for none.

        Raises:
            ExperimentError: every box of the split lies within the first pixel: shares of a side.
        """
        boxes = np.concatenate([np.zeros((0, 4)), *(each.boxes_xyxy for each in predictions)])
        if len(boxes) and boxes.max() <= 1:
            raise ExperimentError(
                f"{self.code.path}: the boxes of {self.code.loaded_class.__name__} must be in "
                f"pixels of the original image, but every coordinate is 1 or less; multiply them "
                f"by the image's width and height"
            )
        outside = 0
        for found, image in zip(predictions, images, strict=True):
            middle = (found.boxes_xyxy[:, :2] + found.boxes_xyxy[:, 2:]) / 2
            limit = np.array([image.width, image.height])
            outside += int(((middle < 0) | (middle > limit)).any(axis=1).sum())
        if outside <= MOST_OUTSIDE * len(boxes):
            return ""
        return (
            f"{outside} of {len(boxes)} boxes have their middle outside of their picture: are "
            "they in pixels of the original?"
        )


def build_benchmark(
    code: ExperimentCode, class_names: Sequence[str], optional: Mapping[str, object], **configs: Any
) -> RunningBenchmark:
    """Build the author's benchmark.

    Args:
        optional: environment_config, work_dir, class_names, detector.
        configs: model_config, benchmark_config, dataset_config.

    Raises:
        ExperimentError: the constructor raised.
    """
    return RunningBenchmark(code, build(code, optional, **configs), class_names)


def _above(found: Detections, confidence: float) -> Detections:
    """The best of those with this score or more; as of every detector, 300 and no more."""
    kept = (found.scores >= np.float32(confidence)).nonzero()[0][:MAX_DETECTIONS]
    return Detections(found.boxes_xyxy[kept], found.scores[kept], found.class_ids[kept])


def clipped(found: Detections, image: LabelledImage) -> Detections:
    """The boxes as far as they lie in the picture, as GuardianFlow's own detectors give them."""
    limit = np.array([image.width, image.height] * 2, dtype=np.float32)
    return Detections(
        np.clip(found.boxes_xyxy, np.float32(0), limit), found.scores, found.class_ids
    )


def _parts(answer: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(answer, Mapping):
        return [answer.get(name) for name in names]
    return [getattr(answer, name, None) for name in names]


def _on_cpu(value: Any) -> Any:
    """A tensor of PyTorch as NumPy takes it; anything else as it is."""
    for name in ("detach", "cpu"):
        value = getattr(value, name)() if callable(getattr(value, name, None)) else value
    return value


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return f"{text[:77]}… ({type(value).__name__})" if len(text) > 80 else text

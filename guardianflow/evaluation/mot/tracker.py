"""Detections → tracks, by Ultralytics' ByteTrack or BoT-SORT with their own default settings.

One tracker follows all classes together, as `model.track` of Ultralytics does. Its boxes are those
of its motion model, clipped to the picture; an object that appears after the first frame is
reported from its second frame on.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import EvaluationError, MissingDependencyError
from ...contracts.ports import ObjectDetector
from ...contracts.results import Detections
from ...contracts.sequences import TrackingSequence, TrackRows
from ...support.foreign_libraries import loggers_to_log, quiet_ultralytics
from ..images.preprocessing import load_image

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray
    from ...contracts.results import IntArray

TRACKERS = {"bytetrack": "BYTETracker", "botsort": "BOTSORT"}
INSTALL = {"ultralytics": "pip install ultralytics", "lap": "pip install 'lap>=0.5.12'"}
# Weak detections continue tracks, so the tracker, which has thresholds of its own, must see them.
TRACKING_CONFIDENCE = 0.1
SAME_CLASS = (frozenset({"person", "pedestrian", "people", "사람", "보행자"}),)


@dataclass(frozen=True, eq=False)
class TrackedObjects(Detections):
    """The report of a tracker on one frame; scores are of the detections behind it.

    Args:
        ids: int64, K; one object keeps its id from frame to frame.
    """

    ids: IntArray


class ObjectTracker:
    """Follows the objects of one sequence, frame by frame; ids begin with 1.

    Args:
        tracker: 'bytetrack', or 'botsort', which also compensates a moving camera. Neither looks
            at appearance (no re-identification network).

    Raises:
        EvaluationError: there is no such tracker.
        MissingDependencyError: Ultralytics or lap is not installed.
    """

    def __init__(self, tracker: str = "bytetrack") -> None:
        if tracker not in TRACKERS:
            raise EvaluationError(
                f"the tracker must be one of {', '.join(TRACKERS)} but got '{tracker}'"
            )
        self._trackers, utils = _ultralytics()
        settings = utils.YAML.load(utils.ROOT / "cfg" / "trackers" / f"{tracker}.yaml")
        settings["with_reid"] = False
        self.settings: Mapping[str, Any] = settings
        with loggers_to_log("ultralytics"):
            self._tracker = getattr(self._trackers, TRACKERS[tracker])(
                args=utils.IterableSimpleNamespace(**settings)
            )

    def update(self, detections: Detections, frame: ImageArray) -> TrackedObjects:
        """Take the next frame's detections.

        Args:
            detections: from confidence 0.1 upwards: weak ones continue tracks.
            frame: uint8, H×W×3, RGB.

        Returns:
            The objects that are followed and seen in this frame.
        """
        from ultralytics.engine.results import Boxes

        height, width = frame.shape[:2]
        columns = (
            detections.boxes_xyxy,
            detections.scores[:, None],
            detections.class_ids[:, None],
        )
        table = np.concatenate(columns, axis=1).astype(np.float32)
        with loggers_to_log("ultralytics"):
            # Ultralytics works on BGR pictures.
            rows = self._tracker.update(Boxes(table, (height, width)), frame[..., ::-1].copy())
        # x1, y1, x2, y2, id, score, class, index of the detection
        rows = np.asarray(rows, dtype=np.float32).reshape(-1, 8)
        limit = np.array([width, height] * 2, dtype=np.float32)
        boxes = np.clip(rows[:, :4], np.float32(0), limit)
        # The motion model may place a box outside the picture: nothing of it can be seen.
        seen = ((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])).nonzero()[0]
        return TrackedObjects(
            ids=rows[seen, 4].astype(np.int64),
            boxes_xyxy=boxes[seen],
            class_ids=rows[seen, 6].astype(np.int64),
            scores=rows[seen, 5],
        )


def track_sequence(
    detector: ObjectDetector,
    sequence: TrackingSequence,
    *,
    tracker: str = "bytetrack",
    classes: Mapping[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrackRows:
    """Run a detector and a new tracker over a sequence's pictures.

    Args:
        sequence: with its pictures.
        tracker: as in ObjectTracker.
        classes: detector's class id → ground truth's, of match_classes(); made for this sequence
            alone when None. Detections of other classes never reach the tracker.
        progress: called with (frames done, frames in all).

    Returns:
        Rows with the ground truth's class ids and its way to number pixels.

    Raises:
        EvaluationError: a picture can't be decoded or has another size, a video with more or
            fewer frames than the sequence, no class in common.
        MissingDependencyError: as ObjectTracker.
    """
    names = detector.class_names
    chosen = match_classes(names, [sequence]).pairs[sequence.name] if classes is None else classes
    translation = _translation(chosen, len(names))
    follower = ObjectTracker(tracker)
    parts: list[TrackedObjects] = []
    for number, frame in enumerate(frames_of(sequence), start=1):
        (found,) = detector.predict([frame], confidence=TRACKING_CONFIDENCE)
        wanted = translation[found.class_ids] >= 0
        kept = Detections(found.boxes_xyxy[wanted], found.scores[wanted], found.class_ids[wanted])
        parts.append(follower.update(kept, frame))
        if progress is not None:
            progress(number, sequence.length)
    return _rows(parts, translation, sequence.first_pixel)


def rows_of_tracks(
    objects: Sequence[TrackedObjects],
    sequence: TrackingSequence,
    classes: Mapping[int, int],
    known: int,
) -> TrackRows:
    """Tracks that something else made, as rows; those of other classes are left out.

    Args:
        objects: one for each frame.
        classes: its class id → ground truth's, of match_classes().
        known: how many classes it knows.
    """
    translation = _translation(classes, known)
    kept = []
    for each in objects:
        wanted = translation[each.class_ids] >= 0
        kept.append(
            TrackedObjects(
                each.boxes_xyxy[wanted],
                each.scores[wanted],
                each.class_ids[wanted],
                each.ids[wanted],
            )
        )
    return _rows(kept, translation, sequence.first_pixel)


def _translation(classes: Mapping[int, int], known: int) -> IntArray:
    translation = np.full(known, -1, dtype=np.int64)
    translation[list(classes)] = list(classes.values())
    return translation


def frames_of(sequence: TrackingSequence) -> Iterator[ImageArray]:
    """Decode a sequence's pictures, one in memory at a time.

    Yields:
        uint8, H×W×3, RGB, exactly `sequence.length` of them.

    Raises:
        EvaluationError: a picture can't be decoded or has another size, or there are more or
            fewer of them; frames would then not be those that the ground truth speaks of.
    """
    frames: Iterator[ImageArray]
    if sequence.video_frames is not None:
        frames = sequence.video_frames()
    elif sequence.frame_paths:
        frames = (load_image(path) for path in sequence.frame_paths)
    else:
        raise EvaluationError(f"sequence '{sequence.name}' was read without its pictures")
    count = 0
    for count, frame in enumerate(frames, start=1):
        size = (frame.shape[1], frame.shape[0])
        if size != (sequence.width, sequence.height):
            raise EvaluationError(
                f"frame {count} of sequence '{sequence.name}' decodes to {size[0]}×{size[1]} px "
                f"but its ground truth is for {sequence.width}×{sequence.height} px"
            )
        if count > sequence.length:
            break
        yield frame
    if count != sequence.length:
        raise EvaluationError(
            f"the video of sequence '{sequence.name}' decodes to "
            f"{'more' if count > sequence.length else count} frames but says {sequence.length}; "
            f"convert it anew, or store its frames as images in img1/"
        )


@dataclass(frozen=True)
class ClassMatch:
    """The classes that a detector and the ground truth of some sequences have in common.

    Args:
        pairs: sequence name → detector's class id → class id of that sequence's ground truth.
        judged: the common classes, as the ground truth names them.
        unknown: classes that the ground truth counts and the detector does not know.
    """

    pairs: Mapping[str, Mapping[int, int]]
    judged: tuple[str, ...]
    unknown: tuple[str, ...]


def match_classes(names: Sequence[str], sequences: Sequence[TrackingSequence]) -> ClassMatch:
    """Match classes by name; 'person' and 'pedestrian' are the same.

    Args:
        names: the detector's classes, index = class id.
        sequences: a class that one of them counts is looked for in all of them, so that false
            alarms count there too.

    Raises:
        EvaluationError: no class in common, or several of the detector's mean one of the truth's.
    """
    counted = list(dict.fromkeys(n for each in sequences for n in each.counted_classes.values()))
    known: dict[str, int] = {}
    for name in counted:
        same = [i for i, other in enumerate(names) if _canonical(other) == _canonical(name)]
        same = [i for i in same if names[i] == name] or same
        if len(same) > 1:
            raise EvaluationError(
                f"several of the model's classes ({', '.join(names[i] for i in same)}) mean "
                f"'{name}' of the ground truth; give the one that is meant the same name"
            )
        if same:
            known[name] = same[0]
    if not known:
        places = ", ".join(each.name for each in sequences)
        raise EvaluationError(
            f"the model and the ground truth have no class in common: the model has "
            f"{', '.join(names)}; the ground truth of {places} counts "
            f"{', '.join(counted) or 'nothing'}. Classes are matched by name; name those of the "
            f"ground truth in gt/labels.txt, one a line"
        )
    pairs = {
        each.name: {known[n]: number for number, n in each.class_names.items() if n in known}
        for each in sequences
    }
    return ClassMatch(pairs, tuple(known), tuple(n for n in counted if n not in known))


def _canonical(name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    folded = " ".join(composed.casefold().replace("_", " ").replace("-", " ").split())
    return next((min(group) for group in SAME_CLASS if folded in group), folded)


def _rows(objects: Sequence[TrackedObjects], translation: IntArray, first_pixel: int) -> TrackRows:
    boxes = np.concatenate([np.zeros((0, 4)), *(each.boxes_xyxy for each in objects)])
    none = np.zeros(0, dtype=np.int64)
    class_ids = np.concatenate([none, *(each.class_ids for each in objects)])
    return TrackRows(
        frames=np.repeat(np.arange(1, len(objects) + 1), [len(each) for each in objects]),
        ids=np.concatenate([none, *(each.ids for each in objects)]),
        boxes_ltwh=np.concatenate([boxes[:, :2] + first_pixel, boxes[:, 2:] - boxes[:, :2]], 1),
        class_ids=translation[class_ids],
        confidences=np.concatenate([np.zeros(0), *(each.scores for each in objects)]),
    )


def _ultralytics() -> tuple[Any, Any]:
    """`ultralytics.trackers` and `ultralytics.utils`, imported without their side effects.

    The trackers would install lap themselves.
    """
    try:
        importlib.import_module("lap")
    except ImportError as exc:
        raise MissingDependencyError("lap", "object tracking", INSTALL["lap"]) from exc
    with quiet_ultralytics():
        try:
            utils = importlib.import_module("ultralytics.utils")
            return importlib.import_module("ultralytics.trackers"), utils
        except ModuleNotFoundError as exc:
            raise MissingDependencyError(
                "ultralytics", "object tracking", INSTALL["ultralytics"]
            ) from exc

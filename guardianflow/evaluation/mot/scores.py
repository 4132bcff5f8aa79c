"""Multi-object tracking judged by TrackEval, in this process and without files.

    tracks + ground truth, for each sequence and class ─ excuse, drop, renumber ─ TrackEval's data
    HOTA, CLEAR, Identity, Count of each ─ combine_sequences ─ combine_classes_det_averaged

What counts is decided as TrackEval's MotChallenge2DBox decides it, there for pedestrians alone,
here for each class in turn; docs/metrics.md says it in words.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import EvaluationError, MissingDependencyError
from ...contracts.sequences import MotResult, TrackingSequence, TrackRows

if TYPE_CHECKING:
    import numpy.typing as npt

    IntVector = npt.NDArray[np.int64]
    Matrix = npt.NDArray[np.float64]

Scores = dict[str, Any]  # TrackEval's result of one metric: field → number or array over α

# MOTChallenge: who is found here is neither right nor wrong.
DISTRACTORS = (2, 7, 8, 12)
# MOT20 adds these; TrackEval is told the benchmark, we see it in the sequence's name.
MOT20_PREFIX, MOT20_DISTRACTORS = "MOT20", (6,)
MATCH_IOU = 0.5
ABSENT_CLASS = 0  # no row has it: ground truth numbers classes from 1
_EPSILON = float(np.finfo("float").eps)


def evaluate_tracks(
    sequences: Sequence[TrackingSequence],
    tracks: Mapping[str, TrackRows],
    classes: Sequence[str] | None = None,
) -> MotResult:
    """Judge tracks against ground truth; every value is the one TrackEval gives.

    Args:
        sequences: at least one, names all different, with at least one row that counts.
        tracks: sequence name → what a tracker reported, with the sequence's own class ids.
        classes: names of the classes to judge; None judges every class of which at least one row
            counts in any sequence.

    Returns:
        Scores of each sequence, each class and all. Boxes of classes that are not judged are left
        out and numbered in `unjudged`. A tracker that reported nothing has zeros: that was
        measured.

    Raises:
        EvaluationError: nothing to judge against, a sequence without tracks or tracks without a
            sequence, frames outside the sequence, one id twice in a frame, boxes that are none.
        MissingDependencyError: TrackEval is not installed.
    """
    _check(sequences, tracks)
    counted = [name for each in sequences for name in each.counted_classes.values()]
    judged = [n for n in dict.fromkeys(counted) if classes is None or n in classes]
    if not judged:
        raise EvaluationError(
            f"there is no class to judge: {', '.join(classes or ())} asked for, but the ground "
            f"truth counts {', '.join(dict.fromkeys(counted))}"
        )
    results = {
        each.name: {name: _class_result(each, tracks[each.name], name) for name in judged}
        for each in sequences
    }
    by_class = {
        name: {
            metric: judge.combine_sequences({s: results[s][name][metric] for s in results})
            for metric, judge in _metrics().items()
        }
        for name in judged
    }
    return MotResult(
        sequences={s: _summary(_over_classes(r)) for s, r in results.items()},
        classes={name: _summary(scores) for name, scores in by_class.items()},
        combined=_summary(_over_classes(by_class)),
        frames=sum(each.length for each in sequences),
        evaluator=evaluator_name(),
        unjudged=_unjudged(sequences, tracks, judged),
    )


def evaluator_name() -> str:
    """'trackeval 1.3.0': what counted."""
    from importlib.metadata import version

    return f"trackeval {version('trackeval')}"


@cache
def _trackeval() -> Any:
    """TrackEval, imported without what it prints when a part of it lacks a library."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import trackeval
    except ImportError as exc:
        raise MissingDependencyError(
            "trackeval", "judging multi-object tracking", "pip install trackeval"
        ) from exc
    return trackeval


@cache
def _metrics() -> dict[str, Any]:
    metrics = _trackeval().metrics
    quiet = {"PRINT_CONFIG": False}
    return {
        "HOTA": metrics.HOTA(),
        "CLEAR": metrics.CLEAR({"THRESHOLD": MATCH_IOU, **quiet}),
        "Identity": metrics.Identity({"THRESHOLD": MATCH_IOU, **quiet}),
        "Count": metrics.Count(),
    }


# --- one sequence, one class --------------------------------------------------------------------


def _class_result(sequence: TrackingSequence, tracks: TrackRows, name: str) -> dict[str, Scores]:
    ids = {each: number for number, each in sequence.class_names.items()}
    class_id = ids.get(name, ABSENT_CLASS)
    data = prepare(sequence, tracks.where(tracks.class_ids == class_id), class_id)
    return {metric: judge.eval_sequence(data) for metric, judge in _metrics().items()}


def prepare(sequence: TrackingSequence, tracks: TrackRows, class_id: int) -> dict[str, Any]:
    """The input of TrackEval's metrics for one sequence and class.

    In MOTChallenge's classes a detection is matched with all ground truth of its frame, whatever
    class or mark, at IoU 0.5; one that falls to a distractor is taken out. Then ground truth of
    other classes and rows marked 0 go.

    Args:
        tracks: of this class alone.
    """
    overlaps = _trackeval().datasets.MotChallenge2DBox._calculate_box_ious
    truth = sequence.truth
    of_class = truth.counted & (truth.class_ids == class_id)
    distractors = _distractors(sequence, class_id)
    true_frames = _frame_slices(truth.frames, sequence.length)
    found_frames = _frame_slices(tracks.frames, sequence.length)
    true_ids: list[IntVector] = []
    found_ids: list[IntVector] = []
    similarity: list[Matrix] = []
    for there, found in zip(true_frames, found_frames, strict=True):
        ious: Matrix = overlaps(truth.boxes_ltwh[there], tracks.boxes_ltwh[found])
        kept = np.ones(ious.shape[1], dtype=bool)
        if distractors:
            kept[_excused(ious, np.isin(truth.class_ids[there], distractors))] = False
        rows = of_class[there]
        true_ids.append(truth.ids[there][rows])
        found_ids.append(tracks.ids[found][kept])
        similarity.append(ious[rows][:, kept])
    true_count, true_ids = _renumbered(true_ids)
    found_count, found_ids = _renumbered(found_ids)
    return {
        "num_timesteps": sequence.length,
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, found_ids)),
        "num_gt_ids": true_count,
        "num_tracker_ids": found_count,
        "gt_ids": true_ids,
        "tracker_ids": found_ids,
        "similarity_scores": similarity,
        "seq": sequence.name,
    }


def _distractors(sequence: TrackingSequence, class_id: int) -> list[int]:
    """Classes that excuse a detection of `class_id`; one that is itself judged is no distractor."""
    if sequence.classes != "motchallenge":
        return []
    more = MOT20_DISTRACTORS if sequence.name.startswith(MOT20_PREFIX) else ()
    return [each for each in (*DISTRACTORS, *more) if each != class_id]


def _excused(ious: Matrix, is_distractor: npt.NDArray[np.bool_]) -> IntVector:
    """Columns whose best one-to-one partner is a distractor."""
    from scipy.optimize import linear_sum_assignment

    scores = np.where(ious < MATCH_IOU - _EPSILON, 0.0, ious)
    rows, columns = linear_sum_assignment(-scores)
    matched = scores[rows, columns] > _EPSILON
    excused: IntVector = columns[matched][is_distractor[rows[matched]]]
    return excused


def _frame_slices(frames: IntVector, length: int) -> list[slice]:
    """The rows of frame 1, 2 … `length`; `frames` is sorted."""
    edges = np.searchsorted(frames, np.arange(1, length + 2)).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _renumbered(ids: list[IntVector]) -> tuple[int, list[IntVector]]:
    """Ids as 0, 1, 2 … in their order, and how many there are."""
    every = np.concatenate([np.zeros(0, dtype=np.int64), *ids])
    known, places = np.unique(every, return_inverse=True)
    ends = np.cumsum([len(each) for each in ids])[:-1]
    return len(known), np.split(places.astype(np.int64), ends)


# --- many of them -------------------------------------------------------------------------------


def _over_classes(by_class: Mapping[str, dict[str, Scores]]) -> dict[str, Scores]:
    """All classes as one, every detection counting the same."""
    if len(by_class) == 1:
        return next(iter(by_class.values()))
    return {
        metric: judge.combine_classes_det_averaged({c: by_class[c][metric] for c in by_class})
        for metric, judge in _metrics().items()
    }


def _summary(scores: Mapping[str, Scores]) -> dict[str, float]:
    """TrackEval's summary fields as plain numbers, without rates that nothing stands behind."""
    flat: dict[str, float] = {}
    for metric, judge in _metrics().items():
        for name in judge.summary_fields:
            value = scores[metric][name]
            whole = name in judge.integer_fields
            flat[name] = int(value) if whole else float(np.mean(value))
    meaningless: set[str] = set()
    if not flat["GT_Dets"]:
        meaningless = {name for name in flat if not isinstance(flat[name], int)}
    if not flat["CLR_TP"]:
        meaningless.add("MOTP")
    if not np.any(scores["HOTA"]["HOTA_TP"]):
        # TrackEval says 1 where no pair is there to be localised.
        meaningless |= {"LocA", "LocA(0)"}
    return {name: value for name, value in flat.items() if name not in meaningless}


def _unjudged(
    sequences: Sequence[TrackingSequence], tracks: Mapping[str, TrackRows], judged: Sequence[str]
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for sequence in sequences:
        numbers, times = np.unique(tracks[sequence.name].class_ids, return_counts=True)
        for number, count in zip(numbers.tolist(), times.tolist(), strict=True):
            name = sequence.class_names.get(number, f"class {number}")
            if name not in judged:
                counts[name] = counts.get(name, 0) + count
    return counts


def _check(sequences: Sequence[TrackingSequence], tracks: Mapping[str, TrackRows]) -> None:
    names = [each.name for each in sequences]
    if len(set(names)) != len(names) or set(names) != set(tracks):
        raise EvaluationError(
            f"there must be tracks for each sequence, by its name, but there are sequences "
            f"{sorted(names)} and tracks of {sorted(tracks)}"
        )
    if not any(each.truth.counted.any() for each in sequences):
        raise EvaluationError(
            f"no row of the ground truth of {', '.join(names) or 'no sequence'} counts (column 7 "
            f"above 0), so there is nothing to judge tracks against"
        )
    for sequence in sequences:
        for what, rows in (("ground truth", sequence.truth), ("tracks", tracks[sequence.name])):
            wrong = _wrong_rows(rows, sequence.length)
            if wrong:
                raise EvaluationError(f"{what} of sequence '{sequence.name}': {wrong}")


def _wrong_rows(rows: TrackRows, length: int) -> str:
    """Names what is wrong with rows made in memory; files are checked where they are read."""
    if not len(rows):
        return ""
    if rows.frames[0] < 1 or rows.frames[-1] > length or (np.diff(rows.frames) < 0).any():
        return (
            f"frames must be sorted and lie in 1…{length} but reach from {rows.frames.min()} to "
            f"{rows.frames.max()}"
        )
    pairs = np.unique(np.stack([rows.frames, rows.ids]), axis=1)
    if pairs.shape[1] != len(rows):
        return "an id must be in a frame once, but one is there twice"
    boxes = rows.boxes_ltwh
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= 0).any():
        return "boxes must be finite with a width and height above 0"
    return ""

"""Accuracy of a detector on labelled images.

    collect_predictions   detector + images → one Detections per image, inferred once
    evaluate_detections   predictions + images → DetectionMetrics
    save_predictions      the predictions as a file of the run

docs/metrics.md defines every number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...contracts.errors import EvaluationError
from ...contracts.measurements import DetectionMetrics
from ...contracts.ports import ObjectDetector
from ...contracts.results import Detections, LabelledImage
from ...support.files import whole_file
from ..images.preprocessing import load_image
from .average_precision import ClassMatches, Float64, match_all, precision_at_recalls
from .matching import IOU_THRESHOLDS

EVALUATOR = "guardianflow-coco/2"
"""2: intervals may be over recordings or cameras; values are those of 1."""
# More than a sum of millions of changes of F1 is off by, less than any difference worth a name.
ROUNDING = 1e-9
IOU = 0.7
"""Of suppression: Ultralytics' value."""
_FORMAT = "guardianflow-predictions/1"


def collect_predictions(
    detector: ObjectDetector,
    images: Sequence[LabelledImage],
    *,
    confidence: float = 0.001,
    batch_size: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Detections]:
    """Run a detector once over every image, as mAP wants it: nearly all scores, every label.

    Args:
        detector: takes decoded images.
        images: where they are and how large their labels take them to be.
        confidence: low enough not to cut the precision-recall curve; as Ultralytics has it.
        batch_size: images decoded and handed over at a time.
        progress: called with (images done, images in all) after each batch.

    Returns:
        One Detections per image, in order.

    Raises:
        EvaluationError: no images, one can't be decoded, or its size is not the labels' one.
    """
    if batch_size < 1:
        raise EvaluationError(f"batch_size must be at least 1 but is {batch_size}")
    _require_images(images)
    predictions: list[Detections] = []
    for start in range(0, len(images), batch_size):
        decoded = []
        for labelled in images[start : start + batch_size]:
            image = load_image(labelled.path)
            if image.shape[:2] != (labelled.height, labelled.width):
                raise EvaluationError(
                    f"{labelled.path} decodes to {image.shape[1]}×{image.shape[0]} px but its "
                    f"labels were read for {labelled.width}×{labelled.height} px (is it rotated "
                    "by an EXIF tag?); store the image upright and label it so"
                )
            decoded.append(image)
        predictions += detector.predict(decoded, confidence=confidence, iou=IOU, multi_label=True)
        if progress is not None:
            progress(len(predictions), len(images))
    return predictions


def evaluate_detections(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    *,
    conf_threshold: float = 0.25,
) -> DetectionMetrics:
    """Judge predictions against labels; mAP agrees with pycocotools' COCOeval.

    Args:
        predictions: one per image, in the order of `images`, collected at a low confidence.
        images: at least one, with at least one true box among them.
        class_names: index = class id; no name twice.
        conf_threshold: the deployed confidence, for precision, recall and F1.

    Returns:
        Metrics over the classes that have true boxes. A detector that found nothing has zeros and
        `predictions=0`: that was measured. Where no threshold gives an F1 above 0, best_f1 is 0
        and best_f1_confidence 1.

    Raises:
        EvaluationError: no images, no true box, class ids or names that don't fit, boxes or
            scores that are no numbers.
    """
    check_judgeable(predictions, images, class_names)
    judged = match_judged(predictions, images, class_names)
    average = {name: precision_at_recalls(c).mean(axis=1) for name, c in judged.items()}
    ap = {name: float(values.mean()) for name, values in average.items()}
    ap50 = {name: float(values[0]) for name, values in average.items()}
    at_threshold = [_precision_recall_f1(c, conf_threshold) for c in judged.values()]
    precision, recall, f1 = (_mean(values) for values in zip(*at_threshold, strict=True))
    best_confidence = _best_f1_confidence(list(judged.values()))
    at_best = [_precision_recall_f1(c, best_confidence) for c in judged.values()]
    best_precision, best_recall, best_f1 = (_mean(v) for v in zip(*at_best, strict=True))
    return DetectionMetrics(
        mAP50=_mean(ap50.values()),
        mAP50_95=_mean(ap.values()),
        precision=precision,
        recall=recall,
        f1=f1,
        conf_threshold=conf_threshold,
        best_f1=best_f1,
        best_f1_confidence=best_confidence,
        best_f1_precision=best_precision,
        best_f1_recall=best_recall,
        ap=ap,
        ap50=ap50,
        class_recall={name: r for name, (_, r, _) in zip(judged, at_threshold, strict=True)},
        images=len(images),
        instances=sum(c.instances for c in judged.values()),
        predictions=sum(len(p) for p in predictions),
        evaluator=EVALUATOR,
    )


def precision_recall_curves(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
) -> dict[str, Float64]:
    """Interpolated precision at IoU 0.5 of each class that has true boxes.

    Returns:
        Class name → float64, 101: precision at recall 0, 0.01 … 1; its mean is AP50.

    Raises:
        EvaluationError: as evaluate_detections.
    """
    check_judgeable(predictions, images, class_names)
    judged = match_judged(predictions, images, class_names, IOU_THRESHOLDS[:1])
    return {name: precision_at_recalls(matches)[0] for name, matches in judged.items()}


def match_judged(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    thresholds: Float64 = IOU_THRESHOLDS,
) -> dict[str, ClassMatches]:
    """Matches of each class that has a true box; of what check_judgeable has passed."""
    classes = match_all(predictions, images, len(class_names), thresholds)
    return {name: c for name, c in zip(class_names, classes, strict=True) if c.instances}


def save_predictions(
    path: Path, predictions: Sequence[Detections], images: Sequence[LabelledImage]
) -> Path:
    """Write predictions to a compressed .npz, keyed by image name, complete or not at all.

    Args:
        path: file to write, ending in .npz; its directory is made.
        predictions: one per image, in the order of `images`.

    Returns:
        `path`.

    Raises:
        EvaluationError: not one prediction per image, or `path` ends otherwise.
    """
    if path.suffix != ".npz":
        raise EvaluationError(f"predictions are stored as .npz but the path is {path}")
    _require_one_each(predictions, images)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as unfinished:
        np.savez_compressed(
            unfinished,
            format=np.array(_FORMAT),
            names=np.array(image_names(images)),
            counts=np.array([len(p) for p in predictions], dtype=np.int64),
            boxes_xyxy=np.concatenate(
                [np.zeros((0, 4)), *(p.boxes_xyxy for p in predictions)]
            ).astype(np.float32),
            scores=np.concatenate([np.zeros(0), *(p.scores for p in predictions)]).astype(
                np.float32
            ),
            class_ids=np.concatenate(
                [np.zeros(0, np.int64), *(p.class_ids for p in predictions)]
            ).astype(np.int32),
        )
    return path


def image_names(images: Sequence[LabelledImage]) -> list[str]:
    """The file name of each image; with as many parent folders as it takes to tell all apart."""
    deepest = max((len(image.path.parts) for image in images), default=1)
    for length in range(1, deepest + 1):
        names = ["/".join(image.path.parts[-length:]) for image in images]
        if len(set(names)) == len(names):
            return names
    twice = next(name for name in names if names.count(name) > 1)
    raise EvaluationError(f"image {twice} is there more than once; take the repetition out")


def _precision_recall_f1(matches: ClassMatches, confidence: float) -> tuple[float, float, float]:
    """At IoU 0.5, over detections with a score of at least `confidence`."""
    # Scores came as float32 and were compared as such when the detector was run.
    kept = int(np.count_nonzero(matches.scores >= np.float64(np.float32(confidence))))
    true_positives = int(np.count_nonzero(matches.hits[:kept, 0]))
    return (
        true_positives / kept if kept else 0.0,
        true_positives / matches.instances,
        2 * true_positives / (kept + matches.instances),
    )


def _best_f1_confidence(classes: Sequence[ClassMatches]) -> float:
    """The highest confidence with the highest mean F1 there is.

    The mean over classes changes only where a detection comes in, so walking all scores downwards
    and adding each detection's change of its class's F1 visits every value there is.
    """
    scores, changes = [np.ones(1)], [np.zeros(1)]
    for matches in classes:
        found = np.arange(1, len(matches.scores) + 1)
        f1 = 2 * matches.hits[:, 0].cumsum() / (found + matches.instances)
        scores.append(matches.scores)
        changes.append(np.diff(f1, prepend=0.0))
    every_score = np.concatenate(scores)
    order = np.argsort(-every_score, kind="stable")
    every_score = every_score[order]
    mean_f1 = np.concatenate(changes)[order].cumsum() / len(classes)
    # A threshold lets in all detections of an equal score at once: look at the last of each.
    whole = np.flatnonzero(np.diff(every_score, append=-np.inf))
    # Equal means differ by what summing has rounded away: the first, the highest, is meant.
    best = whole[(mean_f1[whole] >= mean_f1[whole].max() - ROUNDING).argmax()]
    return float(every_score[best])


def check_judgeable(
    predictions: Sequence[Detections], images: Sequence[LabelledImage], class_names: Sequence[str]
) -> None:
    """Raises EvaluationError unless predictions and labels fit each other and are numbers."""
    _require_images(images)
    _require_one_each(predictions, images)
    repeated = sorted({name for name in class_names if list(class_names).count(name) > 1})
    if repeated:
        raise EvaluationError(f"class names must differ but {', '.join(repeated)} come(s) twice")
    if not any(len(image.class_ids) for image in images):
        raise EvaluationError(
            f"none of the {len(images)} images has a true box, so there is nothing to judge "
            "against; check the split's label files"
        )
    if _all_fit(predictions, images, len(class_names)):
        return
    for image, prediction in zip(images, predictions, strict=True):
        for what, boxes, ids in (
            ("labels", image.boxes_xyxy, image.class_ids),
            ("predictions", prediction.boxes_xyxy, prediction.class_ids),
        ):
            where = f"{what} of {image.path.name}"
            if not _known(ids, len(class_names)):
                raise EvaluationError(
                    f"{where}: class ids must lie in 0…{len(class_names) - 1} but reach from "
                    f"{ids.min()} to {ids.max()}; does the model know the data set's classes?"
                )
            if boxes.shape != (len(ids), 4) or not _are_boxes(boxes):
                raise EvaluationError(
                    f"{where}: boxes must be {len(ids)}×4 finite numbers x1, y1, x2, y2 with "
                    f"x1 ≤ x2 and y1 ≤ y2 but are {boxes.tolist()[:3]} of shape {boxes.shape}"
                )
        scores = prediction.scores
        if scores.shape != prediction.class_ids.shape or not _are_scores(scores):
            raise EvaluationError(
                f"predictions of {image.path.name}: there must be one score in 0…1 for each box"
            )


def _all_fit(
    predictions: Sequence[Detections], images: Sequence[LabelledImage], classes: int
) -> bool:
    """The same of all images at once: looked at one by one they cost as much as scoring them."""
    everything: list[Detections | LabelledImage] = [*images, *predictions]
    shapes = ((each.boxes_xyxy.shape, each.class_ids.shape) for each in everything)
    if not all(len(ids) == 1 and boxes == (*ids, 4) for boxes, ids in shapes):
        return False
    if any(each.scores.shape != each.class_ids.shape for each in predictions):
        return False
    return (
        _known(np.concatenate([each.class_ids for each in everything]), classes)
        and _are_boxes(np.concatenate([each.boxes_xyxy for each in everything]))
        and _are_scores(np.concatenate([each.scores for each in predictions]))
    )


def _known(class_ids: npt.NDArray[np.integer], classes: int) -> bool:
    return not len(class_ids) or bool(class_ids.min() >= 0 and class_ids.max() < classes)


def _are_boxes(boxes_xyxy: npt.NDArray[np.floating]) -> bool:
    return bool(np.isfinite(boxes_xyxy).all() and (boxes_xyxy[:, 2:] >= boxes_xyxy[:, :2]).all())


def _are_scores(scores: npt.NDArray[np.floating]) -> bool:
    return bool(((scores >= 0) & (scores <= 1)).all())


def _require_images(images: Sequence[LabelledImage]) -> None:
    if not images:
        raise EvaluationError("there are no images to judge a detector on; name a split with some")


def _require_one_each(predictions: Sequence[Detections], images: Sequence[LabelledImage]) -> None:
    if len(predictions) != len(images):
        raise EvaluationError(
            f"there must be one prediction per image but there are {len(predictions)} for "
            f"{len(images)} images"
        )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))

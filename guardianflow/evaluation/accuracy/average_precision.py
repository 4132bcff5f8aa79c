"""Average precision: the arithmetic of COCO's box evaluation, vectorised.

The rules are those of pycocotools' COCOeval with area 'all', no crowds and no limit on detections
for each image, down to the order of ties and of floating-point operations, so that the numbers
agree. The protocol is described with the COCO data set (Lin et al., "Microsoft COCO: Common
Objects in Context", 2014, and its detection evaluation page).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...contracts.results import Detections, LabelledImage
from .matching import IOU_THRESHOLDS, match_boxes

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

RECALL_POINTS: Float64 = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """All detections of one class over all images, best score first.

    Args:
        scores: float64, K.
        hits: bool, K×T: whether the detection found a true box at each IoU threshold.
        instances: true boxes of the class.
        image_ids: int64, K: index of the image of each detection.
        true_image_ids: int64, one per true box: index of its image, ascending.
    """

    scores: Float64
    hits: Bool
    instances: int
    image_ids: Int64
    true_image_ids: Int64


def match_all(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_count: int,
    thresholds: Float64 = IOU_THRESHOLDS,
) -> list[ClassMatches]:
    """Match every image's detections with its true boxes, class by class.

    Args:
        predictions: one per image, in the order of `images`.
        thresholds: float64, T ascending IoU thresholds.

    Returns:
        One ClassMatches per class id.
    """
    matched = match_boxes(predictions, images, thresholds)
    found, truth = matched.found, matched.truth  # by class, image and score
    edges = np.searchsorted(found.class_ids, np.arange(class_count + 1))
    true_edges = np.searchsorted(truth.class_ids, np.arange(class_count + 1))
    result: list[ClassMatches] = []
    for class_id in range(class_count):
        rows = slice(edges[class_id], edges[class_id + 1])
        best_first = np.argsort(-found.scores[rows], kind="stable")
        true_image_ids = truth.image_ids[true_edges[class_id] : true_edges[class_id + 1]]
        result.append(
            ClassMatches(
                scores=found.scores[rows][best_first],
                hits=matched.given[rows][best_first] >= 0,
                instances=len(true_image_ids),
                image_ids=found.image_ids[rows][best_first],
                true_image_ids=true_image_ids,
            )
        )
    return result


def precision_at_recalls(matches: ClassMatches) -> Float64:
    """Interpolated precision at recall 0, 0.01 … 1.

    The precision at a recall is the highest at that recall or a higher one; 0 where the recall is
    never reached. Its mean over the 101 points is the average precision.

    Args:
        matches: of a class with at least one true box.

    Returns:
        float64, T×101.
    """
    true_positives = matches.hits.cumsum(axis=0, dtype=np.float64)
    found = np.arange(1, len(matches.scores) + 1, dtype=np.float64)[:, None]
    precision = true_positives / (found + np.spacing(1.0))
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    recall = true_positives / matches.instances
    result = np.zeros((matches.hits.shape[1], len(RECALL_POINTS)))
    for threshold in range(len(result)):
        at = np.searchsorted(recall[:, threshold], RECALL_POINTS, side="left")
        reached = at < len(envelope)
        result[threshold, reached] = envelope[at[reached], threshold]
    return result

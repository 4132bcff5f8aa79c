"""The judge our judge is judged by."""

from __future__ import annotations

import contextlib
import io

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


@pytest.fixture(scope="session")
def pycocotools_map():
    """pycocotools_map(predictions, images, class_count) → (mAP50-95, mAP50, AP by class id)."""
    return _pycocotools_map


@pytest.fixture(scope="session")
def pycocotools_by_area():
    """pycocotools_by_area(predictions, images, class_count) → area's name → as pycocotools_map.

    With recall=True: area's name → class id → highest recall at IoU 0.5.
    """
    return _pycocotools_by_area


def _pycocotools_map(predictions, images, class_count):
    """(mAP50-95, mAP50, AP by class id) as COCOeval has them, nothing left out by count or area."""
    judge = _accumulated(predictions, images, class_count, {"all": [0, 1e10]})
    return _averages(judge.eval["precision"][:, :, :, 0, 0])


def _pycocotools_by_area(predictions, images, class_count, *, recall=False):
    areas = {"small": [0, 32**2], "medium": [32**2, 96**2], "large": [96**2, 1e10]}
    judge = _accumulated(predictions, images, class_count, areas)
    if recall:
        return {
            name: {k: r for k, r in enumerate(judge.eval["recall"][0, :, place, 0]) if r > -1}
            for place, name in enumerate(areas)
        }
    return {
        name: _averages(judge.eval["precision"][:, :, :, place, 0])
        for place, name in enumerate(areas)
    }


def _averages(precision):
    """Args: precision: T×101×classes; -1: no truth."""
    by_class = {
        k: precision[:, :, k].mean()
        for k in range(precision.shape[2])
        if (precision[:, :, k] > -1).all()
    }
    return precision[precision > -1].mean(), precision[0][precision[0] > -1].mean(), by_class


def _accumulated(predictions, images, class_count, areas):
    """COCOeval over these ranges of areas."""

    def xywh(box):
        x1, y1, x2, y2 = (float(value) for value in box)
        return [x1, y1, x2 - x1, y2 - y1]

    def annotations(parts, scored):
        rows = []
        for image_id, part in enumerate(parts):
            for index, (box, class_id) in enumerate(
                zip(part.boxes_xyxy, part.class_ids, strict=True)
            ):
                row = {"id": len(rows) + 1, "image_id": image_id, "category_id": int(class_id)}
                row |= {"bbox": xywh(box), "iscrowd": 0}
                row["area"] = row["bbox"][2] * row["bbox"][3]
                rows.append(row | ({"score": float(part.scores[index])} if scored else {}))
        return rows

    frame = {
        "images": [{"id": i, "width": 1000, "height": 1000} for i in range(len(images))],
        "categories": [{"id": i, "name": str(i)} for i in range(class_count)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth, found = COCO(), COCO()
        truth.dataset = frame | {"annotations": annotations(images, False)}
        found.dataset = frame | {"annotations": annotations(predictions, True)}
        truth.createIndex()
        found.createIndex()
        judge = COCOeval(truth, found, "bbox")
        judge.params.maxDets = [100_000]
        judge.params.areaRng, judge.params.areaRngLbl = [*areas.values()], [*areas]
        judge.evaluate()
        judge.accumulate()
    return judge

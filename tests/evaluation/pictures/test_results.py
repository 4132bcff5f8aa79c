"""Every picture is written, whatever the names and however many values."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.measurements import LatencyResult
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.pictures import drawing
from guardianflow.evaluation.pictures.contact_sheet import _judge
from guardianflow.evaluation.pictures.results import (
    VariantPoint,
    average_precision_bars,
    detections_contact_sheet,
    latency_by_batch_size,
    precision_recall_curve,
    variants_comparison,
)
from guardianflow.evaluation.timing.order_statistics import timing_of

NAMES = ("안전모 (helmet)", "cost_$x$", "_hidden")


def size_of(path: Path) -> tuple[int, int]:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert image.std() > 1, "the picture is blank"
    return image.shape[1], image.shape[0]


def curve(top):
    return np.linspace(top, 0, 101)


@pytest.mark.parametrize("count", [1, 3, 8, 9, 40])
def test_precision_recall(tmp_path, count):
    curves = {f"{NAMES[i % 3]} {i}": curve(1 - i / 50) for i in range(count)}
    path = precision_recall_curve(curves, tmp_path / "새 폴더" / "곡선.png")
    assert size_of(path)[0] > 900


def test_average_precision(tmp_path):
    few = average_precision_bars(
        dict.fromkeys(NAMES, 0.4), dict.fromkeys(NAMES, 0.7), tmp_path / "few.png"
    )
    many_values = {f"class {i}": i / 80 for i in range(80)}
    many = average_precision_bars(many_values, many_values, tmp_path / "many.png")
    assert size_of(many)[1] > 3 * size_of(few)[1]


def test_latency(tmp_path):
    def result(batch_size, runs):
        timing = timing_of([10.0 * batch_size + i % 7 for i in range(runs)])
        return LatencyResult(batch_size, 5, timing, timing, timing, timing, 90.0)

    results = [result(8, 100), result(1, 400), result(16, 20)]
    assert size_of(latency_by_batch_size(results, tmp_path / "l.png"))[0] > 900
    assert size_of(latency_by_batch_size(results[2:], tmp_path / "one.png"))[0] > 900


def test_variants(tmp_path):
    points = [
        VariantPoint("pytorch_fp32", 35.0, 0.455, 5.5),
        VariantPoint("openvino_int8", 18.0, 0.453),
        VariantPoint("onnx_int8", 30.0, 0.44, 3.0),
    ]
    assert size_of(variants_comparison(points, tmp_path / "v.png"))[0] > 900
    alike = [VariantPoint(name, 9.0, 0.0) for name in "ab"]
    assert size_of(variants_comparison(alike, tmp_path / "alike.png"))[0] > 900


def scene(tmp_path, index, boxes, found, scores):
    pixels = np.full((60, 80, 3), 90, np.uint8)
    path = tmp_path / f"작업장 {index}.png"
    cv2.imencode(".png", pixels)[1].tofile(path)
    return (
        LabelledImage(
            path,
            80,
            60,
            np.array(boxes, np.float32).reshape(-1, 4),
            np.zeros(len(boxes), np.int64),
        ),
        Detections(
            np.array(found, np.float32).reshape(-1, 4),
            np.array(scores, np.float32),
            np.zeros(len(found), np.int64),
        ),
    )


def test_contact_sheet(tmp_path):
    box, other = [5, 5, 30, 30], [40, 5, 70, 50]
    scenes = [
        scene(tmp_path, 0, [box], [box], [0.9]),
        scene(tmp_path, 1, [box, other], [[5, 6, 30, 31], [50, 40, 79, 59]], [0.8, 0.7]),
        scene(tmp_path, 2, [], [], []),
        scene(tmp_path, 3, [[i, 0, i + 3, 9] for i in range(20)], [], []),
        scene(tmp_path, 4, [box], [box], [0.1]),
    ]
    images, predictions = zip(*scenes, strict=True)
    path = detections_contact_sheet(images, predictions, NAMES, tmp_path / "sheet.png")
    one = detections_contact_sheet(images, predictions, NAMES, tmp_path / "1.png", count=1)
    assert size_of(path)[1] > size_of(one)[1]
    with pytest.raises(EvaluationError, match="one prediction per image but has 4 for 5"):
        detections_contact_sheet(images, predictions[1:], NAMES, tmp_path / "no.png")


def test_the_sheet_counts_what_the_metrics_count(tmp_path):
    box, other = [5, 5, 30, 30], [40, 5, 70, 50]
    image, prediction = scene(
        tmp_path, 0, [box, other], [[50, 40, 79, 59], box, box, other], [0.7, 0.6, 0.9, 0.1]
    )
    judged = _judge(image, prediction, 0.25)
    assert judged.true_box.tolist() == [0, -1, -1]  # by score: 0.9, 0.7, 0.6
    assert (judged.missed_count, judged.false_count) == (1, 2)


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: precision_recall_curve({}, path),
        lambda path: average_precision_bars({}, {}, path),
        lambda path: latency_by_batch_size([], path),
        lambda path: variants_comparison([], path),
        lambda path: detections_contact_sheet([], [], NAMES, path),
    ],
)
def test_nothing_to_draw_is_an_error(tmp_path, draw):
    with pytest.raises(EvaluationError, match="at least one value to draw"):
        draw(tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()


def test_a_font_with_hangul_is_used_when_there_is_one(tmp_path, monkeypatch):
    """A font of that name, made here with one syllable in it, is drawn from."""
    from matplotlib import font_manager

    known = font_manager.fontManager
    without = [font for font in known.ttflist if font.name not in drawing.HANGUL_FONTS]
    monkeypatch.setattr(known, "ttflist", without)
    assert drawing.font_families() == ["DejaVu Sans"]
    known.addfont(font_with("가", tmp_path / "nanum.ttf"))
    assert drawing.font_families() == ["DejaVu Sans", "NanumGothic"]
    path = average_precision_bars({"가": 0.5}, {"가": 0.6}, tmp_path / "hangul.png")
    assert size_of(path)[0] > 900


def font_with(letter: str, path: Path) -> Path:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "syllable"])
    builder.setupCharacterMap({ord(letter): "syllable"})
    builder.setupGlyf({".notdef": square, "syllable": square})
    builder.setupHorizontalMetrics({".notdef": (1000, 100), "syllable": (1000, 100)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "NanumGothic", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path

"""Variants are drawn by what they gain and lose: measured alone, compared, or tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from drawn import size_of

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.pictures.tradeoff import (
    TradeoffPoint,
    accuracy_against_latency,
    compared_variants,
    search_frontier,
)

COMPARED = [
    TradeoffPoint("openvino_int8", 2.1, 0.004, (1.9, 2.3), (0.001, 0.008), within=True, best=True),
    TradeoffPoint("onnx_int8 $", 0.9, 0.03, (0.95, 1.1)),
    TradeoffPoint("onnx_fp32", 1.2, 0.0, None, (0.0, 0.0), within=True),
]


def test_variants_are_drawn_by_their_own_figures(tmp_path: Path) -> None:
    points = [
        TradeoffPoint("pytorch_fp32", 35.0, 0.455, size_mb=5.5),
        TradeoffPoint("openvino_int8", 18.0, 0.453),
        TradeoffPoint("onnx_int8", 30.0, 0.44, size_mb=3.0),
    ]
    assert size_of(accuracy_against_latency(points, tmp_path / "v.png"))[0] > 900
    alike = [TradeoffPoint(name, 9.0, 0.0) for name in "ab"]
    assert size_of(accuracy_against_latency(alike, tmp_path / "alike.png"))[0] > 900


def test_every_variant_adds_to_the_picture(tmp_path: Path) -> None:
    inked = []
    for count in (1, 2, 3):
        path = compared_variants(COMPARED[:count], 0.01, tmp_path / f"{count}.png")
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        inked.append(int((image < 128).sum()))
    assert inked == sorted(set(inked))


def test_a_search_is_drawn_and_grows_with_its_tries(tmp_path: Path) -> None:
    points = [
        TradeoffPoint(
            "mixed, 5 groups float", 0.72, 0.002, accuracy_bounds=(-0.004, 0.008), within=True
        ),
        TradeoffPoint("entropy mixed", 0.44, 0.016, accuracy_bounds=(0.008, 0.024)),
        TradeoffPoint("float16", 0.9, 0.0, accuracy_bounds=(0.0, 0.0), within=True, best=True),
    ]
    assert size_of(search_frontier(points, 0.01, tmp_path / "plots" / "search.png"))[0] > 1000
    assert size_of(search_frontier(points * 6, 0.01, tmp_path / "many.png"))[1] > 1000


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: accuracy_against_latency([], path),
        lambda path: compared_variants([], 0.01, path),
        lambda path: search_frontier([], 0.01, path),
    ],
)
def test_nothing_to_draw_is_an_error(tmp_path: Path, draw: Callable[[Path], Path]) -> None:
    with pytest.raises(EvaluationError, match="at least one value to draw"):
        draw(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []

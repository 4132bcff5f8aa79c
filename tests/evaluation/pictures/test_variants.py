"""The picture of a comparison."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.pictures.variants import ComparedPoint, compared_variants

POINTS = [
    ComparedPoint("openvino_int8", 2.1, 0.004, (1.9, 2.3), (0.001, 0.008), True, best=True),
    ComparedPoint("onnx_int8 $", 0.9, 0.03, (0.95, 1.1), None, False),
    ComparedPoint("onnx_fp32", 1.2, 0.0, None, (0.0, 0.0), True),
]


def test_every_variant_adds_to_the_picture(tmp_path: Path) -> None:
    inked = []
    for count in (1, 2, 3):
        path = compared_variants(POINTS[:count], 0.01, tmp_path / f"{count}.png")
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        inked.append(int((image < 128).sum()))
    assert inked == sorted(set(inked))


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="at least one"):
        compared_variants([], 0.01, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []

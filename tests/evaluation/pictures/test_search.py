"""The picture of a search: every try with its interval, the limit, and the one that was chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import Estimate
from guardianflow.evaluation.pictures.search import TryPoint, search_frontier


def test_a_search_is_drawn(tmp_path: Path) -> None:
    points = [
        TryPoint("entropy mixed, 5 groups float", 0.72, Estimate(0.002, -0.004, 0.008), True),
        TryPoint("entropy mixed", 0.44, Estimate(0.016, 0.008, 0.024), False),
        TryPoint("float16", 0.9, Estimate(0.0, 0.0, 0.0), True, best=True),
    ]
    path = search_frontier(points, 0.01, tmp_path / "plots" / "search.png")
    with Image.open(path) as image:
        assert image.size[0] > 1000
    taller = search_frontier(points * 6, 0.01, tmp_path / "many.png")
    with Image.open(taller) as image:
        assert image.size[1] > 1000


def test_nothing_tried_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="at least one value"):
        search_frontier([], 0.01, tmp_path / "search.png")

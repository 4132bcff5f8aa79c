"""Pictures of ranks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.pictures.ranking import RankedPoint, ranked_intervals


def test_ranks_are_drawn_with_names_in_hangul_and_without_intervals(tmp_path: Path) -> None:
    points = [
        RankedPoint("부산 $1 공장", 0.8, (0.75, 0.85), "reference"),
        RankedPoint("울산", 0.5, (0.4, 0.6), "worse"),
        RankedPoint("인천", 0.79, None, "undecided"),
    ]
    path = ranked_intervals(points, tmp_path / "ranks.png", title="현장", axis="mAP50")
    with Image.open(path) as picture:
        assert picture.width > 800
        assert len(picture.convert("RGB").getcolors(1_000_000) or []) > 50


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="at least one value"):
        ranked_intervals([], tmp_path / "ranks.png", title="", axis="")

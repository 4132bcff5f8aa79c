"""Pictures of ranks."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.axes import Axes
from PIL import Image

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.pictures import ranking
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


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, 0.02), (0.4, 0.5)])
def test_an_axis_of_accuracy_does_not_go_below_zero(
    values: tuple[float, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []
    real = ranking.legend_beside

    def noted(axes: Axes, **style: object) -> None:
        limits.append(axes.get_xlim())
        real(axes, **style)

    monkeypatch.setattr(ranking, "legend_beside", noted)
    points = [RankedPoint(f"v{value}", value, None, "same") for value in values]
    ranked_intervals(points, tmp_path / "ranks.png", title="", axis="mAP50")
    (low, high) = limits[0]
    assert -0.05 * high <= low <= min(values) and high > max(values)


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="at least one value"):
        ranked_intervals([], tmp_path / "ranks.png", title="", axis="")

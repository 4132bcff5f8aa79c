"""Variants are drawn by what they gain and lose: measured alone, compared, or tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from drawn import size_of
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.pictures.tradeoff import (
    TradeoffPoint,
    _accuracy_limits,
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


PERCENT = ((0.471, 0.548), (0.468, 0.545), None)


def limits_of(
    monkeypatch: pytest.MonkeyPatch, draw: Callable[[], Path]
) -> list[tuple[float, float]]:
    """The y-limits of a picture's axes, as they were when it was written."""
    found: list[tuple[float, float]] = []
    write = Figure.savefig

    def note(figure: Figure, *args: Any, **options: Any) -> None:
        found.extend(axes.get_ylim() for axes in figure.axes)
        write(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", note)
    assert size_of(draw())[0] > 900
    return found


def test_thousandths_are_not_drawn_as_if_they_were_tenths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [TradeoffPoint("a", 12.3, 0.512), TradeoffPoint("b", 4.2, 0.509)]
    ((low, high),) = limits_of(
        monkeypatch, lambda: accuracy_against_latency(points, tmp_path / "v.png")
    )
    assert 0.05 <= high - low < 0.07
    assert low < 0.509 < 0.512 < high
    for draw in (compared_variants, search_frontier):
        tried = [TradeoffPoint("a", 2.0, 0.003, within=True)]
        ((low, high),) = limits_of(
            monkeypatch, lambda tried=tried, draw=draw: draw(tried, 0.004, tmp_path / "w.png")
        )
        assert high - low >= 0.05 and low < 0 < 0.004 < high
        monkeypatch.undo()


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=6
    )
)
def test_every_interval_is_on_the_axis(values: list[tuple[float, float, float]]) -> None:
    points = [
        TradeoffPoint(
            "v", None, each, accuracy_bounds=(max(0.0, each - below), min(1.0, each + above))
        )
        for each, below, above in values
    ]
    low, high = _accuracy_limits(points, within=(0.0, 1.0))
    for point in points:
        assert point.accuracy_bounds is not None
        assert low < point.accuracy_bounds[0] <= point.accuracy_bounds[1] < high
    assert high - low >= 0.05 - 1e-9
    assert low > -0.04 and high < 1.04


@pytest.mark.parametrize("timed", [0, 1, 3])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_variants_without_a_time_stand_beside_the_axis_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timed: int, count: int
) -> None:
    points = [
        TradeoffPoint(
            f"변형 {place}",
            9.0 + place if place < timed else None,
            0.5,
            (8.5 + place, 9.9 + place) if place < timed else None,
            PERCENT[place % 3],
            within=True,
        )
        for place in range(count)
    ]
    limits = limits_of(monkeypatch, lambda: accuracy_against_latency(points, tmp_path / "v.png"))
    assert len(limits) == (2 if 0 < timed < count else 1)
    assert len(set(limits)) == 1, "both parts have one scale"
    assert limits[0][0] < 0.468 or count == 1
    for draw in (compared_variants, search_frontier):
        assert size_of(draw(points, 0.01, tmp_path / "w.png"))[0] > 900


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

"""What a run kept of a measurement is the measurement."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.side_by_side.figures import ModelFigures, RankedBy, SideBySide, Value

numbers = st.floats(-1, 1)
values = st.builds(Value, numbers, st.none() | st.tuples(numbers, numbers))


@st.composite
def measurements(draw: st.DrawFn) -> SideBySide:
    count = draw(st.integers(1, 12))
    places = st.integers(0, count - 1)
    models = [
        ModelFigures(
            draw(st.none() | values),
            {key: draw(values) for key in ("mAP50", "mAP50_95", "recall")},
            draw(st.none() | values),
            draw(st.none() | numbers),
            draw(st.dictionaries(places, values, max_size=3)),
            draw(st.dictionaries(places, values, max_size=3)),
            draw(st.none() | numbers),
        )
        for _ in range(count)
    ]
    return SideBySide(tuple(models), draw(places))


@given(measurements())
def test_metrics_and_back(seen: SideBySide) -> None:
    assert SideBySide.read(seen.as_metrics()) == seen


def test_a_metric_knows_what_it_is() -> None:
    assert (RankedBy().key, RankedBy().is_time) == ("mAP50", False)
    latency = RankedBy("sys.inference_time_p50_ms", maximize=False)
    assert (latency.key, latency.is_time) == ("", True)
    assert sorted([0.1, 0.9], key=RankedBy().best_first) == [0.9, 0.1]
    assert sorted([0.9, 0.1], key=latency.best_first) == [0.1, 0.9]

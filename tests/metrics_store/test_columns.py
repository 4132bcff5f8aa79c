"""Metrics by the names that people use, and the keys that are logged."""

from __future__ import annotations

import pytest

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.columns import COLUMNS, SHORT, bound_of, column_sql, metric_of


def test_a_short_name_stands_for_the_judged_model_or_the_quantised_one() -> None:
    assert metric_of("mAP50").keys == ("det.mAP50", "det.quantized.mAP50")
    assert metric_of("det.mAP50").keys == ("det.mAP50",)


def test_every_key_of_a_short_name_is_a_column() -> None:
    assert {key for each in SHORT.values() for key in each.keys} <= set(COLUMNS)
    assert len(COLUMNS) == len(set(COLUMNS))


def test_a_key_with_a_quote_stays_inside_its_literal() -> None:
    assert column_sql("det.ap.o'neill") == "more['det.ap.o''neill']"


def test_bounds_are_named_as_they_are_logged() -> None:
    assert bound_of("det.mAP50", "low") == "det.mAP50_low"
    assert bound_of("bench.bs1.latency_p95_ms", "high") == "bench.bs1.latency_p95_high_ms"


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'recall'"):
        metric_of("recal")
    assert metric_of("det.ap.x", also=["det.ap.x"]).keys == ("det.ap.x",)

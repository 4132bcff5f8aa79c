"""A row says what a run has, and nothing of what it has not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import pytest
from stored_runs import row

from guardianflow.contracts.run_metrics.rows import MetricsRow


def test_a_row_goes_through_json_and_back_unchanged() -> None:
    one = row("r", site="부산-plant1", metrics={"det.ap.안전모": 0.1 + 0.2})
    assert MetricsRow.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_what_is_absent_has_no_key() -> None:
    values = row("r", device=None, metrics={}).to_dict()
    assert "device" not in values
    assert values["metrics"] == {}


def test_a_value_that_is_not_finite_is_absent() -> None:
    metrics = {"det.mAP50": float("nan"), "sys.fps": float("inf"), "det.recall": 0.0}
    assert row("r", metrics=metrics).metrics == {"det.recall": 0.0}


def test_times_are_utc_to_the_millisecond() -> None:
    given = datetime.fromisoformat("2026-11-28T09:00:00.123987+09:00")
    assert replace(row("r"), timestamp=given).to_dict()["timestamp"] == (
        "2026-11-28T00:00:00.123+00:00"
    )
    with pytest.raises(ValueError, match="time zone"):
        replace(row("r"), timestamp=datetime(2026, 1, 1))


@pytest.mark.parametrize("values", [{}, [], {"timestamp": 3}, {**row("r").to_dict(), "task": 3}])
def test_what_is_no_row_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"row|text"):
        MetricsRow.from_dict(values)  # type: ignore[arg-type]

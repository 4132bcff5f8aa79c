"""Rows of finished runs for tests: of two customers, with and without intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from guardianflow.contracts.run_metrics.rows import MetricsRow

NOW = datetime.now(UTC).replace(microsecond=0)


def row(run_id: str, *, days_ago: float = 0.0, metrics: Any = None, **changes: Any) -> MetricsRow:
    """An infer run of donghwa-entec that ended some days ago."""
    ended = NOW - timedelta(days=days_ago, minutes=1)
    values: dict[str, Any] = {
        "timestamp": ended,
        "started": ended - timedelta(hours=1),
        "run_id": run_id,
        "experiment_name": "donghwa-entec/busan-plant1/welding",
        "run_name": "ppe-yolo11n-infer-v1",
        "customer": "donghwa-entec",
        "site": "busan-plant1",
        "zone": "welding",
        "task": "ppe",
        "experiment_type": "infer",
        "model_architecture": "yolo11n",
        "evaluator": "guardianflow-coco/2",
        "metrics": {"det.mAP50": 0.8} if metrics is None else metrics,
    }
    return MetricsRow(**(values | changes))


def judged(value: float, reach: float = 0.03) -> dict[str, float]:
    """mAP50 with its interval."""
    return {
        "det.mAP50": value,
        "det.mAP50_low": round(value - reach, 6),
        "det.mAP50_high": round(value + reach, 6),
    }


FLEET = (
    row("a1", days_ago=40, metrics=judged(0.9)),
    row("a2", days_ago=3, metrics=judged(0.70) | {"sys.inference_time_ms": 40.0}),
    row("a3", days_ago=1, metrics={"sys.inference_time_ms": 45.0}),
    row("a4", days_ago=2, experiment_type="train", evaluator=None, metrics={"det.mAP50": 0.99}),
    row(
        "a5",
        days_ago=2,
        experiment_type="quant",
        model_architecture="yolo11s",
        metrics={"det.quantized.mAP50": 0.66, "det.original.mAP50": 0.7},
    ),
    row(
        "b1",
        days_ago=5,
        customer="한국철강",
        site="pohang-plant2",
        zone="<b>야적장</b>",
        task="fire",
        metrics=judged(0.74) | {"det.ap.fire's": 0.5},
    ),
)

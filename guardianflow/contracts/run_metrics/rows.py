"""The row that the metrics store keeps of a finished run.

What a run does not have is None, and a metric that was not measured is absent: neither is ever 0
or ''.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class MetricsRow:
    """One finished run.

    Args:
        timestamp: when it ended, UTC, to the millisecond.
        site: '{region}-{plant}', as in the experiment's name.
        model_version: the scenario's, 'v2'; a registered version is `registered_model_version`.
        device: that the model ran on, else the one that was asked for.
        backend, precision: of the variant, where the run made or judged one.
        evaluator: whose rules judged the accuracy; None: they are a trainer's own numbers, which
            compare with none of another training.
        interval_unit: what the intervals count: 'recording', 'camera' or 'image'.
        directory: the name of the directory of old scripts that it ran.
        trial_of: the sweep, comparison, ablation or search for a quantisation that tried it.
        metrics: key → finite value, as logged last.
    """

    timestamp: datetime
    run_id: str
    experiment_name: str
    run_name: str
    started: datetime
    customer: str | None = None
    site: str | None = None
    zone: str | None = None
    task: str | None = None
    experiment_type: str | None = None
    experiment_design: str | None = None
    model_architecture: str | None = None
    model_version: str | None = None
    device: str | None = None
    backend: str | None = None
    precision: str | None = None
    dataset_version: str | None = None
    evaluator: str | None = None
    interval_unit: str | None = None
    parent_run_id: str | None = None
    source_run_id: str | None = None
    registered_model_name: str | None = None
    registered_model_version: str | None = None
    directory: str | None = None
    trial_of: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in TIMES:
            given: datetime = getattr(self, name)
            if given.tzinfo is None:
                raise ValueError(f"{name} must say its time zone but got {given!r}")
            exact = given.astimezone(UTC)
            whole = exact.replace(microsecond=exact.microsecond // 1000 * 1000)
            object.__setattr__(self, name, whole)
        finite = {
            key: float(value) for key, value in self.metrics.items() if math.isfinite(float(value))
        }
        object.__setattr__(self, "metrics", finite)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; what is absent has no key."""
        texts = {name: getattr(self, name) for name in TEXTS}
        times = {name: _written(getattr(self, name)) for name in TIMES}
        whole = {**times, **{key: value for key, value in texts.items() if value is not None}}
        return {**whole, "metrics": dict(self.metrics)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MetricsRow:
        """Read what to_dict wrote; what is not known here is left out.

        Raises:
            ValueError: a value is missing or of another kind.
        """
        try:
            known: dict[str, Any] = {n: datetime.fromisoformat(values[n]) for n in TIMES}
            texts = {name: values[name] for name in TEXTS if values.get(name) is not None}
            if wrong := [name for name, value in texts.items() if not isinstance(value, str)]:
                raise ValueError(f"{', '.join(wrong)} must be text")
            return cls(**known, **texts, metrics=dict(values.get("metrics", {})))
        except (AttributeError, KeyError, TypeError) as exc:
            raise ValueError(f"it is not a row of the metrics store: {exc!r}") from exc


TIMES = ("timestamp", "started")
TEXTS = tuple(each.name for each in fields(MetricsRow) if each.name not in (*TIMES, "metrics"))
"""The fields that are texts, in their order."""


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}+00:00"

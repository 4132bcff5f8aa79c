"""What was measured of models side by side, as metrics of their run and back.

    model.0.ranked, model.0.ranked_low …       the value that ranks, with its interval
    model.0.det.mAP50 …                        what else was measured of the first contender
    model.2.against.0.delta …                  the third less the first, on the same images
    model.2.against.0.speedup_ratio …          the time of the first ÷ that of the third
    reference                                  the place of the one that all are held against

The run's metrics are all that is left of a stage that is reused: so they must say everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import is_busy

REFERENCE = "reference"
DELTA, SPEEDUP = "delta", "speedup_ratio"
ACCURACY = ("mAP50", "mAP50_95", "recall")
"""Shown of every model, whatever ranks."""


@dataclass(frozen=True)
class RankedBy:
    """The metric that ranks.

    Args:
        metric: 'det.mAP50', as infer logs it.
        maximize: more is better.
    """

    metric: str = "det.mAP50"
    maximize: bool = True

    @property
    def key(self) -> str:
        """'mAP50': of an accuracy; '' of all else."""
        return self.metric.removeprefix("det.") if self.metric.startswith("det.") else ""

    @property
    def is_time(self) -> bool:
        return self.metric.startswith(("sys.inference_time_", "bench.bs1.latency_"))

    def best_first(self, value: float) -> float:
        """The value as a sorting key."""
        return -value if self.maximize else value


@dataclass(frozen=True)
class Value:
    """A measured value; without bounds where the evidence is too little for an interval."""

    value: float
    bounds: tuple[float, float] | None = None

    @classmethod
    def of(cls, value: float, estimate: Estimate | None) -> Value:
        return cls(value, (estimate.low, estimate.high) if estimate else None)

    @property
    def estimate(self) -> Estimate | None:
        return Estimate(self.value, *self.bounds) if self.bounds else None

    def as_metrics(self, key: str) -> dict[str, float]:
        estimate = self.estimate
        return estimate.as_metrics(key) if estimate else {key: self.value}

    @classmethod
    def read(cls, metrics: Mapping[str, float], key: str) -> Value | None:
        """What `as_metrics(key)` wrote; None where it was not measured."""
        if key not in metrics:
            return None
        return cls.of(metrics[key], Estimate.from_metrics(metrics, key))


@dataclass(frozen=True)
class ModelFigures:
    """One model.

    Args:
        ranked: of the metric that ranks; None where it was not measured.
        accuracy: keys of ACCURACY → value.
        latency_p50_ms: of one image, file decoded → boxes, by turns; None where it was not timed.
        size_mb: of its files.
        deltas: place of another model → `ranked` of this one less that one's.
        speedups: place of another model → that one's time ÷ this one's.
        learnt: share of the judged images that it has learnt from; None where that is not known.
    """

    ranked: Value | None
    accuracy: Mapping[str, Value]
    latency_p50_ms: Value | None = None
    size_mb: float | None = None
    deltas: Mapping[int, Value] = field(default_factory=dict)
    speedups: Mapping[int, Value] = field(default_factory=dict)
    learnt: float | None = None

    def as_metrics(self, place: int) -> dict[str, float]:
        known = {"ranked": self.ranked, "sys.latency_p50_ms": self.latency_p50_ms}
        known |= {f"det.{key}": each for key, each in self.accuracy.items()}
        known |= {f"against.{n}.{DELTA}": each for n, each in self.deltas.items()}
        known |= {f"against.{n}.{SPEEDUP}": each for n, each in self.speedups.items()}
        metrics: dict[str, float] = {}
        for key, value in known.items():
            metrics |= value.as_metrics(f"model.{place}.{key}") if value else {}
        for key, number in (("sys.model_size_mb", self.size_mb), ("learnt_share", self.learnt)):
            metrics |= {} if number is None else {f"model.{place}.{key}": number}
        return metrics


@dataclass(frozen=True)
class SideBySide:
    """All models of one stage.

    Args:
        models: in the order of the contenders.
        reference: place of the one that the others are held against.
        busy: times are missing, because others were at work on the machine.
    """

    models: tuple[ModelFigures, ...]
    reference: int
    busy: bool = False

    def as_metrics(self) -> dict[str, float]:
        metrics = {REFERENCE: float(self.reference)}
        for place, each in enumerate(self.models):
            metrics |= each.as_metrics(place)
        return metrics

    @classmethod
    def read(cls, metrics: Mapping[str, float]) -> SideBySide:
        """What `as_metrics` wrote."""
        count = 0
        while f"model.{count}.det.mAP50" in metrics:
            count += 1
        models = tuple(_read_model(metrics, place, count) for place in range(count))
        return cls(models, int(metrics[REFERENCE]), is_busy(metrics))


def _read_model(metrics: Mapping[str, float], place: int, count: int) -> ModelFigures:
    start = f"model.{place}."

    def read(keys: Iterable[tuple[int | str, str]]) -> dict[int | str, Value]:
        found = {name: Value.read(metrics, f"{start}{key}") for name, key in keys}
        return {name: value for name, value in found.items() if value is not None}

    accuracy = read((key, f"det.{key}") for key in ACCURACY)
    deltas = read((n, f"against.{n}.{DELTA}") for n in range(count))
    speedups = read((n, f"against.{n}.{SPEEDUP}") for n in range(count))
    return ModelFigures(
        Value.read(metrics, f"{start}ranked"),
        {str(key): value for key, value in accuracy.items()},
        Value.read(metrics, f"{start}sys.latency_p50_ms"),
        metrics.get(f"{start}sys.model_size_mb"),
        {int(n): value for n, value in deltas.items()},
        {int(n): value for n, value in speedups.items()},
        metrics.get(f"{start}learnt_share"),
    )

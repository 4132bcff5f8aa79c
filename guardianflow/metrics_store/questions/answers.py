"""Answers to questions about the store. What is not known is None.

Figures say on how many rows they rest; times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class AnswerModel(BaseModel):
    """Never changed once it is made."""

    model_config = ConfigDict(frozen=True)


class Reading(AnswerModel):
    """A metric of one run.

    Attributes:
        low, high: bounds of its 95 % interval; None where the run has none.
    """

    value: float
    low: float | None = None
    high: float | None = None
    timestamp: datetime
    run_id: str


class Aggregate(AnswerModel):
    """A metric over several runs; runs without it are left out."""

    rows: int = Field(description="Runs that have the metric: what the figures rest on.")
    mean: float
    minimum: float
    maximum: float
    latest: Reading


class Place(AnswerModel):
    """A place that a detector watches, and for what; None where a run does not say."""

    customer: str | None
    site: str | None = Field(description="{region}-{plant}")
    zone: str | None
    task: str | None


class Group(AnswerModel):
    """Runs that may be compared: one type, and one evaluator's rules."""

    experiment_type: str | None
    evaluator: str | None = Field(
        description="Whose rules judged accuracy; null: the trainer's own, comparable with none."
    )
    runs: int
    first: datetime
    last: datetime
    metrics: dict[str, Aggregate] = Field(description="By short name; absent where no run has it.")


class SummaryGroup(Group):
    place: Place


class Page(AnswerModel):
    """A part of a list.

    Attributes:
        next_offset: of the next part; None at the end.
    """

    total: int
    offset: int
    next_offset: int | None


class Summary(Page):
    """Every place's runs, by type."""

    runs: int
    since: datetime | None
    groups: tuple[SummaryGroup, ...]


class TrendPoint(Reading):
    customer: str | None
    site: str | None
    zone: str | None
    task: str | None
    experiment_type: str | None
    evaluator: str | None
    model_architecture: str | None
    model_version: str | None
    registered_model_version: str | None


class Trend(AnswerModel):
    """A metric over time: of a part of the runs that have it, the newest part first.

    Attributes:
        points: the newest last.
        next_offset: of the part before it; None where there is none.
    """

    metric: str
    keys: tuple[str, ...] = Field(description="Of the logged metrics; the first that a run has.")
    higher_is_better: bool | None
    offset: int
    next_offset: int | None
    points: tuple[TrendPoint, ...]


class ArchitectureGroup(Group):
    model_architecture: str | None


class Comparison(AnswerModel):
    """Architectures beside each other, the best mean mAP50 of each group first."""

    groups: tuple[ArchitectureGroup, ...]


class VariantGroup(Group):
    backend: str | None
    precision: str | None


class Variants(AnswerModel):
    """Formats of a model beside each other."""

    groups: tuple[VariantGroup, ...]


class SiteTile(AnswerModel):
    """Where a place stands.

    Attributes:
        accuracy: mAP50 of its latest run of `accuracy_type`: infer's where there is one, else
            quant's, else a trainer's own.
        history: mAP50 of the last runs of 90 days, of the same type and evaluator, the newest last.
    """

    place: Place
    runs: int
    last: datetime
    accuracy: Reading | None
    accuracy_type: str | None
    evaluator: str | None
    history: tuple[Reading, ...]
    latency: Reading | None = Field(description="sys.inference_time_ms, or the quantised model's.")
    latency_p95: Reading | None = Field(description="bench.bs1.latency_p95_ms")
    cameras: Reading | None
    false_alarms_a_day: Reading | None
    gpu_utilization: Reading | None


class Sites(Page):
    sites: tuple[SiteTile, ...]


class Certainty(StrEnum):
    """What an alert rests on."""

    CERTAIN = "certain"
    """The whole interval lies beyond the threshold."""
    UNDECIDED = "undecided"
    """The value lies beyond it, its interval does not wholly."""
    NO_INTERVAL = "no_interval"
    """The value lies beyond it, and the run has no interval."""


class Alert(AnswerModel):
    """A place whose latest value lies beyond a threshold.

    Attributes:
        excess: distance to the threshold ÷ the threshold.
    """

    place: Place
    metric: str
    threshold: float
    reading: Reading
    certainty: Certainty
    excess: float


class Alerts(Page):
    """The worst first."""

    alerts: tuple[Alert, ...]

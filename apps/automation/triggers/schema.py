"""What a rule may say; see docs/automation.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.columns import COLUMNS, KEPT, SHORT, Metric, metric_of
from guardianflow.metrics_store.questions.answers import Place
from guardianflow.support.suggestions import did_you_mean
from scenario.alarm_conflicts import Conflict
from scenario.designs.sections import SweepConfig
from scenario.fields import values as kind
from scenario.sections import Section

from .durations import read_duration

Action = Literal["tell", "sweep", "quantise", "larger_batch"]
WITH_SECTION = ("sweep", "quantise", "larger_batch")
"""Actions that a section of the same name says more of."""
NOWHERE = Place(customer=None, site=None, zone=None, task=None)
SIGNS = {"<": "below", ">": "above"}


def known_metric(name: str) -> str:
    """Raises ValueError: no run can have it. A class's or a slice's key is taken as it is."""
    if name in SHORT or name in COLUMNS:
        return name
    near = did_you_mean(name, [*SHORT, *COLUMNS])
    if near or not name.startswith(KEPT):
        raise ValueError(f"no run has it{near}")
    return name


Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration),
    kind.Expected("a span of time from 1s to 3660d, like 48h or 14d"),
]
MetricName = Annotated[
    kind.Written,
    AfterValidator(known_metric),
    kind.Expected(f"one of {', '.join(SHORT)} or a whole key as 'det.mAP50'"),
]
Limit = Annotated[float, Field(strict=True, allow_inf_nan=False), kind.Expected("a number")]


class Scope(Section):
    """The runs that a rule looks at; what is not named is not asked."""

    customer: kind.Text | None = None
    site: kind.Text | None = None
    zone: kind.Text | None = None
    task: kind.Text | None = None
    experiment_type: Literal["train", "infer", "quant"] | None = None

    def holds_at(self, place: Place) -> bool:
        """Whether it has runs of the place."""
        names = place.model_dump()
        return all(getattr(self, each) in (None, value) for each, value in names.items())


class Quantise(Section):
    """The format that is made of the slow model."""

    backend: Literal["openvino", "onnx", "tensorrt"] = "openvino"
    precision: Literal["fp16", "int8"] = "int8"


class LargerBatch(Section):
    """How training.batch_size grows: times `factor`, up to `most`."""

    factor: Annotated[
        int, Field(strict=True, ge=2, le=16), kind.Expected("a whole number from 2 to 16")
    ] = 2
    most: kind.Positive = 128


class Rule(Section):
    """A limit of a metric, and what is done where a place passes it.

    Args:
        comparison: on which side of the threshold it is bad.
        window: of the runs that are looked at, by their end.
        min_runs: so many of the last runs must all lie beyond the threshold.
        cooldown: after an action at a place, this rule starts none there for so long.
        action: 'tell' starts nothing.
        budget: actions of this rule in 24 hours, at all places.
        sweep: what action 'sweep' tries: a section as scenarios have it.
    """

    name: kind.NamePart
    metric: MetricName
    comparison: Annotated[
        Literal["below", "above"],
        BeforeValidator(lambda given: SIGNS.get(given, given) if isinstance(given, str) else given),
    ]
    threshold: Limit
    window: Duration = timedelta(days=30)
    min_runs: kind.Positive = 1
    scope: Annotated[Scope, BeforeValidator(kind.null_is_empty)] = Field(default_factory=Scope)
    cooldown: Duration = timedelta(hours=24)
    action: Action = "tell"
    budget: kind.Positive = 2
    sweep: SweepConfig | None = None
    quantise: Quantise | None = None
    larger_batch: LargerBatch | None = None

    @property
    def sign(self) -> int:
        """1 where more is worse."""
        return 1 if self.comparison == "above" else -1

    @property
    def asked(self) -> Metric:
        return metric_of(self.metric, (self.metric,))


class Triggers(Section):
    """A whole file.

    Args:
        budget: actions in 24 hours, of all rules.
        at_once: actions at work at the same time.
    """

    budget: kind.Positive = 4
    at_once: kind.Positive = 1
    rules: Annotated[
        tuple[Rule, ...],
        BeforeValidator(kind.check_not_empty),
        kind.Expected("a list of rules, at least one"),
    ]

    def limit(self, metric: str, place: Place | None = None) -> float | None:
        """The strictest threshold of a metric at a place; without one, of rules for all places."""
        held = [
            rule
            for rule in self.rules
            if rule.metric == metric and rule.scope.holds_at(place or NOWHERE)
        ]
        if not held:
            return None
        strictest = min if held[0].sign > 0 else max
        return strictest(rule.threshold for rule in held if rule.sign == held[0].sign)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Triggers:
        if any(self.contradictions({"rules": self.rules})):
            raise ValueError("rules contradict each other")  # contradictions() says how
        return self

    @classmethod
    def contradictions(cls, values: Mapping[str, object]) -> Iterator[Conflict]:
        """Everything that contradicts itself, in a file's own values or in checked rules."""
        rules = values.get("rules")
        if not isinstance(rules, Sequence) or isinstance(rules, str):
            return
        seen: dict[object, int] = {}
        for place, rule in enumerate(rules):
            plain = dict(rule) if isinstance(rule, (Mapping, Rule)) else {}
            name = plain.get("name")
            if isinstance(name, str) and seen.setdefault(name, place) != place:
                yield (
                    ("rules", place, "name"),
                    f"rule '{name}' is there twice: each needs a name of its own",
                )
            yield from _of_rule(("rules", place), plain)


def _of_rule(path: tuple[str | int, ...], rule: Mapping[str, object]) -> Iterator[Conflict]:
    action = rule.get("action", "tell")
    for name in WITH_SECTION:
        if rule.get(name) is not None and action != name:
            yield (
                (*path, name),
                f"'{name}' is there but action is '{action}': write action: {name}, or leave it "
                "out",
            )
    if action == "sweep" and rule.get("sweep") is None:
        yield (*path, "action"), "action 'sweep' needs a section sweep with parameters to try"
    asked, limit = rule.get("metric"), rule.get("threshold")
    try:
        metric = metric_of(str(asked), (str(asked),))
    except ConfigurationError:
        return
    better = metric.higher_is_better
    given = rule.get("comparison")
    comparison = SIGNS.get(given, given) if isinstance(given, str) else None
    if better is not None and comparison == ("above" if better else "below"):
        right = "below" if better else "above"
        yield (
            (*path, "comparison"),
            f"'{comparison}' would call every good {asked} an alert: more of it is "
            f"{'better' if better else 'worse'}, so write {right}",
        )
    key = metric.keys[0]
    share = key.startswith(("det.", "mot.hota", "mot.idf1", "alarm.missed")) and "_loss" not in key
    plain_number = isinstance(limit, (int, float)) and not isinstance(limit, bool)
    if share and plain_number and not 0 <= float(str(limit)) <= 1:
        yield (*path, "threshold"), f"threshold of {asked} must be from 0 to 1 but got {limit}"

"""A site's state: from the alerts of automation's rules alone, so that no page says other than
`guardianflow alerts list`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from apps.automation.alerts.models import AlertList, RuleAlert
from guardianflow.contracts.errors import AutomationError
from guardianflow.metrics_store.questions.answers import Certainty, SiteTile
from guardianflow.release.report.figures import amount, number

from ...sources import Sources
from ..texts.wording import Wording

SYMBOLS = {"bad": "✗", "watch": "!", "unknown": "?", "good": "✓"}


class State(StrEnum):
    """The worst first."""

    BAD = "bad"
    """A figure lies beyond its limit with its whole interval."""
    WATCH = "watch"
    """It lies beyond it, and that is not certain."""
    UNKNOWN = "unknown"
    """Accuracy was never judged, or by no rule of late; or there are no rules."""
    GOOD = "good"


ORDER = tuple(State)


@dataclass(frozen=True)
class Standing:
    """A state and why.

    Args:
        excess: of the worst alert; 0 where there is none.
    """

    state: State
    reasons: tuple[str, ...]
    excess: float

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.state]

    @property
    def rank(self) -> tuple[int, float]:
        """The worst first."""
        return ORDER.index(self.state), -self.excess


@dataclass(frozen=True)
class AlertsNow:
    """The alerts that there are.

    Args:
        listed: None where there are no rules.
        problem: why it is not known what people said of them; '' where it is.
    """

    listed: AlertList | None
    problem: str = ""


def alerts_now(sources: Sources) -> AlertsNow:
    """A ledger that can't be read hides no alert.

    Raises:
        MetricsStoreError: the store can't be read.
    """
    if sources.board is None:
        return AlertsNow(None)
    try:
        return AlertsNow(sources.board.alerts())
    except AutomationError as exc:
        return AlertsNow(sources.board.judged(), str(exc))


def standing_of(tile: SiteTile, alerts: AlertsNow, wording: Wording) -> Standing:
    if alerts.listed is None:
        return Standing(State.UNKNOWN, (wording.text("state.no_rules.why"),), 0.0)
    listed = [each for each in alerts.listed.alerts if each.place == tile.place]
    reasons = [told(alert, wording) for alert in listed]
    if any(each.certainty is Certainty.CERTAIN for each in listed):
        state = State.BAD
    elif listed:
        state = State.WATCH
    elif tile.place not in alerts.listed.judged:
        state = State.UNKNOWN
    else:
        state = State.GOOD
    if tile.accuracy is None:
        reasons.append(wording.text("state.unknown.why"))
    elif tile.place not in alerts.listed.judged:
        reasons.append(wording.text("state.unjudged.why"))
    excess = max((each.excess for each in listed), default=0.0)
    return Standing(state, tuple(reasons), excess)


def told(alert: RuleAlert, wording: Wording) -> str:
    """'mAP50 0.712 is below 0.75 (certain)': figure, limit, what it rests on, who has seen it."""
    text = wording.text(
        f"alert.{alert.comparison}",
        metric=metric_name(alert.metric, wording),
        value=shown(alert.metric, alert.reading.value),
        limit=f"{alert.threshold:g}",
        certainty=wording.text(f"certainty.{alert.certainty}"),
    )
    if (seen := alert.acknowledged) is None:
        return text
    return f"{text} ✓ {wording.text('seen_by', who=seen.who, when=wording.moment(seen.when))}"


def metric_name(metric: str, wording: Wording) -> str:
    """A short name in the visitor's language; a whole key as it is."""
    return wording.known(f"metric.{metric}", metric)


def shown(metric: str, value: float | None) -> str:
    """A figure with the digits its kind asks for."""
    return amount(value) if metric.endswith(("_ms", "fps", "_mb", "_pct")) else number(value, 3)

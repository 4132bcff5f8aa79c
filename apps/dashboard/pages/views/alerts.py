"""Places beyond a rule's limit, the worst first, and who has seen it: automation's own alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.automation.alerts.models import RuleAlert
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.questions.answers import Certainty

from ...sources import Sources
from ..texts.wording import Wording
from .standing import alerts_now, metric_name, shown

STARTS_NOTHING = "tell"


@dataclass(frozen=True)
class AlertView:
    """One alert.

    Args:
        follows: what automation does about it, in words.
    """

    alert: RuleAlert
    title: str
    metric: str
    value: str
    interval: str
    follows: str


@dataclass(frozen=True)
class AlertsView:
    """Alerts that nobody has acknowledged, and those that somebody has.

    Args:
        has_rules: False: nothing is judged, as there is no file of rules.
        notes: what the rules left out, and why.
        problem: why it is not known who has acknowledged what; '' where it is.
    """

    open: tuple[AlertView, ...]
    seen: tuple[AlertView, ...]
    has_rules: bool
    notes: tuple[str, ...]
    problem: str


def alerts_view(sources: Sources, wording: Wording) -> AlertsView:
    now = alerts_now(sources)
    if now.listed is None:
        return AlertsView((), (), False, (), "")
    listed = [_view(each, wording) for each in sorted(now.listed.alerts, key=_rank)]
    return AlertsView(
        tuple(each for each in listed if each.alert.acknowledged is None),
        tuple(each for each in listed if each.alert.acknowledged is not None),
        True,
        now.listed.notes,
        now.problem,
    )


def acknowledge_alert(sources: Sources, fields: Mapping[str, str]) -> None:
    """Keep what a form says of the alert that its page showed.

    Args:
        fields: alert_id, run_id, who, note.

    Raises:
        ConfigurationError: there are no rules, or as AlertBoard.acknowledge.
        AutomationError: the ledger can't be written.
    """
    if sources.board is None:
        raise ConfigurationError(
            "there are no alerts without rules: put configs/triggers.yaml where the dashboard is "
            "started, and start it again"
        )
    given = {name: fields.get(name, "").strip() for name in ("alert_id", "note", "who", "run_id")}
    sources.board.acknowledge(**given)


def _view(alert: RuleAlert, wording: Wording) -> AlertView:
    reading, metric = alert.reading, alert.metric
    interval = ""
    if reading.low is not None and reading.high is not None:
        interval = f"{shown(metric, reading.low)} … {shown(metric, reading.high)}"
    action = wording.text(f"action.{alert.action}")
    if alert.action == STARTS_NOTHING:
        follows = action
    else:
        follows = wording.text("alert.follows" if alert.fires else "alert.waits", action=action)
    return AlertView(
        alert,
        wording.place(alert.place),
        metric_name(metric, wording),
        shown(metric, reading.value),
        interval,
        follows,
    )


def _rank(alert: RuleAlert) -> tuple[bool, float]:
    """What is certain before what is not, as the fleet's tiles stand."""
    return alert.certainty is not Certainty.CERTAIN, -alert.excess

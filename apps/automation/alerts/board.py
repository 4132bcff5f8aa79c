"""Alerts with what people said of them: for `guardianflow alerts` and the pages.

board.alerts()                         the worst first
board.acknowledge(ID, note, who)       kept, and shown as long as no newer run asks anew
board.judged()                         the alerts, without what people said: asks no ledger
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.store import MetricsStore
from guardianflow.support.secrets.redaction import redact_text
from guardianflow.support.suggestions import did_you_mean

from ..ledger.ledger import Ledger
from ..ledger.moments import Moment
from ..ledger.records import Acknowledged
from ..triggers.schema import Triggers
from .judging import judge
from .models import Acknowledgement, AlertList, RuleAlert

LONGEST_WHO, LONGEST_NOTE = 200, 2000


class NewerRunError(ConfigurationError):
    """What was to be acknowledged is not what there is now."""


@dataclass(frozen=True)
class AlertBoard:
    """The alerts of a store.

    Args:
        clock: tells the moment it is asked.
    """

    metrics: MetricsStore
    triggers: Triggers
    ledger: Ledger
    clock: Callable[[], Moment] = Moment.now

    def alerts(self) -> AlertList:
        """Those that there are now.

        Raises:
            MetricsStoreError: the store can't be read.
            AutomationError: the ledger can't be.
        """
        judged = self.judged()
        said = self.ledger.read().acknowledged
        alerts = tuple(
            each.model_copy(
                update={"acknowledged": _told(said.get((each.alert_id, each.reading.run_id)))}
            )
            for each in judged.alerts
        )
        return judged.model_copy(update={"alerts": alerts})

    def judged(self) -> AlertList:
        """The alerts without what people said of them.

        Raises:
            MetricsStoreError: the store can't be read.
        """
        return judge(self.metrics, self.triggers, self.clock().time)

    def acknowledge(self, alert_id: str, note: str, who: str, run_id: str = "") -> RuleAlert:
        """Keep that somebody has seen an alert, and what they said.

        Args:
            run_id: of the reading that they saw; '' takes the one of now.

        Raises:
            ConfigurationError: there is no such alert now; nobody is named; the note is empty or
                very long; all at once.
            NewerRunError: the alert rests on a newer run than the one they saw.
        """
        note, who = redact_text(note.strip()), who.strip()
        problems = [
            f"{what} must have 1 to {most} characters but got {len(given)}{then}"
            for what, given, most, then in (
                ("who", who, LONGEST_WHO, ""),
                ("a note", note, LONGEST_NOTE, ": say what is done about the alert"),
            )
            if not 1 <= len(given) <= most
        ]
        if problems:
            raise ConfigurationError(problems)
        there = {each.alert_id: each for each in self.alerts().alerts}
        found = there.get(alert_id)
        if found is None:
            raise ConfigurationError(
                f"an alert must be one of `guardianflow alerts list` but got '{alert_id}'"
                f"{did_you_mean(alert_id, there)}"
            )
        if run_id and run_id != found.reading.run_id:
            raise NewerRunError(
                f"alert {alert_id} rests on run {found.reading.run_id} by now, which ended at "
                f"{found.reading.timestamp:%Y-%m-%d %H:%M} UTC: look at the alert again"
            )
        said = Acknowledged(
            alert_id=alert_id, run_id=found.reading.run_id, note=note, who=who, at=self.clock()
        )
        self.ledger.append(said)
        return found.model_copy(update={"acknowledged": _told(said)})


def _told(said: Acknowledged | None) -> Acknowledgement | None:
    if said is None:
        return None
    when = datetime.fromtimestamp(said.at.wall, UTC)
    return Acknowledgement(note=said.note, who=said.who, when=when)

"""An alert: a place whose last runs lie beyond a rule's threshold."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydantic import Field

from guardianflow.metrics_store.questions.answers import AnswerModel, Certainty, Place, Reading


class Acknowledgement(AnswerModel):
    """What a person said of an alert, on the evidence of one run."""

    note: str
    who: str
    when: datetime


class RuleAlert(AnswerModel):
    """A place whose last runs lie beyond the threshold of a rule.

    Attributes:
        alert_id: of the rule at the place; the same as long as both have their names.
        reading: of the newest run.
        runs: the last runs that lie beyond it, as many as the rule asks for.
        certainty: of the least certain of them.
        fires: whether the rule's action follows: no interval reaches across the threshold.
        excess: distance of the newest value to the threshold ÷ the threshold.
        acknowledged: by a person who knew of this reading; a newer run asks anew.
    """

    alert_id: str
    rule: str
    place: Place
    metric: str
    comparison: str
    threshold: float
    reading: Reading
    runs: int
    certainty: Certainty
    fires: bool
    excess: float
    action: str
    acknowledged: Acknowledgement | None = None

    @property
    def where(self) -> str:
        """'donghwa-entec/busan-plant1/welding/ppe'"""
        return "/".join("?" if each is None else each for each in self.place.model_dump().values())


class AlertList(AnswerModel):
    """Alerts of all places, the worst first.

    Attributes:
        notes: what was left out and why, for people.
        judged: places of which a rule has seen the accuracy, in its window.
    """

    alerts: tuple[RuleAlert, ...]
    notes: tuple[str, ...]
    judged: frozenset[Place] = Field(default=frozenset(), exclude=True)


def alert_id_of(rule: str, place: Place) -> str:
    """Twelve hexadecimal digits."""
    whole = "\x1f".join([rule, *(repr(each) for each in place.model_dump().values())])
    return hashlib.sha256(whole.encode()).hexdigest()[:12]

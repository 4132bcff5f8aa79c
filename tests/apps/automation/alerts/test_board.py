"""What a person says of an alert is kept, by any process shown, and asked anew by a newer run."""

from __future__ import annotations

from pathlib import Path

import pytest
from automated_sites import TELLING, Site

from apps.automation.alerts.board import NewerRunError
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.support.secrets.redaction import MARK


def test_a_note_holds_for_what_was_seen(tmp_path: Path) -> None:
    site = Site(tmp_path, TELLING)
    site.run(-2, **{"det.mAP50": 0.5})
    (alert,) = site.board.alerts().alerts
    assert alert.acknowledged is None
    said = "카메라 4가 옮겨졌음 <b>new labels</b>"
    site.board.acknowledge(alert.alert_id, f"  {said}\n", "kim")
    (seen,) = Site(tmp_path, TELLING).board.alerts().alerts
    assert seen.acknowledged is not None
    assert (seen.acknowledged.note, seen.acknowledged.who) == (said, "kim")
    site.run(-1, **{"det.mAP50": 0.4})
    (newer,) = site.board.alerts().alerts
    assert newer.alert_id == alert.alert_id
    assert newer.acknowledged is None


def test_a_note_is_kept_without_the_secrets_in_it(tmp_path: Path) -> None:
    site = Site(tmp_path, TELLING)
    site.run(-2, **{"det.mAP50": 0.5})
    (alert,) = site.board.alerts().alerts
    site.board.acknowledge(alert.alert_id, "seen, token=abcdef-123456", "kim")
    (seen,) = Site(tmp_path, TELLING).board.alerts().alerts
    assert seen.acknowledged is not None
    assert seen.acknowledged.note == f"seen, token={MARK}"


@pytest.mark.parametrize("note", ["", "  ", "x" * 2001])
def test_a_note_must_say_something(tmp_path: Path, note: str) -> None:
    site = Site(tmp_path, TELLING)
    with pytest.raises(ConfigurationError, match="a note must have 1 to 2000 characters"):
        site.board.acknowledge("x", note, "kim")
    with pytest.raises(ConfigurationError, match="who must have 1 to 200 characters"):
        site.board.acknowledge("x", "seen", note)


def test_what_a_person_saw_is_acknowledged_and_nothing_newer(tmp_path: Path) -> None:
    site = Site(tmp_path, TELLING)
    site.run(-2, **{"det.mAP50": 0.5})
    (alert,) = site.board.alerts().alerts
    site.run(-1, **{"det.mAP50": 0.4})
    with pytest.raises(NewerRunError, match="look at the alert again"):
        site.board.acknowledge(alert.alert_id, "seen", "kim", alert.reading.run_id)
    assert site.board.alerts().alerts[0].acknowledged is None


def test_an_alert_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    site = Site(tmp_path, TELLING)
    site.run(-2, **{"det.mAP50": 0.5})
    (alert,) = site.board.alerts().alerts
    with pytest.raises(ConfigurationError, match=f"did you mean '{alert.alert_id}'"):
        site.board.acknowledge(alert.alert_id[:-1] + "x", "seen", "kim")

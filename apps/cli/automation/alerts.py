"""`guardianflow alerts`."""

from __future__ import annotations

import getpass
from collections.abc import Callable

from apps.automation.alerts.board import AlertBoard
from apps.automation.alerts.models import AlertList, RuleAlert
from apps.automation.notifications.configured import channels_of
from apps.automation.notifications.delivery import Delivered, deliver
from apps.automation.place import open_board
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.questions.answers import Certainty
from guardianflow.support.terminal import print_answer, say
from pipelines.settings import Settings, load_settings

from ..listing import Row, show_rows
from .options import AlertsCommand

CERTAINTIES = {
    Certainty.CERTAIN: "the whole interval",
    Certainty.UNDECIDED: "undecided: the interval reaches across",
    Certainty.NO_INTERVAL: "no interval",
}


def show_list(asked: AlertsCommand) -> int:
    """Print a row for each alert."""
    board = open_board(rules=asked.rules)
    found = board.alerts()
    kept = [
        each
        for each in found.alerts
        if asked.customer in ("", each.place.customer) and asked.task in ("", each.place.task)
    ]
    shown = AlertList(alerts=tuple(kept), notes=found.notes)
    if not asked.as_json:
        tell_notes(shown)
    nothing = f"no alert: {board.metrics.address} has no run beyond a threshold"
    return show_rows(
        [row_of(each) for each in kept], asked.as_json, nothing, shown.model_dump(mode="json")
    )


def show_ack(asked: AlertsCommand) -> int:
    """Keep a note.

    Raises:
        ConfigurationError: no such alert, or no note.
    """
    board = open_board(rules=asked.rules)
    kept = board.acknowledge(asked.alert_id.strip(), asked.note, person())
    print_answer(
        asked.as_json, kept.model_dump(mode="json"), f"alert {kept.alert_id} is kept as seen"
    )
    return 0


def show_notify(asked: AlertsCommand) -> int:
    """Send what is due.

    Raises:
        ConfigurationError: nobody is to be told.
    """
    settings = load_settings()
    channels = channels_of(settings)
    if not channels:
        raise ConfigurationError(
            "nobody is to be told: set GUARDIANFLOW_ALERTS_WEBHOOK, or the server and the "
            "addresses of mail in GUARDIANFLOW_ALERTS_MAIL_… (see docs/automation.md)"
        )
    done = deliver(open_board(settings, rules=asked.rules), channels)
    tell_problems(done)
    answer = {"sent": done.sent, "problems": list(done.problems)}
    print_answer(asked.as_json, answer, f"{done.sent} messages sent")
    return int(bool(done.problems))


def delivering(settings: Settings, board: AlertBoard) -> Callable[[], None]:
    """Sends what is due to the channels of the settings; what fails is told."""
    channels = channels_of(settings)

    def work() -> None:
        if channels:
            tell_problems(deliver(board, channels))

    return work


def tell_problems(done: Delivered) -> None:
    for problem in done.problems:
        say(f"a message was not sent as it should: {problem}")


def tell_notes(found: AlertList) -> None:
    for note in found.notes:
        say(f"note: {note}")


def person() -> str:
    """Who is at this terminal, by the name that the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def row_of(alert: RuleAlert) -> Row:
    reading = alert.reading
    interval = (
        f" [{reading.low:.3g} … {reading.high:.3g}]"
        if reading.low is not None and reading.high is not None
        else ""
    )
    seen = alert.acknowledged
    return {
        "alert": alert.alert_id,
        "where": alert.where,
        "rule": alert.rule,
        "value": f"{alert.metric} {reading.value:.4g}{interval}",
        "limit": f"{alert.comparison} {alert.threshold:g}",
        "certainty": CERTAINTIES[alert.certainty],
        "run": reading.run_id,
        "seen": f"{seen.who}: {seen.note}" if seen else None,
    }

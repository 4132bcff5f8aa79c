"""The commands about alerts and automation. Only click is imported here."""

from __future__ import annotations

from ..flags import Command
from .options import AlertsCommand, OptimizeCommand

CODES = """
\b
Exit codes: 0 done; 1 a failure at work; 2 bad input, with all problems of the file of triggers.
"""


def alerts_command(name: str, text: str, examples: str, options: tuple[str, ...]) -> Command:
    work = f"apps.cli.automation.alerts:show_{name}"
    return Command(name, work, AlertsCommand, text, examples + CODES, options)


def optimize_command(
    name: str, text: str, examples: str, options: tuple[str, ...] = ("rules", "as_json")
) -> Command:
    work = f"apps.cli.automation.optimize:show_{name}"
    return Command(name, work, OptimizeCommand, text, examples + CODES, options)


ALERTS_COMMANDS = (
    alerts_command(
        "list",
        "Places whose last runs lie beyond a rule's threshold, the worst first.",
        """\
  guardianflow alerts list --customer donghwa-entec
  guardianflow alerts list --json
""",
        ("customer", "task", "rules", "as_json"),
    ),
    alerts_command(
        "ack",
        "Keep that you have seen an alert; a newer run that is as bad asks anew.",
        """\
  guardianflow alerts ack 3f9a1c2b4d5e --note 'camera 4 was moved; new images are labelled'
""",
        ("alert_id", "note", "rules", "as_json"),
    ),
    alerts_command(
        "notify",
        "Tell the webhook and the mail addresses of the settings what they were not told yet.",
        """\
  guardianflow alerts notify
""",
        ("rules", "as_json"),
    ),
)
OPTIMIZE_COMMANDS = (
    optimize_command(
        "check",
        "Show what would be started now, and why the rest would not. Changes nothing.",
        """\
  guardianflow optimize check
  guardianflow optimize check --rules site_triggers.yaml --json
""",
    ),
    optimize_command(
        "run",
        "Start what is due, tell who is to be told, and wait for its end.",
        """\
  guardianflow optimize run
""",
    ),
    optimize_command(
        "watch",
        "Do that again and again; what it starts outlives it.",
        """\
  guardianflow optimize watch
  guardianflow optimize watch --every 300
""",
        ("rules", "every_s"),
    ),
    optimize_command(
        "resume",
        "Let an action go on that was paused because it failed twice.",
        """\
  guardianflow optimize resume 3f9a1c2b4d5e
""",
        ("alert_id", "rules", "as_json"),
    ),
    optimize_command(
        "log",
        "What was decided, when, why, and what came of it; the newest last.",
        """\
  guardianflow optimize log --limit 20
""",
        ("rules", "limit", "as_json"),
    ),
)

"""The commands about registered models: what is there, what is at the site, there and back.

Only click is imported here; apps/cli/models.py does the work.
"""

from __future__ import annotations

from .flags import Command
from .options import ModelCommand

NAMES = """
\b
NAME has slashes or dots: donghwa-entec/busan-plant1/welding/ppe or
donghwa-entec.busan-plant1.welding.ppe. A change of its aliases that was interrupted is completed
first, by whichever command comes next.
"""
CODES = """
\b
Exit codes: 0 done; 1 the answer is no (verdict), others are at it, or the registry went away;
2 your input can't be used.
"""


def model_command(
    name: str, work: str, text: str, examples: str, options: tuple[str, ...]
) -> Command:
    """A command whose work is a function of apps/cli/models.py."""
    epilog = examples + NAMES * ("name" in options) + CODES * ("reason" in options)
    return Command(name, f"apps.cli.models:{work}", ModelCommand, text, epilog, options)


MODEL_COMMANDS = (
    model_command(
        "models",
        "show_models",
        "Registered models, and which version is candidate, champion and rollback.",
        """\
  guardianflow models
  guardianflow models --customer donghwa-entec --name ppe
  guardianflow models --json
""",
        ("pattern", "customer", "as_json"),
    ),
    model_command(
        "versions",
        "show_versions",
        "A model's versions: aliases, verdicts of releases, and the runs they come from.",
        """\
  guardianflow versions donghwa-entec/busan-plant1/welding/ppe
  guardianflow versions donghwa-entec.busan-plant1.welding.ppe --json
""",
        ("name", "as_json"),
    ),
    model_command(
        "promote",
        "promote_model",
        """Candidate → champion, old champion → rollback.

Its files must match their sha256, and a release must have passed it against the present
champion.
""",
        """\
  guardianflow promote donghwa-entec/busan-plant1/welding/ppe
  guardianflow promote donghwa-entec/busan-plant1/welding/ppe --version 3
  guardianflow promote NAME --version 3 --force --reason "field test of 12 May passed"
""",
        ("name", "version", "force", "reason", "as_json"),
    ),
    model_command(
        "rollback",
        "roll_back",
        "Rollback → champion, the demoted champion → candidate.",
        """\
  guardianflow rollback donghwa-entec/busan-plant1/welding/ppe --reason "false alarms at gate 2"
  guardianflow rollback NAME --json
""",
        ("name", "reason", "as_json"),
    ),
    model_command(
        "history",
        "show_history",
        "Every promotion and rollback: who, when, from, to, why, on what evidence.",
        """\
  guardianflow history donghwa-entec/busan-plant1/welding/ppe
  guardianflow history NAME --json
""",
        ("name", "as_json"),
    ),
    model_command(
        "uri",
        "show_uri",
        "The version an alias means now, as models:/NAME/VERSION.",
        """\
  guardianflow uri donghwa-entec/busan-plant1/welding/ppe
  mlflow models serve -m $(guardianflow uri NAME) --env-manager local
  guardianflow uri NAME --alias candidate --json
""",
        ("name", "alias", "as_json"),
    ),
)

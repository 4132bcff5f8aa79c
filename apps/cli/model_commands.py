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

MODEL_COMMANDS = (
    Command(
        "models",
        "apps.cli.models:show_models",
        ModelCommand,
        "Registered models, and which version is candidate, champion and rollback.",
        """\
  guardianflow models
  guardianflow models --customer donghwa-entec --name ppe
  guardianflow models --json
""",
        options=("pattern", "customer", "as_json"),
    ),
    Command(
        "versions",
        "apps.cli.models:show_versions",
        ModelCommand,
        "A model's versions: aliases, verdicts of releases, and the runs they come from.",
        """\
  guardianflow versions donghwa-entec/busan-plant1/welding/ppe
  guardianflow versions donghwa-entec.busan-plant1.welding.ppe --json
"""
        + NAMES,
        options=("name", "as_json"),
    ),
    Command(
        "promote",
        "apps.cli.models:promote_model",
        ModelCommand,
        """Candidate → champion, old champion → rollback.

Its files must match their sha256, and a release must have passed it against the present
champion.
""",
        """\
  guardianflow promote donghwa-entec/busan-plant1/welding/ppe
  guardianflow promote donghwa-entec/busan-plant1/welding/ppe --version 3
  guardianflow promote NAME --version 3 --force --reason "field test of 12 May passed"
"""
        + NAMES
        + CODES,
        options=("name", "version", "force", "reason", "as_json"),
    ),
    Command(
        "rollback",
        "apps.cli.models:roll_back",
        ModelCommand,
        "Rollback → champion, the demoted champion → candidate.",
        """\
  guardianflow rollback donghwa-entec/busan-plant1/welding/ppe --reason "false alarms at gate 2"
  guardianflow rollback NAME --json
"""
        + NAMES
        + CODES,
        options=("name", "reason", "as_json"),
    ),
    Command(
        "history",
        "apps.cli.models:show_history",
        ModelCommand,
        "Every promotion and rollback: who, when, from, to, why, on what evidence.",
        """\
  guardianflow history donghwa-entec/busan-plant1/welding/ppe
  guardianflow history NAME --json
"""
        + NAMES,
        options=("name", "as_json"),
    ),
    Command(
        "uri",
        "apps.cli.models:show_uri",
        ModelCommand,
        "The version an alias means now, as models:/NAME/VERSION.",
        """\
  guardianflow uri donghwa-entec/busan-plant1/welding/ppe
  mlflow models serve -m $(guardianflow uri NAME) --env-manager local
  guardianflow uri NAME --alias candidate --json
"""
        + NAMES,
        options=("name", "alias", "as_json"),
    ),
)

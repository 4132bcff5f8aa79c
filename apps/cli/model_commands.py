"""The commands about registered models: what is there, what is at the site, there and back.

Only click is imported here; apps/cli/models.py does the work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

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


@click.command(
    epilog="""\b
Examples:
  guardianflow models
  guardianflow models --customer donghwa-entec --name ppe
  guardianflow models --json
"""
)
@click.option("--name", "pattern", default="", metavar="PATTERN", help="Part of the name, or *.")
@click.option("--customer", default="", help="Only this customer's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def models(pattern: str, customer: str, as_json: bool) -> None:
    """Registered models, and which version is candidate, champion and rollback."""
    finish("show_models", as_json, pattern, customer)


@click.command(
    epilog="""\b
Examples:
  guardianflow versions donghwa-entec/busan-plant1/welding/ppe
  guardianflow versions donghwa-entec.busan-plant1.welding.ppe --json
"""
    + NAMES
)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def versions(name: str, as_json: bool) -> None:
    """A model's versions: aliases, verdicts of releases, and the runs they come from."""
    finish("show_versions", as_json, name)


@click.command(
    epilog="""\b
Examples:
  guardianflow promote donghwa-entec/busan-plant1/welding/ppe
  guardianflow promote donghwa-entec/busan-plant1/welding/ppe --version 3
  guardianflow promote NAME --version 3 --force --reason "field test of 12 May passed"
"""
    + NAMES
    + CODES
)
@click.argument("name")
@click.option("--version", default=None, help="Instead of the candidate.")
@click.option("--force", is_flag=True, help="Without a passed verdict; wants --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the journal.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def promote(name: str, version: str | None, force: bool, reason: str, as_json: bool) -> None:
    """Candidate → champion, old champion → rollback.

    Its files must match their sha256, and a release must have passed it against the present
    champion.
    """
    finish("promote_model", as_json, name, version, force, reason)


@click.command(
    epilog="""\b
Examples:
  guardianflow rollback donghwa-entec/busan-plant1/welding/ppe --reason "false alarms at gate 2"
  guardianflow rollback NAME --json
"""
    + NAMES
    + CODES
)
@click.argument("name")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the journal.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def rollback(name: str, reason: str, as_json: bool) -> None:
    """Rollback → champion, the demoted champion → candidate."""
    finish("roll_back", as_json, name, reason)


@click.command(
    epilog="""\b
Examples:
  guardianflow history donghwa-entec/busan-plant1/welding/ppe
  guardianflow history NAME --json
"""
    + NAMES
)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def history(name: str, as_json: bool) -> None:
    """Every promotion and rollback: who, when, from, to, why, on what evidence."""
    finish("show_history", as_json, name)


@click.command(
    epilog="""\b
Examples:
  guardianflow uri donghwa-entec/busan-plant1/welding/ppe
  mlflow models serve -m $(guardianflow uri NAME) --env-manager local
  guardianflow uri NAME --alias candidate --json
"""
    + NAMES
)
@click.argument("name")
@click.option("--alias", default="champion", show_default=True, help="candidate, rollback, own.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def uri(name: str, alias: str, as_json: bool) -> None:
    """The version an alias means now, as models:/NAME/VERSION."""
    finish("show_uri", as_json, name, alias)


def finish(work: str, as_json: bool, *arguments: Any) -> None:
    """Do it, and leave with its exit code."""
    from pipelines.command_line import run_guarded

    def call() -> int:
        from . import models as face

        function: Callable[..., int] = getattr(face, work)
        return function(*arguments, as_json=as_json)

    sys.exit(run_guarded(call, as_json=as_json))


def add_to(group: click.Group) -> None:
    for command in (models, versions, promote, rollback, history, uri):
        group.add_command(command)

"""The commands about directories of scripts that nobody may change.

Only click is imported here; apps/cli/legacy/scan.py, status.py and migrate.py do the work.
"""

from __future__ import annotations

import sys

import click


@click.command(
    epilog="""\b
Examples:
  guardianflow scan ~/experiments
  guardianflow scan ~/experiments -o configs/experiments.yaml
  guardianflow scan ~/experiments --update
  guardianflow scan ~/experiments/donghwa-entec-ppe --single --json

\b
Code is read, never run or imported. Without -o and --update nothing is written.
Exit codes: 0 scanned; 2 no such directory, or a FILE that is there, broken or not writable.
"""
)
@click.argument("directory", metavar="DIR")
@click.option("-o", "--output", default="", metavar="FILE", help="Registry to write; not over one.")
@click.option(
    "--update",
    is_flag=True,
    help="Add what is new to FILE (default configs/experiments.yaml); keep all that is there.",
)
@click.option("--single", is_flag=True, help="DIR itself is the one experiment.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def scan(directory: str, output: str, update: bool, single: bool, as_json: bool) -> None:
    """Find out what directories of old scripts hold, and make a registry of them."""
    from pipelines.command_line import run_guarded

    def work() -> int:
        from .scan import show_scan

        return show_scan(directory, output, update, single, as_json)

    sys.exit(run_guarded(work, as_json=as_json))


@click.command(
    epilog="""\b
Examples:
  guardianflow status
  guardianflow status --customer donghwa-entec --json

\b
drift: scripts that are new, gone or changed since `guardianflow scan` wrote the registry.
"""
)
@click.option("--customer", default="", help="Only this customer's.")
@click.option("--experiments", default="", metavar="FILE", help="The registry file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def status(customer: str, experiments: str, as_json: bool) -> None:
    """Where each directory of old scripts stands: last run, mAP50, model, what changed."""
    from pipelines.command_line import run_guarded

    def work() -> int:
        from .status import show_status

        return show_status(customer, experiments, as_json)

    sys.exit(run_guarded(work, as_json=as_json))


@click.command(
    epilog="""\b
Examples:
  guardianflow migrate donghwa-entec-ppe
  guardianflow migrate donghwa-entec-ppe --version v3 --to ../experiments/donghwa-ppe

\b
Writes train.py and scenario.yaml as a draft to review; the original is only read.
Exit codes: 0 written; 2 DIR is there already, the entry has a TODO, or no such script.
"""
)
@click.argument("name")
@click.option("--to", "target", default="", metavar="DIR", help="Default: experiments/NAME here.")
@click.option("--version", default="", help="The script of this version: v3, 1214, 최종.")
@click.option("--script", default="", metavar="FILE", help="A script below the directory.")
@click.option("--experiments", default="", metavar="FILE", help="The registry file.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
def migrate(
    name: str, target: str, version: str, script: str, experiments: str, as_json: bool
) -> None:
    """Write a Trainer and a scenario around a script's own calls, as a draft to review."""
    from pipelines.command_line import run_guarded

    def work() -> int:
        from .migrate import show_migration

        return show_migration(name, target, version, script, experiments, as_json)

    sys.exit(run_guarded(work, as_json=as_json))


def add_to(group: click.Group) -> None:
    for command in (scan, status, migrate):
        group.add_command(command)

"""The commands about directories of scripts that nobody may change.

Only click is imported here; apps/cli/scan.py does the work.
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
    from pipelines.entry import guarded

    def work() -> int:
        from .scan import show_scan

        return show_scan(directory, output, update, single, as_json)

    sys.exit(guarded(work, as_json=as_json))


def add_to(group: click.Group) -> None:
    for command in (scan,):
        group.add_command(command)

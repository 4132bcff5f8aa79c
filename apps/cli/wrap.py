"""`guardianflow run` (and `wrap`): a script of an experiments' directory, untouched.

Only click is imported here; pipelines/wrap.py does the work.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

EXAMPLES = """\b
Examples:
  guardianflow run donghwa-entec-ppe --type train -p epochs=100 -p batch_size=16
  guardianflow run donghwa-entec-ppe --type train --version v3 --dry-run
  guardianflow run donghwa-entec-ppe --type quant --script export/to_openvino.py --json

\b
NAME is an experiment of configs/experiments.yaml; make that file with: guardianflow scan DIR
Exit codes: the script's own; 128 + the signal that ended it; 124 when its timeout was up;
130 when interrupted; 2 bad input, nothing was started; 1 keeping its results failed.
"""


def command(name: str) -> click.Command:
    """The command under one of its two names."""

    @click.command(name, epilog=EXAMPLES)
    @click.argument("name")
    @click.option(
        "--type",
        "script_type",
        type=click.Choice(["train", "infer", "quant"]),
        default="train",
        show_default=True,
        help="Which entry point.",
    )
    @click.option("--version", default="", help="The script of this version: v3, 1214, 최종.")
    @click.option("--script", default="", metavar="FILE", help="A script below the directory.")
    @click.option(
        "-p",
        "--param",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        help="Value of a placeholder of args_template. Repeatable.",
    )
    @click.option("--experiments", default="", metavar="FILE", help="The registry file.")
    @click.option("--no-register", is_flag=True, help="Register no model.")
    @click.option("--dry-run", is_flag=True, help="Show command, run and tags; start nothing.")
    @click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
    def run(**given: Any) -> None:
        """Run a script that nobody may change, and keep all that comes of it in MLflow.

        Its output, its metrics and the machine's load are in the run while it runs; what it wrote
        is kept as artifacts, and its best weights are registered as candidate.
        """
        from pipelines.entry import guarded

        def work() -> int:
            from experiments_adapters.legacy.arguments import parse_given
            from pipelines.wrap import wrap
            from pipelines.wrap_plan import WrapRequest

            request = WrapRequest(
                name=given["name"],
                script_type=given["script_type"],
                version=given["version"],
                script=given["script"],
                params=parse_given(given["params"]),
                experiments=Path(given["experiments"]) if given["experiments"] else None,
                register=not given["no_register"],
            )
            return wrap(request, dry_run=given["dry_run"], as_json=given["as_json"])

        sys.exit(guarded(work, as_json=given["as_json"]))

    return run


def add_to(group: click.Group) -> None:
    for name in ("run", "wrap"):
        group.add_command(command(name))

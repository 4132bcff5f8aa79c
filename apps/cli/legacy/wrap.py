"""`guardianflow run` (and `wrap`): scripts of experiments' directories, untouched.

Only click is imported here; pipelines/wrap/run.py does the work of one script,
pipelines/wrap_batch that of many.
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
  guardianflow run --customer donghwa-entec --type train --jobs 2
  guardianflow run --all --type quant --strict --dry-run
  guardianflow run --resume 20261121-183000-a1b2

\b
NAME is an experiment of configs/experiments.yaml; make that file with: guardianflow scan DIR
Exit codes: the script's own; 128 + the signal that ended it; 124 when its timeout was up;
130 when interrupted; 2 bad input, nothing was started; 1 keeping its results failed.
Of a fleet: 0 all that could run has finished; 1 some failed; 2; 130.
"""


def command(name: str) -> click.Command:
    """The command under one of its two names."""

    @click.command(name, epilog=EXAMPLES)
    @click.argument("name", required=False, default="")
    @click.option("--all", "everything", is_flag=True, help="Every experiment of the registry.")
    @click.option("--customer", default="", help="Every experiment of this customer.")
    @click.option("--resume", default="", metavar="BATCH", help="Go on with a fleet's batch.")
    @click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="How many at the same time.",
    )
    @click.option("--strict", is_flag=True, help="Start nothing when one of the fleet can't run.")
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
    @click.option(
        "--trust-weights",
        is_flag=True,
        help="Open the script's weights whatever they hold: they may run anything.",
    )
    @click.option("--dry-run", is_flag=True, help="Show command, run and tags; start nothing.")
    @click.option("--json", "as_json", is_flag=True, help="End stdout with one object.")
    @click.pass_context
    def run(context: click.Context, /, **given: Any) -> None:
        """Run a script that nobody may change, and keep all that comes of it in MLflow.

        Its output, its metrics and the machine's load are in the run while it runs; what it wrote
        is kept as artifacts, and its best weights are registered as candidate. With --all or
        --customer the scripts of many directories run; one that fails ends no other.
        """
        from pipelines.command_line import run_guarded

        def work() -> int:
            from experiments_adapters.legacy.arguments import parse_given
            from pipelines.wrap.plan import WrapRequest
            from pipelines.wrap.run import wrap

            from .batch import check_asked, run_wrap_batch

            written = {
                name
                for name in given
                if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
            }
            check_asked(given, written)
            if not given["name"]:
                return run_wrap_batch(given)
            request = WrapRequest(
                name=given["name"],
                script_type=given["script_type"],
                version=given["version"],
                script=given["script"],
                params=parse_given(given["params"]),
                experiments=Path(given["experiments"]) if given["experiments"] else None,
                register=not given["no_register"],
                trust_weights=given["trust_weights"],
            )
            return wrap(request, dry_run=given["dry_run"], as_json=given["as_json"])

        sys.exit(run_guarded(work, as_json=given["as_json"]))

    return run


def add_to(group: click.Group) -> None:
    for name in ("run", "wrap"):
        group.add_command(command(name))

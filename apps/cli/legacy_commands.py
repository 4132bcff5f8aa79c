"""The commands about directories of scripts that nobody may change.

Only click is imported here; apps/cli/legacy, pipelines/wrap and pipelines/wrap_batch do the work.
"""

from __future__ import annotations

from pipelines.options import WrapCommand

from .flags import Command
from .options import MigrateCommand, ScanCommand, StatusCommand

RUN_TEXT = """\
Run a script that nobody may change, and keep all that comes of it in MLflow.

Its output, its metrics and the machine's load are in the run while it runs; what it wrote
is kept as artifacts, and its best weights are registered as candidate. With --all or
--customer the scripts of many directories run; one that fails ends no other.
"""
RUN_EXAMPLES = """\
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

LEGACY_COMMANDS = (
    Command(
        "scan",
        "apps.cli.legacy.scan:show_scan",
        ScanCommand,
        "Find out what directories of old scripts hold, and make a registry of them.",
        """\
  guardianflow scan ~/experiments
  guardianflow scan ~/experiments -o configs/experiments.yaml
  guardianflow scan ~/experiments --update
  guardianflow scan ~/experiments/donghwa-entec-ppe --single --json

\b
Code is read, never run or imported. Without -o and --update nothing is written.
Exit codes: 0 scanned; 2 no such directory, or a FILE that is there, broken or not writable.
""",
    ),
    Command(
        "status",
        "apps.cli.legacy.status:show_status",
        StatusCommand,
        "Where each directory of old scripts stands: last run, mAP50, model, what changed.",
        """\
  guardianflow status
  guardianflow status --customer donghwa-entec --json

\b
drift: scripts that are new, gone or changed since `guardianflow scan` wrote the registry.
""",
    ),
    Command(
        "migrate",
        "apps.cli.legacy.migrate:show_migration",
        MigrateCommand,
        "Write a Trainer and a scenario around a script's own calls, as a draft to review.",
        """\
  guardianflow migrate donghwa-entec-ppe
  guardianflow migrate donghwa-entec-ppe --version v3 --to ../experiments/donghwa-ppe

\b
Writes train.py and scenario.yaml as a draft to review; the original is only read.
Exit codes: 0 written; 2 DIR is there already, the entry has a TODO, or no such script.
""",
    ),
    *(
        Command(
            name, "pipelines.wrap_batch.command:run_or_batch", WrapCommand, RUN_TEXT, RUN_EXAMPLES
        )
        for name in ("run", "wrap")
    ),
)

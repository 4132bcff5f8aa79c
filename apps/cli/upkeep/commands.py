"""The commands that finish what was interrupted. Only click is imported here."""

from __future__ import annotations

from ..flags import Command
from ..options import ReapCommand, ResumeCommand, SyncCommand

UPKEEP_COMMANDS = (
    Command(
        "resume",
        "apps.cli.upkeep.resume:resume_run",
        ResumeCommand,
        "Go on with a training, a pipeline or a comparison that did not end well.",
        """\
  guardianflow resume RUN_ID
  guardianflow resume RUN_ID -p training.options.token=SECRET    # secrets are not kept
  guardianflow resume RUN_ID --json

\b
A training goes on in its own run, from its last whole checkpoint, on the machine that has it;
finished stages of a pipeline are reused. The command that made the run does the same.
Exit codes: 0 done, or the run is FINISHED already; 1 a failure at work, or another process is at
it; 2 your input can't be used.
""",
    ),
    Command(
        "sync",
        "apps.cli.upkeep.sync:show_sync",
        SyncCommand,
        "Send what was logged while the MLflow server was away, and register what waits.",
        """\
  guardianflow sync
  guardianflow sync --work-dir /media/usb/guardianflow --json
  guardianflow sync --work-dir /media/usb/guardianflow --to http://mlflow.head-office:5000

\b
Sending twice changes nothing. What a process at work writes is left to that process.
Exit codes: 0 all is sent; 1 something is left or was refused, and why; 2 bad input.
""",
    ),
    Command(
        "reap",
        "apps.cli.upkeep.reap:show_reaped",
        ReapCommand,
        """End runs whose process is gone, and remove what was left half-made.

A run of a living process is never ended, nor one of another machine or container: those are
listed with the time they were last heard of.
""",
        """\
  guardianflow reap --dry-run
  guardianflow reap --older-than 1h
  guardianflow reap --gone RUN_ID      # its container is no more
  guardianflow reap --json

\b
Exit codes: 0 done; 1 something could not be ended or removed; 2 bad input.
""",
    ),
)

"""One wrapped script as a command.

    python -m pipelines.wrap --name donghwa-entec-ppe --type train [--epochs 100]

Exit codes: the script's own; 128 + the signal that ended it; 124 for its timeout; 130 when
interrupted; 2 for bad input before anything started; 1 where keeping its results failed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments_adapters.legacy.arguments import parse_given
from guardianflow.support.secrets.streams import keeping_secrets
from guardianflow.support.terminal import print_answer, print_json, say, write

from ..command_line import run_guarded
from ..options import WrapCommand, overrides_from, parse_module
from ..settings import load_settings
from ..wiring import connect_to_work
from .outcome import outcome_lines, plan_lines
from .plan import WrapRequest, make_plan
from .run import run_wrapped


@keeping_secrets()
def main(argv: Sequence[str] | None = None) -> int:
    """`python -m pipelines.wrap`, which the MLproject's entry point calls."""
    asked, rest = parse_module(
        WrapCommand,
        "wrap",
        "Run a script of an experiments' directory untouched. Any value of its args_template and "
        "any option of the script can be given: --epochs 5",
        argv,
    )

    def work() -> int:
        return wrap(replace(asked, params=tuple(overrides_from(rest))), launcher=True)

    return run_guarded(work, as_json=asked.as_json)


def wrap(asked: WrapCommand, *, launcher: bool = False) -> int:
    """Run one script of one experiment, and print what came of it.

    Args:
        launcher: the run that `mlflow run` made may be adopted.
    """
    environment = dict(os.environ)  # the user's own, before .env and mlflow's defaults come in
    request = WrapRequest(
        name=asked.name,
        script_type=asked.script_type,
        version=asked.version,
        script=asked.script,
        params=parse_given(asked.params),
        experiments=Path(asked.experiments) if asked.experiments else None,
        register=not asked.no_register,
        trust_weights=asked.trust_weights,
        launcher=launcher,
        dry_run=asked.dry_run,
    )
    settings = load_settings()
    plan = make_plan(request)
    if asked.dry_run:
        print_answer(asked.as_json, plan.as_dict(), plan_lines(plan))
        return 0
    outcome = run_wrapped(
        plan,
        settings,
        connect_to_work(settings.tracking_uri),
        environment=environment,
        tell=lambda text: say(f"[{plan.experiment.name}] {text}"),
    )
    if asked.as_json:
        write()  # the script's last line may have no end
        print_json(outcome.as_dict())
    else:
        say(outcome_lines(outcome))
    return 0

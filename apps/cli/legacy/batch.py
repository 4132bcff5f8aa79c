"""`guardianflow run --all|--customer C|--resume ID`: the scripts of many directories."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import Any

from experiments_adapters.legacy.arguments import parse_given
from experiments_adapters.legacy.registry import DEFAULT_FILE
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.redaction import MARK, shown_command
from pipelines.command_line import INTERRUPTED, print_json
from pipelines.console import say
from pipelines.settings import load_settings
from pipelines.wiring import connect
from pipelines.wrap.plan import WrapPlan
from pipelines.wrap_batch import text as fleet_text
from pipelines.wrap_batch.batch import (
    FAILED,
    KILLED,
    Batch,
    WrapBatchOrder,
    load_batch,
    locked_batch,
)
from pipelines.wrap_batch.plan import check_runnable, prepare_batch, resume_batch
from pipelines.wrap_batch.run import run_batch

FOR_ONE = ("script",)
FOR_A_NEW_BATCH = (
    "everything", "customer", "script_type", "version", "experiments", "no_register",
    "trust_weights",
)  # fmt: skip
FLAGS = {"everything": "all", "script_type": "type", "params": "param"}


def check_asked(given: dict[str, Any], written: set[str]) -> None:
    """One experiment by name, or a fleet: the options must say which.

    Args:
        given: values of the options.
        written: the options that stood on the command line.

    Raises:
        ConfigurationError: every option that does not go with what is asked for.
    """
    fleet = bool(given["everything"] or given["customer"])
    asked = [bool(given["name"]), fleet, bool(given["resume"])]
    if sum(asked) != 1:
        got = ", ".join(
            word
            for word, there in zip(("NAME", "--all or --customer", "--resume"), asked, strict=True)
            if there
        )
        raise ConfigurationError(
            "one of NAME, --all, --customer C and --resume BATCH must be given but got "
            f"{got or 'none'}; guardianflow list experiments shows the names"
        )
    if given["name"]:
        wrong = written & {"jobs", "strict"}
    else:
        wrong = written & {*FOR_ONE, *(FOR_A_NEW_BATCH if given["resume"] else ())}
    if wrong:
        what = "one experiment" if given["name"] else "a resumed batch, which keeps its own"
        what = "a fleet" if fleet else what
        options = ", ".join(sorted(f"--{FLAGS.get(w, w).replace('_', '-')}" for w in wrong))
        raise ConfigurationError(f"{options} must not be given for {what}")


def run_wrap_batch(given: dict[str, Any]) -> int:
    """Run it and show how it goes.

    Returns:
        0 all that could run has finished; 1 something failed; 130 interrupted.

    Raises:
        ConfigurationError: nothing can run, or with --strict something can't.
        ConcurrentChangeError: the batch is at work already.
    """
    environment = dict(os.environ)  # the user's own, before .env and mlflow's defaults come in
    settings = load_settings()
    if given["dry_run"]:
        return _dry_run(given)
    # Bad input is said before the store is opened, which takes seconds.
    if given["resume"]:
        batch = load_batch(given["resume"], settings.work_dir)
        with locked_batch(batch):
            # Read again: another process may have gone on with it until a moment ago.
            batch = load_batch(given["resume"], settings.work_dir)
            given_again = parse_given(given["params"])
            plans = resume_batch(batch, connect(settings.tracking_uri).store, given_again)
            return _carry_out(batch, plans, given, environment)
    batch, plans = prepare_batch(_order(given), settings)
    check_runnable(batch, strict=given["strict"])
    store = connect(settings.tracking_uri).store
    store.list_experiments()  # makes a new store: two children at once would race for it
    batch.order = replace(batch.order, tracking_uri=store.tracking_uri)
    with locked_batch(batch):
        return _carry_out(batch, plans, given, environment)


def _carry_out(
    batch: Batch, plans: dict[str, WrapPlan], given: dict[str, Any], environment: dict[str, str]
) -> int:
    check_runnable(batch, strict=given["strict"])
    fleet_text.tell_skipped(batch)
    again = resume_command(batch, given["jobs"])
    say(f"batch {batch.batch_id}: {fleet_text.counts(batch)}")
    with fleet_text.make_view() as view:
        ended = run_batch(batch, plans, jobs=given["jobs"], environment=environment, view=view)
    wrong = bool(batch.count(FAILED, KILLED)) or not ended
    if given["as_json"]:
        result = batch.as_dict() | ({"resume": again} if wrong else {})
        print_json({**result, "status": result["status"] if ended else RunStatus.KILLED})
    else:
        fleet_text.print_batch(batch)
    if wrong:
        fleet_text.tell_failed(batch, again)
    if not ended:
        say("error: interrupted")
        return INTERRUPTED
    return 1 if wrong else 0


def resume_command(batch: Batch, jobs: int) -> str:
    command = shlex.join(
        ["guardianflow", "run", "--resume", batch.batch_id]
        + (["--jobs", str(jobs)] if jobs > 1 else [])
        + [word for name in batch.secret_params for word in ("-p", f"{name}={MARK}")]
    )
    return shown_command(command)


def _dry_run(given: dict[str, Any]) -> int:
    settings = load_settings()
    if given["resume"]:
        raise ConfigurationError(
            "--dry-run must not be given with --resume: what is finished is known from the store"
        )
    batch, plans = prepare_batch(_order(given), settings)
    check_runnable(batch, strict=given["strict"])
    if given["as_json"]:
        print_json(
            [
                {"name": each.name, "reason": each.reason or None}
                | (plans[each.name].as_dict() if each.name in plans else {})
                for each in batch.entries
            ]
        )
    else:
        fleet_text.print_plans(batch, plans)
    return 0


def _order(given: dict[str, Any]) -> WrapBatchOrder:
    file = given_path(given["experiments"]) if given["experiments"] else DEFAULT_FILE
    return WrapBatchOrder(
        script_type=given["script_type"],
        experiments=str(file.absolute()),
        customer=given["customer"],
        version=given["version"],
        params=parse_given(given["params"]),
        register=not given["no_register"],
        trust_weights=given["trust_weights"],
    )

"""`guardianflow run`: one script by name, or with --all, --customer and --resume a batch."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import replace

from experiments_adapters.legacy import DEFAULT_FILE
from experiments_adapters.legacy.arguments import parse_given
from guardianflow.contracts.errors import ConfigurationError, TrackingError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.redaction import MARK, shown_command
from guardianflow.support.terminal import print_json, say

from ..command_line import INTERRUPTED
from ..options import WrapCommand, options_of
from ..settings import load_settings
from ..wiring import connect, connect_to_work
from ..wrap.command import wrap
from ..wrap.plan import WrapPlan
from .batch import (
    FAILED,
    KILLED,
    Batch,
    WrapBatchOrder,
    check_runnable,
    load_batch,
    locked_batch,
    prepare_batch,
    resume_batch,
)
from .run import run_batch
from .text import counts, make_view, print_batch, print_plans, tell_failed, tell_skipped

FOR_A_BATCH = {"jobs", "strict"}
FOR_ONE = {"script"}
FOR_A_NEW_BATCH = {
    "everything", "customer", "script_type", "version", "experiments", "no_register",
    "trust_weights",
}  # fmt: skip


def run_or_batch(asked: WrapCommand) -> int:
    """Run what is asked for, and show how it goes.

    Raises:
        ConfigurationError: options that don't go together; see `wrap` and `run_wrap_batch` too.
    """
    check_asked(asked)
    return wrap(asked) if asked.name else run_wrap_batch(asked)


def check_asked(asked: WrapCommand) -> None:
    """One experiment by name, or a batch: the options must say which.

    Raises:
        ConfigurationError: every option that does not go with what is asked for.
    """
    new = bool(asked.everything or asked.customer)
    ways = {
        "NAME": bool(asked.name),
        "--all or --customer": new,
        "--resume": bool(asked.resume),
    }
    if sum(ways.values()) != 1:
        got = ", ".join(way for way, taken in ways.items() if taken)
        raise ConfigurationError(
            "one of NAME, --all, --customer C and --resume BATCH must be given but got "
            f"{got or 'none'}; guardianflow list experiments shows the names"
        )
    if asked.name:
        what, refused = "one experiment", FOR_A_BATCH
    elif new:
        what, refused = "a fleet", FOR_ONE
    else:
        what, refused = "a resumed batch, which keeps its own", FOR_ONE | FOR_A_NEW_BATCH
    if wrong := asked.written & refused:
        flags = sorted(each.flags for each in options_of(WrapCommand) if each.name in wrong)
        raise ConfigurationError(f"{', '.join(flags)} must not be given for {what}")


def run_wrap_batch(asked: WrapCommand) -> int:
    """Run a batch.

    Returns:
        0 all that could run has finished; 1 something failed; 130 interrupted.

    Raises:
        ConfigurationError: nothing can run, or with --strict something can't.
        ConcurrentChangeError: the batch is at work already.
    """
    environment = dict(os.environ)  # the user's own, before .env and mlflow's defaults come in
    settings = load_settings()
    if asked.dry_run and asked.resume:
        raise ConfigurationError(
            "--dry-run must not be given with --resume: what is finished is known from the store"
        )
    # Bad input is said before the store is opened, which takes seconds.
    if asked.resume:
        batch = load_batch(asked.resume, settings.work_dir)
        with locked_batch(batch):
            # Read again: another process may have gone on with it until a moment ago.
            batch = load_batch(asked.resume, settings.work_dir)
            given_again = parse_given(asked.params)
            plans = resume_batch(batch, connect(settings.tracking_uri).store, given_again)
            return _carry_out(batch, plans, asked, environment)
    batch, plans = prepare_batch(_order(asked), settings, dry_run=asked.dry_run)
    check_runnable(batch, strict=asked.strict)
    if asked.dry_run:
        return _show_plans(batch, plans, as_json=asked.as_json)
    store = connect_to_work(settings.tracking_uri).store
    with suppress(TrackingError):  # a spooled server that is away; each child tells it
        store.list_experiments()  # makes a new store: two children at once would race for it
    batch.order = replace(batch.order, tracking_uri=store.tracking_uri)
    with locked_batch(batch):
        return _carry_out(batch, plans, asked, environment)


def _carry_out(
    batch: Batch, plans: dict[str, WrapPlan], asked: WrapCommand, environment: dict[str, str]
) -> int:
    check_runnable(batch, strict=asked.strict)
    tell_skipped(batch)
    again = resume_command(batch, asked.jobs)
    say(f"batch {batch.batch_id}: {counts(batch)}")
    with make_view() as view:
        ended = run_batch(batch, plans, jobs=asked.jobs, environment=environment, show=view.show)
    wrong = bool(batch.count(FAILED, KILLED)) or not ended
    if asked.as_json:
        result = batch.as_dict() | ({"resume": again} if wrong else {})
        print_json({**result, "status": result["status"] if ended else RunStatus.KILLED})
    else:
        print_batch(batch)
    if wrong:
        tell_failed(batch, again)
    if not ended:
        say("error: interrupted")
        return INTERRUPTED
    return 1 if wrong else 0


def resume_command(batch: Batch, jobs: int) -> str:
    """The command that goes on with a batch; secrets are to be filled in."""
    command = shlex.join(
        ["guardianflow", "run", "--resume", batch.batch_id]
        + (["--jobs", str(jobs)] if jobs > 1 else [])
        + [word for name in batch.secret_params for word in ("-p", f"{name}={MARK}")]
    )
    return shown_command(command)


def _show_plans(batch: Batch, plans: dict[str, WrapPlan], *, as_json: bool) -> int:
    if as_json:
        print_json(
            [
                {"name": each.name, "reason": each.reason or None}
                | (plans[each.name].as_dict() if each.name in plans else {})
                for each in batch.entries
            ]
        )
    else:
        print_plans(batch, plans)
    return 0


def _order(asked: WrapCommand) -> WrapBatchOrder:
    file = given_path(asked.experiments) if asked.experiments else DEFAULT_FILE
    return WrapBatchOrder(
        script_type=asked.script_type,
        experiments=str(file.absolute()),
        customer=asked.customer,
        version=asked.version,
        params=parse_given(asked.params),
        register=not asked.no_register,
        trust_weights=asked.trust_weights,
    )

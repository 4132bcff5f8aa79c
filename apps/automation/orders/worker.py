"""Carries out one order in a process of its own.

    python -m apps.automation.orders.worker DIRECTORY ORDER_ID

A release follows where the scenario has a section `release`; whether that promotes is its policy's
word (release.auto_promote), never ours.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.results import StageResult
from guardianflow.run_tracking.connection import resolve_tracking_uri
from guardianflow.support.secrets.redaction import redact_text
from guardianflow.support.secrets.streams import keeping_secrets
from guardianflow.support.stop_signals import stop_signals
from guardianflow.support.terminal import say
from pipelines.console import make_reporter
from pipelines.design_result import DesignResult
from pipelines.runner import create_runner
from pipelines.settings import load_settings
from pipelines.stage.kinds import RELEASE, SWEEP
from pipelines.stage.plan import RunOptions

from ..ledger.ledger import Ledger
from ..ledger.moments import Moment
from ..ledger.records import Ended, Outcome
from .plans import Plan
from .starting import claim, plan_file

LONGEST_REASON = 2000


def main(folder: Path, order_id: str) -> int:
    """Take the order, where nobody has, and carry it out; the exit code."""
    ledger = Ledger(folder)
    if not claim(ledger, order_id):
        say(f"order {order_id} is another process's, or has ended")
        return 0
    run_id, reason, outcome = "", "", Outcome.FAILED
    try:
        with stop_signals(own_process=True, until_exit=True):
            plan = Plan.from_json(plan_file(ledger, order_id).read_text(encoding="utf-8"))
            run_id = carry_out(plan)
            outcome = Outcome.DONE
    except KeyboardInterrupt:
        outcome, reason = Outcome.INTERRUPTED, "it was interrupted"
    except (GuardianFlowError, OSError, ValueError) as exc:
        reason = redact_text(str(exc) or type(exc).__name__)[:LONGEST_REASON]
        say(f"error: {reason}")
    except Exception as exc:
        reason = redact_text(repr(exc))[:LONGEST_REASON]
        raise
    finally:
        ledger.append(
            Ended(at=Moment.now(), order_id=order_id, outcome=outcome, run_id=run_id, reason=reason)
        )
    return int(outcome is not Outcome.DONE)


def carry_out(plan: Plan) -> str:
    """Run it, and judge what it made; the id of its run.

    Raises:
        GuardianFlowError: it failed; the runs say so too.
    """
    settings, scenario = load_settings(), plan.scenario()
    # The plan's own is without a login that it may hold; a database may lie in this directory.
    plan = replace(plan, tracking_uri=resolve_tracking_uri(settings.tracking_uri))
    with contextlib.chdir(plan.base_dir):
        runner_of = partial(create_runner, settings=settings)
        options, reporter = plan.options(), make_reporter()
        result = runner_of(scenario, options=options, stage=plan.stage, reporter=reporter).run()
        if scenario.release is not None:
            options = RunOptions(
                tracking_uri=plan.tracking_uri,
                judged_sources=(judged_run(plan, result),),
                invocation="guardianflow release",
            )
            single, reporter = scenario.as_single(), make_reporter()
            runner_of(single, options=options, stage=RELEASE, reporter=reporter).run()
    return result.run_id


def judged_run(plan: Plan, result: StageResult) -> str:
    """The run whose model a release judges: of a sweep its best trial's."""
    if plan.stage == SWEEP:
        assert isinstance(result, DesignResult)
        return result.best_run_id
    return result.run_id


if __name__ == "__main__":
    with keeping_secrets():
        sys.exit(main(Path(sys.argv[1]), sys.argv[2]))

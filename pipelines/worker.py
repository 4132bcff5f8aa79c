"""`python -m pipelines.worker SCRATCH EVENTS_FD [STARTER_FD] < REQUEST`: one stage in a process.

Started by pipelines.stage.executor, never by people, or forked by its server: STARTER_FD then
stands for the starter's process, which is not this one's parent. The request comes by stdin, as it
may hold secrets, which belong into no file. What it prints goes to the stage's log; what it has to
say goes through the events descriptor.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.run_tracking.launcher import take_launcher_run
from guardianflow.support.child_processes import end_group, has_ended
from guardianflow.support.output_streams import surviving_output
from guardianflow.support.secrets.redaction import learn_mapping, redact_value
from guardianflow.support.secrets.streams import keeping_secrets
from guardianflow.support.stop_signals import let_through, stop_signals

from .stage.events import OUTCOME_FILE, EventSink, write_outcome
from .stage.stage import StageContext, StageRequest, execute, make_stage

PARENT_CHECK_S = 1.0
ORPHAN_GRACE_S = 60.0
"""For ending its run, with a slow store too."""


@keeping_secrets()
def main(argv: list[str]) -> int:
    scratch, descriptor = Path(argv[0]), int(argv[1])
    os.set_inheritable(descriptor, False)
    events = EventSink(descriptor)
    # The starter asks with SIGINT, also where it was started with SIGINT ignored.
    signals = stop_signals(held=True, always=[signal.SIGINT], own_process=True, until_exit=True)
    with surviving_output(), signals:
        threading.Thread(target=follow_starter, args=(starter_gone(argv[2:]),), daemon=True).start()
        take_launcher_run()  # before the experiment's code is imported: it must not see MLflow's
        return conclude(events, scratch)


def conclude(events: EventSink, scratch: Path) -> int:
    """Carry the stage out and leave what came of it: as a file, as an event, and in the log."""
    code, trace = 0, ""
    try:
        with let_through():
            outcome: dict[str, Any] = {"kind": "result", "result": carry_out(events, scratch)}
    except KeyboardInterrupt:
        code = 130
        outcome = error_of("KeyboardInterrupt", "interrupted", code)
    except GuardianFlowError as exc:
        code, trace = exc.exit_code, traceback.format_exc()
        outcome = error_of(type(exc).__name__, str(exc), code)
    except Exception as exc:
        code, trace = 1, traceback.format_exc()
        outcome = error_of(type(exc).__name__, str(exc) or repr(exc), code)
    try:
        write_outcome(scratch, redact_value("", outcome))
    except OSError as exc:
        trace += f"{OUTCOME_FILE} could not be written: {exc}\n"
    events.emit(**outcome)
    sys.stderr.write(trace)
    return code


def error_of(kind: str, message: str, exit_code: int) -> dict[str, Any]:
    return {"kind": "error", "type": kind, "message": message, "exit_code": exit_code}


def carry_out(events: EventSink, scratch: Path) -> dict[str, Any]:
    request = StageRequest.from_json(sys.stdin.buffer.read().decode("utf-8"))
    learn_mapping(vars(request))
    context = open_context(request, events, scratch)
    return execute(make_stage(context), context, log=scratch / "stage.log").to_dict()


def starter_gone(descriptors: list[str]) -> Callable[[], bool]:
    """Tells whether the process that started this one has ended."""
    if descriptors:
        return partial(has_ended, int(descriptors[0]))
    parent = os.getppid()
    return lambda: os.getppid() != parent


def follow_starter(gone: Callable[[], bool]) -> None:
    """Nobody is left to read the result once the starter is gone: stop, and end the run.

    Deep in native code no signal is answered; a worker that would go on for hours, with nobody to
    know of it, is killed after a while with all that it has started.
    """
    while not gone():
        time.sleep(PARENT_CHECK_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_S)
    end_group(os.getpid())


def open_context(request: StageRequest, events: EventSink, scratch: Path) -> StageContext:
    from scenario import parse_scenario

    from .settings import load_settings
    from .wiring import connect

    settings = load_settings().model_copy(update={"work_dir": Path(request.work_dir)})
    return StageContext(
        request=request,
        scenario=parse_scenario(request.scenario_yaml, "scenario.yaml"),
        settings=settings,
        ports=connect(request.tracking_uri),
        events=events,
        scratch=scratch,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

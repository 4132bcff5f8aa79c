"""`python -m pipelines.worker SCRATCH EVENTS_FD [STARTER] < REQUEST`: one stage in a process.

Started by pipelines.stage.executor, never by people: STARTER is `pid:` and the number of its
process, whose child this one is as long as it lives. Or forked by its server: STARTER is then a
descriptor that stands for the starter's process, which is not this one's parent.

The request comes by stdin, as it may hold secrets, which belong into no file. What the process
prints goes to the stage's log; what it has to say goes through the events descriptor.
"""

from __future__ import annotations

import gc
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

from experiments_adapters.failures.known import cure_of, reason_of
from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.run_tracking.launcher import take_launcher_run
from guardianflow.run_tracking.upkeep.ownership import was_started_by
from guardianflow.support.child_processes import end_group, has_ended, process_number
from guardianflow.support.large_libraries import end_process, importing
from guardianflow.support.output_streams import surviving_output
from guardianflow.support.process_identity import ProcessIdentity
from guardianflow.support.secrets.redaction import learn_mapping, redact_value
from guardianflow.support.secrets.streams import keeping_secrets
from guardianflow.support.stop_signals import let_through, stop_signals

from .stage.events import OUTCOME_FILE, EventSink, write_outcome
from .stage.execution.execute import execute
from .stage.kinds import TRAIN
from .stage.stage import StageContext, StageRequest, make_stage

PARENT = "pid:"
PARENT_CHECK_S = 1.0
ORPHAN_GRACE_S = 60.0
"""For ending its run, with a slow store too."""


def main(argv: list[str]) -> None:
    """Carry the stage out and end the process."""
    code, runs_users_code = work(argv)
    if runs_users_code:
        sys.exit(code)  # files that it left open are still written
    end_process(code)


@keeping_secrets()
def work(argv: list[str]) -> tuple[int, bool]:
    scratch, descriptor = Path(argv[0]), int(argv[1])
    os.set_inheritable(descriptor, False)
    events = EventSink(descriptor)
    # The starter asks with SIGINT, also where it was started with SIGINT ignored.
    signals = stop_signals(held=True, always=[signal.SIGINT], own_process=True, until_exit=True)
    with surviving_output(), signals:
        gone = starter_gone(argv[2:])
        threading.Thread(target=follow_starter, args=(gone,), daemon=True).start()
        if argv[2:]:
            was_started_by(starter_of(argv[2]))
        take_launcher_run()  # before the experiment's code is imported: it must not see MLflow's
        return conclude(events, scratch)


def conclude(events: EventSink, scratch: Path) -> tuple[int, bool]:
    """Carry the stage out and leave what came of it: as a file, as an event, and in the log.

    Returns:
        The process' exit code, and whether a user's code may have run in it.
    """
    code, trace, runs_users_code = 0, "", False
    try:
        with let_through():
            request = read_request()
            runs_users_code = request.stage == TRAIN
            result = carry_out(request, events, scratch)
            outcome: dict[str, Any] = {"kind": "result", "result": result}
    except KeyboardInterrupt as exc:
        code, trace = 130, traceback.format_exc() if exc.__cause__ else ""
        outcome = error_of(KeyboardInterrupt("interrupted"), code)
    except GuardianFlowError as exc:
        code, trace = exc.exit_code, traceback.format_exc()
        outcome = error_of(exc, code)
    except Exception as exc:
        code, trace = 1, traceback.format_exc()
        outcome = error_of(exc, code)
    try:
        write_outcome(scratch, redact_value("", outcome))
    except OSError as exc:
        trace += f"{OUTCOME_FILE} could not be written: {exc}\n"
    events.emit(**outcome)
    sys.stderr.write(trace)
    return code, runs_users_code


def error_of(exc: BaseException, exit_code: int) -> dict[str, Any]:
    cure = cure_of(exc) if exit_code == 1 else ""  # what the caller gave is told well enough
    return {
        "kind": "error",
        "type": type(exc).__name__,
        "message": ". ".join(filter(None, (str(exc) or repr(exc), cure))),
        "exit_code": exit_code,
        "failure_reason": reason_of(exc),
    }


def read_request() -> StageRequest:
    request = StageRequest.from_json(sys.stdin.buffer.read().decode("utf-8"))
    learn_mapping(vars(request))
    return request


def carry_out(request: StageRequest, events: EventSink, scratch: Path) -> dict[str, Any]:
    with importing():
        context = open_context(request, events, scratch)
        gc.freeze()  # mlflow is here for good: no collection need look through it
    return execute(make_stage(context), context, log=scratch / "stage.log").to_dict()


def starter_gone(named: list[str]) -> Callable[[], bool]:
    """Tells whether the process that started this one has ended, be it before this one could look.

    Args:
        named: the starter as `main` is given it; [] for the parent of this moment.
    """
    kind, _, number = (named[0] if named else f"{PARENT}{os.getppid()}").rpartition(":")
    if kind:
        return lambda: os.getppid() != int(number)
    return partial(has_ended, int(number))


def starter_of(named: str) -> ProcessIdentity:
    """The starter as `main` is given it."""
    kind, _, number = named.rpartition(":")
    return ProcessIdentity.of(int(number) if kind else process_number(int(number)))


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
    from .wiring import LatePorts, connect_to_work

    settings = load_settings().model_copy(update={"work_dir": Path(request.work_dir)})
    connect = partial(connect_to_work, request.tracking_uri, Path(request.work_dir))
    return StageContext(
        request=request,
        scenario=parse_scenario(request.scenario_yaml, "scenario.yaml"),
        settings=settings,
        # mlflow takes seconds to import, and most checks ask nothing of the store.
        ports=LatePorts(connect) if request.check_only else connect(),
        events=events,
        scratch=scratch,
    )


if __name__ == "__main__":
    main(sys.argv[1:])

"""`python -m pipelines.worker SCRATCH EVENTS_FD < REQUEST`: one stage in a process of its own.

Started by pipelines.executor, never by people. The request comes by stdin, as it may hold secrets
that belong into no file. What it prints goes to the stage's log; what it has to say goes through
the events descriptor.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

from guardianflow.contracts.errors import ConfigurationError, GuardianFlowError
from guardianflow.run_tracking.launcher import take_launcher_run
from guardianflow.support.redacted_streams import keeping_secrets
from guardianflow.support.redaction import learn_mapping

from .events import EventSink
from .stages import Stage, StageContext, StageRequest, execute

PARENT_CHECK_S = 1.0


@keeping_secrets()
def main(argv: list[str]) -> int:
    scratch, descriptor = Path(argv[0]), int(argv[1])
    os.set_inheritable(descriptor, False)
    events = EventSink(descriptor)
    signal.signal(signal.SIGTERM, raise_interrupt)
    signal.signal(signal.SIGINT, raise_interrupt)
    threading.Thread(target=follow_parent, args=(os.getppid(),), daemon=True).start()
    take_launcher_run()  # before the experiment's code is imported: it must not see MLflow's run
    try:
        request = StageRequest.from_json(sys.stdin.buffer.read().decode("utf-8"))
        learn_mapping(vars(request))
        context = open_context(request, events, scratch)
        result = execute(make_stage(context), context, log=scratch / "stage.log")
    except KeyboardInterrupt:
        events.emit("error", type="KeyboardInterrupt", message="interrupted", exit_code=130)
        return 130
    except GuardianFlowError as exc:
        traceback.print_exc()
        events.emit("error", type=type(exc).__name__, message=str(exc), exit_code=exc.exit_code)
        return exc.exit_code
    except Exception as exc:
        traceback.print_exc()
        events.emit("error", type=type(exc).__name__, message=str(exc) or repr(exc), exit_code=1)
        return 1
    events.emit("result", result=result.to_dict())
    return 0


def raise_interrupt(_signum: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a stage the way Ctrl-C does: the run is marked KILLED on the way out."""
    raise KeyboardInterrupt


def follow_parent(parent: int) -> None:
    """Nobody is left to read the result once the starter is gone: stop, and end the run."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os.kill(os.getpid(), signal.SIGTERM)


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


def make_stage(context: StageContext) -> Stage:
    """The stage's object; its module is imported here, so that train never loads OpenVINO."""
    if context.request.stage == "train":
        from .train import TrainStage

        return TrainStage(context)
    if context.request.stage == "quant":
        from .quant import QuantStage

        return QuantStage(context)
    if context.request.stage == "infer":
        from .infer import InferStage

        return InferStage(context)
    if context.request.stage == "release":
        from .release import ReleaseStage

        return ReleaseStage(context)
    raise ConfigurationError(f"unknown stage '{context.request.stage}'")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

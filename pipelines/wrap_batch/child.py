"""One experiment of a batch, wrapped in a process of its own.

    python -m pipelines.wrap_batch.child DESCRIPTOR < ORDER

The order comes by stdin: it may hold secrets, which belong into no file. What the script prints
goes to its run alone; what people should know goes to our own output, which is the batch's log of
this experiment; what the table shows goes to DESCRIPTOR as events.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from guardianflow.contracts.errors import GuardianFlowError, ScriptFailedError
from guardianflow.contracts.results import MetricPoint, RunRequest
from guardianflow.support.secrets.redaction import learn_mapping

from ..stage.events import EventSink
from ..wiring import Ports, Store

INTERRUPTED = 130


class ReportingStore:
    """The store, which also tells the batch which run was made and how far its numbers are."""

    def __init__(self, store: Store, sink: EventSink) -> None:
        self._store, self._sink = store, sink

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def start_run(self, request: RunRequest) -> str:
        run_id = self._store.start_run(request)
        self._sink.emit("run", run_id=run_id, run_name=request.run_name)
        return run_id

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        self._store.log_points(run_id, points)
        self._sink.emit("metrics", metrics={point.key: point.value for point in points})


def carry_out(order: dict[str, Any], sink: EventSink, environment: dict[str, str]) -> int:
    """Wrap the script that the order names; its outcome or its error goes to the sink.

    Args:
        order: values of WrapRequest, as JSON has them, and the store's `tracking_uri`.
        environment: the user's variables, as they were before any settings were read.
    """
    from guardianflow.support.terminal import say

    from ..settings import load_settings
    from ..wiring import connect_to_work
    from ..wrap.outcome import outcome_lines
    from ..wrap.plan import WrapRequest, make_plan
    from ..wrap.run import run_wrapped

    settings = load_settings()
    ports = connect_to_work(order.pop("tracking_uri"))
    experiments = Path(order.pop("experiments"))
    plan = make_plan(WrapRequest(**order, experiments=experiments))
    store = cast(Store, ReportingStore(ports.store, sink))
    outcome = run_wrapped(
        plan,
        settings,
        Ports(store, ports.registry, ports.aliases),
        environment=environment,
        tell=say,
    )
    say(outcome_lines(outcome))
    result = outcome.as_dict()
    sink.emit("result", result=json.loads(json.dumps(result, ensure_ascii=False, default=str)))
    return 0


def main(argv: Sequence[str]) -> int:
    from ..command_line import run_guarded

    environment = dict(os.environ)
    order = json.loads(sys.stdin.buffer.read())
    learn_mapping(order)
    sink = EventSink(int(argv[0]))

    def work() -> int:
        try:
            return carry_out(order, sink, environment)
        except GuardianFlowError as exc:
            # Which script, run and log it is stands beside it in the batch's table.
            reason = exc.reason if isinstance(exc, ScriptFailedError) else str(exc)
            sink.emit("error", type=type(exc).__name__, message=reason, exit_code=exc.exit_code)
            raise
        except KeyboardInterrupt:
            sink.emit("error", type="interrupted", message="interrupted", exit_code=INTERRUPTED)
            raise
        except Exception as exc:  # ours: the traceback is in the log, the batch goes on
            message = f"{type(exc).__name__}: {exc}"
            sink.emit("error", type=type(exc).__name__, message=message, exit_code=1)
            raise

    return run_guarded(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`guardianflow resume`: goes on with a run that did not end well."""

from __future__ import annotations

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.terminal import print_answer
from pipelines.command_line import show
from pipelines.console import make_reporter
from pipelines.resume import resume
from pipelines.settings import load_settings
from pipelines.wiring import connect

from ..options import ResumeCommand


def resume_run(asked: ResumeCommand) -> int:
    """Go on, and print what came of it; a FINISHED run is told and is no failure.

    Raises:
        ConfigurationError: no run is named.
        SourceError: an unknown run, or one that can't be gone on with.
        StageFailedError: it failed again, or another process is at it.
    """
    run_id = asked.run.strip().removeprefix("runs:/").strip("/")
    if not run_id or "/" in run_id:
        raise ConfigurationError(f"a run must be named by its id but got '{asked.run}'")
    settings = load_settings()
    ports = connect(settings.tracking_uri)
    try:
        resumed = resume(
            ports,
            settings,
            run_id,
            overrides=asked.overrides,
            reporter=make_reporter(),
            verbose=asked.verbose,
        )
    except KeyboardInterrupt as exc:
        raise KeyboardInterrupt(str(exc) or f"guardianflow resume {run_id}") from None
    if resumed is None:
        answer = {"run_id": run_id, "status": RunStatus.FINISHED, "resumed": False}
        print_answer(asked.as_json, answer, f"run {run_id} is FINISHED: nothing is left to do")
    else:
        show(resumed.scenario, resumed.result, as_json=asked.as_json)
    return 0

"""Finds finished runs that stand in for stages, in this process: no other is started to find out.

Nothing heavy is imported for it but mlflow, and no code of others runs. What can't be told so is
left to the stage's own process.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from guardianflow.contracts.measurements import is_busy
from guardianflow.contracts.results import LocalDataset, StageResult
from scenario import Scenario, parse_scenario

from ..settings import Settings
from ..stage.events import EventSink
from ..stage.execution.finished_runs import finished_twin
from ..stage.leftovers.logs import bring_logs
from ..stage.stage import StageContext, StageRequest, identity_of, make_stage
from ..wiring import Ports

# A stage's process has a log for what is odd about data; here the notice of it is enough.
logging.getLogger("guardianflow.site_data.datasets").addHandler(logging.NullHandler())
Told = Callable[[str, dict[str, Any]], None]
"""Title of a stage, and an event of it: see pipelines.stage.events."""


class ReuseLookup:
    """Looks at the stages of one command.

    Args:
        tell: what a stage says that is reused.
    """

    def __init__(self, ports: Ports, settings: Settings, tell: Told) -> None:
        self._ports, self._settings, self._tell = ports, settings, tell
        self._scenarios: dict[str, Scenario] = {}
        self._datasets: dict[object, LocalDataset] = {}

    def find(self, request: StageRequest) -> StageResult | None:
        """The finished run that stands in for a stage; None where it must be run, or tell."""
        if request.force or request.resume or request.check_only:
            return None
        events = HeldEvents()
        with self.looking(request, events) as context:
            identity = identity_of(make_stage(context))
            found = finished_twin(identity, context) if identity else None
            if found is not None:
                for event in events.held:
                    self._tell(request.title, event)
        if found is not None and is_busy(found.metrics):
            # The machine was waited for once; it is busy for the command's other stages, too.
            self._settings = self._settings.model_copy(update={"quiet_wait_s": 0.0})
        return found

    def take(self, request: StageRequest) -> StageResult | None:
        """As find; a run that stands in gets the log that a killed process could not give it."""
        found = self.find(request)
        if found is not None:
            work_dir = Path(request.work_dir)
            bring_logs(self._ports.store, work_dir, found.run_id, partial(self._say, request))
        return found

    def _say(self, request: StageRequest, text: str) -> None:
        self._tell(request.title, {"kind": "message", "text": text})

    def forget(self) -> None:
        """Look at the data anew: a stage has worked meanwhile, which may have taken days."""
        self._datasets.clear()

    @contextmanager
    def looking(self, request: StageRequest, events: EventSink) -> Iterator[StageContext]:
        """What a stage may use to identify itself; its scratch directory is gone afterwards."""
        text = request.scenario_yaml
        if text not in self._scenarios:
            self._scenarios[text] = parse_scenario(text, "scenario.yaml")
        settings = self._settings.model_copy(update={"work_dir": Path(request.work_dir)})
        with tempfile.TemporaryDirectory(prefix="guardianflow-look-") as scratch:
            yield StageContext(
                request,
                self._scenarios[text],
                settings,
                self._ports,
                events,
                Path(scratch),
                datasets=self._datasets,
            )


class HeldEvents(EventSink):
    """Keeps what is said until it is known whether anybody wants to hear it."""

    def __init__(self) -> None:
        super().__init__(None)
        self.held: list[dict[str, Any]] = []

    def emit(self, kind: str, **values: Any) -> None:
        self.held.append({"kind": kind, **values})

"""Looks at a scenario's recordings with one model; what is kept already is not looked at again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.recordings.alarms import RecordingDetections
from guardianflow.contracts.results import DetectorPackage
from scenario import Scenario

from ..measuring.alarms.detecting import detect_all, model_identity
from ..measuring.alarms.inputs import TEST, AlarmInputs, read_alarms, resolve_alarms
from ..settings import Settings
from ..stage.backend_check import require_backend
from ..stage.events import EventSink
from ..stage.inputs.sources import (
    device_within,
    fetch_source,
)
from ..stage.kinds import INFER
from ..stage.plan import Planner, RunOptions, find_source
from ..stage.stage import StageContext
from ..wiring import connect


@dataclass(frozen=True)
class Watched:
    """Recordings of one split, and what the model found in them."""

    inputs: AlarmInputs
    detections: dict[str, RecordingDetections]


@dataclass(frozen=True)
class Watch:
    """A model, and the recordings it looks at.

    Args:
        context: as of an infer stage, of which no run is made.
    """

    context: StageContext
    package: DetectorPackage

    def inputs(self, split: str = "") -> AlarmInputs:
        """Rules and recordings, read and checked.

        Args:
            split: 'val' or 'test'; '' takes those that an infer run is judged on.

        Raises:
            ScenarioError, DatasetError: rules or recordings that can't be used; all at once.
        """
        names = self.package.spec.class_names
        read = read_alarms if split else resolve_alarms
        inputs = read(self.context, names, split or TEST)
        assert inputs is not None  # `watching` has refused a scenario without alarms
        return inputs

    def look(self, wanted: Sequence[AlarmInputs]) -> list[Watched]:
        """What the model finds in the recordings of each."""
        from guardianflow.detector import Detector

        device = device_within(self.context, self.package.spec.backend)
        with Detector.open(self.package, device=device) as detector:
            identity = model_identity(self.context, detector)
            return [
                Watched(
                    each,
                    detect_all(
                        self.context,
                        detector,
                        each.recordings,
                        identity,
                        f"watching {each.split or 'the'} recordings",
                    ),
                )
                for each in wanted
            ]


@contextmanager
def watching(
    scenario: Scenario, source: str, settings: Settings, events: EventSink
) -> Iterator[Watch]:
    """Fetch a model for a scenario's recordings.

    Args:
        source: a run's id, runs:/…, models:/… or a path; '' takes the scenario's.

    Raises:
        ScenarioError: the scenario has no alarms, or names no model.
        SourceError: there is no such model.
    """
    require_alarms(scenario)
    ports = connect(settings.tracking_uri)
    options = RunOptions(source=source)
    planner = Planner(scenario, settings, options, ports.store.tracking_uri)
    request = planner.infer(find_source(scenario, source, INFER), check_only=True)
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.work_dir, prefix=".alarms-") as folder:
        context = StageContext(request, scenario, settings, ports, events, Path(folder))
        package = fetch_source(context, Path(folder) / "source")
        spec = package.spec
        device = device_within(context, spec.backend)
        require_backend(spec.backend, spec.precision, settings.probes_dir, device)
        yield Watch(context, package)


def require_alarms(scenario: Scenario) -> None:
    """Raises ScenarioError where the scenario has no alarms."""
    if scenario.alarms is None:
        raise ScenarioError(
            f"scenario '{scenario.name}' has no section alarms, so there is nothing to judge; "
            "write alarms: {recordings: {path: …}, rules: [{name: …, class: …}]}"
        )

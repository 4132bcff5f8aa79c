"""Stages in the test's own process: their context, their ports in memory, and quant stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from guardianflow.contracts.results import DetectorPackage, RunRequest, StageResult
from pipelines.quant.stage import QuantStage
from pipelines.settings import Settings
from pipelines.stage.events import EventSink
from pipelines.stage.execution.execute import execute
from pipelines.stage.stage import StageContext, StageRequest
from pipelines.wiring import Ports, in_memory
from scenario import Scenario, build_scenario

EXPERIMENT = "demo/seoul-plant1/full"


class RememberingSink(EventSink):
    """Keeps what a stage says."""

    def __init__(self, messages: list[str] | None = None) -> None:
        super().__init__(None)
        self.messages = [] if messages is None else messages

    def message(self, text: str) -> None:
        self.messages.append(text)


def context_of(
    request: StageRequest,
    scenario: Scenario,
    scratch: Path,
    ports: Ports | None = None,
    events: EventSink | None = None,
) -> StageContext:
    """A stage's context; without ports and events for what needs neither."""
    return StageContext(
        request,
        scenario,
        Settings(work_dir=Path(request.work_dir)),
        cast(Ports, ports),
        EventSink(None) if events is None else events,
        scratch,
    )


def request_of(stage: str, base_dir: Path, work_dir: Path, **given: Any) -> StageRequest:
    """What a stage is asked; names and places that no test looks at are filled in."""
    known = {
        "title": stage,
        "run_name": "run",
        "experiment_name": EXPERIMENT,
        "scenario_yaml": "",
        "base_dir": str(base_dir),
        "tracking_uri": "",
        "work_dir": str(work_dir),
    }
    return StageRequest(stage=stage, **(known | given))


class QuantDesk:
    """A store and a registry in memory that hold a detector, and quant stages on them.

    Args:
        folder: of this desk; gets the stages' scratch and work directories.
        source: the detector, registered as its train stage would.
        data: its data.yaml, or `demo://…`.
        calibration_size: images that int8 is calibrated on.
        sections: of the scenario, beside the usual ones.

    Attributes:
        events: told what stages say.
    """

    def __init__(
        self,
        folder: Path,
        source: DetectorPackage,
        data: Path | str,
        *,
        calibration_size: int,
        **sections: Any,
    ) -> None:
        self.ports = in_memory()
        self.store, self.registry = self.ports.store, self.ports.registry
        self.events: EventSink = EventSink(None)
        self.trained = self.store.start_run(RunRequest(EXPERIMENT, "ppe-yolo11n-train-v1"))
        self.registry.register(self.trained, source, f"{EXPERIMENT}/ppe")
        self.store.end_run(self.trained)
        self._folder, self._count = folder, 0
        self._calibration_size = calibration_size
        self._sections = {
            "name": "demo",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n", "input_size": source.spec.input_size},
            "dataset": {"path": str(data)},
            **sections,
        }

    def run(self, **quantization: object) -> StageResult:
        """A quant stage of the scenario with these values in its `quantization`."""
        self._count += 1
        scratch = self._folder / f"stage{self._count}"
        scratch.mkdir()
        asked = {"calibration_size": self._calibration_size, **quantization}
        scenario = build_scenario(self._sections | {"quantization": asked})
        variant = scenario.quantization_variants[0]
        request = request_of(
            "quant",
            self._folder,
            self._folder / "work",
            run_name=f"quant-{variant.variant}",
            source=f"runs:/{self.trained}",
            variant=variant.model_dump(mode="json"),
            variant_name=variant.variant,
        )
        context = context_of(request, scenario, scratch, self.ports, self.events)
        return execute(QuantStage(context), context)

    def names(self) -> list[str]:
        return [model.display_name for model in self.registry.list_models()]

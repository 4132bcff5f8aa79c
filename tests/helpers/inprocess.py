"""Stages carried out in the test's own process: the real work, without four starts of Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from guardianflow.contracts.errors import GuardianFlowError, StageFailedError
from guardianflow.contracts.results import StageResult
from guardianflow.run_tracking.fakes.store import InMemoryRegistry, InMemoryStore
from pipelines.settings import Settings
from pipelines.stage.events import EventSink
from pipelines.stage.kinds import make_stage
from pipelines.stage.stage import StageContext, StageRequest, execute
from pipelines.wiring import Ports
from scenario import load_scenario


class RememberingSink(EventSink):
    """Keeps what a stage says."""

    def __init__(self) -> None:
        super().__init__(None)
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@dataclass
class InProcessExecutor:
    """Like LocalExecutor, on a store in memory; keeps requests and messages."""

    folder: Path
    work_dir: Path
    store: InMemoryStore = field(default_factory=InMemoryStore)
    requests: list[StageRequest] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry = InMemoryRegistry(self.store)

    @property
    def ports(self) -> Ports:
        return cast(Ports, SimpleNamespace(store=self.store, registry=self.registry))

    @property
    def settings(self) -> Settings:
        return Settings(work_dir=self.work_dir)

    def opened(self, title: str, run_id: str) -> None:
        self.messages.append(f"{title} run {run_id}")

    def tell(self, text: str) -> None:
        self.messages.append(text)

    def run(self, request: StageRequest) -> StageResult:
        self.requests.append(request)
        scratch = self.folder / f"stage{len(self.requests)}"
        scratch.mkdir(parents=True)
        file = scratch / "scenario.yaml"
        file.write_text(request.scenario_yaml, encoding="utf-8")
        sink = RememberingSink()
        scenario, ports = load_scenario(file), self.ports
        context = StageContext(request, scenario, self.settings, ports, sink, scratch)
        try:
            return execute(make_stage(context), context)
        except GuardianFlowError as exc:
            runs = self.store.find_runs(tags={"guardianflow.stage": request.stage})
            made = next((run.run_id for run in runs if run.run_name == request.run_name), None)
            raise StageFailedError(
                request.title, str(exc), run_id=made, exit_code=exc.exit_code
            ) from exc
        finally:
            self.messages += sink.messages

"""Stages carried out in the test's own process: the real work, without four starts of Python."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contexts import RememberingSink, context_of

from guardianflow.contracts.errors import GuardianFlowError, StageFailedError
from guardianflow.contracts.ports import DetectorRegistry
from guardianflow.contracts.results import StageResult
from pipelines.settings import Settings
from pipelines.stage.execution.execute import execute
from pipelines.stage.stage import StageRequest, make_stage
from pipelines.wiring import Ports, Store, in_memory
from scenario import load_scenario


@dataclass
class InProcessExecutor:
    """Like LocalExecutor, on a store in memory; keeps requests and messages."""

    folder: Path
    work_dir: Path
    ports: Ports = field(default_factory=in_memory)
    requests: list[StageRequest] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    fork_server: nullcontext[None] = field(default_factory=nullcontext)

    @property
    def store(self) -> Store:
        return self.ports.store

    @property
    def registry(self) -> DetectorRegistry:
        return self.ports.registry

    @property
    def settings(self) -> Settings:
        return Settings(work_dir=self.work_dir)

    def opened(self, title: str, run_id: str) -> None:
        self.messages.append(f"{title} run {run_id}")

    def tell(self, text: str) -> None:
        self.messages.append(text)

    def event(self, title: str, event: dict[str, Any]) -> None:
        if "text" in event:
            self.messages.append(event["text"])

    def run(self, request: StageRequest) -> StageResult:
        self.requests.append(request)
        scratch = self.folder / f"stage{len(self.requests)}"
        scratch.mkdir(parents=True)
        file = scratch / "scenario.yaml"
        file.write_text(request.scenario_yaml, encoding="utf-8")
        sink = RememberingSink(self.messages)
        context = context_of(request, load_scenario(file), scratch, self.ports, sink)
        try:
            return execute(make_stage(context), context)
        except GuardianFlowError as exc:
            runs = self.store.find_runs(tags={"guardianflow.stage": request.stage})
            made = next((run.run_id for run in runs if run.run_name == request.run_name), None)
            raise StageFailedError(
                request.title, str(exc), run_id=made, exit_code=exc.exit_code
            ) from exc

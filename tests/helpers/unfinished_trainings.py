"""A training in the test's own process that can be ended anywhere, as by a kill, and gone on with.

The trainer is an author's: it writes last.json (its epoch and a number that each epoch changes) and
best.onnx, and resumes from the first. What a kill would leave is made by `Killed`, which nothing
catches, with the run set RUNNING again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from contexts import RememberingSink, context_of
from workplace import QUICK_TRAINER

from demo_scenes.scene import CLASS_NAMES
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.settings import Settings
from pipelines.stage.execution.execute import execute
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageRequest
from pipelines.train.stage import TrainStage
from pipelines.train.unfinished import Unfinished, all_unfinished
from pipelines.wiring import Ports, in_memory
from scenario import build_scenario

EXPERIMENT = "local/here-plant1/full"
RESUMING = """
    def __init__(self, model_config, training_config, dataset_config, work_dir=None,
                 resume_from=None):
        self.model, self.training, self.data = model_config, training_config, dataset_config
        self.work_dir, self.resume_from = Path(work_dir), resume_from

    def get_last_checkpoint_path(self):
        return self.work_dir / "last.json"

    def train(self):
        state = {"epoch": 0, "weight": 1.0}
        if self.resume_from:
            state = json.loads(Path(self.resume_from).read_text())
            TOLD.append(("resumed", state["epoch"], Path(self.resume_from)))
        for epoch in range(state["epoch"] + 1, self.training.epochs + 1):
            TOLD.append(("trained", epoch))
            self.on_batch_end(10 * epoch, {"loss": 1.0 / epoch})
            state = {"epoch": epoch, "weight": state["weight"] * 1.5}
            (self.work_dir / "last.json").write_text(json.dumps(state))
            HOOK(epoch)
            self.on_epoch_end(epoch, {"mAP50": epoch / 10, "weight": state["weight"]})
        AFTER()

"""


class NotingSink(RememberingSink):
    """Keeps what stays on the terminal, too."""

    def notice(self, text: str) -> None:
        self.messages.append(text)


class Killed(BaseException):
    """What a process that is killed does from there on: nothing."""


@dataclass
class Site:
    """A work directory, a store in memory, and trainings of one scenario.

    Attributes:
        hook: called in each epoch, between its checkpoint and its report.
        after: called once the last epoch is reported.
        told: what the trainer did, in order.
        messages: what people were told.
    """

    root: Path
    data_dir: Path
    ports: Ports = field(default_factory=in_memory)
    resumes: bool = True
    hook: Callable[[int], None] = lambda _epoch: None
    after: Callable[[], None] = lambda: None
    told: list[Any] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    attempts: int = 0

    def __post_init__(self) -> None:
        self.work_dir.mkdir(exist_ok=True)
        (self.work_dir / "datasets").symlink_to(self.data_dir)
        code = self.root / "code"
        code.mkdir()
        text = f"NAMES = {list(CLASS_NAMES)!r}\nimport json\n{QUICK_TRAINER}"
        if self.resumes:
            start, end = text.index("    def __init__"), text.index("    def before")
            text = text[:start] + RESUMING + text[end:]
            text += "\nHOOK, AFTER, TOLD = print, print, []\n"
        (code / "train.py").write_text(text, encoding="utf-8")

    @property
    def work_dir(self) -> Path:
        return self.root / "work"

    @property
    def store(self) -> Any:
        return self.ports.store

    def request(self, *, epochs: int = 6, **changes: Any) -> StageRequest:
        scenario = build_scenario(
            {
                "name": "command-line",
                "site": {"customer": "local", "region": "here"},
                "task": {"type": "ppe"},
                "model": {"architecture": "yolo11n", "input_size": 96},
                "dataset": {"path": "demo://ppe?images=14&size=96"},
                "training": {"epochs": epochs, "options": changes.pop("options", {})},
            }
        ).as_type("train")
        settings = Settings(work_dir=self.work_dir)
        options = RunOptions(code_path=str(self.root / "code"))
        request = Planner(scenario, settings, options, self.store.tracking_uri).train()
        return replace(request, **changes)

    def train(self, request: StageRequest | None = None, **changes: Any) -> StageResult:
        """One attempt: what the command does in its worker."""
        from scenario import parse_scenario

        request = request or self.request(**changes)
        self.attempts += 1
        scratch = self.root / f"stage{self.attempts}"
        scratch.mkdir()
        scenario = parse_scenario(request.scenario_yaml, "scenario.yaml")
        context = context_of(request, scenario, scratch, self.ports, NotingSink(self.messages))
        return execute(self._stage(context), context)

    def _stage(self, context: Any) -> TrainStage:
        site = self

        class Watched(TrainStage):
            def build_trainer(self, *given: Any, **more: Any) -> Any:
                trainer = super().build_trainer(*given, **more)
                names = type(trainer).train.__globals__
                names.update(
                    HOOK=lambda epoch: site.hook(epoch), AFTER=lambda: site.after(), TOLD=site.told
                )
                return trainer

        return Watched(context)

    def killed(self, **changes: Any) -> str:
        """An attempt that is killed, by `hook` or by a patch; the run that is left RUNNING."""
        try:
            self.train(**changes)
        except Killed:
            pass
        else:
            raise AssertionError("it was to be killed")
        self.hook, self.after = lambda _epoch: None, lambda: None
        (left,) = [run for run in self.store.find_runs() if run.status != RunStatus.FINISHED]
        self.store.reopen_run(left.run_id)
        return str(left.run_id)

    def place(self) -> Unfinished:
        ((place, _),) = all_unfinished(self.work_dir)
        return place

    def epochs(self, kind: str = "trained") -> list[int]:
        return [each[1] for each in self.told if each[0] == kind]

    def points(self, run_id: str, key: str) -> list[tuple[int, float]]:
        """Every point of a curve, in the order in which it was logged."""
        history: list[tuple[int, float]] = self.store._runs[run_id].metrics.get(key, [])
        return list(history)


def kill_at(epoch: int) -> Callable[[int], None]:
    def hook(now: int) -> None:
        if now == epoch:
            raise Killed

    return hook

"""A grid whose trainings have been carried out, and searches that are told what they came to.

The same parameters and seed train the same: a search that asked for the trainings anew would be
told the same, hours later.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from optuna.storages import InMemoryStorage, RDBStorage

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.design_result import DesignResult
from pipelines.pools.port import EndedStage, Listen, Needs
from pipelines.stage.plan import Planner
from pipelines.stage.stage import StageRequest
from pipelines.sweep.engine import Engine
from pipelines.sweep.runner import SweepRunner
from pipelines.sweep.search.combinations import Combination, TrialRun
from pipelines.sweep.search.storage import StudyPlace
from scenario.designs.trials import Value


class Memory(InMemoryStorage):
    """A study that nobody else asks and that ends with its process: hundreds a minute."""

    engine = SimpleNamespace(dispose=lambda: None)

    def get_heartbeat_interval(self) -> None: ...

    def remove_session(self) -> None: ...


class MemoryPlace(StudyPlace):
    """Keeps a study in memory."""

    def open(self, *, make: bool) -> RDBStorage:  # noqa: ARG002
        return cast(RDBStorage, Memory())


NEAR = 0.01
"""Of mAP50: so near to the grid's best counts as reached."""
Key = frozenset[tuple[str, Value]]
Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Recorded:
    """One training: mAP50 epoch by epoch, and at its end."""

    curve: Curve
    value: float


@dataclass(frozen=True)
class RecordedGrid:
    """Every combination of a grid with its training."""

    trainings: Mapping[Key, Recorded]

    @classmethod
    def of(cls, done: DesignResult, curve_of: Callable[[str], Curve]) -> RecordedGrid:
        """Args: curve_of: run → mAP50 by epoch."""
        return cls(
            {
                frozenset(each.params.items()): Recorded(
                    curve_of(each.run_id), each.values["mAP50"]
                )
                for each in done.trials
            }
        )

    @classmethod
    def read(cls, file: Path) -> RecordedGrid:
        return cls(
            {
                frozenset(each["params"].items()): Recorded(each["curve"], each["value"])
                for each in json.loads(file.read_text(encoding="utf-8"))
            }
        )

    def write(self, file: Path) -> None:
        trainings = [
            {"params": dict(key), "curve": each.curve, "value": each.value}
            for key, each in self.trainings.items()
        ]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(trainings, default=list), encoding="utf-8")

    @property
    def epochs(self) -> int:
        return sum(len(each.curve) for each in self.trainings.values())

    @property
    def best(self) -> float:
        return max(each.value for each in self.trainings.values())

    @property
    def told(self) -> list[float]:
        return sorted((round(each.value, 3) for each in self.trainings.values()), reverse=True)

    def epochs_until_reached(self, runner: SweepRunner, seed: int) -> int:
        """Epochs of a search up to the first trial that is near enough; the grid's, if none is."""
        sweep = runner.trials.sweep.model_copy(update={"seed": seed})
        scenario = runner.scenario.model_copy(update={"sweep": sweep})
        runner = SweepRunner(scenario, runner.options, runner.settings, runner.executor)
        place = MemoryPlace(runner.settings.work_dir, "", str(seed))
        planner = Planner(scenario, runner.settings, runner.options, "")
        trials = runner.trials
        pool = RecordedPool(self)
        with closing(runner.study_at(place, make=True)) as study:
            Engine(
                study,
                pool,
                trials.objectives,
                lambda run: trials.request(planner, run.trial),
                _Silent(),
            ).run()
        return pool.reached_after or self.epochs


@dataclass
class RecordedPool:
    """A pool of one place that tells what was measured, an epoch at a time.

    Attributes:
        epochs: told so far; a training that was stopped goes on where it was.
        reached_after: so many were told when the first one that is near enough ended; 0 if none.
    """

    grid: RecordedGrid
    epochs: int = 0
    reached_after: int = 0
    places: int = 1
    gpus: int = 0
    _asked: deque[tuple[int, StageRequest, Listen]] = field(default_factory=deque)
    _left: dict[Key, deque[tuple[int, float]]] = field(default_factory=dict)
    _stopped: dict[int, str] = field(default_factory=dict)
    _tickets: int = 0

    def submit(self, request: StageRequest, needs: Needs, listen: Listen) -> int:  # noqa: ARG002
        self._tickets += 1
        self._asked.append((self._tickets, request, listen))
        return self._tickets

    def next_ended(self, timeout_s: float | None = None) -> EndedStage | None:  # noqa: ARG002
        if not self._asked:
            return None
        ticket, request, listen = self._asked[0]
        params: dict[str, Any] = json.loads(request.tags["sweep.params"])
        key = frozenset(params.items())
        recorded = self.grid.trainings[key]
        left = self._left.setdefault(key, deque(recorded.curve))
        if ticket not in self._stopped and left:
            epoch, value = left.popleft()
            self.epochs += 1
            listen({"kind": "progress", "done": epoch, "total": len(recorded.curve), "note": "",
                    "metrics": {"det.mAP50": value}})  # fmt: skip
            return None
        self._asked.popleft()
        if reason := self._stopped.get(ticket):
            return EndedStage(ticket, stopped=reason)
        if recorded.value >= self.grid.best - NEAR:
            self.reached_after = self.reached_after or self.epochs
        name, metrics = request.run_name, {"det.mAP50": recorded.value}
        return EndedStage(ticket, StageResult("train", name, RunStatus.FINISHED, "", name, metrics))

    def stop(self, ticket: int, reason: str) -> None:
        self._stopped[ticket] = reason

    def close(self) -> None: ...


class _Silent:
    """Watches a search without a word."""

    def ended(self, run: TrialRun) -> None: ...

    def given_up(self, run: TrialRun) -> None: ...

    def replaced(self, run_id: str, run: TrialRun) -> None: ...

    def concluded(self, combinations: Sequence[Combination]) -> None: ...

    def moved(self, combinations: Sequence[Combination], total: int) -> None: ...

    def tell(self, text: str) -> None: ...

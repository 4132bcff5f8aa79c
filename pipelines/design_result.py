"""The result of a sweep, a comparison or an ablation, with what each of its runs came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import Scenario
from scenario.designs.metrics import metric_key
from scenario.designs.sections import SECTIONS, AblationConfig, ComparisonConfig, SweepConfig
from scenario.designs.trials import Trial, Value

from .stage.kinds import SWEEP


@dataclass(frozen=True)
class DesignTrial:
    """One run of a design.

    Args:
        combination: runs of the same parameters and other seeds have the same number.
        params: what it differs in.
        state: 'complete', 'pruned' or 'failed'.
        values: objective → what the run came to; empty unless it is complete.
        epochs: that it was trained, where it says so.
        tries: processes that worked on it.
    """

    index: int
    name: str
    combination: int
    state: str
    params: Mapping[str, Value]
    values: Mapping[str, float]
    run_id: str
    seconds: float = 0.0
    epochs: int = 0
    tries: int = 1
    reused: bool = False
    reason: str = ""


@dataclass(frozen=True)
class DesignResult(StageResult):
    """What `create_runner(scenario).run()` returns of a design.

    Args:
        best_run_id, best_metric, best_params: of the best combination by the first objective;
            best_metric is the mean over its seeds.
        completed_runs: those that ended well; total_runs: all.
        trials: every run, in order.
    """

    best_run_id: str = ""
    best_metric: float | None = None
    best_params: Mapping[str, Value] = field(default_factory=dict)
    completed_runs: int = 0
    total_runs: int = 0
    trials: tuple[DesignTrial, ...] = ()

    @property
    def parent_run_id(self) -> str:
        return self.run_id

    def own_values(self) -> dict[str, Any]:
        names = ("parent_run_id", "best_run_id", "best_metric", "completed_runs", "total_runs")
        return {
            **{name: getattr(self, name) for name in names},
            "best_params": dict(self.best_params),
            "trials": [asdict(trial) for trial in self.trials],
        }

    def own_rows(self) -> Mapping[str, str]:
        """What is best, and how many trials there were; the others have a table for that."""
        if self.stage != SWEEP:
            return {}
        best = ", ".join(f"{path} {value}" for path, value in self.best_params.items())
        ended = Counter(trial.state for trial in self.trials)
        counts = ", ".join(f"{count} {state}" for state, count in ended.items())
        known = self.best_metric is not None  # who joins a sweep may have done no trial of it
        return {
            "best": f"{self.best_metric:.4g} with {best}" if known else "none yet",
            "best run": self.best_run_id,
            "trials": f"{self.total_runs}: {counts}",
        }


def design_result(
    done: StageResult,
    trials: Sequence[Trial],
    values: Mapping[str, float],
    metric: str,
    **best: Any,
) -> DesignResult:
    """The result of a comparison or an ablation, whose stages are its trials in their order.

    Args:
        done: as its chain has it.
        values: run → what it came to by `metric`, where that is known of single runs.
        best: best_run_id, best_metric, best_params.
    """
    name = metric.removeprefix("det.")
    kinds: dict[str, int] = {}
    made = tuple(
        DesignTrial(
            trial.index,
            trial.name,
            kinds.setdefault(f"{trial.variable}={trial.value}", len(kinds)),
            "failed" if stage.status == RunStatus.FAILED else "complete",
            trial.changes,
            {name: values[stage.run_id]} if stage.run_id in values else {},
            stage.run_id,
            reused=stage.reused,
            reason=stage.reason,
        )
        for trial, stage in zip(trials, done.stages, strict=False)
    )
    completed = sum(each.state == "complete" for each in made)
    own = {each.name: getattr(done, each.name) for each in fields(done)}
    return DesignResult(
        **own, completed_runs=completed, total_runs=len(trials), trials=made, **best
    )


def with_choices(
    scenario: Scenario,
    section: SweepConfig | ComparisonConfig | AblationConfig,
    metric: str,
    parallel: int | None,
) -> Scenario:
    """A scenario whose sweep, comparison or ablation has another metric, or more runs at once.

    Raises:
        ScenarioError: there is no such metric.
    """
    changes: dict[str, Any] = {} if parallel is None else {"parallel": parallel}
    if metric:
        try:
            key = metric_key(metric)
        except ValueError as exc:
            raise ScenarioError(str(exc)) from exc
        several = isinstance(section, SweepConfig)  # a sweep may have several
        changes |= {"metric": (key,) if several else key, "direction": None}
    name = next(name for name, kind in SECTIONS.items() if isinstance(section, kind))
    return scenario.model_copy(update={name: section.model_copy(update=changes)})

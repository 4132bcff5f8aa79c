"""Trainings of a comparison or an ablation: one after the other, or several at once by a pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from guardianflow.contracts.errors import ComparisonFailedError, StageFailedError
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import AblationConfig, ComparisonConfig, Trial

from ..chain import Chain, Run
from ..design_result import DesignResult, with_choices
from ..pools.make import is_local, needs_of, pool_for
from ..pools.port import StagePool
from ..stage.executor import LocalExecutor
from ..stage.kinds import COMPARE
from ..stage.stage import StageRequest
from ..tables import VariantTable
from ..wiring import Ports


@dataclass(frozen=True)
class PooledRun:
    """Carries out one stage as `alone` does, and several at once by a pool.

    Args:
        device: the scenario's environment.device, which says whether a stage takes a GPU.
    """

    alone: Run
    pool: StagePool
    executor: LocalExecutor
    device: str

    def __call__(self, request: StageRequest) -> StageResult:
        return self.alone(request)

    def close(self) -> None:
        self.pool.close()

    def attempt_all(self, requests: Sequence[StageRequest]) -> list[StageResult]:
        """Every stage, in the order of requests; what is done already its own process finds."""
        needs = needs_of(self.device, self.pool)
        asked = {
            self.pool.submit(each, needs, partial(self._listen, each.title)): place
            for place, each in enumerate(requests)
        }
        results: dict[int, StageResult] = {}
        while len(results) < len(requests):
            ended = self.pool.next_ended()
            if ended is None:
                break
            place = asked[ended.ticket]
            request = requests[place]
            results[place] = ended.result or failed(request, ended.failure, ended.stopped)
            self.executor.tell(f"{request.title}: {results[place].status.lower()}")
        return [
            results.get(place) or failed(each, None, "the pool ended before it")
            for place, each in enumerate(requests)
        ]

    def _listen(self, title: str, event: dict[str, Any]) -> None:
        if event["kind"] != "started":  # of the pool, not of the stage
            self.executor.event(title, event)


class SeveralRuns(Chain):
    """A chain whose stages may be carried out several at once: a comparison or an ablation."""

    @property
    def section(self) -> ComparisonConfig | AblationConfig:
        raise NotImplementedError

    def trials(self) -> list[Trial]:
        """Raises ScenarioError: names each that contradicts the scenario."""
        raise NotImplementedError

    def result_of(self, done: StageResult) -> DesignResult:
        raise NotImplementedError

    def check(self) -> None:
        _ = self.section  # which raises where there is none
        self.trials()

    def run(
        self,
        connect: Callable[[str | None], Ports] | None = None,
        *,
        metric_key: str = "",
        parallel: int | None = None,
    ) -> DesignResult:
        """As Chain.run.

        Args:
            metric_key: what ranks or tells an effect, instead of the metric of the section.
            parallel: runs at once, instead of the section's.
        """
        if metric_key or parallel is not None:
            self.check()
            changed = with_choices(self.scenario, self.section, metric_key, parallel)
            return replace(self, scenario=changed).run(connect)
        return self.result_of(super().run(connect))

    def several(self, run: Run) -> AbstractContextManager[Run]:
        """`run`, by a pool where several are asked for at once, or other machines."""
        executor = self.options.executor
        places = self.options.parallel or self.section.parallel
        if is_local(executor) and (places or 1) == 1:
            return nullcontext(run)
        pool = pool_for(executor, places, self.executor)
        return closing(PooledRun(run, pool, self.executor, self.scenario.environment.device))


def tags_of(trial: Trial) -> dict[str, str]:
    """Of a child run: its place in the design."""
    return {
        "comparison.variable": trial.variable,
        "comparison.value": trial.value,
        "sweep.index": str(trial.index),
    }


def attempt(request: StageRequest, run: Run) -> StageResult:
    """One stage; its failure is a result, so that it does not end the others."""
    try:
        return run(request)
    except StageFailedError as exc:
        return failed(request, exc)


def attempt_all(requests: Sequence[StageRequest], run: Run) -> list[StageResult]:
    """Every stage as `attempt`, side by side where `run` can."""
    if isinstance(run, PooledRun):
        return run.attempt_all(requests)
    return [attempt(each, run) for each in requests]


def failed(request: StageRequest, exc: StageFailedError | None, told: str = "") -> StageResult:
    """The result of a stage that ended early."""
    run_id = (exc.run_id if exc else "") or ""
    return request.result(run_id, RunStatus.FAILED, reason=exc.reason if exc else told)


def raise_failures(results: Sequence[StageResult], table: VariantTable, of: str) -> None:
    """Raises ComparisonFailedError when something failed, naming each.

    Args:
        of: how many there are, and of what: '3 variants'.
    """
    failed = [each for each in results if each.status == RunStatus.FAILED]
    if failed:
        told = "".join(
            f"\n  - {each.variant or each.stage}: {each.reason}"
            + (f" (run {each.run_id})" if each.run_id else "")
            for each in failed
        )
        reason = f"{len(failed)} of {of} failed:{told}"
        raise ComparisonFailedError(COMPARE, reason, table, run_id=table.run_id)

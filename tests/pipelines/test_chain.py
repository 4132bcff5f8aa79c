"""What every chain promises, whatever its stages are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from detectors_of_a_site import sections
from inprocess import InProcessExecutor

from guardianflow.contracts.errors import ConfigurationError, MissingDependencyError
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines import create_runner
from pipelines.chain import Chain, Run, Work
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageRequest
from pipelines.wiring import Ports
from scenario import build_scenario

SMALL = {"path": "demo://ppe?images=14&size=96", "version": "v1"}
DESIGNS: dict[str, dict[str, Any]] = {
    "architectures": {"comparison": {"architectures": ["yolo11n", "yolo11s"], "parallel": 2}},
    "data sets": {
        "comparison": {
            "datasets": [
                {"name": f"site{n}", "path": f"demo://ppe?images={n}&size=96"} for n in (14, 15)
            ]
        }
    },
    "ablation": {"ablation": {"components": {"optimizer": ["adamw", "sgd"]}}},
    "sweep": {"sweep": {"parameters": {"optimizer": ["adamw", "sgd"]}}},
    "formats": {
        "comparison": {"quantization_variants": [{"backend": "onnx", "precision": "fp32"}]},
    },
}


def chain_of(executor: InProcessExecutor, design: str, asked: str) -> Chain:
    scenario = build_scenario(sections(dataset=SMALL, **DESIGNS[design]))
    options = RunOptions(executor=asked, source="abc")
    chain = create_runner(scenario, options=options, settings=executor.settings)
    return replace(cast(Chain, chain), executor=local(executor))


def local(executor: InProcessExecutor) -> LocalExecutor:
    return cast(LocalExecutor, executor)


@pytest.mark.parametrize("design", DESIGNS)
def test_an_executor_that_is_none_is_told_before_anything_else(
    executor: InProcessExecutor, design: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"must be one of local, ray, .* but got 'rai'"):
        chain_of(executor, design, "rai").run(lambda _: executor.ports)
    assert executor.store.find_runs() == []
    assert executor.requests == []


@pytest.mark.parametrize("design", ["architectures", "ablation"])
def test_a_cluster_that_can_not_be_used_is_told_before_a_run_is_made(
    executor: InProcessExecutor, design: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    with pytest.raises(MissingDependencyError, match=r"guardianflow\[ray\]"):
        chain_of(executor, design, "ray").run(lambda _: executor.ports)
    assert executor.store.find_runs() == []
    assert executor.requests == []


class Pooled(Chain):
    """Ends as it is told to; notes what happens to its pool."""

    KIND = "compare"
    seen: list[tuple[str, list[str]]]
    fails = False

    def planned(self) -> list[StageRequest]:
        return []

    def run_checks(self, planner: Planner) -> None: ...

    def tags(self) -> dict[str, str]:
        return {}

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        return []

    @contextmanager
    def several(self, run: Run) -> Iterator[Run]:
        self._note("opened")
        try:
            yield run
        finally:
            self._note("closed")

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        self._note("works")
        if self.fails:
            raise KeyboardInterrupt
        return [], {}

    def _note(self, what: str) -> None:
        runs = cast(InProcessExecutor, self.executor).store.find_runs()
        self.seen.append((what, [str(each.status) for each in runs]))


@pytest.mark.parametrize("fails", [False, True])
def test_a_pool_is_there_before_the_parent_run_and_is_closed_before_that_ends(
    executor: InProcessExecutor, fails: bool
) -> None:
    chain = Pooled(build_scenario(sections()), RunOptions(), executor.settings, local(executor))
    Pooled.seen, Pooled.fails = [], fails
    if fails:
        with pytest.raises(KeyboardInterrupt):
            chain.run(lambda _: executor.ports)
    else:
        chain.run(lambda _: executor.ports)
    assert chain.seen == [("opened", []), ("works", ["RUNNING"]), ("closed", ["RUNNING"])]
    (run,) = executor.store.find_runs()
    assert run.status == (RunStatus.KILLED if fails else RunStatus.FINISHED)


def test_stages_that_take_times_say_that_another_executor_does_not_run_them(
    executor: InProcessExecutor,
) -> None:
    options = RunOptions(executor="ray://head:10001")
    chain = Chain(build_scenario(sections()), options, executor.settings, local(executor))
    run = cast(Run, executor.run)
    with chain.several(run) as taken:
        assert taken == run
    (told,) = executor.messages
    assert told.startswith("its stages run on this machine and not by 'ray://head:10001'")

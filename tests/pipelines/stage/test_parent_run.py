"""A parent run is ended with its children, whatever happens below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.contracts.errors import SourceError, StageFailedError, TrackingError
from guardianflow.contracts.results import RunRequest
from pipelines.stage.parent_run import parent_run
from pipelines.stage.plan import RunOptions
from pipelines.wiring import Ports, in_memory
from scenario import Scenario, load_scenario

OPTIONS = RunOptions(resumable=True, invocation="guardianflow pipeline demo.yaml")


class Told:
    """Keeps what people are told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def opened(self, title: str, run_id: str) -> None:
        self.lines.append(f"{title} run {run_id}")

    def tell(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def scenario(repository: Path) -> Scenario:
    return load_scenario(repository / "configs/scenarios/demo.yaml")


@pytest.fixture
def ports() -> Ports:
    return in_memory()


def child(ports: Ports, scenario: Scenario, parent: str) -> str:
    name = scenario.get_experiment_name()
    return ports.store.start_run(RunRequest(name, "child", parent_run_id=parent))


def test_a_chain_that_went_well_is_finished(ports: Ports, scenario: Scenario) -> None:
    with parent_run(ports, scenario, OPTIONS, "parent", {"exp.type": "x"}, Told()) as run_id:
        pass
    run = ports.store.get_run(run_id)
    assert (run.status, run.tags["exp.type"]) == ("FINISHED", "x")


def test_its_id_is_told_at_its_start(ports: Ports, scenario: Scenario) -> None:
    told = Told()
    with parent_run(ports, scenario, OPTIONS, "parent", {}, told) as run_id:
        assert told.lines == [f"parent run {run_id}"]


def test_children_that_can_not_be_ended_hide_no_error(
    ports: Ports, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> list[str]:
        raise TrackingError("no search")

    monkeypatch.setattr(ports.store, "fail_running", refuse)
    told = Told()
    with (
        pytest.raises(StageFailedError, match="no memory"),
        parent_run(ports, scenario, OPTIONS, "parent", {}, told) as run_id,
    ):
        raise StageFailedError("train", "no memory")
    run = ports.store.get_run(run_id)
    assert run.status == "FAILED"
    assert "no memory" in run.tags["guardianflow.error"]
    assert "could not end the runs below" in told.lines[-1]


def test_a_failed_stage_leaves_nothing_running_and_says_the_way_back(
    ports: Ports, scenario: Scenario
) -> None:
    with (
        pytest.raises(StageFailedError) as caught,
        parent_run(ports, scenario, OPTIONS, "parent", {}, Told()) as run_id,
    ):
        started = child(ports, scenario, run_id)
        raise StageFailedError("train", "no memory", run_id=started, log="/tmp/x.log", exit_code=2)
    assert ports.store.get_run(run_id).status == "FAILED"
    assert ports.store.get_run(started).status == "FAILED"
    assert caught.value.resume == f"{OPTIONS.invocation} --resume {run_id}"
    assert caught.value.exit_code == 2
    for part in ("train", "no memory", started, "/tmp/x.log", "--resume"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (OSError, "FAILED")])
def test_interruption_and_surprise_end_the_run_too(
    ports: Ports, scenario: Scenario, error: type[BaseException], status: str
) -> None:
    with pytest.raises(error), parent_run(ports, scenario, OPTIONS, "parent", {}, Told()) as run_id:
        raise error
    assert ports.store.get_run(run_id).status == status


def test_a_failed_chain_goes_on_in_the_same_run(ports: Ports, scenario: Scenario) -> None:
    with (
        pytest.raises(OSError),
        parent_run(ports, scenario, OPTIONS, "parent", {}, Told()) as first,
    ):
        raise OSError
    again = RunOptions(resume=first)
    with parent_run(ports, scenario, again, "parent", {}, Told()) as second:
        assert ports.store.get_run(second).status == "RUNNING"
    assert second == first
    assert ports.store.get_run(first).status == "FINISHED"
    with (
        pytest.raises(SourceError, match="nothing to resume"),
        parent_run(ports, scenario, again, "parent", {}, Told()),
    ):
        pass


def test_a_run_of_another_site_is_not_resumed(ports: Ports, scenario: Scenario) -> None:
    other = ports.store.start_run(RunRequest("sampyo/gimhae-plant1/bct", "x"))
    ports.store.end_run(other, "FAILED")
    with (
        pytest.raises(SourceError, match="belongs to experiment sampyo"),
        parent_run(ports, scenario, RunOptions(resume=other), "parent", {}, Told()),
    ):
        pass


def test_only_a_pipeline_is_told_to_resume(ports: Ports, scenario: Scenario) -> None:
    options = RunOptions(invocation="guardianflow quant demo.yaml -s abc")
    with (
        pytest.raises(StageFailedError) as caught,
        parent_run(ports, scenario, options, "parent", {}, Told()),
    ):
        raise StageFailedError("quant", "broke")
    assert caught.value.resume == "guardianflow quant demo.yaml -s abc"


def test_under_mlflow_the_way_back_is_mlflows(ports: Ports, scenario: Scenario) -> None:
    options = RunOptions(resumable=True, invocation="mlflow run . -e full_pipeline")
    with (
        pytest.raises(StageFailedError) as caught,
        parent_run(ports, scenario, options, "parent", {}, Told()) as run_id,
    ):
        raise StageFailedError("train", "broke")
    assert caught.value.resume == f"mlflow run . -e full_pipeline -P resume={run_id}"


def test_the_way_back_says_which_word_is_a_secret(
    ports: Ports, scenario: Scenario, secrets_forgotten: None
) -> None:
    command = "guardianflow pipeline s.yaml -e git+https://t0ken@h/x"
    options = RunOptions(resumable=True, invocation=command)
    with (
        pytest.raises(KeyboardInterrupt) as caught,
        parent_run(ports, scenario, options, "parent", {}, Told()) as run_id,
    ):
        raise KeyboardInterrupt
    assert str(caught.value) == (
        f"guardianflow pipeline s.yaml -e git+https://REDACTED@h/x --resume {run_id}"
        "  # REDACTED stands for a secret, fill it in"
    )

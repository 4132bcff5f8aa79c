"""What can't be gone on with is refused with the way that leads on; nothing is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from contexts import EXPERIMENT

from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from pipelines.console import SilentReporter
from pipelines.resume import resume
from pipelines.settings import Settings
from pipelines.stage.parent_run import parent_run
from pipelines.stage.plan import RunOptions
from pipelines.wiring import Ports, in_memory
from scenario import load_scenario


@pytest.fixture
def ports() -> Ports:
    return in_memory()


def failed(ports: Ports, stage: str = "", **values: object) -> str:
    tags = {"guardianflow.stage": stage} if stage else {}
    run_id = ports.store.start_run(RunRequest(EXPERIMENT, "run", tags=tags, **values))  # type: ignore[arg-type]
    ports.store.end_run(run_id, RunStatus.FAILED)
    return run_id


def asked(ports: Ports, work_dir: Path, run_id: str) -> object:
    return resume(ports, Settings(work_dir=work_dir), run_id, reporter=SilentReporter())


def test_what_can_not_go_on_says_so(ports: Ports, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no run 'f00'"):
        asked(ports, tmp_path, "f00")
    with pytest.raises(SourceError, match="no run of a training, a pipeline or a comparison"):
        asked(ports, tmp_path, failed(ports))
    parent = failed(ports, "full_pipeline")
    child = failed(ports, "infer", parent_run_id=parent)
    with pytest.raises(SourceError, match=f"a run of 'infer'; it belongs to run {parent}"):
        asked(ports, tmp_path, child)
    with pytest.raises(SourceError, match=r"config/command\.json is missing"):
        asked(ports, tmp_path, parent)
    training = failed(ports, "train", parent_run_id=parent)
    with pytest.raises(SourceError, match=f"checkpoints are not in {tmp_path}") as raised:
        asked(ports, tmp_path, training)
    assert f"It belongs to run {parent}" in str(raised.value)
    runs = ports.store.find_runs()
    assert {run.status for run in runs} == {RunStatus.FAILED}


def test_a_finished_run_is_left_alone(ports: Ports, tmp_path: Path) -> None:
    run_id = ports.store.start_run(RunRequest(EXPERIMENT, "run"))
    ports.store.end_run(run_id)
    assert asked(ports, tmp_path, run_id) is None


def test_a_parent_says_what_was_asked_for_without_secrets(
    ports: Ports, repository: Path, tmp_path: Path, secrets_forgotten: None
) -> None:
    scenario = load_scenario(
        repository / "configs/scenarios/demo.yaml",
        overrides=["training.options.api_token=pa55-w0rd-of-the-plant"],
    )
    options = RunOptions(backend="onnx", register=False, code_path="../experiments/mine")

    class Silent:
        def opened(self, title: str, run_id: str) -> None: ...

        def tell(self, text: str) -> None:
            raise AssertionError(text)

    with parent_run(ports, scenario, options, "parent", {}, Silent()) as run_id:
        pass
    folder = ports.store.download(run_id, "config", tmp_path)
    command = (folder / "command.json").read_text(encoding="utf-8")
    assert '"backend": "onnx"' in command
    assert '"register": false' in command
    assert str(scenario.source_path) in command
    text = (folder / "scenario.yaml").read_text(encoding="utf-8")
    assert "pa55-w0rd-of-the-plant" not in text + command
    assert "architecture: yolo11n" in text

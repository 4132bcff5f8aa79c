"""What the one place that joins rooms gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from contexts import request_of
from made_bundles import spec

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import DetectorPackage, RunRequest
from pipelines.wiring import LatePorts, Ports, in_memory


def test_the_fakes_are_one_store(tmp_path: Path) -> None:
    ports = in_memory()
    run_id = ports.store.start_run(RunRequest("c/r-plant1/full", "train"))
    (tmp_path / "model.onnx").write_bytes(b"weights")
    package = DetectorPackage.create(tmp_path, spec())
    model = ports.registry.register(run_id, package, "c/r-plant1/full/ppe")
    assert model.run_id == run_id
    assert [each.version for each in ports.aliases.versions("c/r-plant1/full/ppe")] == ["1"]
    ports.aliases.set_alias("c/r-plant1/full/ppe", "champion", "1")
    assert ports.registry.describe("models:/c.r-plant1.full.ppe@champion").version == "1"
    assert in_memory().registry.list_models() == []


def test_late_ports_are_opened_by_the_first_question_and_once() -> None:
    opened: list[Ports] = []

    def connect() -> Ports:
        opened.append(in_memory())
        return opened[-1]

    late = LatePorts(connect)
    assert opened == []
    assert late.run_if_there(None) is None and opened == []
    run_id = late.store.start_run(RunRequest("c/r-plant1/full", "train"))
    assert late.run_if_there(run_id) is not None
    assert (late.registry, late.aliases) == (opened[0].registry, opened[0].aliases)
    assert len(opened) == 1


def test_what_keeps_late_ports_from_opening_is_told_whoever_asks() -> None:
    def connect() -> Ports:
        raise TrackingError("the store is away")

    late = LatePorts(connect)
    for ask in (lambda: late.store, lambda: late.registry, lambda: late.aliases):
        with pytest.raises(TrackingError, match="the store is away"):
            ask()


IMPORTED = """
import sys
from pathlib import Path

from pipelines.stage.events import EventSink
from pipelines.stage.stage import StageRequest
from pipelines.worker import open_context

request = StageRequest.from_json(sys.stdin.read())
context = open_context(request, EventSink(None), Path("scratch"))
print("mlflow" in sys.modules)
assert context.ports.store.find_runs() == [] and "mlflow" in sys.modules
"""


@pytest.mark.parametrize("check_only", [True, False])
def test_a_check_s_process_imports_mlflow_where_it_asks_the_store(
    tmp_path: Path, empty_store: Path, repository: Path, check_only: bool
) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    request = request_of(
        "train",
        tmp_path,
        tmp_path / "work",
        check_only=check_only,
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        scenario_yaml=(repository / "configs/scenarios/demo.yaml").read_text(encoding="utf-8"),
    )
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        input=request.to_json(),
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(not check_only)]

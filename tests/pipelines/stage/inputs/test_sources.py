"""The model that a stage starts from: what a run logged is what is taken."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import context_of, request_of
from registered_before import PYTORCH, unpack
from small_detectors import small_package

from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.fakes.store import InMemoryStore
from pipelines.settings import Settings
from pipelines.stage.inputs.sources import (
    WEIGHTS_TAG,
    fetch_registered,
    fetch_run_file,
    fetch_unregistered,
    log_weights,
)
from pipelines.wiring import connect
from scenario import build_scenario

SECTIONS = {
    "name": "demo",
    "site": {"customer": "demo", "region": "seoul"},
    "task": {"type": "ppe"},
    "model": {"architecture": "yolo11n"},
    "dataset": {"path": "demo://ppe"},
}


class OtherFiles:
    """A store whose artifacts were exchanged after the run had logged them."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def download(self, run_id: str, path: str, destination: Path) -> Path:
        found = self._store.download(run_id, path, destination)
        for file in [found] if found.is_file() else found.rglob("*.onnx"):
            file.write_bytes(file.read_bytes() + b"#")
        return found


def context(store: Any) -> Any:
    benchmark = SimpleNamespace(conf_threshold=0.25, iou_threshold=0.45)
    model = SimpleNamespace(input_size=64, architecture="small")
    scenario = SimpleNamespace(benchmark=benchmark, model=model, task=SimpleNamespace(classes=()))
    return cast(Any, SimpleNamespace(ports=SimpleNamespace(store=store), scenario=scenario))


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
def run_id(store: InMemoryStore, tmp_path: Path) -> str:
    """A quant run that registered nothing: its package lies under weights/."""
    made = store.start_run(RunRequest("site", "quant"))
    log_weights(store, made, small_package(tmp_path / "package", "onnx").directory)
    store.end_run(made)
    return made


def test_what_a_run_logged_is_taken(store: InMemoryStore, run_id: str, tmp_path: Path) -> None:
    run = store.get_run(run_id)
    assert fetch_unregistered(context(store), run, tmp_path / "out").spec.backend == "onnx"


def test_what_was_exchanged_since_is_refused(
    store: InMemoryStore, run_id: str, tmp_path: Path
) -> None:
    there = context(OtherFiles(store))
    with pytest.raises(SourceError, match="is not what the run logged"):
        fetch_unregistered(there, store.get_run(run_id), tmp_path / "a")
    with pytest.raises(SourceError, match=r"weights/model\.onnx of run .* is not what the run"):
        fetch_run_file(there, run_id, "weights/model.onnx", tmp_path / "b")
    store.annotate(run_id, tags={WEIGHTS_TAG: "{"})
    with pytest.raises(SourceError, match="can't be read"):
        fetch_unregistered(context(store), store.get_run(run_id), tmp_path / "c")


def test_a_model_from_before_is_taken_and_said_to_be_verified_by_the_old_rule(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    there = SimpleNamespace(
        ports=connect(unpack(tmp_path / "before").uri),
        request=SimpleNamespace(check_only=False, trust_weights=False),
        events=SimpleNamespace(message=said.append),
        settings=Settings(work_dir=tmp_path / "work"),
    )
    reference = f"models:/{PYTORCH}@candidate"
    package = fetch_registered(cast(Any, there), reference, tmp_path / "out")
    assert package.spec.backend == "pytorch"
    assert len(said) == 1
    assert said[0].startswith(f"{reference} is verified by the old rule")


def test_a_path_is_found_in_the_form_that_the_disk_has(tmp_path: Path) -> None:
    there = tmp_path / unicodedata.normalize("NFD", "가중치.pt")
    there.write_bytes(b"")
    request = request_of("train", tmp_path, tmp_path / "work")
    stage = context_of(request, build_scenario(SECTIONS), tmp_path)
    for typed in ("가중치.pt", unicodedata.normalize("NFD", "가중치.pt")):
        assert there in stage.places_of(Path(typed))
        assert stage.places_of(tmp_path / typed) == [there]

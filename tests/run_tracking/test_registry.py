"""What only the registry on MLflow does: all or nothing, and models that are none of ours."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from small_detectors import runtime_with

from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.contracts.results import DetectorPackage, RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.registry import MlflowRegistry

NAME = "donghwa-entec/busan-plant1/welding/ppe"
DOTTED = NAME.replace("/", ".")
# The calls of register() that write, in order.
STEPS = [
    "create_logged_model",
    "log_model_artifacts",
    "finalize_logged_model",
    "log_outputs",
    "create_registered_model",
    "create_model_version",
    "log_batch",
    "set_registered_model_alias",
]


@pytest.fixture
def store(sqlite_uri: str) -> MlflowStore:
    return MlflowStore(sqlite_uri)


@pytest.fixture
def registry(sqlite_uri: str) -> MlflowRegistry:
    return MlflowRegistry(sqlite_uri, runtime_with("numpy"))


def start(store: MlflowStore) -> str:
    return store.start_run(RunRequest("a/b/c", "x"))


def traces(uri: str, run_id: str, folder: Path) -> dict[str, Any]:
    """All that a registration leaves: registered models, versions, models, tags and files."""
    client = MlflowClient(tracking_uri=uri)
    models = client.search_registered_models()
    experiment = client.get_run(run_id).info.experiment_id
    return {
        "models": {model.name: dict(model.aliases) for model in models},
        "versions": [(v.name, v.version) for v in client.search_model_versions()],
        "logged": [m.model_id for m in client.search_logged_models([experiment])],
        "tags": {k: v for k, v in client.get_run(run_id).data.tags.items() if "registered" in k},
        "files": sorted(str(p) for p in folder.rglob("mlruns/**/*") if p.is_file()),
    }


@pytest.mark.parametrize(
    ("step", "earlier"),
    # A second version finds its registered model made: there is nothing to fail.
    [(step, False) for step in STEPS]
    + [(step, True) for step in STEPS if step != "create_registered_model"],
)
def test_a_failure_at_any_step_leaves_nothing(
    step: str,
    earlier: bool,
    store: MlflowStore,
    registry: MlflowRegistry,
    sqlite_uri: str,
    package: DetectorPackage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if earlier:
        registry.register(start(store), package, NAME)
    run_id = start(store)
    before = traces(sqlite_uri, run_id, tmp_path)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise MlflowException(f"{step}: the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, step, refuse)
        with pytest.raises(TrackingError, match="the disk is full") as caught:
            registry.register(run_id, package, NAME)
    assert not getattr(caught.value, "__notes__", [])
    assert traces(sqlite_uri, run_id, tmp_path) == before
    assert registry.register(run_id, package, NAME).aliases == ("candidate",)


def test_an_interrupt_right_after_the_alias_moved_puts_it_back(
    store: MlflowStore,
    registry: MlflowRegistry,
    sqlite_uri: str,
    package: DetectorPackage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry.register(start(store), package, NAME)
    run_id = start(store)
    store.annotate(run_id, tags={"registered_model_name": "somebody's"})
    before = traces(sqlite_uri, run_id, tmp_path)
    move = MlflowClient.set_registered_model_alias

    def interrupted(self: MlflowClient, name: str, alias: str, version: str) -> None:
        move(self, name, alias, version)
        if version != "1":
            raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", interrupted)
    for alias in ("candidate", "champion"):
        with pytest.raises(KeyboardInterrupt):
            registry.register(run_id, package, NAME, alias=alias)
        assert traces(sqlite_uri, run_id, tmp_path) == before


def test_what_cannot_be_taken_back_is_named(
    store: MlflowStore,
    registry: MlflowRegistry,
    package: DetectorPackage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise MlflowException("the server went away")

    monkeypatch.setattr(MlflowClient, "create_model_version", refuse)
    monkeypatch.setattr(MlflowClient, "delete_registered_model", refuse)
    with pytest.raises(TrackingError, match="the server went away") as caught:
        registry.register(start(store), package, NAME)
    assert len(caught.value.__notes__) == 1
    assert "registered model" in caught.value.__notes__[0]
    assert "left behind" in caught.value.__notes__[0]


def test_a_half_made_model_of_a_killed_process_is_not_taken_for_a_detector(
    store: MlflowStore,
    registry: MlflowRegistry,
    sqlite_uri: str,
    package: DetectorPackage,
    tmp_path: Path,
) -> None:
    run_id = start(store)
    client = MlflowClient(tracking_uri=sqlite_uri)
    client.create_logged_model(
        client.get_run(run_id).info.experiment_id, name="detector", source_run_id=run_id
    )
    with pytest.raises(SourceError, match="no detector"):
        registry.fetch(f"runs:/{run_id}", tmp_path / "out")
    registry.register(run_id, package, NAME)
    assert registry.fetch(f"runs:/{run_id}", tmp_path / "out").digest == package.digest


def test_a_model_whose_files_did_not_all_arrive_is_not_registered(
    store: MlflowStore,
    registry: MlflowRegistry,
    package: DetectorPackage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload = MlflowClient.log_model_artifacts

    def lose_one(client: MlflowClient, model_id: str, folder: str) -> None:
        cut = tmp_path / "cut"
        shutil.copytree(folder, cut, ignore=shutil.ignore_patterns("MLmodel"))
        upload(client, model_id, str(cut))

    run_id = start(store)
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_model_artifacts", lose_one)
        with pytest.raises(TrackingError, match=r"'MLmodel' .* did not arrive"):
            registry.register(run_id, package, NAME)
    assert not registry.list_models()
    registry.register(run_id, package, NAME)
    assert registry.fetch(f"runs:/{run_id}", tmp_path / "out").digest == package.digest


def test_a_model_of_another_kind_is_no_detector(
    store: MlflowStore, registry: MlflowRegistry, sqlite_uri: str, tmp_path: Path
) -> None:
    client = MlflowClient(tracking_uri=sqlite_uri)
    run_id = start(store)
    logged = client.create_logged_model(client.get_run(run_id).info.experiment_id, name="other")
    client.finalize_logged_model(logged.model_id, "READY")
    client.create_registered_model("resnet")
    client.create_model_version(
        "resnet", logged.artifact_location, run_id, tags={"logged_model_id": logged.model_id}
    )
    client.create_model_version("resnet", "file:///nowhere", run_id)
    for version in ("1", "2"):
        with pytest.raises(SourceError, match="not registered by GuardianFlow"):
            registry.fetch(f"models:/resnet/{version}", tmp_path / "out")
    assert [model.run_id for model in registry.list_models("resnet")] == [run_id, run_id]


def test_a_deleted_model_is_told(
    store: MlflowStore,
    registry: MlflowRegistry,
    sqlite_uri: str,
    package: DetectorPackage,
    tmp_path: Path,
) -> None:
    registry.register(start(store), package, NAME)
    client = MlflowClient(tracking_uri=sqlite_uri)
    client.delete_logged_model(client.get_model_version(DOTTED, "1").tags["logged_model_id"])
    with pytest.raises(SourceError, match="have been deleted"):
        registry.fetch(f"models:/{NAME}", tmp_path / "out")


def test_files_that_changed_in_the_store_are_refused(
    store: MlflowStore, registry: MlflowRegistry, package: DetectorPackage, tmp_path: Path
) -> None:
    registry.register(start(store), package, NAME)
    (stored,) = (tmp_path / "store").rglob("detector/model.onnx")
    good = stored.read_bytes()
    stored.write_bytes(good + b"1")
    with pytest.raises(SourceError, match="sha256"):
        registry.fetch(f"models:/{NAME}", tmp_path / "out")
    # A whole other package in its place agrees with itself, but not with what was registered.
    DetectorPackage.create(stored.parent, package.spec)
    with pytest.raises(SourceError, match="is not what was registered"):
        registry.fetch(f"models:/{NAME}", tmp_path / "out")
    stored.unlink()
    with pytest.raises(SourceError, match="different from"):
        registry.fetch(f"models:/{NAME}", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".fetch-*"))

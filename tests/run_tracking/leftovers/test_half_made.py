"""What a killed registration leaves is found and removed; what is being made, or whole, never."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from owners import elsewhere, gone, living

from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.results import DetectorPackage, RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.leftovers.half_made import HalfMadeModels
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.model_pages.descriptions import of_model, with_ours
from guardianflow.run_tracking.registry import MlflowRegistry
from guardianflow.run_tracking.upkeep.ownership import PROCESS_TAG

NAME = "demo-construction.seoul-plant1.full.ppe"


def maker(tags: dict[str, str]) -> dict[str, str]:
    return {PROCESS_TAG: tags[PROCESS_TAG]}


@pytest.fixture
def client(sqlite_uri: str) -> MlflowClient:
    return MlflowClient(sqlite_uri)


@pytest.fixture
def store(sqlite_uri: str) -> MlflowStore:
    return MlflowStore(sqlite_uri)


def halves(sqlite_uri: str) -> list[tuple[str, str]]:
    return sorted((each.half, each.name) for each in HalfMadeModels(sqlite_uri).find())


def logged(
    store: MlflowStore, client: MlflowClient, tags: dict[str, str], owner: dict[str, str]
) -> tuple[str, str]:
    """A PENDING model of a run; their ids."""
    run_id = store.start_run(RunRequest("a/b/c", "x", owner))
    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(
        experiment, name="detector", source_run_id=run_id, tags=maker(tags) if tags else None
    )
    return run_id, model.model_id


def test_an_empty_model_goes_only_where_its_maker_is_gone(
    sqlite_uri: str, client: MlflowClient
) -> None:
    ours = with_ours("", of_model("gone"))
    client.create_registered_model("gone", tags=maker(gone()), description=ours)
    client.create_registered_model("living", tags=maker(living()))
    client.create_registered_model("elsewhere", tags=maker(elsewhere()))
    client.create_registered_model("others")
    client.create_registered_model("described", tags=maker(gone()), description="the gate's")
    client.create_registered_model("kept", tags={**maker(gone()), "guardianflow.journal.1": "x"})
    assert halves(sqlite_uri) == [("registered_model", "gone")]
    (half,) = HalfMadeModels(sqlite_uri).find()
    assert half.remove()
    left = {model.name for model in client.search_registered_models()}
    assert left == {"living", "elsewhere", "others", "described", "kept"}
    assert not half.remove()


def test_a_version_that_comes_before_the_removal_is_not_lost(
    sqlite_uri: str, client: MlflowClient, package: DetectorPackage, store: MlflowStore
) -> None:
    """The model was empty when it was found, and is another process' by now."""
    client.create_registered_model(NAME, tags=maker(gone()))
    (half,) = HalfMadeModels(sqlite_uri).find()
    registry = MlflowRegistry(sqlite_uri, runtime_of)
    made = registry.register(store.start_run(RunRequest("a/b/c", "x")), package, NAME)
    assert not half.remove()
    assert [model.uri for model in registry.list_models()] == [made.uri]
    assert registry.describe(f"models:/{NAME}@candidate").version == made.version


def test_a_version_that_comes_while_the_model_is_set_aside_finds_its_way_back(
    sqlite_uri: str, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_registered_model(NAME, tags=maker(gone()))
    (half,) = HalfMadeModels(sqlite_uri).find()
    rename = MlflowClient.rename_registered_model

    def late(self: MlflowClient, name: str, new_name: str) -> object:
        if name == NAME:
            client.create_model_version(NAME, "file:///nowhere")
        return rename(self, name, new_name)

    monkeypatch.setattr(MlflowClient, "rename_registered_model", late)
    assert not half.remove()
    assert [each.version for each in client.search_model_versions(f"name = '{NAME}'")] == [1]


def test_a_model_that_is_removed_under_a_registration_is_made_again(
    sqlite_uri: str,
    client: MlflowClient,
    package: DetectorPackage,
    store: MlflowStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.create_registered_model(NAME, tags=maker(gone()))
    create = MlflowClient.create_model_version

    def reaped_before(self: MlflowClient, name: str, *given: object, **more: object) -> object:
        for half in [*HalfMadeModels(sqlite_uri).find()]:
            half.remove()
        return create(self, name, *given, **more)

    monkeypatch.setattr(MlflowClient, "create_model_version", reaped_before)
    registry = MlflowRegistry(sqlite_uri, runtime_of)
    made = registry.register(store.start_run(RunRequest("a/b/c", "x")), package, NAME)
    assert (made.version, made.aliases) == ("1", ("candidate",))


def test_a_registration_leaves_nothing_that_is_taken_for_a_half(
    sqlite_uri: str, client: MlflowClient, package: DetectorPackage, store: MlflowStore
) -> None:
    run_id = store.start_run(RunRequest("a/b/c", "x", gone()))
    MlflowRegistry(sqlite_uri, runtime_of).register(run_id, package, NAME)
    for status in (RunStatus.KILLED, RunStatus.FINISHED):
        store.end_run(run_id, status)
        assert halves(sqlite_uri) == []
    assert PROCESS_TAG not in client.get_registered_model(NAME).tags


@pytest.mark.parametrize(
    ("made_by", "run_of", "status", "is_half"),
    [
        (gone, gone, "RUNNING", True),
        (gone, gone, "KILLED", True),
        (gone, gone, "FINISHED", True),
        (gone, living, "RUNNING", False),  # it was resumed, and takes up what it finds
        (living, gone, "KILLED", False),  # sent later, by a process that lives
        (elsewhere, gone, "KILLED", False),
        (dict, gone, "KILLED", False),  # others', or an older GuardianFlow's
    ],
)
def test_an_unfinished_model_goes_only_where_maker_and_run_are_over(
    sqlite_uri: str,
    client: MlflowClient,
    store: MlflowStore,
    made_by: Callable[[], dict[str, str]],
    run_of: Callable[[], dict[str, str]],
    status: str,
    is_half: bool,
) -> None:
    run_id, model_id = logged(store, client, made_by(), run_of())
    if status != "RUNNING":
        store.end_run(run_id, RunStatus(status))
    found = [*HalfMadeModels(sqlite_uri).find()]
    assert [each.name for each in found] == [model_id] * is_half
    for half in found:
        assert half.run_id == run_id
        assert half.remove()
        assert not half.remove()
        with pytest.raises(MlflowException):
            client.get_logged_model(model_id)


def test_a_run_that_is_taken_up_before_the_removal_keeps_its_model(
    sqlite_uri: str, client: MlflowClient, store: MlflowStore
) -> None:
    run_id, model_id = logged(store, client, gone(), gone())
    store.end_run(run_id, RunStatus.KILLED)
    (half,) = HalfMadeModels(sqlite_uri).find()
    store.reopen_run(run_id)
    assert not half.remove()
    assert client.get_logged_model(model_id).model_id == model_id


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from mlflow import MlflowClient
from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.detector_package import DetectorPackage
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking import connection
connection.import_sql_store()
uri, package = sys.argv[1:3]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
for step in sys.argv[3:]:
    pid = os.fork()
    if pid == 0:
        from guardianflow.run_tracking.mlflow_store import MlflowStore
        from guardianflow.run_tracking.registry import MlflowRegistry
        run = MlflowStore(uri).start_run(RunRequest("a/b/c", step))
        setattr(MlflowClient, step, die)
        registry = MlflowRegistry(uri, runtime_of)
        registry.register(run, DetectorPackage.load(Path(package)), "site.plant.full." + step)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == -9, (step, code)
"""
STEPS = (
    "log_model_artifacts",
    "finalize_logged_model",
    "create_registered_model",
    "create_model_version",
    "set_registered_model_alias",
)


@pytest.mark.slow
def test_after_kills_at_every_step_only_what_is_whole_is_left(
    sqlite_uri: str, client: MlflowClient, package: DetectorPackage, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_AT, sqlite_uri, str(package.directory), *STEPS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    found = [*HalfMadeModels(sqlite_uri).find()]
    assert sorted(each.half for each in found) == ["logged_model"] * 4 + ["registered_model"]
    assert all(each.remove() for each in found)
    assert halves(sqlite_uri) == []
    # Killed once it had its version: that is whole but for its alias, and stays.
    (version,) = client.search_model_versions()
    assert version.name == "site.plant.full.set_registered_model_alias"
    names = {model.name for model in client.search_registered_models()}
    assert names == {version.name}
    assert client.get_logged_model(version.tags["logged_model_id"]).status == "READY"
    files = [*(Path(sqlite_uri.removeprefix("sqlite:///")).parent / "mlruns").rglob("model.onnx")]
    assert len(files) == 1

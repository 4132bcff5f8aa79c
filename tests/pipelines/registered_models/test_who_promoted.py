"""Who promoted is who the server has authenticated: against MLflow's own server with logins."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from small_detectors import runtime_with, small_package
from team_servers import has_logins, mlflow_server

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.registry import MlflowRegistry
from guardianflow.run_tracking.services.server import login_of
from pipelines.registered_models.registry import ModelRegistry

NAME = "동화/부산-1공장/용접/ppe__onnx_fp32"
ADMIN, PASSWORD = ("admin", "password-of-the-admin"), "password-of-a-test-9"
HERE = f"{getpass.getuser()}@{socket.gethostname()}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Three accounts: the admin, kim and lee. Who has made a model may change it, others read."""
    if not has_logins():
        pytest.skip("flask-wtf is not installed: the server has no logins")
    folder = tmp_path_factory.mktemp("server")
    logins = folder / "basic_auth.ini"
    logins.write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{folder / 'logins.db'}\nadmin_username = {ADMIN[0]}\n"
        "auth_cache_ttl_seconds = 30\n"  # as deployed: a password is hashed slowly on purpose
    )
    arguments = [
        *("--app-name", "basic-auth", "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(logins),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN[0],
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "secret-key-of-a-test",
    }
    with mlflow_server(arguments, folder, environment) as url:
        for name in ("kim", "lee"):
            requests.post(
                f"{url}/api/2.0/mlflow/users/create",
                json={"username": name, "password": PASSWORD},
                auth=ADMIN,
                timeout=60,
            ).raise_for_status()
        yield url


@pytest.fixture
def as_user(server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModelRegistry]:
    def login(name: str, password: str = PASSWORD) -> ModelRegistry:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        return ModelRegistry(server)

    return login


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_journal_names_the_login_that_the_server_knows_and_nobody_can_take_another_s(
    server: str,
    as_user: Callable[..., ModelRegistry],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kim = as_user("kim")
    for seed in range(2):
        package = small_package(tmp_path / f"package-{seed}", "onnx", seed)
        run_id = MlflowStore(server).start_run(RunRequest("동화/부산-1공장/용접", f"ppe-v{seed}"))
        MlflowRegistry(server, runtime_with("numpy")).register(
            run_id, package, NAME, alias="candidate"
        )
    assert kim.promote(NAME, 1, reason="first", force=True).who == f"kim ({HERE})"
    # What somebody says of himself stands behind what the server knows.
    assert kim.promote(NAME, 2, force=True, reason="newer", who="lee").who == "kim (lee)"

    lee = as_user("lee")  # may read
    assert lee.resolve(NAME)[1].version == "2"
    with pytest.raises(GuardianFlowError, match=r"(?i)permission|denied"):
        lee.rollback(NAME, reason="mine is better", who="kim")
    impostor = as_user("kim", "password-of-lee-0000")
    with pytest.raises(GuardianFlowError):
        impostor.rollback(NAME, reason="mine is better")

    kim = as_user("kim")
    assert kim.resolve(NAME)[1].version == "2"
    assert kim.rollback(NAME, reason="back").who == f"kim ({HERE})"
    assert [entry.who for entry in kim.history(NAME)] == [
        *(f"kim ({HERE})", "kim (lee)", f"kim ({HERE})"),
    ]
    # A login in the address counts alone where the environment has none.
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
    assert login_of(server.replace("://", f"://lee:{PASSWORD}@")) == "lee"
    assert login_of(server) == ""


def test_a_login_that_nobody_has_checked_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database takes any: what the environment says is no proof."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "director")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    package = small_package(tmp_path / "package", "onnx")
    run_id = MlflowStore(uri).start_run(RunRequest("동화/부산-1공장/용접", "ppe-v1"))
    MlflowRegistry(uri, runtime_with("numpy")).register(run_id, package, NAME, alias="candidate")
    assert ModelRegistry(uri).promote(NAME, force=True, reason="first").who == HERE

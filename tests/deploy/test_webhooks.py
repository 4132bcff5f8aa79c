"""Whom an MLflow server's webhooks may call, as deploy/compose.yaml starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from team_servers import mlflow_server, service

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    arguments = [
        "--workers=1",
        f"--backend-store-uri=sqlite:///{tmp_path / 'mlflow.db'}",
        f"--artifacts-destination={tmp_path / 'artifacts'}",
    ]
    with mlflow_server(arguments, tmp_path, {}) as url:
        yield url


def test_a_plant_s_own_network_is_called_only_where_that_is_allowed(
    server: str, repository: Path
) -> None:
    """What is allowed, and signed: test_workspaces.py."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(server)
    events = ["model_version_alias.created"]
    for url in ("https://127.0.0.1:8443/hook", "https://10.1.2.3/hook", "http://gateway.plant/"):
        with pytest.raises(MlflowException, match=r"[Ww]ebhook"):
            client.create_webhook("gateway", url, events, secret="s")
    assert list(client.list_webhooks()) == []
    environment = service(repository, "mlflow")["environment"]
    assert environment["MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS"].endswith(":-false}")
    assert "init-secrets" in environment["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"]

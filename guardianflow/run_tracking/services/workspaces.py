"""The workspace of an MLflow server that this process works in: MLFLOW_WORKSPACE.

mlflow names it to the server at every call. What lies on this machine for a store (journals,
trainings that can go on, rows of metrics) belongs to one workspace of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "MLFLOW_WORKSPACE"


def own_workspace() -> str:
    """Its name; '' where none is named, which is the server's default one."""
    return os.environ.get(VARIABLE, "").strip()


def with_workspace(address: str, workspace: str | None = None) -> str:
    """An address that tells workspaces apart; as it is where none is named.

    Args:
        workspace: None takes this process' own.
    """
    name = own_workspace() if workspace is None else workspace
    return f"{address}#workspace={name}" if name else address


@contextmanager
def in_workspace(name: str) -> Iterator[None]:
    """Have every call of this process go to a workspace; '' is the server's default one.

    Raises:
        mlflow's MlflowException: no workspace can have that name.
    """
    if name == own_workspace():
        yield
        return
    from mlflow.utils.workspace_context import WorkspaceContext

    with WorkspaceContext(name or None):
        yield

"""Opens what gives lists of a store, the quick way first."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...support.secrets.redaction import learn_text
from ..connection import prepare_environment, resolve_tracking_uri, shown_uri
from .by_mlflow import MlflowOverview
from .database import DatabaseOverview
from .lines import ExperimentLine, ModelLine, NotReadableError, Overview, RunLine, VersionLine
from .server import ServerOverview

T = TypeVar("T")
OTHERWISE = ("MLFLOW_WORKSPACE", "MLFLOW_ENABLE_WORKSPACES", "MLFLOW_REGISTRY_URI")
"""Where one of these is set, a store's address alone does not say what is meant."""


class OpenedOverview:
    """Overview by the quick way; by mlflow from the first question on that it can't answer.

    Attributes:
        shown_uri: the store, without secrets, for messages.
    """

    def __init__(self, uri: str, quick: Overview | None) -> None:
        self._uri, self._quick = uri, quick
        self._slow: MlflowOverview | None = None
        self.shown_uri = shown_uri(uri)

    def runs(self, customer: str, limit: int, metrics: Sequence[str]) -> list[RunLine]:
        return self._asked(lambda overview: overview.runs(customer, limit, metrics))

    def experiments(self, customer: str, limit: int) -> list[ExperimentLine]:
        return self._asked(lambda overview: overview.experiments(customer, limit))

    def versions(self, customer: str, limit: int) -> list[VersionLine]:
        return self._asked(lambda overview: overview.versions(customer, limit))

    def models(self, pattern: str, customer: str) -> list[ModelLine]:
        return self._asked(lambda overview: overview.models(pattern, customer))

    def _asked(self, question: Callable[[Overview], T]) -> T:
        if self._quick is not None:
            try:
                return question(self._quick)
            except NotReadableError:
                self._quick = None
        self._slow = self._slow or MlflowOverview(self._uri)
        return question(self._slow)


def open_overview(tracking_uri: str | None = None) -> OpenedOverview:
    """What gives lists of a store; nothing is asked yet.

    Args:
        tracking_uri: see `resolve_tracking_uri`.
    """
    prepare_environment()
    uri = resolve_tracking_uri(tracking_uri)
    learn_text(uri)
    return OpenedOverview(uri, _quick_way(uri))


def _quick_way(uri: str) -> Overview | None:
    if any(os.environ.get(name) for name in OTHERWISE):
        return None
    if uri.startswith(("http://", "https://")):
        return ServerOverview(uri)
    if uri.startswith(("sqlite:", "postgresql:", "postgresql+")):
        return DatabaseOverview(uri)
    return None

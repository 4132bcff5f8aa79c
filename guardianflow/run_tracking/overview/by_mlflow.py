"""Reads lists by mlflow itself: slower, but of every store, and with every command's errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ..connection import Connection
from .lines import (
    ExperimentLine,
    ModelLine,
    RunLine,
    VersionLine,
    aliases_of,
    belongs,
    finite,
    in_order,
    is_asked,
)

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel

PAGE = 1000
NEWEST_FIRST = ["attributes.start_time DESC"]


class MlflowOverview:
    """Overview of whatever mlflow can open.

    Args:
        uri: as MlflowStore's.

    Raises:
        TrackingError: it can't be opened.
    """

    def __init__(self, uri: str) -> None:
        self._connection = Connection(uri)
        self._client = self._connection.client

    def runs(self, customer: str, limit: int, metrics: Sequence[str]) -> list[RunLine]:
        names = self._experiment_names(customer)
        if not names or limit < 1:
            return []
        found = self._connection.pages(
            "search runs",
            self._client.search_runs,
            experiment_ids=list(names),
            max_results=min(limit, PAGE),
            order_by=NEWEST_FIRST,
        )
        return [
            RunLine(
                run_id=run.info.run_id,
                experiment=names[run.info.experiment_id],
                name=run.info.run_name or "",
                status=run.info.status,
                started_ms=int(run.info.start_time or 0),
                metrics=finite(run.data.metrics.items(), metrics),
            )
            for run in islice(found, limit)
        ]

    def experiments(self, customer: str, limit: int) -> list[ExperimentLine]:  # noqa: ARG002
        lines = []
        for number, name in self._experiment_names(customer).items():
            newest = self._connection.doing(f"read experiment '{name}'").search_runs(
                [number], max_results=1, order_by=NEWEST_FIRST
            )
            last = int(newest[0].info.start_time) if newest else None
            lines.append(ExperimentLine(name, None, last))
        return in_order(lines)

    def versions(self, customer: str, limit: int) -> list[VersionLine]:
        aliases = {
            model.name: {alias: str(version) for alias, version in model.aliases.items()}
            for model in self._models()
        }
        found = self._connection.pages(
            "list model versions",
            self._client.search_model_versions,
            order_by=["creation_timestamp DESC"],
        )
        asked = (
            VersionLine(
                each.name,
                str(each.version),
                aliases_of(str(each.version), aliases[each.name]),
                each.run_id or None,
                int(each.creation_timestamp),
            )
            for each in found
            if each.name in aliases and is_asked(each.name, "", customer)
        )
        return list(islice(asked, limit))

    def models(self, pattern: str, customer: str) -> list[ModelLine]:
        created: dict[str, list[int]] = {}
        versions = self._connection.pages(
            "list model versions", self._client.search_model_versions, max_results=PAGE
        )
        for each in versions:
            created.setdefault(each.name, []).append(int(each.creation_timestamp))
        lines = [
            ModelLine(
                name=model.name,
                aliases={alias: str(version) for alias, version in model.aliases.items()},
                tags=dict(model.tags),
                versions=len(created[model.name]),
                created_ms=max(created[model.name]),
            )
            for model in self._models()
            if model.name in created and is_asked(model.name, pattern, customer)
        ]
        return sorted(lines, key=lambda line: (-line.created_ms, line.name))

    def _models(self) -> Iterator[RegisteredModel]:
        return self._connection.pages("list models", self._client.search_registered_models)

    def _experiment_names(self, customer: str) -> dict[str, str]:
        every = self._connection.pages("list experiments", self._client.search_experiments)
        return {each.experiment_id: each.name for each in every if belongs(each.name, customer)}

"""Lists of the stores in memory."""

from __future__ import annotations

from collections.abc import Sequence

from ..names import display_name
from ..overview.lines import (
    ExperimentLine,
    ModelLine,
    RunLine,
    VersionLine,
    belongs,
    finite,
    in_order,
    is_asked,
)
from .store import InMemoryRegistry, InMemoryStore

ALL = 1_000_000


class InMemoryOverview:
    """Overview of a store and a registry in memory."""

    def __init__(self, store: InMemoryStore, registry: InMemoryRegistry) -> None:
        self._store, self._registry = store, registry

    def runs(self, customer: str, limit: int, metrics: Sequence[str]) -> list[RunLine]:
        return [
            RunLine(
                run_id=run.run_id,
                experiment=run.experiment_name,
                name=run.run_name,
                status=str(run.status),
                started_ms=run.start_time_ms,
                metrics=finite(run.metrics.items(), metrics),
            )
            for run in self._store.find_runs(limit=ALL)
            if belongs(run.experiment_name, customer)
        ][:limit]

    def experiments(self, customer: str, limit: int) -> list[ExperimentLine]:  # noqa: ARG002
        lines = []
        for name in self._store.list_experiments():
            if belongs(name, customer):
                runs = self._store.find_runs(experiment_name=name, limit=ALL)
                lines.append(
                    ExperimentLine(name, len(runs), runs[0].start_time_ms if runs else None)
                )
        return in_order(lines)

    def versions(self, customer: str, limit: int) -> list[VersionLine]:
        found = [
            VersionLine(each.name, each.version, each.aliases, each.run_id, each.created_ms)
            for each in self._registry.list_models()
            if belongs(each.display_name, customer)
        ]
        return sorted(found, key=lambda line: (-line.created_ms, line.name, -int(line.version)))[
            :limit
        ]

    def models(self, pattern: str, customer: str) -> list[ModelLine]:
        numbers: dict[str, list[tuple[str, int]]] = {}
        for each in self._registry.list_models():
            numbers.setdefault(each.name, []).append((each.version, each.created_ms))
        lines = [
            ModelLine(
                name=name,
                aliases=dict(self._registry.models.aliases(name)),
                tags=dict(self._registry.models.model_tags(name)),
                versions=len(versions),
                created_ms=max(created for _, created in versions),
            )
            for name, versions in numbers.items()
            if is_asked(name, pattern, customer)
        ]
        return sorted(lines, key=lambda line: (-line.created_ms, display_name(line.name)))

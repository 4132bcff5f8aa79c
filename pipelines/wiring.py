"""Joins rooms: MLflow, or the fakes in memory, behind the ports; backends to the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.ports import (
    AliasStore,
    DetectorRegistry,
    RunHistory,
    RunReader,
    RunTracker,
)
from guardianflow.contracts.results import RunRecord
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.overview.lines import Overview


class Store(RunTracker, RunReader, RunHistory, Protocol):
    """A store with what pipelines need beyond these ports."""

    @property
    def tracking_uri(self) -> str: ...

    def link_launcher(self, run_id: str) -> None:
        """Point the run that `mlflow run` made to `run_id`; nothing where there is none."""
        ...

    def fail_running(
        self, parent_run_id: str, status: RunStatus = RunStatus.FAILED
    ) -> list[str]: ...

    def reopen_run(self, run_id: str) -> None: ...

    def remove_files(self, run_id: str, folder: str) -> None:
        """Remove what lies under a folder of a run's artifacts; nothing where nothing does.

        Raises:
            TrackingError: the store refuses; some of it may be gone.
        """
        ...


@dataclass(frozen=True)
class Ports:
    store: Store
    registry: DetectorRegistry
    aliases: AliasStore

    def run_if_there(self, run_id: str | None) -> RunRecord | None:
        """A run; None where none is named, or the store has none of that id any more."""
        try:
            return self.store.get_run(run_id) if run_id else None
        except SourceError:
            return None

    def overview(self) -> Overview:
        """What gives lists of the same store."""
        from guardianflow.run_tracking.fakes.overview import InMemoryOverview
        from guardianflow.run_tracking.fakes.store import InMemoryRegistry, InMemoryStore
        from guardianflow.run_tracking.overview.opening import open_overview

        if isinstance(self.store, InMemoryStore) and isinstance(self.registry, InMemoryRegistry):
            return InMemoryOverview(self.store, self.registry)
        return open_overview(self.store.tracking_uri)


class LatePorts(Ports):
    """Ports that are opened when one of them is first asked for.

    Args:
        connect: opens them; its errors are those of the first that asks.
    """

    _opened: Callable[[], Ports]

    def __init__(self, connect: Callable[[], Ports]) -> None:
        object.__setattr__(self, "_opened", cache(connect))

    @property
    def store(self) -> Store:
        return self._opened().store

    @property
    def registry(self) -> DetectorRegistry:
        return self._opened().registry

    @property
    def aliases(self) -> AliasStore:
        return self._opened().aliases


def connect(tracking_uri: str | None = None) -> Ports:
    """Open the MLflow store and registry. Imports mlflow, which takes seconds: call it late.

    Raises:
        TrackingError: the store can't be reached.
    """
    from guardianflow.backends.catalogue import runtime_of
    from guardianflow.run_tracking.alias_store import MlflowAliasStore
    from guardianflow.run_tracking.mlflow_store import MlflowStore
    from guardianflow.run_tracking.registry import MlflowRegistry

    store = MlflowStore(tracking_uri)
    return Ports(
        store,
        MlflowRegistry(None, runtime_of, store=store),
        MlflowAliasStore(connection=store.connection),
    )


_working: dict[tuple[str, Path], Ports] = {}


def connect_to_work(tracking_uri: str | None = None, work_dir: Path | None = None) -> Ports:
    """As connect, for a command that makes runs: a store that is away stops none of it.

    What is written is kept in the work directory until the store has it, where the settings say
    so: with GUARDIANFLOW_SPOOL=auto, for a server.

    Args:
        work_dir: None takes the settings'.

    Raises:
        TrackingError: the store can't be opened and is not spooled; the work directory is full.
    """
    from guardianflow.backends.catalogue import runtime_of
    from guardianflow.run_tracking.connection import resolve_tracking_uri
    from guardianflow.run_tracking.spool.registry import SpooledRegistry
    from guardianflow.run_tracking.spool.server import LazyAliasStore
    from guardianflow.run_tracking.spool.store import SpooledStore
    from guardianflow.support.terminal import say

    from .settings import load_settings

    settings = load_settings()
    address = resolve_tracking_uri(tracking_uri)
    if not settings.spools(address):
        return connect(address)
    root = (work_dir or settings.work_dir) / "spool"
    if (address, root) not in _working:
        store = SpooledStore(root, address, runtime_of, say)
        _working[address, root] = Ports(store, SpooledRegistry(store), LazyAliasStore(store.reach))
    return _working[address, root]


def in_memory() -> Ports:
    """The shipped fakes as one: an empty store with its registry, gone with the process."""
    from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore
    from guardianflow.run_tracking.fakes.store import InMemoryRegistry, InMemoryStore

    store = InMemoryStore()
    registry = InMemoryRegistry(store)
    return Ports(store, registry, InMemoryAliasStore(registry))

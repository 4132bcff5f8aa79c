"""Where runs go: a SQLite file of the round's own, or a real server behind a proxy."""

from __future__ import annotations

import random
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults.place import PROJECT

sys.path.insert(0, str(PROJECT / "tests" / "helpers"))

if TYPE_CHECKING:
    from faulty_proxy import FaultyProxy
    from mlflow_server import MlflowServer

SQLITE, SERVER = "sqlite", "server"


@dataclass
class ServerStore:
    """An `mlflow server`, and the proxy before it that commands are given the address of."""

    server: MlflowServer
    proxy: FaultyProxy

    def be(self, mode: str, chance: random.Random, share: float = 1.0) -> None:
        """Behave so from now on, at this share of the requests."""
        self.proxy.set(mode, lambda _line: chance.random() < share)

    def be_well(self) -> None:
        if self.server.process is None:
            self.server.start()
        self.proxy.set("pass")


@dataclass
class Stores:
    """What rounds keep their runs in.

    Args:
        template: a migrated, empty SQLite store: making one takes seconds.
    """

    template: Path
    server: ServerStore

    def new_sqlite(self, folder: Path) -> str:
        """The URI of an empty store in a folder."""
        shutil.copy(self.template, folder / "mlflow.db")
        return f"sqlite:///{folder / 'mlflow.db'}"


@contextmanager
def open_stores(folder: Path) -> Iterator[Stores]:
    """Stores in a new folder; the server runs until the block ends."""
    from faulty_proxy import faulty_proxy
    from mlflow import MlflowClient
    from mlflow_server import MlflowServer

    folder.mkdir()
    template = folder / "template.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mlflow's libraries speak to its makers
        MlflowClient(f"sqlite:///{template}").search_experiments()
    shutil.copy(template, folder / "server.db")
    server = MlflowServer(folder / "server.db", folder / "artifacts")
    try:
        server.start()
        with faulty_proxy(server.url) as proxy:
            yield Stores(template, ServerStore(server, proxy))
    finally:
        server.stop()

"""A Ray cluster: reached or started, what its machines have, our own code shipped to them."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from guardianflow.contracts.errors import (
    ConfigurationError,
    GuardianFlowError,
    MissingDependencyError,
    Problem,
)
from guardianflow.support.stop_signals import SIGNALS
from guardianflow.support.terminal import say

from ...settings import PROJECT_ROOT
from ..port import Needs
from ..shares import ALMOST, CORES_A_STAGE, unusual

CLIENT = "ray://"
PACKAGES = ("guardianflow", "scenario", "pipelines", "experiments_adapters", "demo_scenes")
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # machines have an environment of their own
}
ON_MACHINES = {
    # A stage that asks for no GPU would else find none, and train on the CPU without a word.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray's worker would else kill the stage's process as it ends, before that has ended its run.
    "RAY_kill_child_processes_on_worker_exit": "0",
}
ATTEMPTS = 2
"""To start a cluster of this machine alone, or what answers a client on another one: Ray gives its
own processes 15 and 30 seconds, no more."""
ANSWERS_IN_S = 10.0
"""For a connection to an address; Ray itself would ask for more than five minutes."""


class ClusterError(GuardianFlowError):
    """A cluster of this machine alone could not be started, or one does not answer any more."""


def import_ray() -> ModuleType:
    """Raises MissingDependencyError: it is not installed."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as exc:
        raise MissingDependencyError(
            "ray", "--executor ray", "pip install 'guardianflow[ray]'"
        ) from exc
    return ray


@dataclass(frozen=True)
class Node:
    """A machine of the cluster; `cores`, `gpus` and `memory_mb` are what Ray gives away of it."""

    host: str
    cores: float
    gpus: float
    memory_mb: float
    node_id: str = ""

    def can_ever_give(self, needs: Needs) -> bool:
        asked = (needs.cores or 0, needs.gpus, needs.memory_mb or 0)
        has = (self.cores, self.gpus, self.memory_mb)
        return all(a <= h + ALMOST for a, h in zip(asked, has, strict=True))


class Cluster:
    """A connection, which this process has one of.

    Args:
        address: 'ray://HOST:PORT'; '' for RAY_ADDRESS, else the cluster that was last started on
            this machine, else one of this machine alone, which ends with the connection.

    Raises:
        MissingDependencyError: Ray, or its client, is not installed.
        ConfigurationError: nobody answers there; this process is connected already.
        ClusterError: none could be started.
    """

    def __init__(self, address: str) -> None:
        self.ray = import_ray()
        if self.ray.is_initialized():
            raise ConfigurationError(
                "--executor ray connects to the cluster itself, but this process is connected "
                "already; end that with ray.shutdown() first"
            )
        named = address or os.environ.get("RAY_ADDRESS", "")
        check_answers(named)
        self._shipped = TemporaryDirectory(prefix="guardianflow-project-")
        copy_project(Path(self._shipped.name))
        attempts = ATTEMPTS if not named or named.startswith(CLIENT) else 1
        try:
            for attempt in range(attempts):
                try:
                    self._connect(address)
                    break
                except Exception as exc:
                    with suppress(Exception):
                        self.ray.shutdown()
                    if attempt + 1 == attempts:
                        raise _unreachable(named, exc) from exc
                    say(f"Ray did not answer ({first_line(exc)}): once more")
        except BaseException:
            self._shipped.cleanup()
            raise

    def _connect(self, address: str) -> None:
        with _handlers_kept():
            self.ray.init(
                address or None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"working_dir": self._shipped.name, "env_vars": ON_MACHINES},
                **({} if address else {"include_dashboard": False}),
            )

    def nodes(self) -> list[Node]:
        """Its machines, as they are now.

        Raises:
            ClusterError: nobody answers any more.
        """
        try:
            alive = [each for each in self.ray.nodes() if each["Alive"]]
        except Exception as exc:
            raise ClusterError(
                f"the Ray cluster does not answer any more: {first_line(exc)}"
            ) from exc
        return [
            Node(
                each["NodeManagerHostname"],
                each["Resources"].get("CPU", 0.0),
                each["Resources"].get("GPU", 0.0),
                each["Resources"].get("memory", 0.0) / 1e6,
                each["NodeID"],
            )
            for each in alive
        ]

    def close(self) -> None:
        """Leave it; one that was started for this connection ends."""
        with suppress(Exception), _handlers_kept():
            self.ray.shutdown()
        self._shipped.cleanup()


def usual_places(nodes: list[Node]) -> int:
    """One for each GPU of the cluster, else one for every few cores."""
    gpus = sum(int(each.gpus) for each in nodes)
    return gpus or max(1, sum(int(each.cores) // CORES_A_STAGE for each in nodes))


def even_share(nodes: list[Node], places: int) -> float:
    """Cores of a stage that asks for none: an even part, which one machine can give."""
    even = min(
        sum(each.cores for each in nodes) / places, max((each.cores for each in nodes), default=1)
    )
    return float(int(even)) if even >= 1 else even


def machine_for_times(nodes: list[Node], needs: Needs, last: str) -> Node | None:
    """The one that takes all times, so that they can be compared; None where none can give it.

    Args:
        last: node_id of the one that took the earlier ones; '' before the first.
    """
    able = [each for each in nodes if each.can_ever_give(needs)]
    return max(able, key=lambda each: (each.node_id == last, each.cores), default=None)


def too_much(needs: Needs, nodes: list[Node]) -> list[Problem]:
    """What no machine of the cluster can ever give; [] where one can."""
    if problems := unusual(needs):
        return problems
    if any(each.can_ever_give(needs) for each in nodes):
        return []
    asked = [
        ("cores", needs.cores, max((each.cores for each in nodes), default=0)),
        ("GPUs", needs.gpus, max((each.gpus for each in nodes), default=0)),
        ("MB of memory", needs.memory_mb, max((each.memory_mb for each in nodes), default=0)),
    ]
    found = [
        Problem(f"a stage needs {a:g} {what} but no machine of the cluster has more than {has:g}")
        for what, a, has in asked
        if a is not None and a > has + ALMOST
    ]
    return found or [Problem("no machine of the cluster has all at once that a stage needs")]


def reaches_one_machine_alone(tracking_uri: str, nodes: list[Node]) -> str:
    """Why a store can't be used by these machines; '' where it can."""
    is_file = tracking_uri.startswith(("sqlite:", "file:")) or "://" not in tracking_uri
    away = [each.host for each in nodes if each.host != socket.gethostname()]
    if not is_file or not away:
        return ""
    return (
        f"the tracking store must be one that every machine of the cluster reaches but {away[0]} "
        f"can't open {tracking_uri}: give the address of a server or a PostgreSQL database in "
        "MLFLOW_TRACKING_URI"
    )


def copy_project(folder: Path) -> None:
    """Put our own packages there: the cluster's machines run the code that gave the command."""
    no_caches: Any = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(PROJECT_ROOT / name, folder / name, ignore=no_caches)
    if (PROJECT_ROOT / "MLproject").is_file():  # a checkout: processes find it by its root
        shutil.copy2(PROJECT_ROOT / "MLproject", folder)


def check_answers(address: str) -> None:
    """Look whether anybody is at HOST:PORT or ray://HOST:PORT; other addresses are Ray's to read.

    Raises:
        MissingDependencyError: Ray's client is not installed.
        ConfigurationError: nobody answers.
    """
    if address.startswith(CLIENT) and importlib.util.find_spec("grpc") is None:
        raise MissingDependencyError(
            "Ray's client", f"--executor {CLIENT}…", "pip install 'ray[client]'"
        )
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWERS_IN_S).close()
    except (OSError, OverflowError) as exc:
        raise _unreachable(address, exc) from exc


def _unreachable(address: str, exc: Exception) -> GuardianFlowError:
    why = first_line(exc)
    if address:
        return ConfigurationError(
            f"the Ray cluster must be one that answers but {address} did not: {why}. Start it with "
            "`ray start --head`, or mend the address (--executor, RAY_ADDRESS)"
        )
    return ClusterError(
        f"a Ray cluster could not be started on this machine: {why}. A machine that is very busy "
        "is too slow for Ray: run `--executor local`, or start it before with `ray start --head`"
    )


def first_line(exc: Exception) -> str:
    return (str(exc).strip() or repr(exc)).splitlines()[0]


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself and ends the process by it: no run would be ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)

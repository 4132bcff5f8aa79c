"""A Ray cluster for tests, of one machine or of several that are all this one.

Ray gives the processes that say which ports they have 15 seconds, which is too little where the
machine is busy. So the ports are chosen here, and said before the processes are there to say them.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 200.0
MEMORY_BYTES = 80 << 20
PATIENT = {
    "RAY_health_check_timeout_ms": "60000",
    "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "200",
}
"""What answers late is busy, what is lost refuses at once. Ray gives machines 10 s, clients 30."""
PORTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)


@dataclass
class Machines:
    """A cluster whose machines come and go; `address` is for RAY_ADDRESS.

    Args:
        folder: of its logs and sockets, with a short path: a socket's may have 107 characters.
    """

    folder: Path
    made: Any
    client_port: int = field(default_factory=lambda: _free_ports(1)[0])

    @property
    def address(self) -> str:
        return str(self.made.address)

    @property
    def client_address(self) -> str:
        """For who is none of its machines."""
        return f"ray://127.0.0.1:{self.client_port}"

    def add(self, cores: int) -> Any:
        """One more machine; the first one is the head."""
        import ray

        ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        node_id = ray.NodeID.from_random().hex()
        head = {"include_dashboard": False, "ray_client_server_port": self.client_port}
        first = {} if self.made.head_node else head
        saying = threading.Thread(target=self._say, args=(node_id, ports), daemon=True)
        saying.start()
        return self.made.add_node(
            num_cpus=cores,
            object_store_memory=MEMORY_BYTES,
            env_vars={"RAY_OVERRIDE_NODE_ID_FOR_TESTING": node_id},
            **ports,
            **first,
        )

    def lose(self, node: Any) -> None:
        """A machine that vanishes without a word."""
        self.made.remove_node(node, allow_graceful=False)

    def _say(self, node_id: str, ports: dict[str, int]) -> None:
        from ray._raylet import persist_port

        session, deadline = self.folder / "ray/session_latest", time.monotonic() + PATIENCE_S
        while not session.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        for name, port in ports.items():
            persist_port(str(session.resolve()), node_id, name, port)


@contextmanager
def ray_cluster(folder: Path, cores: int) -> Iterator[Machines]:
    """A cluster of one machine, and RAY_ADDRESS that names it."""
    from pipelines.pools.cluster.connection import import_ray

    before = {name: os.environ.get(name) for name in ("RAY_ADDRESS", "RAY_TMPDIR", *PATIENT)}
    os.environ.update(PATIENT)
    ray = import_ray()
    from ray.cluster_utils import Cluster

    deadline, attempt = time.monotonic() + PATIENCE_S, 0
    while True:
        attempt += 1
        machines = Machines(folder / str(attempt), Cluster())
        machines.folder.mkdir()
        os.environ["RAY_TMPDIR"] = str(machines.folder)
        try:
            machines.add(cores)
            break
        except Exception:  # too busy a machine, or a port that somebody else took meanwhile
            with suppress(Exception):
                machines.made.shutdown()
            if time.monotonic() > deadline:
                raise
    os.environ["RAY_ADDRESS"] = machines.address
    try:
        yield machines
    finally:
        ray.shutdown()
        machines.made.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]

"""The servers of a team on this machine: PostgreSQL, an S3 server, MLflow on both, each a process.

The command line of MLflow's server is that of deploy/compose.yaml, with other hosts and ports.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DEBIAN = Path("/usr/lib/postgresql")
START_S = 300
KEY = {"AWS_ACCESS_KEY_ID": "team", "AWS_SECRET_ACCESS_KEY": "team-secret-key-of-a-test"}
BUCKET = "mlflow"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class ServerProcess:
    """A server that was started; `stop` ends it with all that it has started."""

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.log.parent,
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
            )

    def wait(self, address: str) -> None:
        """Until it answers over HTTP, whatever it says."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text(errors="replace")[-4000:]
            try:
                urllib.request.urlopen(address, timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.3)
        raise AssertionError(f"no answer: {self.log.read_text(errors='replace')[-4000:]}")

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, with_signal)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        self.process = None


@contextmanager
def running(server: ServerProcess, address: str = "") -> Iterator[ServerProcess]:
    server.start()
    try:
        if address:
            server.wait(address)
        yield server
    finally:
        server.stop()


# --- PostgreSQL -----------------------------------------------------------------------------------


def postgres_programs() -> Path:
    """The directory of initdb and its like; the test skips where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(DEBIAN.glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    pytest.skip("PostgreSQL is not installed: apt-get install postgresql")


@dataclass(frozen=True)
class Postgres:
    """A cluster of its own on loopback. PostgreSQL refuses to run as root: it has a user then."""

    port: int
    password: str
    programs: Path
    user: str | None

    def url(self, database: str, *, password: bool = False) -> str:
        login = f"mlflow:{self.password}" if password else "mlflow"
        return f"postgresql+psycopg://{login}@127.0.0.1:{self.port}/{database}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs beside the address: passwords stand in no command line."""
        return {"PGPASSWORD": self.password}

    def run(self, program: str, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
        """A client program of PostgreSQL, as the owner of the databases."""
        done = subprocess.run(
            [str(self.programs / program), "-h", "127.0.0.1", "-p", str(self.port),
             "-U", "mlflow", *words],
            env={**os.environ, **self.environment},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    def create(self, database: str) -> None:
        self.run("createdb", database)


@contextmanager
def postgres_cluster(arguments: Sequence[str] = ()) -> Iterator[Postgres]:
    """Start a cluster with an owner 'mlflow' that has a password.

    Args:
        arguments: of `postgres`, as the compose file gives them.
    """
    programs = postgres_programs()
    user = "postgres" if os.geteuid() == 0 else None
    # pytest's own directory can be entered by its owner alone.
    folder = Path(tempfile.mkdtemp(prefix="guardianflow-postgres-"))
    try:
        secret = folder / "password"
        secret.write_text("password-of-a-test\n")
        if user is not None:
            owner = pwd.getpwnam(user)
            for place in (folder, secret):
                os.chown(place, owner.pw_uid, owner.pw_gid)
        data, port = folder / "data", free_port()
        subprocess.run(
            [str(programs / "initdb"), "-D", str(data), "-U", "mlflow", "-A", "scram-sha-256",
             f"--pwfile={secret}", "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True, capture_output=True, user=user, cwd=folder,
        )  # fmt: skip
        command = [
            *(str(programs / "postgres"), "-D", str(data), "-p", str(port)),
            *("-c", "listen_addresses=127.0.0.1", "-k", str(folder), "-c", "fsync=off"),
            *arguments,
        ]
        log = folder / "server.log"
        log.touch()
        server = ServerProcess(command, log, user=user)
        cluster = Postgres(port, "password-of-a-test", programs, user)
        with running(server):
            _wait_for_postgres(cluster, server)
            cluster.create("mlflow")
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_postgres(cluster: Postgres, server: ServerProcess) -> None:
    deadline = time.monotonic() + START_S
    ready = [str(cluster.programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(cluster.port)]
    while subprocess.run(ready, capture_output=True, check=False).returncode != 0:
        assert server.process is not None
        assert server.process.poll() is None, server.log.read_text()
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.2)


# --- S3 -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class S3:
    """An S3 server, and a key that it takes."""

    endpoint: str
    key: Mapping[str, str] = field(default_factory=lambda: KEY)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.key,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self):  # type: ignore[no-untyped-def]
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.key["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )


@contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    """moto's S3 server, a process of its own, with the bucket 'mlflow'."""
    pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
    endpoint = f"http://127.0.0.1:{(port := free_port())}"
    code = "import sys; from moto.server import main; main(sys.argv[1:])"
    server = ServerProcess(
        [sys.executable, "-c", code, "-H", "127.0.0.1", "-p", str(port)], folder / "s3.log"
    )
    with running(server, f"{endpoint}/moto-api/"):
        found = S3(endpoint)
        found.client().create_bucket(Bucket=BUCKET)
        yield found


# --- MLflow ---------------------------------------------------------------------------------------


@contextmanager
def mlflow_server(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[str]:
    """`mlflow server` with these arguments, but for host and port; gives its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = ServerProcess(
        [sys.executable, "-m", "mlflow", "server", *arguments,
         "--host=127.0.0.1", f"--port={port}"],
        folder / "mlflow.log",
        # It would start workers for jobs that no test gives it.
        {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **environment},
    )  # fmt: skip
    with running(server, f"{url}/health"):
        yield url


def service(repository: Path, name: str) -> dict[str, Any]:
    """A service of the compose file, as it stands there."""
    from ruamel.yaml import YAML

    text = (repository / "deploy/compose.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = YAML(typ="safe").load(text)["services"][name]
    return found


def has_logins() -> bool:
    """Whether what `--app-name=basic-auth` imports is installed; it is on the server's image."""
    return importlib.util.find_spec("flask_wtf") is not None


@dataclass(frozen=True)
class Team:
    """What runs are kept by, and the settings that reach it: nothing else differs for a user."""

    tracking_uri: str
    settings: Mapping[str, str]
    s3: S3 | None = None
    postgres: Postgres | None = None
    folder: Path = Path()


@contextmanager
def team_server(folder: Path, repository: Path) -> Iterator[Team]:
    """PostgreSQL + S3 + MLflow's server, by the command lines of the compose file.

    Other hosts and ports stand in them. Where flask-wtf is missing, logins are left out.
    """
    with ExitStack() as stack:
        arguments = service(repository, "postgres")["command"][1:]
        postgres = stack.enter_context(postgres_cluster(arguments))
        postgres.create("mlflow_auth")
        s3 = stack.enter_context(s3_server(folder))
        port = free_port()
        here = {
            "postgres:5432": f"127.0.0.1:{postgres.port}",
            "0.0.0.0": "127.0.0.1",
            "5000": str(port),
            "--workers=4": "--workers=1",  # each takes seconds of a core to start
            "${MLFLOW_HOST:-localhost}": "localhost",
        }

        def moved(text: str) -> str:
            for there, to in here.items():
                text = text.replace(there, to)
            return text

        login = {"admin": "password-of-the-admin"} if has_logins() else {}
        there = service(repository, "mlflow")
        words = [moved(each) for each in there["command"]]
        pools = {k: v for k, v in there["environment"].items() if "SQLALCHEMYSTORE" in k}
        logins = folder / "basic_auth.ini"
        logins.write_text(moved((repository / "deploy/mlflow/basic_auth.ini").read_text()))
        url = f"http://127.0.0.1:{port}"
        server = ServerProcess(
            [sys.executable, "-m", *(each for each in words if login or "basic-auth" not in each)],
            folder / "mlflow.log",
            {
                **postgres.environment,
                **s3.environment,
                **pools,
                "MLFLOW_AUTH_CONFIG_PATH": str(logins),
                "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
                "MLFLOW_AUTH_ADMIN_PASSWORD": login.get("admin", ""),
                "MLFLOW_FLASK_SERVER_SECRET_KEY": "secret-key-of-a-test",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
        )
        stack.enter_context(running(server, f"{url}/health"))
        settings = {"MLFLOW_TRACKING_URI": url}
        for name, password in login.items():
            settings |= {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}
        yield Team(url, settings, s3, postgres, folder)

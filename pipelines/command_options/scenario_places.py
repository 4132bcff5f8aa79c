"""Fetches a scenario that is named by an address: of a run, a bucket, or a host that is allowed.

    runs:/RUN_ID/config/scenario.yaml    what a run was started with
    s3://BUCKET/KEY                      with the settings' endpoint and key
    https://HOST/PATH                    of the hosts in GUARDIANFLOW_SCENARIO_HOSTS alone; in a
                                         private network of those in GUARDIANFLOW_PRIVATE_HOSTS

An order of work is fetched from nowhere that nobody has named beforehand.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from guardianflow.contracts.errors import (
    MissingDependencyError,
    ScenarioError,
    SourceError,
)
from guardianflow.contracts.given import given_url
from guardianflow.support.files import whole_file
from guardianflow.support.network.addresses import ForbiddenAddressError, guarded_socket
from guardianflow.support.secrets.redaction import learn_text, redact_text, shown_address

from ..settings import Settings, load_settings

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

MAX_BYTES = 256 * 1024
TIMEOUT_S = (5.0, 30.0)
RUN, BUCKET, HOST = "runs:/", "s3://", "https://"


def local_scenario(written: str) -> str:
    """The path of a scenario on this machine; what is no address is given back as it is.

    Raises:
        ScenarioError: it can't be had from there, or may not.
        TrackingError: the store of the run can't be reached.
    """
    fetch = next((each for scheme, each in WAYS.items() if written.startswith(scheme)), None)
    if fetch is None:
        return written
    learn_text(written)
    settings = load_settings()
    try:
        content = fetch(written, settings)
    except SourceError as exc:
        raise ScenarioError(f"scenario {shown_address(written)}: {exc}") from exc
    if len(content) > MAX_BYTES:
        raise ScenarioError(
            f"scenario {shown_address(written)} must have at most {MAX_BYTES // 1024} KiB but has "
            "more: is it the right file?"
        )
    name = Path(unquote(given_url(written).path)).name or "scenario.yaml"
    mark = hashlib.sha256(content).hexdigest()[:16]
    place = settings.work_dir / "scenarios" / mark / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(place) as part:
        part.write_bytes(content)
    return str(place)


def _of_run(written: str, settings: Settings) -> bytes:
    import tempfile

    from ..wiring import connect

    run_id, _, path = written.removeprefix(RUN).strip("/").partition("/")
    if not run_id or not path:
        raise SourceError("name a run's file: runs:/RUN_ID/config/scenario.yaml")
    with tempfile.TemporaryDirectory() as folder:
        found = connect(settings.tracking_uri).store.download(run_id, path, Path(folder))
        if not found.is_file():
            raise SourceError(f"'{path}' of run {run_id} is a directory: name one YAML file")
        return found.read_bytes()


def _of_host(written: str, settings: Settings) -> bytes:
    import requests

    host = given_url(written).netloc.rpartition("@")[2].lower()
    allowed = [each.strip().lower() for each in (settings.scenario_hosts or "").split(",")]
    if host not in filter(None, allowed):
        named = ", ".join(filter(None, allowed)) or "none"
        raise SourceError(
            f"host '{host}' must be one of GUARDIANFLOW_SCENARIO_HOSTS, which names {named}. Add "
            "it there if you trust it: a scenario says which code is run"
        )
    try:
        with requests.Session() as session:
            session.mount(HOST, _guarded(settings.private_hosts))
            # Without redirects: they lead to hosts that nobody has allowed.
            reply = session.get(written, timeout=TIMEOUT_S, stream=True, allow_redirects=False)
            if reply.status_code != 200:
                raise SourceError(f"{host} answers {reply.status_code}")
            return next(reply.iter_content(MAX_BYTES + 1), b"")
    except (requests.RequestException, OSError) as exc:
        raise SourceError(f"{host} can't be read: {redact_text(str(exc))[:200]}") from exc


def _guarded(private_hosts: Sequence[str]) -> HTTPAdapter:
    """Connects to no private address but those that are allowed. A proxy that the environment
    names connects in its own way.
    """
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPSConnectionPool
    from urllib3.connection import HTTPSConnection

    class Connection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            try:
                return guarded_socket((self.host, self.port), TIMEOUT_S[0], private_hosts)
            except ForbiddenAddressError as exc:  # an OSError would be wrapped, its words with it
                raise SourceError(
                    f"{exc}: name the host in GUARDIANFLOW_PRIVATE_HOSTS too if it is meant"
                ) from exc

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    adapter = HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"https": Pool}
    return adapter


def _of_bucket(written: str, settings: Settings) -> bytes:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as exc:
        raise MissingDependencyError(
            "boto3", "a scenario in a bucket", "pip install 'guardianflow[s3]'"
        ) from exc
    bucket, _, key = written.removeprefix(BUCKET).partition("/")
    try:
        client = boto3.client("s3", endpoint_url=settings.s3_endpoint)
        reply = client.get_object(Bucket=bucket, Key=key)
        content: bytes = reply["Body"].read(MAX_BYTES + 1)
    except (BotoCoreError, ClientError, ValueError) as exc:
        raise SourceError(f"the bucket gives no such file: {redact_text(str(exc))[:200]}") from exc
    return content


WAYS = {RUN: _of_run, BUCKET: _of_bucket, HOST: _of_host}

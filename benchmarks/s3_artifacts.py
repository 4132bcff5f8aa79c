"""How fast weights get into an S3 server and back as a run's artifacts, beside boto3 alone.

up      bytes a second of `log_files` to S3 without MLflow's server between ÷ boto3's upload_file
down    the same of `download` ÷ boto3's download_file

By turns, on one file of random bytes, with moto's S3 server as a process of its own, or another one
(`--endpoint`; its key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the bucket is `mlflow`).
Each round takes other bytes, and compares the sha256 of what came back. The rates through MLflow's
server, as deploy/compose.yaml has it, stand in the line's conditions.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.verdict import Goal, conclude_all
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
from pipelines.settings import PROJECT_ROOT

GOAL = 0.8
MEGABYTE = 1_000_000
BLOCK_MB = 16
FILE = "weights.bin"


class Way:
    """A way in and back."""

    def __init__(
        self, name: str, put: Callable[[Path], Any], get: Callable[[Any, Path], Path]
    ) -> None:
        self.name, self._put, self._get = name, put, get
        self.up_s: list[float] = []
        self.down_s: list[float] = []

    def there_and_back(self, file: Path, digest: str, folder: Path) -> None:
        folder.mkdir()
        began = time.perf_counter()
        place = self._put(file)
        sent = time.perf_counter()
        back = self._get(place, folder)
        self.down_s.append(time.perf_counter() - sent)
        self.up_s.append(sent - began)
        if digest_of(back) != digest:
            raise SystemExit(f"{self.name}: what came back is not what was sent")
        back.unlink()
        print(f"{self.name}: up {self.up_s[-1]:.1f} s, down {self.down_s[-1]:.1f} s", flush=True)


def digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_random(path: Path, megabytes: int) -> str:
    with path.open("wb") as stream:
        for start in range(0, megabytes, BLOCK_MB):
            stream.write(os.urandom(min(BLOCK_MB, megabytes - start) * MEGABYTE))
    return digest_of(path)


def of_store(name: str, tracking_uri: str) -> Way:
    store = MlflowStore(tracking_uri)

    def put(file: Path) -> str:
        run_id = store.start_run(RunRequest("benchmark", name))
        store.log_files(run_id, file)
        return run_id

    return Way(name, put, lambda run_id, folder: store.download(run_id, FILE, folder))


def of_boto3(client: Any, bucket: str) -> Way:
    keys = iter(range(1_000_000))

    def put(file: Path) -> str:
        key = f"raw/{next(keys)}"
        client.upload_file(str(file), bucket, key)
        return key

    def get(key: str, folder: Path) -> Path:
        client.download_file(bucket, key, str(folder / FILE))
        return folder / FILE

    return Way("boto3", put, get)


def measure(megabytes: int, rounds: int, endpoint: str | None) -> int:
    sys.path.append(str(PROJECT_ROOT / "tests/helpers"))
    from team_servers import BUCKET, KEY, S3, mlflow_server, s3_server

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if endpoint is None:
            s3 = stack.enter_context(s3_server(folder))
        else:
            s3 = S3(endpoint, {name: os.environ[name] for name in KEY})
            client = s3.client()
            if BUCKET not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=BUCKET)
        os.environ.update(s3.environment)
        roots = {
            "direct": [f"--default-artifact-root=s3://{BUCKET}/direct", "--no-serve-artifacts"],
            "proxied": [f"--artifacts-destination=s3://{BUCKET}/proxied"],
        }
        ways = [of_boto3(s3.client(), BUCKET)]
        for name, root in roots.items():
            own = folder / name
            own.mkdir()
            arguments = [f"--backend-store-uri=sqlite:///{own / 'runs.db'}", "--workers=1", *root]
            url = stack.enter_context(mlflow_server(arguments, own, s3.environment))
            ways.append(of_store(name, url))
        for number in range(rounds):
            file = folder / FILE
            digest = write_random(file, megabytes)
            for way in ways[:: 1 if number % 2 else -1]:
                way.there_and_back(file, digest, folder / f"{way.name}-{number}")
    raw, direct, proxied = ways
    goals = {
        "up": Goal(pairs(raw.up_s, direct.up_s), at_least=GOAL),
        "down": Goal(pairs(raw.down_s, direct.down_s), at_least=GOAL),
    }
    through = {
        "up": [round(each, 3) for each in pairs(raw.up_s, proxied.up_s)],
        "down": [round(each, 3) for each in pairs(raw.down_s, proxied.down_s)],
    }
    server = endpoint or "moto"
    conditions = {"megabytes": megabytes, "server": server, "through_mlflow_server": through}
    return conclude_all("s3_artifacts", goals, conditions=conditions)


def pairs(raw_s: list[float], own_s: list[float]) -> list[float]:
    """Our rate ÷ the raw client's, round by round."""
    return [raw / own for raw, own in zip(raw_s, own_s, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="64 MB, three rounds")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--endpoint", help="of another S3 server than moto")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with us
    if asked.endpoint is None and find_spec("moto") is None:
        print("moto's S3 server is not installed", file=sys.stderr)
        return 2
    return measure(64 if asked.quick else asked.megabytes, asked.rounds, asked.endpoint)


if __name__ == "__main__":
    sys.exit(main())

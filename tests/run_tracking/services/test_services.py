"""Services that are there, that are not, that refuse, and that don't keep what they are given."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from framing_proxy import keeping_frames
from team_servers import BUCKET, S3, free_port, mlflow_server, s3_server

from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.connection import prepare_environment
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.services.answers import MEBIBYTE, Cause, Sample
from guardianflow.run_tracking.services.artifacts import EXPERIMENT, round_trip_artifacts
from guardianflow.run_tracking.services.s3 import ask_s3, bucket_of
from guardianflow.run_tracking.services.server import ask_server, is_server

CHECKSUMS = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")


@dataclass(frozen=True)
class Place:
    s3: S3
    proxied: str
    """MLflow's server takes artifacts and keeps them in S3."""
    direct: str
    """Artifacts go to S3 without it."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("services")
    with ExitStack() as stack:
        s3 = stack.enter_context(s3_server(folder))
        roots = {
            "proxied": [f"--artifacts-destination=s3://{BUCKET}/proxied"],
            "direct": [f"--default-artifact-root=s3://{BUCKET}/direct", "--no-serve-artifacts"],
        }
        urls = {}
        for name, root in roots.items():
            own = folder / name
            own.mkdir()
            arguments = [f"--backend-store-uri=sqlite:///{own / 'runs.db'}", "--workers=1", *root]
            environment = {**s3.environment, "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true"}
            urls[name] = stack.enter_context(mlflow_server(arguments, own, environment))
        yield Place(s3, urls["proxied"], urls["direct"])


@pytest.fixture
def with_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The environment of somebody who has the key; how checksums are sent is not said."""
    for name in CHECKSUMS:
        monkeypatch.setenv(name, "")  # so that it is put back after the test
        monkeypatch.delenv(name)
    for name, value in place.s3.environment.items():
        monkeypatch.setenv(name, value)
    return place.s3


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_sample_tells_what_came_back() -> None:
    sample = Sample(2000)
    assert sample.compare(sample.content) is None
    assert sample.compare(sample.content[:-1]) is Cause.BYTES
    framed = b"7d0\r\n" + sample.content + b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    assert sample.compare(framed) is Cause.CHECKSUM_FRAMES
    assert bucket_of("s3://mlflow/1/2") == "mlflow"
    assert bucket_of("mlflow-artifacts:/1/2") == ""
    assert is_server("https://mlflow") and not is_server("sqlite:///mlflow.db")


def test_nothing_answers() -> None:
    assert ask_server(f"http://127.0.0.1:{free_port()}").cause is Cause.UNREACHABLE
    assert ask_s3(f"http://127.0.0.1:{free_port()}").cause in (Cause.UNREACHABLE, Cause.KEY)


@pytest.mark.parametrize(
    ("status", "text", "cause"),
    [
        (401, "You are not authenticated.", Cause.LOGIN),
        (403, "Permission denied", Cause.FORBIDDEN),
        (403, "Invalid Host header - possible DNS rebinding attack detected", Cause.HOST),
        (404, '{"error_code": "RESOURCE_DOES_NOT_EXIST"}', Cause.WORKSPACE),
        (500, '{"error_code": "FEATURE_DISABLED"}', Cause.WORKSPACE),
        (404, "not here", Cause.NOT_MLFLOW),
        (200, "<html>a plant's intranet</html>", Cause.NOT_MLFLOW),
        (502, "bad gateway", Cause.NOT_MLFLOW),
    ],
)
def test_a_server_that_answers_otherwise(status: int, text: str, cause: Cause) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        answer = ask_server(f"http://kim:secret-of-kim@127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
    assert answer.cause is cause
    assert "secret-of-kim" not in repr(answer)


@pytest.mark.slow
def test_the_server_names_its_version_and_the_bytes_come_back(place: Place, with_key: S3) -> None:
    import mlflow

    assert ask_server(place.proxied).detail == mlflow.__version__
    through, straight = map(round_trip_artifacts, (place.proxied, place.direct))
    assert (through.cause, straight.cause) == (None, None)
    assert through.address.startswith("mlflow-artifacts:/")
    assert bucket_of(straight.address) == BUCKET
    for url in (place.proxied, place.direct):  # nothing of it is left
        assert MlflowStore(url).find_runs(experiment_name=EXPERIMENT) == []
    kept = with_key.client().list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert [each["Key"] for each in kept if each["Key"].endswith("sample.bin")] == []


@pytest.mark.slow
def test_s3_is_asked_with_the_key(place: Place, with_key: S3) -> None:
    assert ask_s3(with_key.endpoint).detail == BUCKET
    assert ask_s3(with_key.endpoint, BUCKET).cause is None
    assert ask_s3(with_key.endpoint, "no-such-bucket").cause is Cause.BUCKET


@pytest.mark.slow
def test_a_server_that_keeps_the_frames_of_checksums_is_found_out_and_the_default_spares_it(
    place: Place, with_key: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks boto3 for its own default gets damaged files from an old SeaweedFS."""

    def check_at(address: str, certificate: Path) -> tuple[Cause | None, Cause | None]:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        return ask_s3(address, BUCKET).cause, round_trip_artifacts(place.direct).cause

    # An address each: mlflow keeps the client that it has made for one.
    with (
        keeping_frames(with_key.endpoint, tmp_path) as plain,
        keeping_frames(with_key.endpoint, made(tmp_path / "other")) as framed,
    ):
        assert check_at(*plain) == (None, None)
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
        assert check_at(*framed) == (Cause.CHECKSUM_FRAMES, Cause.CHECKSUM_FRAMES)


def test_what_the_user_says_of_checksums_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in CHECKSUMS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.delenv("MLFLOW_S3_ENDPOINT_URL", raising=False)
    prepare_environment()
    assert CHECKSUMS[0] not in os.environ  # Amazon's own servers take them
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://seaweed:8333")
    monkeypatch.setenv(CHECKSUMS[0], "when_supported")
    prepare_environment()
    assert [os.environ[name] for name in CHECKSUMS] == ["when_supported", "when_required"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["proxied", "direct"])
def test_a_large_file_keeps_its_bytes(way: str, place: Place, with_key: S3, tmp_path: Path) -> None:
    """100 MB: boto3 sends it in parts. `python -m benchmarks.s3_artifacts` takes 1 GB."""
    store = MlflowStore(getattr(place, way))
    sent = tmp_path / "weights.bin"
    sent.write_bytes(Sample(100 * MEBIBYTE + 17).content)
    run_id = store.start_run(RunRequest("large", way))
    store.log_files(run_id, sent, "weights")
    store.end_run(run_id)
    assert_kept(store, run_id, sent, tmp_path)
    assert "-" in kept_object(with_key, way, "weights.bin", sent)["ETag"]  # it came in parts


@pytest.mark.slow
def test_a_client_that_reaches_s3_sends_the_parts_itself(
    place: Place, with_key: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's server only begins and ends it; the client has no key."""
    for name in place.s3.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(10 * MEBIBYTE))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(6 * MEBIBYTE))
    store = MlflowStore(place.proxied)
    sent = tmp_path / "parts.bin"
    sent.write_bytes(Sample(20 * MEBIBYTE + 3).content)
    run_id = store.start_run(RunRequest("large", "parts"))
    store.log_files(run_id, sent, "weights")
    assert_kept(store, run_id, sent, tmp_path)
    # 20 MiB in parts of 6: MLflow's server itself would have sent parts of 8.
    assert kept_object(place.s3, "proxied", "parts.bin", sent)["ETag"].endswith('-4"')


def assert_kept(store: MlflowStore, run_id: str, sent: Path, folder: Path) -> None:
    back = store.download(run_id, f"weights/{sent.name}", folder / "back")
    digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (sent, back)]
    assert digests[0] == digests[1]


def kept_object(s3: S3, prefix: str, name: str, sent: Path) -> dict[str, Any]:
    """What S3 says of the one object of that name."""
    found = s3.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    (kept,) = (each for each in found if each["Key"].endswith(name))
    assert kept["Size"] == sent.stat().st_size
    return dict(kept)

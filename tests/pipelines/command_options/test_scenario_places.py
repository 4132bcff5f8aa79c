"""Scenarios named by an address: from where a person has allowed it, and from nowhere else."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import RunRequest
from pipelines.command_options import scenario_places
from pipelines.command_options.scenario_places import MAX_BYTES, local_scenario
from pipelines.wiring import connect


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("GUARDIANFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_path_stays_as_it_is() -> None:
    assert local_scenario("configs/scenarios/demo.yaml") == "configs/scenarios/demo.yaml"


def test_what_a_run_was_started_with_is_fetched(tmp_path: Path) -> None:
    store = connect(f"sqlite:///{tmp_path / 'mlflow.db'}").store
    run_id = store.start_run(RunRequest("a/b-plant1/full", "ppe"))
    (tmp_path / "scenario.yaml").write_text("name: 용접\n", encoding="utf-8")
    store.log_files(run_id, tmp_path / "scenario.yaml", "config")
    found = Path(local_scenario(f"runs:/{run_id}/config/scenario.yaml"))
    assert found.read_text(encoding="utf-8") == "name: 용접\n"
    assert found.is_relative_to(tmp_path / "work")
    for wrong, said in (("config/other.yaml", "scenario.yaml"), ("", "name a run's file")):
        with pytest.raises(ScenarioError, match=said):
            local_scenario(f"runs:/{run_id}/{wrong}")


@pytest.mark.parametrize("allowed", [None, "", "git.plant", "example.org:8443"])
def test_a_host_that_nobody_has_allowed_is_not_asked(
    allowed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if allowed is not None:
        monkeypatch.setenv("GUARDIANFLOW_SCENARIO_HOSTS", allowed)
    monkeypatch.setattr("requests.Session.send", lambda *_, **__: pytest.fail("it was asked"))
    for address in ("https://example.org/a.yaml", "https://git.plant@example.org/a.yaml"):
        with pytest.raises(ScenarioError, match="GUARDIANFLOW_SCENARIO_HOSTS"):
            local_scenario(address)


def test_a_file_that_is_too_large_is_no_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    large = {"s3://": lambda *_: b"x" * (MAX_BYTES + 1)}
    monkeypatch.setattr(scenario_places, "WAYS", large)
    with pytest.raises(ScenarioError, match="at most 256 KiB"):
        local_scenario("s3://bucket/scenario.yaml")


def certificate_of_this_machine(folder: Path) -> Path:
    """For localhost and 127.0.0.1, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def https_server(certificate: Path, asked: list[str]) -> Iterator[str]:
    """Gives scenarios, and redirects /moved; 'localhost:PORT'."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/scenario.yaml")
            self.end_headers()
            self.wfile.write("name: 용접\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_host_in_a_private_network_is_asked_only_where_that_is_allowed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, asked = certificate_of_this_machine(tmp_path), list[str]()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with https_server(certificate, asked) as host:
        monkeypatch.setenv("GUARDIANFLOW_SCENARIO_HOSTS", host)
        with pytest.raises(ScenarioError, match=r"private network: .*GUARDIANFLOW_PRIVATE_HOSTS"):
            local_scenario(f"https://{host}/scenario.yaml")
        assert asked == []
        monkeypatch.setenv("GUARDIANFLOW_PRIVATE_HOSTS", "localhost")
        found = Path(local_scenario(f"https://{host}/scenario.yaml"))
        assert found.read_text(encoding="utf-8") == "name: 용접\n"
        with pytest.raises(ScenarioError, match="answers 302"):
            local_scenario(f"https://{host}/moved")
    assert asked == ["/scenario.yaml", "/moved"]

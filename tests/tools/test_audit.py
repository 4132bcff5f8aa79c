"""The audit of the lock: by the real pip-audit, against a service that speaks OSV's API."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.audit import FOUND, NOT_ASKED, main

ADVISORY = {
    "id": "GHSA-xxxx-yyyy-zzzz",
    "aliases": ["CVE-2026-0001"],
    "summary": "old",
    "affected": [
        {
            "package": {"name": "alpha", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.3"}]}],
        }
    ],
}


@contextmanager
def service(status: int = 200, body: bytes | None = None) -> Iterator[str]:
    """Knows one vulnerability, of alpha 1.2; or says `body` to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = asked["package"]["name"], asked["version"]
            known = {"vulns": [ADVISORY]} if (name, version) == ("alpha", "1.2") else {}
            answer = json.dumps(known).encode() if body is None else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def lock(folder: Path, *lines: str) -> str:
    path = folder / "requirements.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_a_known_vulnerability_fails_and_says_what_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pip_audit")
    with service() as url:
        locked = lock(tmp_path, "alpha==1.2", "    # via beta", "beta==3.0 ; python_version > '3'")
        assert main(["--if-reachable", "--service", url, locked]) == FOUND
        told = capsys.readouterr().out.splitlines()
        assert told == [
            "alpha 1.2: CVE-2026-0001, GHSA-xxxx-yyyy-zzzz; mended in 1.3",
            "audit: 2 packages, 1 known vulnerabilities",
        ]
        assert main(["--service", url, lock(tmp_path, "alpha==1.3")]) == 0
        assert capsys.readouterr().out == "audit: 1 packages, 0 known vulnerabilities\n"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, b"", "answers 404"),
        (200, b"<html>", "does not answer as OSV does"),
        (200, b"[]", "does not answer as OSV does"),
    ],
)
def test_who_knows_nothing_of_vulnerabilities_is_no_witness(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, body: bytes, told: str
) -> None:
    with service(status, body) as url:
        assert main(["--if-reachable", "--service", url, lock(tmp_path, "alpha==1.2")]) == 0
    assert capsys.readouterr().out == f"audit left out: {url} {told}\n"


def test_without_internet_lint_passes_with_a_line_and_the_audit_itself_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        locked = lock(tmp_path, "alpha==1.2")
        assert main(["--if-reachable", "--service", url, locked]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith(f"audit left out: {url} does not answer (")
        assert main(["--service", url, locked]) == NOT_ASKED


def test_who_takes_a_call_and_says_nothing_is_left_after_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.audit.FIRST_ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert main(["--if-reachable", "--service", url, lock(tmp_path, "alpha==1.2")]) == 0
    assert "does not answer (timed out)" in capsys.readouterr().out

"""A proxy before a server that can be down, slow, hanging, failing, or cut in mid-answer.

It speaks HTTP/1.1 with one request a connection, so that a fault can strike each request alone.
"""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

PASS, DOWN, HANG, FAIL, CUT, DROP = "pass", "down", "hang", "fail", "cut", "drop"
"""
pass    as it is
down    connections are refused
hang    taken, never answered
fail    answered 500 without asking the server
cut     the server has done it; half of its answer comes back
drop    the server has done it; nothing comes back
"""
_ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n"
    b"Connection: close\r\n\r\noops"
)


class FaultyProxy:
    """Forwards to a server on loopback.

    Attributes:
        mode: one of the above; may be changed at any time.
        delay_s: before each request goes on.
        chosen: request line → whether the mode strikes it; the others pass.
        requests: request lines that came, in order.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self.mode, self.delay_s = PASS, 0.0
        self.chosen: Callable[[str], bool] = lambda _line: True
        self.requests: list[str] = []
        self._released = threading.Event()
        self._server: Any = None
        self._port = 0
        self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def set(self, mode: str, chosen: Callable[[str], bool] = lambda _line: True) -> None:
        """Change the mode; whoever hangs is let go."""
        self._released.set()
        self._released = threading.Event()
        self.chosen = chosen
        if mode == DOWN and self._server is not None:
            self._stop()
        elif mode != DOWN and self._server is None:
            self._listen()
        self.mode = mode

    def close(self) -> None:
        self.set(DOWN)

    def _listen(self) -> None:
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    proxy.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    def serve(self, client: socket.socket) -> None:
        request = _whole_message(client)
        if not request:
            return
        line = request.split(b"\r\n", 1)[0].decode("latin-1")
        self.requests.append(line)
        mode = self.mode if self.chosen(line) else PASS
        if self.delay_s:
            time.sleep(self.delay_s)
        if mode == HANG:
            self._released.wait()
            return
        if mode == FAIL:
            client.sendall(_ERROR)
            return
        with socket.create_connection(self._target) as server:
            head, _, body = request.partition(b"\r\n\r\n")
            lines = [
                each for each in head.split(b"\r\n") if not each.lower().startswith(b"connection:")
            ]
            server.sendall(b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body)
            answer = _to_the_end(server)
        if mode == CUT:
            client.sendall(answer[: max(len(answer) // 2, 20)])
        elif mode != DROP:
            client.sendall(answer)


def _whole_message(stream: socket.socket) -> bytes:
    """A request with its body; chunked ones too."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = stream.recv(1 << 16)
        if not block:
            return b""
        data += block
    head = data.split(b"\r\n\r\n", 1)[0]
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not data.endswith(b"0\r\n\r\n"):
            data += stream.recv(1 << 16)
        return data
    length = next(
        (
            int(line.split(b":")[1])
            for line in lower.split(b"\r\n")
            if line.startswith(b"content-length:")
        ),
        0,
    )
    parts, have = [data], len(data) - len(head) - 4
    while have < length:
        block = stream.recv(1 << 20)
        if not block:
            return b""
        parts.append(block)
        have += len(block)
    return b"".join(parts)


def _to_the_end(stream: socket.socket) -> bytes:
    parts = []
    while block := stream.recv(1 << 20):
        parts.append(block)
    return b"".join(parts)


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    """A proxy before the server at `target`, until the block ends."""
    proxy = FaultyProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()

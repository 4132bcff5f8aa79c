"""Real servers that take messages: a webhook and a mail server, as well or as badly as told."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG, DRIP, CUT = "hang", "drip", "cut"


@dataclass
class Taken:
    """A request as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Hook:
    """A webhook.

    Args:
        answers: what it does with each request, the last one again and again: a status, or HANG
            (never answers), DRIP (a byte now and then), CUT (closes the connection).
        elsewhere: where its redirects lead.
    """

    answers: list[int | str]
    taken: list[Taken] = field(default_factory=list)
    url: str = ""
    elsewhere: str = ""
    stopped: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> int | str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def webhook(*answers: int | str) -> Iterator[Hook]:
    hook = Hook(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.taken.append(Taken(dict(self.headers), body))
            answer = hook.next_answer()
            if answer == HANG:
                hook.stopped.wait(60)
            elif answer == DRIP:
                self._drip()
            elif answer != CUT:
                self.send_response(int(answer))
                self.send_header("Location", hook.elsewhere or f"{hook.url}elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
            self.close_connection = True

        def _drip(self) -> None:
            for letter in b"HTTP/1.1 2" + b"0" * 600:
                if hook.stopped.wait(0.1):
                    return
                try:
                    self.wfile.write(bytes([letter]))
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_port}/hooks/T0?x=1"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hook
        finally:
            hook.stopped.set()
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """A mail server.

    Args:
        replies: beginning of a command ('RCPT TO:<a@', 'DATA', '.') → its answer, or HANG.
    """

    replies: dict[str, str]
    mails: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)


USUAL = {"EHLO": "250 hello", "DATA": "354 go on", "QUIT": "221 bye"}


@contextmanager
def mail_server(**replies: str) -> Iterator[Mailbox]:
    box = Mailbox({key.replace("_", " "): value for key, value in replies.items()})

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().decode().strip():
                box.commands.append(line)
                answer = self._answer(line)
                if answer.startswith("354"):
                    self.wfile.write(f"{answer}\r\n".encode())
                    box.mails.append(self._text())
                    answer = self._answer("END")
                if answer == HANG:
                    box.stopped.wait(60)
                    return
                self.wfile.write(f"{answer}\r\n".encode())
                if line.startswith("QUIT"):
                    return

        def _text(self) -> str:
            lines: list[str] = []
            while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
                lines.append(line)
            return "".join(lines)

        def _answer(self, line: str) -> str:
            for beginning, answer in {**box.replies, **USUAL}.items():
                if line.upper().startswith(beginning.upper()):
                    return box.replies.get(beginning, answer)
            return "250 fine"

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield box
        finally:
            box.stopped.set()
            server.shutdown()
            thread.join()
            time.sleep(0)

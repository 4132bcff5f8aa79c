"""What a stage's process tells the process that started it, one JSON object a line.

{"kind": "run", "run_id": …, "run_name": …}      the run exists now
{"kind": "progress", "done": 3, "total": 30, "note": "mAP50 0.63"}
{"kind": "message", "text": …}                   worth a line on the terminal
{"kind": "result", "result": {…}}                the last one, when all went well
{"kind": "error", "type": …, "message": …, "exit_code": 2}   the last one, when not

No secret is in them: what is said ends in tables, tags and batch files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import IO, Any

from guardianflow.support.redaction import redact_value


class EventSink:
    """Writes events to a file descriptor; a reader that went away is no reason to stop working."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def emit(self, kind: str, **values: Any) -> None:
        if self._descriptor is None:
            return
        event = redact_value("", {"kind": kind, **values})
        line = json.dumps(event, ensure_ascii=False) + "\n"
        data = line.encode()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            self._descriptor = None

    def progress(self, done: int, total: int, note: str = "") -> None:
        self.emit("progress", done=done, total=total, note=note)

    def message(self, text: str) -> None:
        self.emit("message", text=text)


def read_events(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """Events as they come; a line cut off by the writer's death is left out."""
    for line in stream:
        if line.endswith("\n"):
            yield json.loads(line)

"""The line between a stage's process and its starter."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import pipelines.stage.events
from pipelines.stage.events import (
    Ended,
    EventSink,
    Listener,
    Reporter,
    read_events,
    read_outcome,
    write_outcome,
)


def test_events_arrive_as_they_were_sent() -> None:
    reading, writing = os.pipe()
    sink = EventSink(writing)
    sink.progress(3, 30, "mAP50 0.6")
    sink.message("교정 이미지 64장")
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        events = list(read_events(stream))
    assert events == [
        {"kind": "progress", "done": 3, "total": 30, "note": "mAP50 0.6"},
        {"kind": "message", "text": "교정 이미지 64장"},
    ]


def test_no_secret_is_said(secrets_forgotten: None) -> None:
    reading, writing = os.pipe()
    sink = EventSink(writing)
    sink.emit("error", message="git+https://kim:t0ken@h/x is refused", metrics={"ap.token": 0.5})
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        (event,) = read_events(stream)
    assert event["message"] == "git+https://REDACTED@h/x is refused"
    assert event["metrics"] == {"ap.token": 0.5}  # a class of that name


def test_a_line_cut_off_by_death_is_left_out() -> None:
    stream = io.StringIO('{"kind": "message", "text": "whole"}\n{"kind": "res')
    assert [event["text"] for event in read_events(stream)] == ["whole"]


def test_a_reader_that_went_away_does_not_stop_the_work() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = EventSink(writing)
    sink.message("nobody hears")
    sink.message("nor this")
    os.close(writing)


def test_half_a_line_does_not_swallow_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    sink = EventSink(writing)
    write = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        write(descriptor, data[:10])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "write", interrupted)
        sink.message("cut off")
    sink.emit("error", message="interrupted")
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        assert [event["message"] for event in read_events(stream)] == ["interrupted"]


class Leaving:
    """A reporter whose terminal goes away, or stands still, at the first event."""

    def __init__(self, wait: threading.Event | None = None) -> None:
        self._wait = wait
        self.called = 0

    def opened(self, title: str, run_id: str) -> None: ...

    def started(self, title: str, log: Path) -> None: ...

    def event(self, title: str, event: dict[str, Any]) -> None:
        self.called += 1
        if self._wait is None:
            raise BrokenPipeError(32, "Broken pipe")
        self._wait.wait(60)

    def ended(self, title: str, result: Ended) -> None: ...


def talk(reporter: Reporter) -> Listener:
    """A process that says more than a pipe holds, its run first and its result last."""
    reading, writing = os.pipe()
    listener = Listener(reporter, "train")
    listener.start(reading)
    sink = EventSink(writing)
    sink.emit("run", run_id="abc", run_name="x")
    for number in range(2000):
        sink.message(f"{number} " + "x" * 100)
    sink.emit("result", result={"status": "FINISHED"})
    os.close(writing)
    listener.finish()
    return listener


def test_a_reporter_that_fails_is_told_of_once_and_the_listener_reads_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = Leaving()
    listener = talk(reporter)
    assert (listener.run_id, listener.result) == ("abc", {"status": "FINISHED"})
    assert reporter.called == 1
    assert capsys.readouterr().err.count("the work goes on") == 1


def test_a_terminal_that_is_stopped_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines.stage.events, "SHOWING_S", 0.1)
    released = threading.Event()
    listener = talk(Leaving(released))
    assert listener.result == {"status": "FINISHED"}
    released.set()


def test_the_last_event_is_read_from_its_file_whole_or_not_at_all(tmp_path: Path) -> None:
    assert read_outcome(tmp_path) is None
    (tmp_path / "outcome.json").write_text('{"kind": "res')
    assert read_outcome(tmp_path) is None
    outcome = {"kind": "error", "message": "교정 \ud800", "exit_code": 1}
    write_outcome(tmp_path, outcome)
    assert read_outcome(tmp_path) == outcome | {"message": "교정 ?"}

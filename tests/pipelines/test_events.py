"""The line between a stage's process and its starter."""

from __future__ import annotations

import io
import os

from pipelines.events import EventSink, read_events


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

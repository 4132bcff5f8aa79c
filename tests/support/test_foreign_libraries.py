"""What foreign libraries print, log and set stays in bounds."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from guardianflow.support.foreign_libraries import (
    environment,
    loggers_to_log,
    prints_to_log,
    quiet_ultralytics,
)


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GF_A", "before")
    monkeypatch.delenv("GF_B", raising=False)
    monkeypatch.setenv("GF_C", "before")
    with environment(GF_A="now", GF_B="now", GF_C=None):
        assert (os.environ["GF_A"], os.environ["GF_B"]) == ("now", "now")
        os.environ["GF_C"] = "changed by a library"
    assert os.environ["GF_A"] == os.environ["GF_C"] == "before"
    assert "GF_B" not in os.environ


def test_chatter_goes_to_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    library = logging.getLogger("some.library")
    library.setLevel(logging.INFO)
    with (
        caplog.at_level(logging.DEBUG, logger="guardianflow"),
        prints_to_log(),
        loggers_to_log("some.library"),
    ):
        sys.stdout.write("Collecting tensor data ...\n\n")
        library.warning("range of %s is empty", "conv1")
        library.info("progress")
    assert capsys.readouterr().out == ""
    said = {(r.levelname, r.getMessage()) for r in caplog.records if "foreign_libraries" in r.name}
    assert said == {
        ("WARNING", "some.library: range of conv1 is empty"),
        ("DEBUG", "some.library: progress"),
        ("DEBUG", "Collecting tensor data ..."),
    }


def test_ultralytics_finds_what_the_user_has_set_and_leaves_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", "/mine")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.delenv("YOLO_OFFLINE", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with quiet_ultralytics():
        assert (os.environ["YOLO_CONFIG_DIR"], os.environ["YOLO_OFFLINE"]) == ("/mine", "true")
        os.environ["OMP_NUM_THREADS"] = "8"  # as the library does
    assert "YOLO_OFFLINE" not in os.environ
    assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.delenv("YOLO_CONFIG_DIR")
    with quiet_ultralytics():
        assert Path(os.environ["YOLO_CONFIG_DIR"]) == Path("/cache/guardianflow")

from __future__ import annotations

import logging

import pytest

from guardianflow.site_data.progress import tracked


def test_short_work_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked(range(5), "counting", 5)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


def test_long_work_is_told_of_and_passes_everything_on(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        assert list(tracked(range(5), "counting", 5, shown_after_s=0.0)) == [0, 1, 2, 3, 4]
    assert "counting: 1 of 5 done" in caplog.text
    assert capsys.readouterr().out == ""

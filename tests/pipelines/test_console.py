"""What somebody at a terminal, or reading a log, gets to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.contracts.results import RegisteredModel, StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.console import PlainReporter, RichReporter, print_result
from pipelines.stage.events import Ended, Reporter

DONE = StageResult(
    "train",
    "abc",
    "FINISHED",
    "demo/seoul-plant1/full",
    "ppe-yolo11n-train-v1",
    {"det.mAP50": 0.9123},
    (RegisteredModel("demo.seoul-plant1.full.ppe", "3", ("candidate",)),),
)


def go_through(reporter: Reporter, result: Ended) -> None:
    reporter.started("train", Path("/work/stage.log"))
    reporter.event("train", {"kind": "run", "run_id": "abc"})
    reporter.event("train", {"kind": "message", "text": "교정 이미지 64장"})
    reporter.event("train", {"kind": "progress", "done": 2, "total": 2, "note": "mAP50 0.9"})
    reporter.ended("train", result)


@pytest.mark.parametrize("reporter", [PlainReporter, RichReporter])
def test_a_stage_is_followed_on_stderr(
    reporter: type[PlainReporter | RichReporter], capsys: pytest.CaptureFixture[str]
) -> None:
    go_through(reporter(), DONE)
    shown = capsys.readouterr()
    assert shown.out == ""  # stdout is for results
    assert "done" in shown.err
    assert "mAP50 0.912" in shown.err
    go_through(reporter(), RunStatus.FAILED)
    assert "failed" in capsys.readouterr().err.lower()
    go_through(reporter(), RunStatus.KILLED)
    assert "interrupted" in capsys.readouterr().err.lower()


@pytest.mark.parametrize("reporter", [PlainReporter, RichReporter])
def test_the_run_of_a_chain_is_shown_at_its_start(
    reporter: type[PlainReporter | RichReporter], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = reporter()
    shown.opened("ppe-yolo11n-pipeline-v1", "0123abcd")
    text = capsys.readouterr().err
    assert "0123abcd" in text
    assert "ppe-yolo11n-pipeline-v1" in text


def test_the_run_of_a_stage_alone_is_shown_beside_its_bar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = RichReporter()
    reporter.started("release", Path("/work/stage.log"))
    reporter.event("release", {"kind": "run", "run_id": "0123abcd"})
    reporter.ended("release", RunStatus.KILLED)
    assert "run 0123abcd" in capsys.readouterr().err


def test_a_log_holds_run_log_file_and_messages(capsys: pytest.CaptureFixture[str]) -> None:
    go_through(PlainReporter(), DONE)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [
        "[train] started, log /work/stage.log",
        "[train] run abc",
        "[train] 교정 이미지 64장",
        "[train] 2/2 mAP50 0.9",
    ]


def test_what_a_single_stage_made_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(DONE)
    shown = capsys.readouterr().out
    for part in ("ppe-yolo11n-train-v1", "abc", "v3 @candidate", "mAP50 0.912"):
        assert part in shown

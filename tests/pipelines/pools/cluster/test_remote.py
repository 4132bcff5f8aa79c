"""What an actor does on its machine before the stage's process begins. No cluster is started."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from guardianflow.contracts.errors import FailureReason
from pipelines.pools.cluster.remote import RemoteStage
from pipelines.pools.cluster.sent_code import SentCode
from pipelines.stage.stage import StageRequest


def test_code_that_has_no_room_there_is_a_failure_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no worker that vanished: whoever follows the stage must not take it for one."""
    request = StageRequest("train", "train", "x", "e", "", "/", "sqlite:////nowhere", str(tmp_path))
    (tmp_path / "closed").write_text("a file where the system's temporary files should go")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "closed"))
    stage = RemoteStage({})
    ended = stage.run(request.to_json(), SentCode("/not/here", b""), {"OMP_NUM_THREADS": "1"})
    assert ended.failure is not None
    assert "the experiment's code can't be unpacked on" in ended.failure.reason
    assert ended.failure.run_id is None
    assert stage.news(60) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(SentCode, "unpacked", lambda *_: (_ for _ in ()).throw(full))
    ended = RemoteStage({}).run(request.to_json(), SentCode("", b""), {"OMP_NUM_THREADS": "1"})
    assert ended.failure is not None
    assert ended.failure.failure_reason is FailureReason.DISK_FULL

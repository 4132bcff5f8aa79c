"""A stage on another machine has the settings of whoever gave the command, wherever they stood."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.contracts.errors import ConfigurationError
from pipelines.pools.cluster.sent_settings import settings_to_send


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_stands_in_a_file_goes_too_and_the_environment_wins(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".env").write_text(
        "GUARDIANFLOW_QUIET_WAIT_S=5\nGUARDIANFLOW_SPOOL=on\nMLFLOW_TRACKING_TOKEN=abc\nOTHER=x\n"
    )
    monkeypatch.setenv("GUARDIANFLOW_QUIET_WAIT_S", "0")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    sent = settings_to_send()
    names = ("GUARDIANFLOW_QUIET_WAIT_S", "GUARDIANFLOW_SPOOL", "MLFLOW_TRACKING_TOKEN")
    assert [sent[each] for each in names] == ["0", "on", "abc"]
    assert sent["AWS_ACCESS_KEY_ID"] == "me"
    assert not {"OTHER", "PATH", "HOME"} & set(sent)


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        ("WORK_DIR", "work", "{here}/work"),
        ("METRICS_STORE", "rows", "{here}/rows"),
        ("METRICS_STORE", "s3://bucket/rows", "s3://bucket/rows"),
        ("METRICS_STORE", "off", "off"),
        ("TRUSTED_WEIGHTS", "ours:/srv/theirs:", "{here}/ours:/srv/theirs:"),
        ("TRUSTED_WEIGHTS", "", ""),
    ],
)
def test_a_path_leads_to_the_same_place_from_another_directory(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: str, sent: str
) -> None:
    monkeypatch.setenv(f"GUARDIANFLOW_{name}", given)
    assert settings_to_send()[f"GUARDIANFLOW_{name}"] == sent.format(here=here)


def test_a_file_that_is_no_text_is_told(here: Path) -> None:
    (here / ".env").write_bytes(b"GUARDIANFLOW_SPOOL=\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"\.env must be a file of UTF-8 text"):
        settings_to_send()

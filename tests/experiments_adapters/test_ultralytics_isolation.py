from __future__ import annotations

import os
from pathlib import Path

import pytest
from ultralytics.utils import SETTINGS, checks, downloads
from ultralytics.utils.events import events

from experiments_adapters.ultralytics_isolation import ultralytics_isolated

INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def test_trackers_are_off_inside_and_as_before_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ULTRALYTICS_API_KEY", "key")
    monkeypatch.setattr(events, "enabled", True)
    before = dict(SETTINGS)
    with ultralytics_isolated():
        with ultralytics_isolated(offline=True):
            assert not any(SETTINGS[name] for name in INTEGRATIONS)
        assert not any(SETTINGS[name] for name in INTEGRATIONS)
        assert "ULTRALYTICS_API_KEY" not in os.environ
        assert os.environ["YOLO_AUTOINSTALL"] == "false"
        assert (events.enabled, checks.AUTOINSTALL) == (False, False)
    assert dict(SETTINGS) == before
    assert os.environ["ULTRALYTICS_API_KEY"] == "key"
    assert events.enabled is True


def test_all_is_as_before_after_an_error() -> None:
    before, place = dict(SETTINGS), SETTINGS.file_path
    with pytest.raises(KeyboardInterrupt), ultralytics_isolated(offline=True):
        raise KeyboardInterrupt
    assert dict(SETTINGS) == before
    assert SETTINGS.file_path == place
    assert downloads.safe_download.__module__ == "ultralytics.utils.downloads"


def test_settings_changed_inside_do_not_reach_the_users_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SETTINGS, "file_path", tmp_path / "settings.json")
    before = SETTINGS["runs_dir"]
    with ultralytics_isolated():
        SETTINGS.update({"runs_dir": "/elsewhere"})
        assert SETTINGS["runs_dir"] == "/elsewhere"
    assert SETTINGS["runs_dir"] == before
    assert list(tmp_path.iterdir()) == []


def test_offline_refuses_downloads_without_asking_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("requests.head", lambda *a, **k: pytest.fail("asked the network"))
    with ultralytics_isolated(offline=True):
        with pytest.raises(ConnectionError, match="give a local file"):
            downloads.attempt_download_asset("yolo11n.pt")
        assert checks.check_font("NoSuchFont.ttf") is None
        assert downloads.is_url("https://example.org/a.zip")
        assert not downloads.is_url("https://example.org/a.zip", check=True)

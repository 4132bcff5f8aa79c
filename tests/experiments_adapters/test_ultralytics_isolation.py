from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

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


def test_training_on_a_gpu_starts_without_the_weights_of_its_precision_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a GPU Ultralytics wants to download a network first, to try mixed precision on."""
    from ultralytics import utils

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(utils, "WEIGHTS_DIR", tmp_path)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "NVIDIA H100")
    monkeypatch.setattr("requests.get", lambda *a, **k: pytest.fail("asked the network"))
    on_gpu = SimpleNamespace(device=SimpleNamespace(type="cuda"))
    model = SimpleNamespace(parameters=lambda: iter([on_gpu]))
    with ultralytics_isolated(offline=True):
        assert checks.check_amp(model)
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


def test_images_are_left_as_they_are(tmp_path: Path) -> None:
    """Ultralytics writes a JPEG that is padded at its end anew, at another quality."""
    from PIL import Image
    from ultralytics.data.utils import check_image

    file = tmp_path / "a.jpg"
    Image.effect_noise((64, 48), 90).save(file)
    content = file.read_bytes() + bytes(16)
    file.write_bytes(content)
    with ultralytics_isolated():
        assert check_image(str(file))[1] == (48, 64)
        assert file.read_bytes() == content
    check_image(str(file))
    assert file.read_bytes() != content  # what it would do

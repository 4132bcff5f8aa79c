"""Settings: where each comes from, what is a slip, and that no secret is shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments_adapters.legacy.registry import expand
from guardianflow.contracts.errors import ConfigurationError
from pipelines import settings as settings_module
from pipelines.configuration.sources import MASK, ShownSetting, shown_settings, unused_names
from pipelines.settings import Settings, load_settings, names_of

SECRET = "correct-horse-battery-9"


@pytest.fixture(autouse=True)
def clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets_forgotten: None
) -> Iterator[None]:
    """An empty directory, none of our variables, and none of `.env` left behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings_module, "_exported", {})
    before = dict(os.environ)
    for field in Settings.model_fields:
        for name in names_of(field):
            monkeypatch.delenv(name, raising=False)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]


def shown(name: str) -> ShownSetting:
    return next(each for each in shown_settings() if each.name == name)


def test_each_setting_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "GUARDIANFLOW_WORK_DIR=/data/of-env-file\nMLFLOW_TRACKING_URI=http://mlflow:5000\n"
        "GUARDIANFLOW_SPOOL=off\n"
    )
    monkeypatch.setenv("GUARDIANFLOW_SPOOL", "on")
    for _ in range(2):  # exporting .env at the first reading must not change what the second says
        work_dir = shown("GUARDIANFLOW_WORK_DIR")
        assert (work_dir.value, work_dir.source) == ("/data/of-env-file", ".env")
        assert shown("MLFLOW_TRACKING_URI").source == ".env"
        assert (shown("GUARDIANFLOW_SPOOL").value, shown("GUARDIANFLOW_SPOOL").source) == (
            "on",
            "environment",
        )
        assert shown("GUARDIANFLOW_EXECUTOR").source == "default"
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    monkeypatch.setenv("GUARDIANFLOW_TRACKING_URI", "sqlite:///mine.db")
    assert shown("GUARDIANFLOW_TRACKING_URI").value == "sqlite:///mine.db"


def test_our_own_name_of_the_store_wins_within_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "MLFLOW_TRACKING_URI=http://other:5000\nGUARDIANFLOW_TRACKING_URI=http://ours:5000\n"
    )
    for _ in range(2):
        assert load_settings().tracking_uri == "http://ours:5000"
        assert shown("GUARDIANFLOW_TRACKING_URI").value == "http://ours:5000"


def test_every_setting_has_a_meaning_and_a_name_of_its_own() -> None:
    rows = shown_settings()
    assert len({each.name for each in rows}) == len(Settings.model_fields)
    assert all(each.meaning for each in rows)


def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "GUARDIANFLOW_DASHBOARD_TOKEN",
    ]
    (tmp_path / ".env").write_text("".join(f"{name}={SECRET}\n" for name in names))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://kim:{SECRET}@mlflow:5000")
    assert [shown(name).value for name in names] == [MASK] * len(names)
    assert shown("MLFLOW_TRACKING_URI").value == "http://mlflow:5000"
    assert SECRET not in repr(load_settings().model_dump(exclude={"tracking_uri"}))
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET  # its library reads the environment alone
    assert load_settings().dashboard_token is not None


@pytest.mark.parametrize("where", ["the environment", ".env"])
def test_a_slip_in_a_name_is_told_and_not_passed_over(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would silently work in the default directory."""
    if where == ".env":
        (tmp_path / ".env").write_text("GUARDIANFLOW_WROK_DIR=/data\n")
    else:
        monkeypatch.setenv("GUARDIANFLOW_WROK_DIR", "/data")
    said = f"GUARDIANFLOW_WROK_DIR in {where} is no setting; did you mean 'GUARDIANFLOW_WORK_DIR'?"
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        load_settings()


def test_a_name_that_is_near_none_stops_nothing_and_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUARDIANFLOW_OF_ANOTHER_TEAM", "1")
    monkeypatch.setenv("GUARDIANFLOW_BATCH", "ours, for children")
    load_settings()
    assert unused_names() == ["GUARDIANFLOW_OF_ANOTHER_TEAM"]


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIANFLOW_SPOOL", "sometimes")
    monkeypatch.setenv("GUARDIANFLOW_EXECUTOR", "dask")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "seaweed:8333")
    monkeypatch.setenv("GUARDIANFLOW_WROK_DIR", "/data")
    monkeypatch.setenv("GUARDIANFLOW_PRIVATE_HOSTS", "hooks.plant http://10.1.2.3")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    told = str(caught.value)
    assert "GUARDIANFLOW_SPOOL must be auto, on or off but got 'sometimes'" in told
    assert "GUARDIANFLOW_EXECUTOR must be local, ray or ray://HOST:PORT but got 'dask'" in told
    assert "MLFLOW_S3_ENDPOINT_URL must be an address like http://HOST:8333" in told
    assert "GUARDIANFLOW_WROK_DIR" in told
    assert "GUARDIANFLOW_PRIVATE_HOSTS must be names, addresses or networks without" in told


def test_a_blank_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_S3_ENDPOINT_URL", "EXPERIMENTS_BASE"):
        monkeypatch.setenv(name, " ")
    monkeypatch.setenv("GUARDIANFLOW_DASHBOARD_TOKEN", "")
    settings = load_settings()
    assert settings.dashboard_token is None  # an empty token would let in whoever sends none
    assert (settings.tracking_uri, settings.s3_endpoint) == (None, None)
    assert settings.experiments_base == Path("~/experiments")


def test_the_registry_of_old_scripts_sees_the_base_of_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EXPERIMENTS_BASE=/srv/old\n")
    load_settings()
    assert expand("${EXPERIMENTS_BASE}/ppe", "path") == "/srv/old/ppe"


def test_trusted_directories_are_parted_and_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIANFLOW_TRUSTED_WEIGHTS", "weights::/srv/weights")
    assert load_settings().trusted_weights == (tmp_path / "weights", Path("/srv/weights"))
    assert shown("GUARDIANFLOW_TRUSTED_WEIGHTS").value == f"{tmp_path / 'weights'}:/srv/weights"

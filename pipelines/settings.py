"""Settings of the machine, not of the experiment: where things lie and which store is used.

Read from `GUARDIANFLOW_*` and from a `.env` in the working directory. MLflow's and S3's own
variables in that `.env` are exported, because their libraries read the environment alone.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import platformdirs
from dotenv import dotenv_values
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.support.secrets.redaction import learn_environment

PROJECT_ROOT = Path(__file__).resolve().parents[1]
BUILTIN_EXPERIMENT = "experiments_adapters/yolo"
EXPORTED_PREFIXES = ("MLFLOW_", "AWS_")


class Settings(BaseSettings):
    """`work_dir` holds data sets drawn or resolved, checkouts, and what a run is working on."""

    model_config = SettingsConfigDict(env_prefix="GUARDIANFLOW_", env_file=".env", extra="ignore")

    work_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("guardianflow"))
    )
    tracking_uri: str | None = Field(
        default=None,
        validation_alias=AliasChoices("GUARDIANFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
    )

    @cached_property
    def datasets_dir(self) -> Path:
        return self.work_dir / "datasets"

    @cached_property
    def probes_dir(self) -> Path:
        return self.work_dir / "probes"

    @cached_property
    def checkpoints_dir(self) -> Path:
        return self.work_dir / "checkpoints"

    @cached_property
    def code_dir(self) -> Path:
        return self.work_dir / "code"


def load_settings() -> Settings:
    """Read the settings; what the environment says wins over `.env`."""
    try:
        found = dotenv_values(".env")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f".env must be a file of UTF-8 text: {exc}") from exc
    learn_environment(found)
    for name, value in found.items():
        if name.startswith(EXPORTED_PREFIXES) and value is not None:
            os.environ.setdefault(name, value)
    settings = Settings()
    return settings.model_copy(update={"work_dir": given_path(settings.work_dir).resolve()})

"""Settings of the machine, not of the experiment: where things lie and which store is used.

Read from `GUARDIANFLOW_*` and from a `.env` in the working directory. MLflow's and S3's own
variables in that `.env` are exported, because their libraries read the environment alone.
`guardianflow config show` says where each value comes from (pipelines/configuration/).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import platformdirs
from dotenv import dotenv_values
from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.support.network.addresses import is_host_or_network
from guardianflow.support.secrets.redaction import learn_environment
from guardianflow.support.suggestions import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PROJECT_ROOT = Path(__file__).resolve().parents[1]
BUILTIN_EXPERIMENT = "experiments_adapters/yolo"
LONGEST_WAIT_S = 86400
WANTED = {
    "quiet_wait_s": f"a number of seconds from 0 to {LONGEST_WAIT_S}",
    "MLFLOW_WORKSPACE": "lower-case letters, digits and hyphens",
    "spool": "auto, on or off",
    "executor": "local, ray or ray://HOST:PORT",
    "MLFLOW_S3_ENDPOINT_URL": "an address like http://HOST:8333",
    "private_hosts": "names, addresses or networks without scheme and port ('hooks.plant "
    "10.1.0.0/16')",
}
PREFIX = "GUARDIANFLOW_"
DOTENV = ".env"
EXPORTED_PREFIXES = ("MLFLOW_", "AWS_", "EXPERIMENTS_BASE")
NO_SETTINGS = frozenset(
    PREFIX + name for name in ("BATCH", "WRAPPED", "GIT_USER", "GIT_PASSWORD", "RUN_DETECTOR_CHILD")
)
"""What our own processes tell their children by."""

_exported: dict[str, str] = {}
"""Names of `.env` that were put into the environment, with their values."""


class Settings(BaseSettings):
    """Where things lie, and which services are used; each field's description says what it is."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=DOTENV, extra="ignore")

    work_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("guardianflow")),
        description="data sets drawn or resolved, checkouts, and what a run is working on",
    )
    tracking_uri: str | None = Field(
        default=None,
        validation_alias=AliasChoices("GUARDIANFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
        description="the store of runs and models: an MLflow server, or a database",
    )
    workspace: str | None = Field(
        default=None,
        validation_alias="MLFLOW_WORKSPACE",
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        description="the workspace of an MLflow server that keeps several apart, one per customer",
    )
    tracking_username: str | None = Field(
        default=None,
        validation_alias="MLFLOW_TRACKING_USERNAME",
        description="the name that an MLflow server with logins knows you by",
    )
    tracking_password: SecretStr | None = Field(
        default=None,
        validation_alias="MLFLOW_TRACKING_PASSWORD",
        description="the password to that name",
    )
    tracking_token: SecretStr | None = Field(
        default=None,
        validation_alias="MLFLOW_TRACKING_TOKEN",
        description="a token instead of name and password",
    )
    s3_endpoint: str | None = Field(
        default=None,
        validation_alias="MLFLOW_S3_ENDPOINT_URL",
        pattern=r"^https?://[^/\s]+",
        description="an S3 server of your own, where artifacts go to it without MLflow's server",
    )
    s3_access_key_id: SecretStr | None = Field(
        default=None, validation_alias="AWS_ACCESS_KEY_ID", description="the name of the S3 key"
    )
    s3_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_SECRET_ACCESS_KEY", description="the S3 key itself"
    )
    experiments_base: Path = Field(
        default=Path("~/experiments"),
        validation_alias="EXPERIMENTS_BASE",
        description="${EXPERIMENTS_BASE} of configs/experiments.yaml: directories of old scripts",
    )
    executor: str = Field(
        default="local",
        pattern=r"^(local|ray|ray://\S+)$",
        description="runs trials: processes of this machine, or a Ray cluster",
    )
    quiet_wait_s: float = Field(
        default=60.0,
        ge=0,
        le=LONGEST_WAIT_S,
        allow_inf_nan=False,
        description="seconds that a stage waits, in all, for a quiet machine to take its times on; "
        "then they are left out. With 0 it does not wait",
    )
    spool: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="whether what is logged is kept in the work directory until the store has it: "
        "auto for a server, on for a database file too, off never",
    )
    metrics_store: str = Field(
        default="",
        description="where rows of finished runs lie, a directory or s3://BUCKET/PREFIX; empty: "
        "beside the tracking store; off: nowhere",
    )
    sweep_store: str = Field(
        default="",
        description="a PostgreSQL database for the studies of sweeps, so that several machines can "
        "join one; empty: that of the tracking store where it is one, else a file",
    )
    dashboard_token: SecretStr | None = Field(
        default=None, description="whoever opens the dashboard from another machine must give it"
    )
    dashboard_promotion_token: SecretStr | None = Field(
        default=None,
        description="whoever promotes a model from a page of the dashboard must give it; unset: "
        "no page promotes",
    )
    scenario_hosts: str | None = Field(
        default=None, description="hosts, parted by commas, that scenarios are fetched from"
    )
    alerts_webhook: SecretStr | None = Field(
        default=None,
        description="told of alerts by POST: http(s)://…, a body as Slack's incoming webhooks take",
    )
    alerts_webhook_key: SecretStr | None = Field(
        default=None, description="signs what the webhook is sent: HMAC-SHA256"
    )
    alerts_mail_server: SecretStr | None = Field(
        default=None,
        description="sends alerts as mail: smtp://USER:PASSWORD@HOST:587, or smtps://…",
    )
    alerts_mail_from: str = Field(default="", description="the sender of that mail")
    alerts_mail_to: str = Field(default="", description="its readers, parted by commas")
    private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="names, addresses or networks of one's own network, parted by spaces or "
        "commas, that webhook, mail and scenario_hosts may lie in; empty: none",
    )
    trusted_weights: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="directories, parted by ':', whose weights are opened whatever they hold",
    )

    verify_key: str = Field(
        default="",
        description="the public key, a file or its second line, that must have signed what pull "
        "takes; empty: unsigned models are taken too",
    )
    code_sources: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="repositories, parted by spaces, that experiment code may come from: "
        "addresses or their beginnings up to a '/'; empty: any",
    )

    @field_validator(
        *("tracking_uri", "workspace", "tracking_username", "tracking_password", "tracking_token"),
        *("s3_endpoint", "s3_access_key_id", "s3_secret_access_key", "experiments_base"),
        *("dashboard_token", "dashboard_promotion_token", "scenario_hosts"),
        *("alerts_webhook", "alerts_webhook_key", "alerts_mail_server"),
        mode="before",
    )
    @classmethod
    def _blank_is_unset(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and not value.strip():
            return cls.model_fields[str(info.field_name)].default
        return value

    @field_validator("trusted_weights", mode="before")
    @classmethod
    def _parted(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(given_path(part).resolve() for part in value.split(os.pathsep) if part.strip())

    @field_validator("code_sources", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("private_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        hosts = tuple(value.replace(",", " ").split())
        if not all(is_host_or_network(each) for each in hosts):
            raise ValueError("hosts are names, addresses or networks")
        return hosts

    def spools(self, tracking_uri: str) -> bool:
        """Whether what is logged to this store is kept here first."""
        over_http = tracking_uri.startswith(("http://", "https://"))
        return self.spool == "on" or (self.spool == "auto" and over_http)

    @cached_property
    def spool_dir(self) -> Path:
        return self.work_dir / "spool"

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
    def footage_dir(self) -> Path:
        return self.work_dir / "footage"

    @cached_property
    def own_code_file(self) -> Path:
        return self.work_dir / "own_code.json"

    @cached_property
    def code_dir(self) -> Path:
        return self.work_dir / "code"


def load_settings() -> Settings:
    """Read the settings; what the environment says wins over `.env`.

    Raises:
        ConfigurationError: all that is wrong with them, a misspelt name among it.
    """
    found = read_dotenv()
    learn_environment(found)
    problems = [*_misspelt(os.environ, "the environment"), *_misspelt(found, DOTENV)]
    exported = {name: value for name, value in found.items() if name.startswith(EXPORTED_PREFIXES)}
    if "GUARDIANFLOW_TRACKING_URI" in found:
        exported.pop("MLFLOW_TRACKING_URI", None)  # in the environment it would win over ours
    for name, value in exported.items():
        if value is not None and name not in os.environ:
            os.environ[name] = _exported[name] = value
    try:
        settings = Settings()
    except ValidationError as exc:
        problems += [_problem(each) for each in exc.errors()]
    if problems:
        raise ConfigurationError(problems)
    return settings.model_copy(update={"work_dir": given_path(settings.work_dir).resolve()})


def read_dotenv() -> dict[str, str | None]:
    """What `.env` in the working directory says; {} where there is none.

    Raises:
        ConfigurationError: it can't be read.
    """
    try:
        return dotenv_values(DOTENV)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{DOTENV} must be a file of UTF-8 text: {exc}") from exc


def names_of(field: str) -> tuple[str, ...]:
    """The variables that a setting is read from, the first that is set wins."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(each) for each in alias.choices)
    return (str(alias),) if alias else (PREFIX + field.upper(),)


def came_from_dotenv(name: str) -> bool:
    """Whether a variable is in the environment only because `.env` said it."""
    return name in _exported and os.environ.get(name) == _exported[name]


def unknown_names(given: Mapping[str, str | None]) -> list[str]:
    """Names that look like settings of ours and are none."""
    known = {name for field in Settings.model_fields for name in names_of(field)} | NO_SETTINGS
    return [name for name in given if name.upper().startswith(PREFIX) and name.upper() not in known]


def _misspelt(given: Mapping[str, str | None], where: str) -> Iterator[str]:
    """A name near a setting's is a slip: what it says would silently not hold."""
    known = [n.removeprefix(PREFIX) for field in Settings.model_fields for n in names_of(field)]
    for name in unknown_names(given):
        if meant := did_you_mean(name.upper().removeprefix(PREFIX), known, most=1):
            full = re.sub("'(.+)'", rf"'{PREFIX}\1'", meant)
            yield f"{name} in {where} is no setting{full}"


def _problem(error: ErrorDetails) -> str:
    """In our words where we have some; pydantic names a field, or the alias of one."""
    field = str(error["loc"][0])
    name = field if field.isupper() else f"{PREFIX}{field.upper()}"
    wanted = WANTED.get(field, "")
    return f"{name} must be {wanted or error['msg']} but got {error['input']!r}"

"""Reaches every service that the settings name, and says what of it can't be used."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.run_tracking.connection import resolve_tracking_uri, shown_uri
from guardianflow.run_tracking.services.answers import Answer, Cause
from guardianflow.run_tracking.services.artifacts import round_trip_artifacts
from guardianflow.run_tracking.services.s3 import ask_s3, bucket_of
from guardianflow.run_tracking.services.server import ask_server, is_server
from guardianflow.support.secrets.redaction import redact_text
from guardianflow.support.secrets.rules import names_secret

from ..settings import DOTENV, Settings, load_settings, read_dotenv

LEAST_FREE_GB = 5.0
GIGABYTE = 1e9


class Service(StrEnum):
    SETTINGS = "settings"
    WORK_DIRECTORY = "work directory"
    TRACKING = "tracking store"
    ARTIFACTS = "artifact store"
    S3 = "S3"


class Problem(StrEnum):
    """What is wrong where no service is asked; services have `Cause`."""

    OPEN_SECRETS = "open_secrets"
    NOT_WRITABLE = "not_writable"
    LITTLE_ROOM = "little_room"
    STORE = "store"


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Args:
        address: of what was asked, or a path.
        problem: None where it can be used.
        detail: what was seen.
        through_server: of artifacts: MLflow's server takes and gives them.
        after: another check whose failure leaves this one untried.
    """

    service: Service
    address: str = ""
    problem: Problem | Cause | None = None
    detail: str = ""
    through_server: bool = False
    after: Service | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None and self.after is None


def check_configuration(begun: Callable[[Service], None] = lambda _service: None) -> list[Check]:
    """Try everything, one after the other.

    Args:
        begun: told before what may take a while.

    Raises:
        ConfigurationError: the settings themselves can't be read.
    """
    settings = load_settings()
    begun(Service.TRACKING)
    tracking = _tracking(settings)
    begun(Service.ARTIFACTS)
    artifacts = _artifacts(settings, tracking)
    return [_secrets_file(), _work_directory(settings), tracking, artifacts,
            *_s3(settings, artifacts, begun)]  # fmt: skip


def _secrets_file() -> Check:
    """`.env` may hold passwords, which are nobody else's business."""
    path = Path(DOTENV)
    if not path.is_file():
        return Check(Service.SETTINGS, detail=f"no {DOTENV}")
    secret = [name for name, value in read_dotenv().items() if value and names_secret(name)]
    others = stat.S_IRWXG | stat.S_IRWXO
    open_to_others = bool(path.stat().st_mode & others) and bool(secret)
    problem = Problem.OPEN_SECRETS if open_to_others else None
    return Check(Service.SETTINGS, str(path.absolute()), problem, ", ".join(secret))


def _work_directory(settings: Settings) -> Check:
    place = settings.work_dir
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place, prefix="config-check-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(place).free / GIGABYTE
    except OSError as exc:
        return Check(Service.WORK_DIRECTORY, str(place), Problem.NOT_WRITABLE, str(exc))
    problem = Problem.LITTLE_ROOM if free < LEAST_FREE_GB else None
    return Check(Service.WORK_DIRECTORY, str(place), problem, f"{free:.0f} GB free")


def _tracking(settings: Settings) -> Check:
    uri = resolve_tracking_uri(settings.tracking_uri)
    if not is_server(uri):
        return Check(Service.TRACKING, shown_uri(uri), detail="a database, without a server")
    return _of_answer(Service.TRACKING, ask_server(uri))


def _artifacts(settings: Settings, tracking: Check) -> Check:
    if not tracking.ok:
        return Check(Service.ARTIFACTS, after=Service.TRACKING)
    try:
        answer = round_trip_artifacts(settings.tracking_uri)
    except GuardianFlowError as exc:
        detail = redact_text(str(exc))[:400]
        return Check(Service.ARTIFACTS, tracking.address, Problem.STORE, detail)
    return _of_answer(Service.ARTIFACTS, answer)


def _s3(settings: Settings, artifacts: Check, begun: Callable[[Service], None]) -> Iterator[Check]:
    """Where artifacts go to S3 from here, or a server is named."""
    bucket = bucket_of(artifacts.address)
    if bucket or settings.s3_endpoint:
        begun(Service.S3)
        yield _of_answer(Service.S3, ask_s3(settings.s3_endpoint, bucket))


def _of_answer(service: Service, answer: Answer) -> Check:
    proxied = answer.address.startswith("mlflow-artifacts:")
    return Check(service, answer.address, answer.cause, answer.detail, through_server=proxied)

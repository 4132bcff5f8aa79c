"""Asks an MLflow server whether it is there, lets us in, which version it is, and who we are."""

from __future__ import annotations

import json

from ...support.secrets.redaction import redact_text
from ..connection import prepare_environment, resolve_tracking_uri, shown_uri
from .answers import Answer, Cause

TIMEOUT_S = 15
UNAUTHORISED, FORBIDDEN = 401, 403
NO_WORKSPACE = ("FEATURE_DISABLED", "RESOURCE_DOES_NOT_EXIST")
"""What it answers to a search where it has no workspaces, or not the one that is named."""
HOST_REFUSED = "Invalid Host header"
"""What MLflow's own guard against foreign host names answers, with 403."""


def is_server(tracking_uri: str) -> bool:
    return tracking_uri.startswith(("http://", "https://"))


def ask_server(tracking_uri: str | None) -> Answer:
    """Ask for one experiment, with the login that mlflow itself would use.

    Args:
        tracking_uri: see `resolve_tracking_uri`; must be a server's.
    """
    prepare_environment()
    uri = resolve_tracking_uri(tracking_uri)
    shown = shown_uri(uri)
    try:
        path = "/api/2.0/mlflow/experiments/search"
        status, text = _ask(uri, path, "POST", json={"max_results": 1})
        cause = _cause_of(status, text)
        if cause is not None:
            return Answer(shown, cause, redact_text(text.strip()[:200]))
        _, version = _ask(uri, "/version", "GET")
    except Exception as exc:  # what a network, TLS, or mlflow around them raises
        return Answer(shown, _cause_of_failure(exc), redact_text(str(exc)[:300]))
    return Answer(shown, detail=version.strip()[:40])


def login_of(tracking_uri: str | None) -> str:
    """The name that the server has authenticated us by; '' where it knows nobody by a login.

    The variables of a login say nothing: a server without logins, or a database, takes any.
    """
    uri = resolve_tracking_uri(tracking_uri)
    if not is_server(uri):
        return ""
    prepare_environment()
    try:
        status, text = _ask(uri, "/api/2.0/mlflow/users/current", "GET")
        return str(json.loads(text)["user"]["username"]) if status == 200 else ""
    except Exception:  # a network, or another server's answer: what is done next meets it too
        return ""


def _ask(uri: str, path: str, method: str, **more: object) -> tuple[int, str]:
    from mlflow.tracking._tracking_service.utils import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    response = http_request(
        get_default_host_creds(uri),
        path,
        method,
        max_retries=0,
        timeout=TIMEOUT_S,
        raise_on_status=False,
        **more,
    )
    return response.status_code, response.text


def _cause_of(status: int, text: str) -> Cause | None:
    if status == UNAUTHORISED:
        return Cause.LOGIN
    if status == FORBIDDEN:
        return Cause.HOST if HOST_REFUSED in text else Cause.FORBIDDEN
    if _error_code(text) in NO_WORKSPACE:
        return Cause.WORKSPACE
    # Some other server's page would be 200 too.
    return None if status == 200 and text.lstrip().startswith("{") else Cause.NOT_MLFLOW


def _error_code(text: str) -> str:
    """mlflow's own code of what is wrong; '' where the answer is none of its."""
    try:
        return str(json.loads(text)["error_code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _cause_of_failure(exc: BaseException | None) -> Cause:
    from requests.exceptions import SSLError

    while exc is not None:
        if isinstance(exc, SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return Cause.CERTIFICATE
        exc = exc.__cause__ or exc.__context__
    return Cause.UNREACHABLE

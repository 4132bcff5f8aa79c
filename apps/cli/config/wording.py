"""What is wrong with a service and how to mend it, in words."""

from __future__ import annotations

from guardianflow.run_tracking.services.answers import Cause
from pipelines.configuration.checks import Check, Problem, Service

PLAIN = "AWS_REQUEST_CHECKSUM_CALCULATION and AWS_RESPONSE_CHECKSUM_VALIDATION to when_required"

WRONG = {
    Problem.OPEN_SECRETS: "other users of this machine can read it, and it holds {detail}",
    Problem.NOT_WRITABLE: "it can't be written: {detail}",
    Problem.LITTLE_ROOM: "it has little room: {detail}",
    Problem.STORE: "{detail}",
    Cause.UNREACHABLE: "nothing answers there",
    Cause.CERTIFICATE: "its certificate is not trusted here",
    Cause.LOGIN: "it wants a login, and does not take yours",
    Cause.FORBIDDEN: "it knows you and lets you not do this",
    Cause.HOST: "it refuses to be called by this name",
    Cause.WORKSPACE: "it has no workspace of the name in MLFLOW_WORKSPACE",
    Cause.NOT_MLFLOW: "something answers that is no MLflow server",
    Cause.BYTES: "what comes back is not what was sent",
    Cause.CHECKSUM_FRAMES: "it keeps the frames of boto3's checksums as part of each file",
    Cause.KEY: "it does not take the key",
    Cause.BUCKET: "the bucket is not there",
    Cause.LIBRARY: "boto3 is not installed",
    Cause.REFUSED: "it refused: {detail}",
}
CURES = {
    Problem.OPEN_SECRETS: "chmod 600 {address}",
    Problem.NOT_WRITABLE: "name another one in GUARDIANFLOW_WORK_DIR, or give yourself the right",
    Problem.LITTLE_ROOM: "make room, or name another one in GUARDIANFLOW_WORK_DIR",
    Problem.STORE: "see that the store runs and is the one you mean: MLFLOW_TRACKING_URI",
    Cause.CERTIFICATE: "name the file of its authority in MLFLOW_TRACKING_SERVER_CERT_PATH",
    Cause.LOGIN: "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, in .env say",
    Cause.FORBIDDEN: "ask whoever runs it for the right to write experiments and artifacts",
    Cause.HOST: "add the name to MLFLOW_SERVER_ALLOWED_HOSTS of the server",
    Cause.WORKSPACE: "correct or unset MLFLOW_WORKSPACE; docs/registry.md says how one is made",
    Cause.NOT_MLFLOW: "correct MLFLOW_TRACKING_URI",
    Cause.BYTES: "keep no file there until it is mended: a disk, a proxy or the server changes it",
    Cause.KEY: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    Cause.BUCKET: "make it, or start `mlflow server` with the bucket that you mean",
    Cause.LIBRARY: "pip install 'guardianflow[s3]'",
    Cause.REFUSED: "see the server's own log",
}
UNREACHABLE = {
    Service.TRACKING: "start it, or correct MLFLOW_TRACKING_URI",
    Service.S3: "start it, or correct MLFLOW_S3_ENDPOINT_URL",
}


def what_is_wrong(check: Check) -> str:
    """'' where nothing is."""
    if check.after is not None:
        return f"not tried: the {check.after.value} can't be used"
    return WRONG[check.problem].format(detail=check.detail) if check.problem else ""


def how_to_mend(check: Check) -> str:
    """'' where nothing is wrong, or another check says it."""
    if check.problem is None:
        return ""
    if check.problem is Cause.UNREACHABLE:
        return UNREACHABLE.get(check.service, "start it")
    if check.problem is Cause.CHECKSUM_FRAMES:
        where = "the MLflow server's environment" if check.through_server else "the environment"
        return f"set {PLAIN} in {where}; files kept since it was otherwise are damaged"
    return CURES[check.problem].format(address=check.address)

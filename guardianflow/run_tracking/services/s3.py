"""Asks an S3 server whether it is there, takes our key, and keeps the bytes it is given.

boto3 from 1.36 on sends a checksum with each upload in frames of its own, which older S3 servers,
SeaweedFS among them, keep as part of the file. `prepare_environment` turns that off for a server
of one's own; what a machine says otherwise is tried here.
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from ...support.secrets.redaction import redact_text, shown_address
from ..connection import prepare_environment
from .answers import Answer, Cause, Sample

FOLDER = "guardianflow-config-check"
TIMEOUT_S = 15
_CAUSES = {
    "InvalidAccessKeyId": Cause.KEY,
    "SignatureDoesNotMatch": Cause.KEY,
    "AccessDenied": Cause.FORBIDDEN,
    "403": Cause.FORBIDDEN,
    "NoSuchBucket": Cause.BUCKET,
    "404": Cause.BUCKET,
}


def bucket_of(location: str) -> str:
    """The bucket of an artifact's place, 's3://bucket/…'; '' of any other place."""
    parts = urlsplit(location)
    return parts.netloc if parts.scheme == "s3" else ""


def ask_s3(endpoint: str | None, bucket: str = "") -> Answer:
    """Reach the server with our key; where a bucket is named, send bytes there and back.

    Args:
        endpoint: of the server; None the one that boto3 knows.
        bucket: '' asks for the list of buckets alone.
    """
    prepare_environment()
    shown = shown_address(endpoint or "s3")
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            FlexibleChecksumError,
            NoCredentialsError,
        )
    except ImportError as exc:
        return Answer(shown, Cause.LIBRARY, str(exc))
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=TIMEOUT_S, read_timeout=60, retries={"total_max_attempts": 2}
        ),
    )
    try:
        if not bucket:
            names = [each["Name"] for each in client.list_buckets().get("Buckets", [])]
            return Answer(shown, detail=", ".join(names[:10]))
        return Answer(shown, _round_trip(client, bucket), f"s3://{bucket}")
    except NoCredentialsError as exc:
        return Answer(shown, Cause.KEY, str(exc))
    except ClientError as exc:
        code = str(exc.response.get("Error", {}).get("Code", ""))
        return Answer(shown, _CAUSES.get(code, Cause.REFUSED), redact_text(str(exc))[:300])
    except FlexibleChecksumError as exc:  # boto3 has compared what came back itself
        return Answer(shown, Cause.BYTES, str(exc)[:300])
    except (BotoCoreError, OSError) as exc:
        return Answer(shown, Cause.UNREACHABLE, redact_text(str(exc))[:300])


def _round_trip(client: Any, bucket: str) -> Cause | None:
    """A small object in one request, and one in several parts; removed again."""
    from io import BytesIO

    folder = f"{FOLDER}/{uuid.uuid4().hex}"
    for part in (Sample(1000), Sample()):
        key = f"{folder}/{part.size}"
        client.upload_fileobj(BytesIO(part.content), bucket, key)
        try:
            returned = BytesIO()
            client.download_fileobj(bucket, key, returned)
        finally:
            client.delete_object(Bucket=bucket, Key=key)
        if (cause := part.compare(returned.getvalue())) is not None:
            return cause
    return None

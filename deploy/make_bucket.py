"""Makes the bucket of the artifacts where it is missing: python make_bucket.py NAME

The S3 server is the one of MLFLOW_S3_ENDPOINT_URL, with the key of AWS_ACCESS_KEY_ID.
"""

from __future__ import annotations

import os
import sys

import boto3
from botocore.exceptions import ClientError


def make_bucket(name: str) -> bool:
    """Make the bucket; whether it was missing."""
    client = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
    try:
        client.head_bucket(Bucket=name)
        return False
    except ClientError as exc:
        if exc.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
    client.create_bucket(Bucket=name)
    return True


if __name__ == "__main__":
    print(f"bucket {sys.argv[1]}: {'made' if make_bucket(sys.argv[1]) else 'there already'}")

"""The bucket is made once; a server that is not there is a failure, not a bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from team_servers import BUCKET, free_port, s3_server


@pytest.mark.slow
def test_it_is_made_where_it_is_missing(repository: Path, tmp_path: Path) -> None:
    program = str(repository / "deploy/make_bucket.py")

    def make(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {**os.environ, **environment, "AWS_MAX_ATTEMPTS": "1"}
        return subprocess.run(
            [sys.executable, program, name], env=known, capture_output=True, text=True
        )

    with s3_server(tmp_path) as s3:
        assert make(BUCKET, **s3.environment).stdout == "bucket mlflow: there already\n"
        assert make("other", **s3.environment).stdout == "bucket other: made\n"
        assert make("other", **s3.environment).stdout == "bucket other: there already\n"
        nobody = {"MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
        assert make("other", **{**s3.environment, **nobody}).returncode != 0

"""Secrets are made once, are random, and are their owner's alone."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from cryptography.fernet import Fernet


def init(repository: Path, folder: Path) -> dict[str, str]:
    program = repository / "deploy/init-secrets"
    subprocess.run([sys.executable, str(program), str(folder)], check=True, capture_output=True)
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_they_are_random_and_private(repository: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    made = init(repository, one)
    assert len(set(made.values())) == len(made)
    assert all(len(value) >= 44 for value in made.values())
    Fernet(made["MLFLOW_WEBHOOK_KEY"])  # the form that MLflow takes
    assert not set(made.values()) & set(init(repository, other).values())
    for file in (one / ".env", one / "secrets/seaweed_s3.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((one / "secrets").stat().st_mode) == 0o700
    identities = json.loads((one / "secrets/seaweed_s3.json").read_text())["identities"]
    assert identities[0]["credentials"] == [
        {"accessKey": made["S3_ACCESS_KEY_ID"], "secretKey": made["S3_SECRET_ACCESS_KEY"]}
    ]


def test_what_is_there_stays_and_what_is_missing_is_added(repository: Path, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# ours\nPOSTGRES_PASSWORD=chosen-by-us\nBIND_ADDRESS=10.0.0.5\nDASHBOARD_TOKEN=\n"
    )
    file.chmod(0o644)
    made = init(repository, tmp_path)
    assert (made["POSTGRES_PASSWORD"], made["BIND_ADDRESS"]) == ("chosen-by-us", "10.0.0.5")
    assert len(made["DASHBOARD_TOKEN"]) >= 48
    assert file.read_text().startswith("# ours\n")
    assert file.read_text().count("DASHBOARD_TOKEN=") == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert init(repository, tmp_path) == made
    assert file.read_bytes() == before

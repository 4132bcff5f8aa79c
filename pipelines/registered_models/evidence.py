"""Reads what a release run has written, to promote a model or to compare with it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import SourceError
from guardianflow.release.promotion.evidence import ReleaseEvidence, read_evidence

from ..wiring import Ports

RELEASE_FILE = "results/release.json"


def release_table(ports: Ports, run_id: str) -> Any:
    """Read a release run's results/release.json.

    Raises:
        SourceError: no such run, it has no such file, or it is no JSON.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = ports.store.download(run_id, RELEASE_FILE, Path(folder))
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as exc:
            raise SourceError(f"{RELEASE_FILE} of run {run_id} can't be read: {exc}") from exc


def evidence_of(ports: Ports, run_id: str) -> ReleaseEvidence:
    """Reads the run that a verdict names, for promotions."""
    if not run_id:
        raise SourceError("it names no run")
    return read_evidence(ports.store.get_run(run_id), release_table(ports, run_id))

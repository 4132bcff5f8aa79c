"""Does a backend really run on this machine? Asked before the work, in a child process."""

from __future__ import annotations

import os
from pathlib import Path

from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.results import ProbeVerdict


def require_backend(backend: str, precision: str, probes_dir: Path) -> ProbeVerdict:
    """Probe, and set what cures it in this process's environment before any library loads.

    Raises:
        BackendUnavailableError: it doesn't run here; the message names verdict and cure.
    """
    from guardianflow.backends.probe import environment_for, probe

    verdict = probe(backend, precision, cache_dir=probes_dir)
    if not verdict.runs:
        raise BackendUnavailableError(
            f"{backend} {precision} can't run on this machine ({verdict.verdict}"
            f"{': ' + verdict.reason if verdict.reason else ''}). {verdict.cure}".rstrip()
        )
    os.environ.update(environment_for(verdict))
    return verdict


def verdict_tags(verdict: ProbeVerdict) -> dict[str, str]:
    """What the run should say of it."""
    tags = {"sys.backend_verdict": verdict.verdict}
    if verdict.isa_cap:
        tags["sys.isa_cap"] = verdict.isa_cap
    return tags

"""Asks whether a backend really runs on this machine: before the work, in a child process."""

from __future__ import annotations

import os
from pathlib import Path

from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.results import ExportRequest, ProbeVerdict
from scenario import QuantizationParams


def require_backend(backend: str, precision: str, probes_dir: Path) -> ProbeVerdict:
    """Probe, and set what cures it in this process's environment before any library loads.

    Raises:
        BackendUnavailableError: it doesn't run here; the message names verdict and cure.
    """
    from guardianflow.backends.probe.probe import environment_for, probe

    verdict = probe(backend, precision, cache_dir=probes_dir)
    if not verdict.runs:
        raise BackendUnavailableError(explain_verdict(verdict))
    os.environ.update(environment_for(verdict))
    return verdict


def reason_unavailable(variant: QuantizationParams, device: str, probes_dir: Path) -> str:
    """The reason that this machine can't make and run a variant, with advice; '' where it can.

    Args:
        device: environment.device.
        probes_dir: where verdicts are kept.
    """
    from guardianflow.backends.catalogue import backend_info, check_request
    from guardianflow.backends.hardware import cuda_index
    from guardianflow.backends.probe.probe import probe

    info = backend_info(variant.backend)
    if "cpu" not in info.hardware and device == "cpu":
        return f"{info.label} runs on NVIDIA GPUs alone, but environment.device is 'cpu'"
    if "cuda" not in info.hardware and cuda_index(device) is not None:
        return f"{info.label} does not run on NVIDIA GPUs, but environment.device is '{device}'"
    try:
        check_request(info, ExportRequest(variant.precision, variant.method))
        verdict = probe(variant.backend, variant.precision, cache_dir=probes_dir)
    except BackendUnavailableError as exc:
        return str(exc)
    return "" if verdict.runs else explain_verdict(verdict)


def explain_verdict(verdict: ProbeVerdict) -> str:
    """A verdict that is no, for people: what, why, and what to do."""
    return (
        f"{verdict.backend} {verdict.precision} can't run on this machine ({verdict.verdict}"
        f"{': ' + verdict.reason if verdict.reason else ''}). {verdict.cure}".rstrip()
    )


def verdict_tags(verdict: ProbeVerdict) -> dict[str, str]:
    """The run's tags about it."""
    tags = {"sys.backend_verdict": verdict.verdict}
    if verdict.isa_cap:
        tags["sys.isa_cap"] = verdict.isa_cap
    return tags

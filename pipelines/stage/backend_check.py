"""Asks whether a backend really runs on this machine: before the work, in a child process."""

from __future__ import annotations

import os
from pathlib import Path

from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.results import ExportRequest, ProbeVerdict
from scenario import QuantizationParams

RUNTIME_DEVICES = ("openvino", "tensorrt")


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

    if variant.backend == "tensorrt" and device == "cpu":
        return "TensorRT runs on NVIDIA GPUs alone, but environment.device is 'cpu'"
    if variant.backend == "openvino" and cuda_index(device) is not None:
        return f"OpenVINO does not run on NVIDIA GPUs, but environment.device is '{device}'"
    try:
        info = backend_info(variant.backend)
        check_request(info, ExportRequest(variant.precision, variant.method))
        verdict = probe(variant.backend, variant.precision, cache_dir=probes_dir)
    except BackendUnavailableError as exc:
        return str(exc)
    return "" if verdict.runs else explain_verdict(verdict)


def device_for(device: str, backend: str) -> str:
    """environment.device for one backend; the name of another backend's runtime is no device."""
    return "auto" if device in RUNTIME_DEVICES and device != backend else device


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

"""Asks whether a backend really runs on this machine: before the work, in a child process."""

from __future__ import annotations

import os
from pathlib import Path

from guardianflow.contracts.backends import BackendInfo
from guardianflow.contracts.errors import BackendUnavailableError, Problem, ScenarioError
from guardianflow.contracts.results import ExportRequest, ProbeVerdict
from scenario import QuantizationParams


def require_backend(
    backend: str, precision: str, probes_dir: Path, device: str = "auto"
) -> ProbeVerdict:
    """Probe, and set what cures it in this process's environment before any library loads.

    Args:
        device: environment.device, which the backend must know.

    Raises:
        BackendUnavailableError: it doesn't run here; the message names verdict and cure.
    """
    from guardianflow.backends.catalogue import backend_info
    from guardianflow.backends.probe.probe import environment_for, probe

    if misfit := _misfit(backend_info(backend), device):
        raise BackendUnavailableError(misfit)
    verdict = probe(backend, precision, device=_of_its_own(backend, device), cache_dir=probes_dir)
    if not verdict.runs:
        raise BackendUnavailableError(explain_verdict(verdict))
    os.environ.update(environment_for(verdict))
    return verdict


def require_device(device: str) -> None:
    """Check that the GPU, or OpenVINO's device, that environment.device asks for is there.

    Raises:
        ScenarioError: it is not; names what is.
    """
    from guardianflow.backends.catalogue import own_device
    from guardianflow.backends.hardware import missing_gpu
    from guardianflow.backends.probe.probe import probe

    fault = missing_gpu(device)
    owner, name = own_device(device)
    if owner and name not in ("CPU", "AUTO"):
        verdict = probe(owner, "fp32", device=name)
        fault = "" if verdict.runs else f"is '{device}': {explain_verdict(verdict)}"
    if fault:
        raise ScenarioError(Problem(fault, "environment.device"))


def reason_unavailable(variant: QuantizationParams, device: str, probes_dir: Path) -> str:
    """The reason that this machine can't make and run a variant, with advice; '' where it can.

    Args:
        device: environment.device.
        probes_dir: where verdicts are kept.
    """
    from guardianflow.backends.catalogue import backend_info, check_request
    from guardianflow.backends.probe.probe import probe

    info = backend_info(variant.backend)
    if misfit := _misfit(info, device):
        return misfit
    try:
        check_request(info, ExportRequest(variant.precision, variant.method))
        own = _of_its_own(variant.backend, device)
        verdict = probe(variant.backend, variant.precision, device=own, cache_dir=probes_dir)
    except BackendUnavailableError as exc:
        return str(exc)
    return "" if verdict.runs else explain_verdict(verdict)


def _of_its_own(backend: str, device: str) -> str:
    """The backend's own name of a device that must be tried: OpenVINO's 'GPU'; '' for others."""
    from guardianflow.backends.catalogue import backend_info, own_device

    owner, name = own_device(device)
    return name if owner == backend_info(backend).name and name != "CPU" else ""


def _misfit(info: BackendInfo, device: str) -> str:
    from guardianflow.backends.catalogue import own_device
    from guardianflow.backends.hardware import cuda_index

    if own_device(device)[0] not in ("", info.name):
        return f"environment.device is '{device}', but {info.label} does not run there"

    if "cpu" not in info.hardware and device == "cpu":
        return f"{info.label} runs on NVIDIA GPUs alone, but environment.device is 'cpu'"
    if "cuda" not in info.hardware and cuda_index(device) is not None:
        return f"{info.label} does not run on NVIDIA GPUs, but environment.device is '{device}'"
    return ""


def explain_verdict(verdict: ProbeVerdict) -> str:
    """A verdict that is no, for people: what, why, and what to do."""
    return (
        f"{verdict.backend} {verdict.precision} can't run on this machine ({verdict.verdict}"
        f"{': ' + verdict.reason if verdict.reason else ''}). {verdict.cure}".rstrip()
    )


def machine_tags() -> dict[str, str]:
    """A run's tags about the machine that it is at work on, as a measurement's conditions have."""
    from guardianflow.backends.hardware import cpu_model, gpu_names

    tags = {"sys.cpu": cpu_model(), "sys.gpu": ", ".join(gpu_names())}
    return {key: value for key, value in tags.items() if value}


def verdict_tags(verdict: ProbeVerdict) -> dict[str, str]:
    """The run's tags about it."""
    tags = {"sys.backend_verdict": verdict.verdict}
    if verdict.isa_cap:
        tags["sys.isa_cap"] = verdict.isa_cap
    return tags

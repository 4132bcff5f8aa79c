"""Finds out whether a backend really runs on this machine, in a child process, as it may die.

Some hosts advertise instructions (AMX above all) on which they then kill the process. oneDNN,
inside OpenVINO and PyTorch, obeys ONEDNN_MAX_CPU_ISA, so a child that was ended by SIGILL is
tried again under caps from high to low; the highest that survives costs least speed. The cap must
be in the environment before the library loads: start the process that does the real work with
`environment_for(verdict)`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ...contracts.backends import BackendInfo
from ...contracts.errors import signal_name
from ...contracts.results import ExportRequest, ProbeVerdict
from ...support.files import whole_file
from ...support.secrets.redaction import redact_value
from ..catalogue import CATALOGUE, backend_info, check_request, made_names
from ..hardware import cpu_identity

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
logger = logging.getLogger(__name__)

ISA_CAPS = ("AVX512_CORE_FP16", "AVX512_CORE_BF16", "AVX512_CORE_VNNI", "AVX512_CORE", "AVX2")
CHILD = Path(__file__).with_name("child.py")
ILLEGAL = "illegal-instruction"
# What depends on the CPU and the library alone, and so stays true until one of them changes.
LASTING = frozenset({"ok", "ok-with-isa-cap", ILLEGAL})


def probe(
    backend: str,
    precision: str,
    *,
    device: str = "",
    cache_dir: Path | None = None,
    fresh: bool = False,
    timeout_s: float = 120,
    _child: Sequence[str] | None = None,
) -> ProbeVerdict:
    """Try a tiny network of this backend and precision in a child process.

    Args:
        device: of the backend's own, as its library calls it: OpenVINO's 'GPU'; '' the usual one.
        cache_dir: where verdicts that depend only on CPU and library are kept; None keeps none.
        fresh: try even where a verdict is kept, which the new one then replaces.
        timeout_s: for each try, seconds.
        _child: command to run instead, for tests; it gets backend and precision appended.

    Raises:
        ConfigurationError: unknown backend or precision.
        BackendUnavailableError: a precision this backend does not have anywhere.
    """
    info = backend_info(backend)
    check_request(info, ExportRequest(precision))
    version = _version(info)
    # A device may be gone tomorrow; the processor stays.
    place = None if device else _cache_file(cache_dir, info, precision, version)
    if place is not None and not fresh and (known := _read(place)) is not None:
        return known
    child = _child or (sys.executable, "-P", str(CHILD))
    command = [*child, info.name, precision, info.library, *([device] if device else [])]
    cap, answer = _under_caps(command, timeout_s)
    word, reason, runs = answer["verdict"], answer["reason"], answer["verdict"] == "ok"
    if runs and cap:
        word = "ok-with-isa-cap"
        reason = f"killed by SIGILL without a cap, runs with {ISA_VARIABLE}={cap}"
    verdict = ProbeVerdict(
        backend=info.name,
        precision=precision,
        runs=runs,
        verdict=word,
        isa_cap=cap if runs else None,
        reason=" ".join(reason.split()),
        cure=_cure(info, precision, word, answer.get("library", ""), device),
        version=version,
    )
    if place is not None:
        try:
            if verdict.verdict in LASTING:
                _write(place, verdict)
            else:
                place.unlink(missing_ok=True)  # what was kept has just been proved wrong
        except OSError as exc:  # the verdict counts; it is tried anew the next time
            logger.warning("the verdict can't be kept in %s: %s", place, exc)
    return verdict


def environment_for(verdict: ProbeVerdict) -> dict[str, str]:
    """Variables that must be set before the library loads, so that it runs as probed."""
    return {ISA_VARIABLE: verdict.isa_cap} if verdict.isa_cap else {}


def _under_caps(command: Sequence[str], timeout_s: float) -> tuple[str | None, dict[str, str]]:
    """The answer without a cap or, where SIGILL ends it, under the highest that saves it."""
    answer = _ask(command, timeout_s, None)
    if answer["verdict"] != ILLEGAL:
        return None, answer
    capped = ((cap, _ask(command, timeout_s, cap)) for cap in ISA_CAPS)
    return next((each for each in capped if each[1]["verdict"] != ILLEGAL), (None, answer))


def _ask(command: Sequence[str], timeout_s: float, cap: str | None) -> dict[str, str]:
    """The child's own answer; one in its place where it gives none."""
    try:
        done = subprocess.run(
            command,
            env=dict(os.environ) | ({ISA_VARIABLE: cap} if cap else {}),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"verdict": "timed-out", "reason": f"no answer within {timeout_s:g} s"}
    answer = _last_json(done.stdout) if done.returncode == 0 else None
    if answer is not None:
        return answer
    killed = signal_name(done.returncode) == signal.SIGILL.name
    return {"verdict": ILLEGAL if killed else "crashed", "reason": _last_words(done)}


def _cure(info: BackendInfo, precision: str, word: str, library: str, device: str) -> str:
    if word in ("ok", "ok-with-isa-cap"):
        return ""
    if word == "missing-device" and device:
        return "install the driver of that device, or set environment.device to one that is there"
    install = info.install if library in ("", info.library) else f"pip install {library}"
    on_cpu = [f"'{name}'" for name in made_names() if "cpu" in CATALOGUE[name].hardware]
    return {
        "missing-library": f"install it with: {install}",
        "missing-device": f"use backend {' or '.join(on_cpu)} on this machine, or a machine with "
        "an NVIDIA GPU and its driver",
        "illegal-instruction": f"this CPU can't run {info.label} {precision} under any "
        f"{ISA_VARIABLE}; use another precision or backend, or another machine",
        "timed-out": "the machine is very busy or the library hangs; try again with more time",
        "crashed": f"reinstall with: {info.install}; if it was killed (SIGKILL), give it more "
        "memory",
        "failed": f"reinstall with: {info.install}",
    }[word]


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    name = signal_name(done.returncode)
    ended = f"ended by {name}" if name else f"ended with code {done.returncode} and no answer"
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    return f"{ended}: {lines[-1][:300]}" if lines else ended


def _last_json(text: str) -> dict[str, str] | None:
    lines = text.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    complete = isinstance(answer, dict) and {"verdict", "reason"} <= answer.keys()
    return answer if complete else None


# --- cache -------------------------------------------------------------------------------------


def _version(info: BackendInfo) -> str:
    try:
        return importlib.metadata.version(info.distribution or info.library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cache_file(
    cache_dir: Path | None, info: BackendInfo, precision: str, version: str
) -> Path | None:
    """None where nothing may be kept: no directory, or a verdict about a GPU that may be gone."""
    if cache_dir is None or info.needs_gpu(precision) or not version:
        return None
    cap = os.environ.get(ISA_VARIABLE, "")
    key = "\n".join([cpu_identity(), version, cap, CHILD.read_text(encoding="utf-8")])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_dir / f"probe-{info.name}-{precision}-{digest}.json"


def _read(place: Path) -> ProbeVerdict | None:
    try:
        kept = ProbeVerdict(**json.loads(place.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):  # absent, or not as we write it
        return None
    texts = (kept.backend, kept.precision, kept.verdict, kept.reason, kept.cure, kept.version)
    sound = isinstance(kept.runs, bool) and all(isinstance(each, str) for each in texts)
    return kept if sound and (kept.isa_cap is None or kept.isa_cap in ISA_CAPS) else None


def _write(place: Path, verdict: ProbeVerdict) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(place) as unfinished:
        unfinished.write_text(json.dumps(redact_value("", asdict(verdict))), encoding="utf-8")

"""The parts of an identity that several stages share: what a result depends on, and no more.

An identity is made twice: by `Stage.identify`, which looks without opening a model or running
anybody's code, and by `Stage.prepare`, which has done both. They are equal, or nothing is reused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from guardianflow.backends.catalogue import backend_info
from guardianflow.backends.hardware import cpu_model, gpu_names, physical_cores
from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import DetectorPackage, RegisteredModel, sha256_of
from guardianflow.contracts.run_status import RunStatus
from scenario import Scenario

from ..settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from ..stage.inputs.sources import (
    MODEL_REFERENCE,
    RUN_REFERENCE,
)
from ..stage.kinds import TRAIN
from ..stage.stage import StageContext, UndecidedError

IMAGE_LIBRARIES = ("opencv-python-headless", "opencv-python", "opencv-contrib-python")
"""One of them decodes and scales images."""


@dataclass(frozen=True)
class SourceIdentity:
    """The model that a stage starts from, as far as its result depends on it.

    Args:
        digest: see DetectorPackage.digest.
    """

    digest: str
    backend: str
    precision: str

    @property
    def variant(self) -> str:
        """'openvino_int8'."""
        return f"{self.backend}_{self.precision}"

    @classmethod
    def of(cls, package: DetectorPackage) -> SourceIdentity:
        return cls(package.digest, package.spec.backend, package.spec.precision)


def source_identity(context: StageContext) -> SourceIdentity:
    """The model to start from by what the registry says of it; nothing is fetched.

    Raises:
        UndecidedError: it is a file, or was not registered: it must be opened to be known.
        SourceError: there is no such run or model.
    """
    model = _registered(context, context.request.source)
    tags = model.tags if model else {}
    digest, backend, precision = (tags.get(each, "") for each in ("sha256", "backend", "precision"))
    if not (digest and backend and precision):
        raise UndecidedError("the model that it starts from must be opened to be known")
    return SourceIdentity(digest, backend, precision)


def _registered(context: StageContext, reference: str) -> RegisteredModel | None:
    """The registered version that a reference means; None where it means none."""
    registry = context.ports.registry
    if reference.startswith(MODEL_REFERENCE):
        return registry.describe(reference)
    if not reference.startswith(RUN_REFERENCE):
        return None
    run_id, _, inner = reference[len(RUN_REFERENCE) :].partition("/")
    run = context.ports.store.get_run(run_id)
    name, version = (run.tags.get(f"registered_model_{each}", "") for each in ("name", "version"))
    if inner or run.status != RunStatus.FINISHED or not (name and version):
        return None
    try:
        model = registry.describe(f"{MODEL_REFERENCE}{name}/{version}")
    except SourceError:
        return None
    return model if model.run_id == run_id else None


def own_code_fingerprint(context: StageContext, stage: str) -> str:
    """The fingerprint of an author's code for a stage, read without running it; '' for ours.

    Raises:
        UndecidedError: the code must be fetched, or its class be asked what it does.
        ExperimentCodeError: the path is not there, or holds no class for any stage.
    """
    from experiments_adapters.code_path import fingerprint_of_code, is_repository

    from ..stage.author_code import class_of

    request = context.request
    if request.code_path == BUILTIN_EXPERIMENT:
        return ""
    if stage != TRAIN or is_repository(request.code_path):
        raise UndecidedError("the author's code must be loaded to be known")
    found = fingerprint_of_code(
        request.code_path,
        class_of(stage),
        base_dirs=[context.base_dir, PROJECT_ROOT],
        shared=request.shared_code,
    )
    return "" if found is None or found.path == BUILTIN_TRAINER else found.sha256


BUILTIN_TRAINER = PROJECT_ROOT / BUILTIN_EXPERIMENT / "train.py"


def content_of(weights: Path | None) -> str:
    """sha256 of a weights file, or of everything in a directory; '' for none."""
    if weights is None:
        return ""
    if weights.is_file():
        return sha256_of(weights)
    digest = hashlib.sha256()
    for path in sorted(each for each in weights.rglob("*") if each.is_file()):
        digest.update(f"{path.relative_to(weights).as_posix()} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def timed_on() -> dict[str, Any]:
    """The machine, for results that hold times: those of another one are not this one's."""
    return {"cpu": cpu_model(), "cores": physical_cores(), "gpus": list(gpu_names())}


def device_asked(device: str) -> str:
    """'auto' is the CPU where there is no NVIDIA GPU: writing so is no other stage."""
    return "cpu" if device == "auto" and not gpu_names() else device


def measured_by(scenario: Scenario, *, alone: bool) -> dict[str, Any]:
    """The values of the benchmark section that a stage heeds.

    Args:
        alone: one model, with all its batch sizes, cameras and tracking: infer. Else one image at
            a time beside another model: quant.
    """
    values = scenario.benchmark.model_dump(mode="json")
    del values["sequences"]  # their content counts, not where they lie
    if not values["use_tracking"]:
        del values["tracker"]
    values["batch_sizes"] = sorted({*values["batch_sizes"], 1})
    if not alone:
        heeded = ("warmup_runs", "benchmark_runs", "conf_threshold", "iou_threshold")
        return {name: values[name] for name in heeded}
    if values["cameras"]:
        values["cameras"]["seed"] = scenario.environment.seed
    return values


def versions_for(backends: Collection[str], *more: str) -> dict[str, str]:
    """Versions of what runs these backends' files and decodes images, and of `more`."""
    infos = [backend_info(each) for each in backends]
    runtimes = [info.distribution or info.library for info in infos]
    return {
        **versions_of(*dict.fromkeys([*runtimes, *more])),
        "opencv": next(filter(None, versions_of(*IMAGE_LIBRARIES).values()), ""),
    }


def versions_of(*names: str) -> dict[str, str]:
    """Installed versions, '' for what is not installed."""
    return {name: _version(name) for name in names}


@cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""

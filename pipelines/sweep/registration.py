"""Registers the best run of a sweep, once, at its end: its trials were run without."""

from __future__ import annotations

from pathlib import Path

from guardianflow.contracts.detector_package import SPEC_FILE
from guardianflow.contracts.results import DetectorPackage, RegisteredModel, RunRecord
from guardianflow.support.files import scratch_folder
from scenario import Scenario

from ..stage.inputs.sources import (
    check_weights,
)
from ..stage.kinds import QUANT
from ..wiring import Ports
from ..wrap.package_weights import package_apart
from .kept_weights import WEIGHTS_FOLDER


def register_run(ports: Ports, scenario: Scenario, kind: str, run_id: str) -> RegisteredModel:
    """Register the model of a run of `kind`, 'train' or 'quant', as candidate.

    Args:
        scenario: the single one that the run was made of.

    Raises:
        SourceError: the run has no weights any more, or they are not what it logged.
        TrackingError: the store refuses.
    """
    run = ports.store.get_run(run_id)
    name, version = (run.tags.get(f"registered_model_{each}", "") for each in ("name", "version"))
    if name and version:  # a run that was finished before the sweep
        return ports.registry.describe(f"models:/{name}/{version}")
    with scratch_folder("guardianflow-best-") as folder:
        weights = ports.store.download(run_id, WEIGHTS_FOLDER, folder / "download")
        check_weights(run, folder / "download")
        if kind == QUANT:
            package = DetectorPackage.load(_package_in(weights))
            name = scenario.get_registered_model_name(package.spec.variant)
        else:
            package = _packaged(weights, folder / "package", scenario, run)
            name = scenario.get_registered_model_name()
        tags = _tags(scenario, package, run, kind)
        return ports.registry.register(run_id, package, name, tags=tags)


def _package_in(weights: Path) -> Path:
    return next(path.parent for path in [weights / SPEC_FILE, *weights.glob(f"*/{SPEC_FILE}")]
                if path.is_file())  # fmt: skip


def _packaged(
    weights: Path, destination: Path, scenario: Scenario, run: RunRecord
) -> DetectorPackage:
    files = [path for path in weights.iterdir() if path.is_file()]
    return package_apart(
        files[0] if len(files) == 1 else weights,
        destination,
        input_size=scenario.model.input_size,
        assumed_size=scenario.model.input_size,
        class_names=scenario.task.classes or None,
        lineage={
            "run_id": run.run_id,
            "data_fingerprint": run.tags.get("data.fingerprint", ""),
        },
        trusted=True,  # the training that wrote it has run here already
        architecture=str(scenario.model.architecture),
        conf_threshold=scenario.benchmark.conf_threshold,
        iou_threshold=scenario.benchmark.iou_threshold,
    )


def _tags(
    scenario: Scenario, package: DetectorPackage, run: RunRecord, kind: str
) -> dict[str, str]:
    tags = {
        "architecture": str(scenario.model.architecture),
        "input_size": str(package.spec.input_size),
        "task": scenario.task.type,
        "exp_version": scenario.version,
        "source_run_id": run.run_id,
        "data_fingerprint": run.tags.get("data.fingerprint", ""),
    }
    if kind != QUANT:
        return tags
    variant = scenario.quantization_variants[0]
    made = package.spec
    return tags | {
        "source_run_id": run.tags.get("source.run_id", ""),
        "quant_backend": variant.backend,
        "quant_method": made.lineage.get("quantization_method", variant.method),
        "precision": made.precision,
    }

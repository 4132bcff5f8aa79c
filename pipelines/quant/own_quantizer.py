"""A variant whose files an author's Quantizer makes; what they are worth is judged as of any other.

It is given images of the train split alone, also under `val`: many exporters calibrate on that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import (
    BackendError,
    ConfigurationError,
    ScenarioError,
    SourceError,
)
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from scenario import QuantizationParams

from ..stage.author_code import load_code, makes_any
from ..stage.kinds import QUANT
from ..stage.stage import StageContext

if TYPE_CHECKING:
    from experiments_adapters.code_path import ExperimentCode
    from guardianflow.evaluation.images.preprocessing import LetterboxedImages


def load_quantizer(context: StageContext, variant: QuantizationParams) -> ExperimentCode | None:
    """The author's Quantizer where it makes this variant; None where our own exporter does.

    One that makes other variants of the same command leaves this one to us, which is told.

    Raises:
        ExperimentCodeError: as load_code; it makes none of the command's variants.
        ScenarioError: a search is asked for: it tries recipes of ours.
    """
    code = load_code(context, QUANT)
    if code is None:
        return None
    makes = makes_any(code, context.request.variants or (variant.variant,))
    if variant.variant not in makes:
        if not context.request.check_only:
            context.events.message(
                f"{code.label} makes {', '.join(makes)}: {variant.variant} is made by "
                "GuardianFlow's own exporter"
            )
        return None
    if variant.search is not None:
        raise ScenarioError(
            f"quantization.search tries recipes of GuardianFlow's own, but {variant.variant} is "
            f"made by {code.label}; take search out, or leave the code out"
        )
    return code


def make_by_quantizer(
    context: StageContext,
    code: ExperimentCode,
    variant: QuantizationParams,
    source: DetectorPackage,
    dataset: LocalDataset,
    calibration: LetterboxedImages | None,
) -> DetectorPackage:
    """The package of what the author's Quantizer makes.

    Args:
        source: the trained model.
        calibration: letterboxed images of the train split; None where nothing is calibrated.

    Raises:
        ExperimentError: the author's code raised, or made no such file.
        SourceError: the backend can't open the file, or it is another variant.
    """
    from experiments_adapters.quantizers import build_quantizer
    from guardianflow.backends.catalogue import backend_info

    context.events.message(f"{code.label} makes {variant.variant}")
    scenario, spec = context.scenario, source.spec
    work_dir = context.scratch / "quantizer"
    work_dir.mkdir()
    data_yaml = write_train_data(dataset, calibration, work_dir)
    quantizer = build_quantizer(
        code,
        {
            "environment_config": scenario.environment,
            "work_dir": work_dir,
            "class_names": spec.class_names,
        },
        model_config=scenario.model.model_copy(
            update={
                "weights_path": str(source.weights_path),
                "num_classes": len(spec.class_names),
                "input_size": spec.input_size,
            }
        ),
        quantization_config=variant,
        dataset_config=scenario.dataset.model_copy(
            update={"path": str(data_yaml), "split": "train"}
        ),
    )
    file = quantizer.quantize(
        source.weights_path,
        () if calibration is None else calibration,
        context.scratch / "quantized",
        backend_info(variant.backend).file_kind,
    )
    return _package(context, code, variant, source, file)


def write_train_data(
    dataset: LocalDataset, calibration: LetterboxedImages | None, folder: Path
) -> Path:
    """A data.yaml whose splits are images of the train split; those that are calibrated on."""
    paths = dataset.splits["train"] if calibration is None else calibration.paths
    listed = folder / "train.txt"
    listed.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    data_yaml = folder / "data.yaml"
    # JSON is YAML, and quotes whatever a name holds.
    content = {"train": str(listed), "val": str(listed), "names": list(dataset.class_names)}
    data_yaml.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return data_yaml


def _package(
    context: StageContext,
    code: ExperimentCode,
    variant: QuantizationParams,
    source: DetectorPackage,
    file: Path,
) -> DetectorPackage:
    from guardianflow.backends.weights.packages import package_from_weights
    from guardianflow.detector import Detector

    made = f"{code.path}: {file.name}, made by quantize() of {code.loaded_class.__name__},"
    spec = source.spec
    try:
        package = package_from_weights(
            file,
            context.scratch / "package",
            input_size=spec.input_size,
            class_names=spec.class_names,
            architecture=spec.architecture,
            conf_threshold=spec.conf_threshold,
            iou_threshold=spec.iou_threshold,
            lineage={
                "experiment_code": code.reference,
                "experiment_code_fingerprint": code.fingerprint,
                "exporter": code.label,
            },
        )
    except ConfigurationError as exc:
        raise SourceError(f"{made} can't be used: {exc}") from exc
    if package.spec.variant != variant.variant:
        raise SourceError(
            f"{made} must be {variant.variant} but is {package.spec.variant}: say so in `makes`, "
            "or quantise it"
        )
    try:
        Detector.open(package, device=context.scenario.environment.device).close()
    except BackendError as exc:
        raise SourceError(f"{made} can't be opened: {exc}") from exc
    return package

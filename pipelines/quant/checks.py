"""Checks on a variant before it may be registered, and tags that say how it was made."""

from __future__ import annotations

from collections.abc import Mapping

from guardianflow.contracts.errors import BackendError
from guardianflow.contracts.estimates import Estimate, estimates_as_metrics
from guardianflow.contracts.results import DetectorPackage, SessionInfo

from ..measuring.accuracy import Evaluated
from ..stage.stage import StageContext

# A loss like this is no matter of limits: quantisation went wrong.
BROKEN_DROP, BROKEN_SHARE = 0.1, 0.5


def tell_devices(
    context: StageContext, original: SessionInfo, quantized: SessionInfo
) -> dict[str, str]:
    """The tag that both ran on different devices, which is told, too; {} where they did not.

    A ratio of their times would speak of the devices, not of the models: there is none then.
    """
    from guardianflow.evaluation.timing.latency import comparable

    if comparable(original, quantized):
        return {}
    context.events.message(
        f"the original ran on {original.device}, the variant on {quantized.device}: no speed-up is "
        "given between different devices"
    )
    return {"comparison.devices": f"{original.device}, {quantized.device}"}


def calibration_tags(package: DetectorPackage) -> dict[str, str]:
    """Tags: the calibration asked for, what the library really did, how it was trained on."""
    keys = (
        "calibration_method_used", "calibration_images", "float_nodes",
        "qat_epochs", "qat_learning_rate", "qat_batch_size", "qat_images", "structure_not_found",
        "activations", "activation_groups", "activation_kinds", "activations_changed",
        "activations_images", "activations_distilled",
        "distillation_held_out", "distillation_steps", "distillation_loss_before",
        "distillation_loss_after",
    )  # fmt: skip
    lineage = package.spec.lineage
    return {f"quant.{key}": lineage[key] for key in keys if key in lineage}


def warn_unknown_structure(context: StageContext, package: DetectorPackage) -> None:
    """Say so where the network is of no known structure, and was quantised less for that."""
    if missing := package.spec.lineage.get("structure_not_found"):
        context.events.message(
            f"a network of unknown structure: not found {missing}. More layers stay float to "
            "be safe; quantization.search can find out whether less would do"
        )


def refuse_broken(before: Evaluated, after: Evaluated, name: str) -> None:
    """Stop here when the variant is broken: nobody must be able to promote it by mistake.

    Raises:
        BackendError: it lost more than half of the original's mAP50-95, and more than 0.1.
    """
    original, quantized = before.metrics.mAP50_95, after.metrics.mAP50_95
    if original - quantized > BROKEN_DROP and quantized < BROKEN_SHARE * original:
        raise BackendError(
            f"{name} is broken: its mAP50-95 is {quantized:.3f}, the original's {original:.3f}. It "
            "is not registered. Try another calibration_method, or let quantization.search find "
            "the layers that must stay float"
        )


def difference_metrics(differences: Mapping[str, Estimate]) -> dict[str, float]:
    """Drops with their intervals: original − quantised, ready to log."""
    drops = {key: -each for key, each in differences.items()}
    return estimates_as_metrics(drops, "comparison.accuracy_drop_")

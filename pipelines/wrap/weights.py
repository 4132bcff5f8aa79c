"""The detector that a wrapped script made: found, packaged, registered as candidate."""

from __future__ import annotations

from pathlib import Path

from experiments_adapters.legacy.changes import Changes
from experiments_adapters.legacy.weights import SIZE_NAMES, best_weights, input_size_beside
from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.given import whole_number
from guardianflow.contracts.results import RegisteredModel
from scenario.naming import model_name

from ..stage.weight_trust import FOREIGN_TAG, names_of, shown
from ..wiring import Ports
from .package_weights import package_apart
from .plan import WrapPlan

USUAL_SIZE = 640


def register_model(
    plan: WrapPlan, run_id: str, changes: Changes, root: Path, scratch: Path, ports: Ports
) -> tuple[RegisteredModel | None, str, str]:
    """Register what the script made; a file that can't be used is told and costs no run.

    Args:
        root: the directory that the changes' paths start from.

    Returns:
        The version, or None; what to tell; the weights' path below the root, '' where none.
    """
    chosen = best_weights(changes.kept, plan.request.script_type)
    if chosen is None:
        why = "it wrote no new .pt, .onnx, .xml with .bin or .engine file that is kept"
        return None, f"no model is registered: {why}", ""
    weights = root / chosen.path
    size, how = _input_size(plan, weights)
    lineage = {"run_id": run_id, "weights": chosen.path}
    try:
        package = package_apart(
            weights,
            scratch / "package",
            input_size=size,
            class_names=plan.task.classes or None,
            lineage=lineage,
            trusted=plan.request.trust_weights,
        )
        spec = package.spec
        model = ports.registry.register(
            run_id,
            package,
            model_name(plan.experiment_name, plan.task.type, spec.variant),
            tags={
                "architecture": spec.architecture,
                "input_size": str(spec.input_size),
                "task": plan.task.type,
                "precision": spec.precision,
                "source_run_id": run_id,
                "weights": chosen.path,
                **({"exp_version": plan.request.version} if plan.request.version else {}),
                **({"quant_backend": spec.backend} if plan.request.script_type == "quant" else {}),
            },
        )
    except GuardianFlowError as exc:
        return None, f"no model is registered: {chosen.path} can't be used: {exc}", chosen.path
    guessed = f". Its input size {size} is {how}" if how and spec.input_size == size else ""
    told = f"{chosen.path} is {model.display_name} version {model.version}, a candidate{guessed}"
    if foreign := names_of(package):
        ports.store.annotate(run_id, tags={FOREIGN_TAG: " ".join(foreign)[:4000]})
        told += f". It is trusted and may run: {shown(foreign)}"
    return model, told, chosen.path


def _input_size(plan: WrapPlan, weights: Path) -> tuple[int, str]:
    """The side of the network's input, and where that is from when nothing says it exactly."""
    beside = input_size_beside(weights)
    if beside is not None:
        return beside, ""
    for name in SIZE_NAMES:
        value = plan.params.get(f"script.{name}", "")
        if (whole_number(value) or 0) > 0:
            return int(value), f"the script's -p {name}"
    return USUAL_SIZE, "assumed: neither the file nor an args.yaml beside it says one"

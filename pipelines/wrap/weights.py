"""The detector that a wrapped script made: found, packaged, registered as candidate."""

from __future__ import annotations

from pathlib import Path

from experiments_adapters.legacy.changes import Changes
from experiments_adapters.legacy.weights import (
    SIZE_NAMES,
    best_weights,
    input_size_beside,
    is_published,
)
from guardianflow.backends.weights.weight_notes import is_assumed, notes_of, tags_of
from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.given import whole_number
from guardianflow.contracts.results import RegisteredModel
from scenario.naming import model_name

from ..stage.inputs.weight_trust import FOREIGN_TAG, names_of, shown
from ..wiring import Ports
from .package_weights import package_apart
from .plan import WrapPlan

USUAL_SIZE = 640


def register_model(
    plan: WrapPlan, run_id: str, changes: Changes, scratch: Path, ports: Ports
) -> tuple[RegisteredModel | None, str, Path | None]:
    """Register what the script made; a file that can't be used is told and costs no run.

    Returns:
        The version, or None; what to tell; the weights, None where there are none.
    """
    chosen = best_weights(changes.kept, plan.request.script_type)
    if chosen is None:
        why = "no .pt, .onnx, .xml with .bin or .engine file that it wrote is kept"
        if known := [each.path for each in changes.kept if is_published(each)]:
            why += f" ({', '.join(known)}: by its name published, so it was downloaded)"
        return None, f"no model is registered: {why}", None
    weights = chosen.place
    shown_as = str(weights) if chosen.outside else chosen.path
    size, how = _input_size(plan)
    lineage = {"run_id": run_id, "weights": shown_as}
    try:
        package = package_apart(
            weights,
            scratch / "package",
            input_size=input_size_beside(weights),
            assumed_size=size,
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
                "weights": shown_as,
                **({"exp_version": plan.request.version} if plan.request.version else {}),
                **({"quant_backend": spec.backend} if plan.request.script_type == "quant" else {}),
            },
        )
    except GuardianFlowError as exc:
        return None, f"no model is registered: {shown_as} can't be used: {exc}", weights
    guessed = f". Its input size {size} is {how}" if is_assumed(spec) else ""
    told = f"{shown_as} is {model.display_name} version {model.version}, a candidate{guessed}"
    if model.is_pending:
        told = f"{shown_as} becomes {model.display_name} with `guardianflow sync`{guessed}"
    for note in notes_of(spec):
        told += f". Note: {note}"
    if notes := tags_of(spec):
        ports.store.annotate(run_id, tags=notes)
    if foreign := names_of(package):
        ports.store.annotate(run_id, tags={FOREIGN_TAG: " ".join(foreign)[:4000]})
        told += f". It is trusted and may run: {shown(foreign)}"
    return model, told, weights


def _input_size(plan: WrapPlan) -> tuple[int, str]:
    """The side of the network's input where the file says none, and where that is from."""
    for name in SIZE_NAMES:
        value = plan.params.get(f"script.{name}", "")
        if (whole_number(value) or 0) > 0:
            return int(value), f"the script's -p {name}"
    return USUAL_SIZE, "assumed: neither the file nor an args.yaml beside it says one"

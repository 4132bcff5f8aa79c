"""Training-on inside a quant run, after activations were changed: who trains, on which pictures.

experiments_adapters/yolo/distil.py trains; backends changes the network and keeps what was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guardianflow.contracts.errors import TrainerError
from guardianflow.contracts.quantisation import ActivationChange, Distillation, Distiller
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.results import DetectorPackage

from ..stage.stage import StageContext
from .qat import VariantInput, open_exporter

DISTILLING_SHARE = 0.3
"""Of a search's budget, for training on once."""


def distillation_of(budget_minutes: float, seed: int) -> Distillation:
    """The training-on that a search may do: of its budget, so much that a second one fits."""
    return Distillation(minutes=DISTILLING_SHARE * budget_minutes, seed=seed)


def distiller_of(
    context: StageContext, given: VariantInput, run_id: str, seconds: float | None = None
) -> Distiller:
    """Trains on with the pictures of the train split, labelled or not; each round is logged.

    Args:
        run_id: gets `train.loss` and `train.held_out` with the round as step.
        seconds: what is left; None where it may take what it takes.
    """
    train = given.dataset.splits.get("train", ())
    own = [path for path in train if path not in given.dataset.judged_pictures]
    known = given.dataset.groups
    names = known.names(own, EvidenceUnit.RECORDING) if known else None
    groups = names or tuple(str(path) for path in own)

    def on_round_end(number: int, metrics: Mapping[str, float]) -> None:
        from experiments_adapters.yolo.distil import ROUNDS

        named = {f"train.{name}": value for name, value in metrics.items()}
        context.ports.store.log_metrics(run_id, named, step=number)
        shown = f"training on, loss {metrics['loss']:.3f}, held out {metrics['held_out']:.3f}"
        context.events.progress(number, ROUNDS, shown)

    def distil(network: Any, original: Any, wanted: Distillation) -> tuple[int, Mapping[str, str]]:
        from experiments_adapters.yolo.distil import distil as train_on
        from experiments_adapters.yolo.finetune import NoTimeToTrainError
        from guardianflow.evaluation.images.preprocessing import LetterboxedImages

        if seconds is not None and seconds < wanted.minutes * 60:
            raise NoTimeToTrainError(
                f"training on may take {wanted.minutes:.1f} minutes, but "
                f"{max(0.0, seconds) / 60:.1f} are left"
            )
        images = LetterboxedImages(own, given.source.spec.input_size)
        device = context.scenario.environment.device
        facts = train_on(network, original, images, groups, wanted, device, on_round_end)
        return int(facts["distillation_images"]), facts

    told = [given.dataset.fingerprint, known.fingerprint if known else ""]
    return Distiller(distil, " ".join(told))


def with_other_activations(
    context: StageContext, run_id: str, given: VariantInput
) -> DetectorPackage:
    """The source of a float format with all SiLU changed, trained on where that is confirmed.

    Raises:
        as `RecipeExporter.changed_source`, but training that fails or is not confirmed is told.
    """
    variant, kind = given.variant, given.variant.activation
    assert kind is not None  # the scenario asks for it
    seed = context.scenario.environment.seed
    with open_exporter(context, given) as exporter:
        groups = [group.name for group in exporter.activation_groups]
        if not groups:
            context.events.message("the activations stay as they are: the network has no SiLU")
            return given.source
        wanted = Distillation(variant.distil_minutes or Distillation.minutes, seed=seed)
        change = ActivationChange.of(groups, kind, wanted)
        try:
            return exporter.changed_source(change, distiller_of(context, given, run_id))
        except TrainerError as exc:
            context.events.message(f"the activations are changed without training on: {exc}")
            return exporter.changed_source(replace(change, distillation=None))

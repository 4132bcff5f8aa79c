"""Quantisation-aware training inside a quant run: the exporter's network, trained by Ultralytics.

backends makes the network and writes it back, experiments_adapters/yolo trains it; neither knows
the other, so they meet here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.quantisation import Recipe, RecipeExporter, Training
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from scenario import QatParams, QuantizationParams

from ..stage.stage import StageContext

if TYPE_CHECKING:
    from guardianflow.contracts.ports import ImageArray


def trains_on_labels(variant: QuantizationParams) -> bool:
    """Whether the quantised network is, or may be, trained on; distilling needs no labels."""
    search = variant.search
    allowed = search is not None and search.allow_qat and not search.allow_activations
    return allowed or (variant.precision == "int8" and variant.method == "qat")


def require_trainable(variant: QuantizationParams) -> None:
    """Raises ScenarioError where training is asked for and the backend's networks can't be."""
    from guardianflow.backends.catalogue import backend_info, no_training

    if trains_on_labels(variant) and not backend_info(variant.backend).supports("int8", "qat"):
        raise ScenarioError(no_training(variant.backend))


def training_of(variant: QuantizationParams, seed: int) -> Training:
    """The training that the scenario wants."""
    wanted = variant.qat or QatParams()
    return Training(wanted.epochs, wanted.batch_size, wanted.learning_rate, seed)


@dataclass(frozen=True)
class VariantInput:
    """What a variant is made of.

    Args:
        source: the trained model.
        dataset: whose train split is trained on.
        calibration: letterboxed train images; None where the variant needs none.
    """

    source: DetectorPackage
    dataset: LocalDataset
    variant: QuantizationParams
    calibration: Sequence[ImageArray] | None


def open_exporter(
    context: StageContext, given: VariantInput
) -> AbstractContextManager[RecipeExporter]:
    """Makes packages by recipes; what it calibrates stays in the work directory."""
    from guardianflow.backends.catalogue import open_recipe_exporter

    cache = context.settings.work_dir / "calibrations"
    assert given.calibration is not None  # the variant calibrates
    return open_recipe_exporter(given.variant.backend, given.source, given.calibration, cache)


def make_trained(
    context: StageContext,
    exporter: RecipeExporter,
    recipe: Recipe,
    given: VariantInput,
    *,
    run_id: str,
    destination: Path,
    seconds: float | None = None,
) -> DetectorPackage:
    """The package of a recipe whose network is trained on; each epoch is logged as it ends.

    Args:
        recipe: with its training.
        run_id: gets `train.loss`, `train.box_loss`, … with the epoch as step.
        seconds: how long training may take; None where it may take what it takes.

    Raises:
        NoTimeToTrainError: it would take longer than `seconds`.
        TrainerError: the loss is no number any more, or Ultralytics' own error.
        BackendError: the network can't be trained on, or training left it broken.
    """
    assert recipe.training is not None  # the caller made the recipe to be trained
    training = recipe.training

    def on_epoch_end(epoch: int, metrics: Mapping[str, float]) -> None:
        named = {f"train.{name}": value for name, value in metrics.items()}
        context.ports.store.log_metrics(run_id, named, step=epoch)
        shown = f"training with fake quantisation, loss {metrics['loss']:.3f}"
        context.events.progress(epoch, training.epochs, shown)

    def train(network: Any) -> Mapping[str, str]:
        from experiments_adapters.yolo.finetune import FinetuneSettings, finetune
        from guardianflow.backends.weights.checkpoints import accepted_by
        from guardianflow.backends.weights.ultralytics_models import load_detector

        context.events.message(f"training {training.epochs} epochs with fake quantisation")
        settings = FinetuneSettings(
            epochs=training.epochs,
            batch_size=training.batch_size,
            learning_rate=training.learning_rate,
            input_size=given.source.spec.input_size,
            seed=training.seed,
            device=context.scenario.environment.device,
            end_to_end=given.source.spec.output == "end_to_end",
            seconds=seconds,
        )
        detector = load_detector(given.source.weights_path, accepted_by(given.source.spec))
        return finetune(network, detector, given.dataset.data_yaml, settings, on_epoch_end)

    return exporter.make_trained(recipe, destination, train, given.dataset.fingerprint)


def make_by_qat(context: StageContext, run_id: str, given: VariantInput) -> DetectorPackage:
    """The package of `method: qat`: calibrated by the usual recipe, then trained on.

    Raises:
        as `make_trained`.
    """
    variant, target = given.variant, context.scratch / "package"
    training = training_of(variant, context.scenario.environment.seed)
    recipe = Recipe(calibration_method=variant.calibration_method, training=training)
    with open_exporter(context, given) as exporter:
        return make_trained(context, exporter, recipe, given, run_id=run_id, destination=target)

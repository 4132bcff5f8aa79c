"""Train: the experiment's own trainer, its metrics live in MLflow, its best weights registered.

python -m pipelines.train --scenario S [--code-path P] [--training.epochs 5]
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.errors import (
    ConfigurationError,
    GuardianFlowError,
    ScenarioError,
    TrainerError,
)
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from guardianflow.support.secrets.redaction import MARK, holds_mark

from ..settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from ..stage.code_identity import code_digest
from ..stage.inputs import dataset_tags, load_dataset, log_weights, resolve_weights
from ..stage.stage import StageContext, StageOutcome, StagePlan, library_versions
from ..stage.weight_trust import admit, given_to_training, names_of, tell

if TYPE_CHECKING:
    from experiments_adapters.code_path import EpochListener, ExperimentCode
    from guardianflow.evaluation.timing.system_metrics import SystemSampler

BATCH_LOG_EVERY_S = 1.0


class TrainStage:
    """Loads the author's Trainer, trains, packages and registers what came out."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._dataset: LocalDataset
        self._code: ExperimentCode
        self._weights: Path | None = None
        self._last: dict[str, float] = {}
        self._epochs_done = 0

    def prepare(self) -> StagePlan:
        from experiments_adapters.code_path import load_experiment

        context, scenario = self._context, self._context.scenario
        refuse_redacted(scenario.training.options)
        self._weights = resolve_weights(context)
        foreign = admit(context, given_to_training(context, self._weights))
        self._dataset = load_dataset(context)
        self._code = load_experiment(
            context.request.code_path,
            base_dirs=[context.base_dir, PROJECT_ROOT],
            cache_dir=context.settings.code_dir,
        )
        identity = {
            "stage": "train",
            "model": scenario.model.model_dump(mode="json"),
            "weights": file_identity(self._weights),
            "classes": list(scenario.task.classes),
            "training": scenario.training.model_dump(mode="json"),
            "environment": scenario.environment.model_dump(mode="json"),
            "thresholds": [scenario.benchmark.conf_threshold, scenario.benchmark.iou_threshold],
            "data": self._dataset.fingerprint,
            "code": "" if self._is_builtin() else self._code.fingerprint,
            "registered_model": scenario.get_registered_model_name()
            if context.request.register
            else "",
            "version": scenario.version,
            "libraries": library_versions("torch", "ultralytics"),
            "own_code": code_digest("train", [SOURCE]),
        }
        return StagePlan(
            identity=identity,
            tags={
                **scenario.to_all_tags("train"),
                **dataset_tags(self._dataset),
                **tell(context, foreign, "what the training starts from is trusted"),
                "experiment_code_path": context.request.code_path,
                "experiment_code_fingerprint": self._code.fingerprint,
            },
            params={key: str(value) for key, value in scenario.to_all_params("train").items()},
        )

    def _is_builtin(self) -> bool:
        """Whether the experiment is ours: then its code counts as all of ours does."""
        return self._code.path == PROJECT_ROOT / BUILTIN_EXPERIMENT / "train.py"

    def work(self, run_id: str) -> StageOutcome:
        from experiments_adapters.code_path import check_result
        from experiments_adapters.outputs import collect_outputs
        from guardianflow.backends.weights.model_figures import figures_from_lineage
        from guardianflow.evaluation.timing.system_metrics import SystemSampler

        context = self._context
        output = context.scratch / "training"
        output.mkdir()
        sampler = SystemSampler()
        trainer = self.build_trainer(
            output, self._epoch_listener(run_id, sampler), self._batch_listener(run_id)
        )
        with sampler:
            call_trainer(trainer)
        best = check_result(trainer)
        store = context.ports.store
        for category, files in collect_outputs(output, best).items():
            for path in files:
                if category != "weights":
                    store.log_files(run_id, path, category)
        package = self._package(best, run_id)
        own = tell(context, names_of(package), "the trained weights hold the experiment's code")
        if own:
            store.annotate(run_id, tags=own)
        log_weights(store, run_id, best)
        whole = sampler.usage().as_metrics() | figures_from_lineage(package.spec)
        # After the last epoch, so that it is what the run shows and no epoch's point is doubled.
        store.log_metrics(run_id, whole, step=self._epochs_done + 1)
        self._last |= whole
        if not context.request.register:
            return StageOutcome(self._last)
        model = context.ports.registry.register(
            run_id,
            package,
            context.scenario.get_registered_model_name(),
            tags=self._model_tags(run_id),
        )
        return StageOutcome(self._last, (model,))

    def _epoch_listener(self, run_id: str, sampler: SystemSampler) -> EpochListener:
        """Logs an epoch's metrics and what it took of the machine, and shows the metrics."""
        from experiments_adapters.base import to_metric_keys

        context, epochs = self._context, self._context.scenario.training.epochs

        def on_epoch_end(epoch: int, metrics: Mapping[str, float]) -> None:
            keyed = to_metric_keys(metrics)
            self._last |= keyed
            self._epochs_done = max(epoch, self._epochs_done)
            usage = sampler.lap().as_metrics()
            context.ports.store.log_metrics(run_id, keyed | usage, step=epoch)
            shown = [f"{k.removeprefix('det.')} {v:.3f}" for k, v in keyed.items() if k in SHOWN]
            context.events.progress(epoch, epochs, "  ".join(shown))

        return on_epoch_end

    def _batch_listener(self, run_id: str) -> EpochListener:
        """Logs `batch.*`, once a second at most: a store is slower than a batch."""
        store, logged_at = self._context.ports.store, -BATCH_LOG_EVERY_S

        def on_batch_end(step: int, metrics: Mapping[str, float]) -> None:
            nonlocal logged_at
            if (now := time.monotonic()) - logged_at >= BATCH_LOG_EVERY_S:
                logged_at = now
                named = {f"batch.{key}": value for key, value in metrics.items()}
                store.log_metrics(run_id, named, step=step)

        return on_batch_end

    def build_trainer(
        self,
        output: Path,
        on_epoch_end: EpochListener,
        on_batch_end: EpochListener | None = None,
    ) -> Any:
        """The author's Trainer, constructed on the prepared data, writing into `output`."""
        from experiments_adapters.code_path import build_trainer

        scenario = self._context.scenario
        weights = str(self._weights) if self._weights else None
        data = {
            "path": str(self._dataset.data_yaml),
            "image_count": self._dataset.image_count,
            "dvc_hash": self._dataset.dvc_hash,
        }
        return build_trainer(
            self._code,
            model_config=scenario.model.model_copy(
                update={"weights_path": weights, "num_classes": len(self._dataset.class_names)}
            ),
            training_config=scenario.training,
            dataset_config=scenario.dataset.model_copy(update=data),
            environment_config=scenario.environment,
            work_dir=output,
            resume_from=None,
            on_epoch_end=on_epoch_end,
            on_batch_end=on_batch_end,
        )

    def _package(self, best: Path, run_id: str) -> DetectorPackage:
        from guardianflow.backends.weights.packages import package_from_weights

        scenario = self._context.scenario
        try:
            return package_from_weights(
                best,
                self._context.scratch / "package",
                input_size=scenario.model.input_size,
                class_names=self._dataset.class_names,
                architecture=scenario.model.architecture,
                conf_threshold=scenario.benchmark.conf_threshold,
                iou_threshold=scenario.benchmark.iou_threshold,
                lineage={"run_id": run_id, "data_fingerprint": self._dataset.fingerprint},
                trusted=True,  # the code that wrote it has run in this process already
                cache_dir=self._context.settings.checkpoints_dir,
            )
        except ConfigurationError as exc:  # not the caller's weights: the training made them
            raise TrainerError(f"the trained model can't be used: {exc}") from exc

    def _model_tags(self, run_id: str) -> dict[str, str]:
        scenario = self._context.scenario
        return {
            "architecture": scenario.model.architecture,
            "input_size": str(scenario.model.input_size),
            "task": scenario.task.type,
            "exp_version": scenario.version,
            "source_run_id": run_id,
            "data_fingerprint": self._dataset.fingerprint,
        }


SHOWN = ("det.mAP50", "det.mAP50_95", "det.box_loss")


def call_trainer(trainer: Any) -> None:
    """The one place where the author's training runs; what it raises keeps its traceback."""
    try:
        trainer.train()
    except GuardianFlowError:
        raise
    except Exception as exc:
        place = traceback.extract_tb(exc.__traceback__)[-1]
        raise TrainerError(
            f"the experiment's train() raised {type(exc).__name__}: {exc} "
            f"({Path(place.filename).name}:{place.lineno})"
        ) from exc


def refuse_redacted(options: Mapping[str, Any]) -> None:
    """A scenario taken from a run does not hold its secrets any more.

    Raises:
        ScenarioError: names the options to be given anew.
    """
    if missing := [name for name, value in options.items() if holds_mark(value)]:
        raise ScenarioError(
            f"training.options.{missing[0]} is {MARK}: secrets are not kept with a run. Give it "
            f"again: -p training.options.{missing[0]}=VALUE, or let the code read the environment"
        )


def file_identity(path: Path | None) -> str:
    from guardianflow.contracts.results import sha256_of

    if path is None:
        return ""
    return sha256_of(path) if path.is_file() else str(path)

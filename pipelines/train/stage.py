"""Train: the experiment's own trainer, its metrics live in MLflow, its best weights registered.

python -m pipelines.train --scenario S [--code-path P] [--training.epochs 5]
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.errors import (
    ConfigurationError,
    ScenarioError,
    TrainerError,
)
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from guardianflow.support.secrets.redaction import MARK, holds_mark

from ..failures.disk_space import DiskNeed, needs_of_training
from ..reuse.identity import content_of, own_code_fingerprint, versions_for
from ..settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from ..stage.author_code import check_later, code_tags, load_code
from ..stage.backend_check import machine_tags
from ..stage.code_identity import code_digest
from ..stage.inputs.data_sets import (
    data_input,
    dataset_tags,
    load_labelled,
)
from ..stage.inputs.sources import (
    log_weights,
    resolve_weights,
)
from ..stage.inputs.weight_trust import admit, given_to_training, names_of, tell
from ..stage.kinds import TRAIN
from ..stage.stage import StageContext, StageIdentity, StageOutcome, StagePlan
from .attempts import Attempts
from .curve import Curve
from .data_leaks import note_leaks
from .epoch_journal import Report
from .resumption import REPEATED_TAG, TrainOpening, forget_training
from .snapshots import CheckpointKeeper

if TYPE_CHECKING:
    from experiments_adapters.code_path import ExperimentCode
    from experiments_adapters.trainers import EpochListener
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
        self._opening: TrainOpening

    def identify(self) -> StageIdentity:
        context = self._context
        refuse_redacted(context.scenario.training.options)
        self._weights = resolve_weights(context)
        code = own_code_fingerprint(context, TRAIN)
        self._dataset = load_labelled(context)
        alike = {"guardianflow.stage": TRAIN}
        return StageIdentity(self._identity(code), alike, self._dataset.warnings)

    def _identity(self, code: str) -> dict[str, Any]:
        """Args: code: fingerprint of the author's; '' for ours."""
        context, scenario = self._context, self._context.scenario
        # Where weights lie is not asked; how many classes there are, the data say.
        model = scenario.model.model_dump(mode="json", exclude={"weights_path", "num_classes"})
        name = scenario.get_registered_model_name()
        return {
            "stage": TRAIN,
            "model": model,
            "weights": content_of(self._weights),
            "training": scenario.training.model_dump(mode="json"),
            "environment": scenario.environment.model_dump(mode="json"),
            "thresholds": [scenario.benchmark.conf_threshold, scenario.benchmark.iou_threshold],
            "data": self._dataset.fingerprint,
            "code": code,
            "registered_model": name if context.request.register else "",
            "version": scenario.version,
            "libraries": versions_for([SOURCE], "ultralytics", "torchvision"),
            "own_code": code_digest(TRAIN, [SOURCE], context.settings.own_code_file),
        }

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        refuse_redacted(scenario.training.options)
        self._weights = weights = resolve_weights(context)
        foreign = admit(context, given_to_training(context, weights))
        self._dataset = load_labelled(context)
        self._code = self._load_code()
        if self._is_builtin():  # it knows what it can't do: before there is a run
            self.build_trainer(context.scratch / "training", lambda *_: None)
        check_later(context)
        if context.request.check_only and scenario.alarms is not None:
            # By its name: what judges alarms must not be part of what makes a training.
            later = import_module("pipelines.measuring.alarms.inputs")
            later.check_recordings(context, self._dataset.class_names)
        return StagePlan(
            identity=self._identity("" if self._is_builtin() else self._code.fingerprint),
            data=data_input(context, self._dataset, "train"),
            tags={
                **scenario.to_all_tags("train"),
                **dataset_tags(self._dataset),
                **machine_tags(),
                **tell(context, foreign, "what the training starts from is trusted"),
                **self._code_tags(),
            },
            params={key: str(value) for key, value in scenario.to_all_params("train").items()},
            data_warnings=self._dataset.warnings,
            disk=self._disk_needs(),
        )

    def _disk_needs(self) -> tuple[DiskNeed, ...]:
        """What is needed for certain; () for an author's trainer, of which nothing is known."""
        context = self._context
        model, work_dir = context.scenario.model, context.settings.work_dir
        if not self._is_builtin():
            return ()
        uri = context.request.tracking_uri
        return needs_of_training(str(model.architecture), self._weights, work_dir, uri)

    def _load_code(self) -> ExperimentCode:
        """The author's Trainer; the built-in one where the code of a chain has none."""
        from experiments_adapters.code_path import load_experiment

        context = self._context
        return load_code(context, TRAIN) or load_experiment(
            str(PROJECT_ROOT / BUILTIN_EXPERIMENT), cache_dir=context.settings.code_dir
        )

    def _code_tags(self) -> dict[str, str]:
        code = self._code
        asked = {"experiment_code_path": self._context.request.code_path}
        if self._is_builtin():
            return {**asked, "experiment_code_fingerprint": code.fingerprint}
        return {**code_tags(code), **asked}

    def _is_builtin(self) -> bool:
        """Whether the experiment is ours: then its code counts as all of ours does."""
        return self._code.path == PROJECT_ROOT / BUILTIN_EXPERIMENT / "train.py"

    def check_free(self, plan: StagePlan) -> None:
        self._opening_of(plan).check_free()

    @contextmanager
    def hold(self, plan: StagePlan) -> Iterator[TrainOpening]:
        with self._opening_of(plan).held() as self._opening:
            yield self._opening

    def forget(self, fingerprint: str, run_id: str) -> None:
        forget_training(self._context, fingerprint, run_id)

    def _opening_of(self, plan: StagePlan) -> TrainOpening:
        return TrainOpening(self._context, plan, can_resume="resume_from" in self._code.accepts)

    def work(self, run_id: str) -> StageOutcome:
        resumes = "resume_from" in self._code.accepts
        attempts = Attempts(self._context, run_id, self._opening.output, resumes=resumes)
        with attempts.kept_where_it_fails():
            return self._work(run_id, attempts)

    def _work(self, run_id: str, attempts: Attempts) -> StageOutcome:
        from experiments_adapters.outputs import collect_outputs
        from guardianflow.backends.weights.model_figures import figures_from_lineage

        context, opening = self._context, self._opening
        if not opening.best:
            note_leaks(context, self._dataset, run_id)
        curve = opening.curve(run_id)
        self._last |= curve.values()
        best, usage = (opening.best, {}) if opening.best else self._train(run_id, curve, attempts)
        store = context.ports.store
        if curve.repeated:
            store.annotate(run_id, tags={REPEATED_TAG: " ".join(map(str, curve.repeated))})
        for category, files in collect_outputs(opening.output, best).items():
            for path in files:
                if category != "weights":
                    store.log_files(run_id, path, category)
        package = self._package(best, run_id)
        own = tell(context, names_of(package), "the trained weights hold the experiment's code")
        if own:
            store.annotate(run_id, tags=own)
        log_weights(store, run_id, best)
        whole = usage | figures_from_lineage(package.spec)
        # After the last epoch, so that it is what the run shows and no epoch's point is doubled.
        report = Report(curve.epochs_done + 1, _now_ms(), whole, whole=True)
        curve.log(curve.kept(report))
        self._last |= whole
        if not context.request.register:
            return StageOutcome(self._last, notes=tuple(attempts.notes))
        scenario = context.scenario
        tags = {
            "architecture": scenario.model.architecture,
            **({"activation": scenario.model.activation} if scenario.model.activation else {}),
            "input_size": str(scenario.model.input_size),
            "task": scenario.task.type,
            "exp_version": scenario.version,
            "source_run_id": run_id,
            "data_fingerprint": self._dataset.fingerprint,
        }
        name = scenario.get_registered_model_name()
        model = context.ports.registry.register(run_id, package, name, tags=tags)
        return StageOutcome(self._last, (model,), notes=tuple(attempts.notes))

    def _train(
        self, run_id: str, curve: Curve, attempts: Attempts
    ) -> tuple[Path, dict[str, float]]:
        """Train, or train on; the best model, and what this process took of the machine."""
        from experiments_adapters.base import to_metric_keys
        from experiments_adapters.failures.loading import give_memory_back
        from experiments_adapters.trainers import check_result
        from guardianflow.evaluation.timing.system_metrics import SystemSampler

        opening, sampler = self._opening, SystemSampler()
        keeper = CheckpointKeeper(opening.snapshots, opening.output, self._context.events.notice)
        on_epoch_end = attempts.epochs_once(self._epoch_listener(curve, sampler, keeper))
        on_batch_end = attempts.batches_once(self._batch_listener(run_id, curve))

        def build(batch_size: int, resume_from: Path | None) -> Any:
            if keeper.trainer is not None:
                keeper.trainer = None  # it holds what a failed attempt had taken of the GPU
                give_memory_back()
            trainer = self.build_trainer(
                opening.output, on_epoch_end, on_batch_end, batch_size, resume_from
            )
            if "resume_from" in self._code.accepts:
                keeper.trainer = trainer
            return trainer

        with sampler:
            trainer = attempts.train(build, opening.checkpoint)
        self._last |= to_metric_keys(attempts.last_metrics)
        best = check_result(trainer)
        opening.trained(best)
        return best, sampler.usage().as_metrics()

    def _epoch_listener(
        self, curve: Curve, sampler: SystemSampler, keeper: CheckpointKeeper
    ) -> EpochListener:
        """Keeps an epoch's checkpoint, logs its metrics and what it took, and shows the metrics."""
        from experiments_adapters.base import to_metric_keys

        context, epochs = self._context, self._context.scenario.training.epochs

        def on_epoch_end(epoch: int, metrics: Mapping[str, float]) -> None:
            keyed = to_metric_keys(metrics)
            usage = sampler.lap().as_metrics()
            report = curve.kept(Report(epoch, _now_ms(), keyed | usage))
            keeper.keep(report)
            curve.log(report)
            self._last |= {key: keyed[key] for key in keyed if key in report.metrics}
            shown = [f"{k.removeprefix('det.')} {v:.3f}" for k, v in keyed.items() if k in SHOWN]
            context.events.epoch(epoch, epochs, "  ".join(shown), keyed)

        return on_epoch_end

    def _batch_listener(self, run_id: str, curve: Curve) -> EpochListener:
        """Logs `batch.*`, once a second at most: a store is slower than a batch."""
        store, logged_at = self._context.ports.store, -BATCH_LOG_EVERY_S

        def on_batch_end(step: int, metrics: Mapping[str, float]) -> None:
            nonlocal logged_at
            if (now := time.monotonic()) - logged_at >= BATCH_LOG_EVERY_S:
                logged_at = now
                named = {f"batch.{key}": value for key, value in metrics.items()}
                store.log_metrics(run_id, curve.fresh(step, named), step=step)

        return on_batch_end

    def build_trainer(
        self,
        output: Path,
        on_epoch_end: EpochListener,
        on_batch_end: EpochListener | None = None,
        batch_size: int | None = None,
        resume_from: Path | None = None,
    ) -> Any:
        """The author's Trainer, constructed on the prepared data, writing into `output`.

        Args:
            batch_size: None takes what was asked for.
            resume_from: the checkpoint to go on from.
        """
        from experiments_adapters.trainers import build_trainer

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
            training_config=scenario.training.model_copy(
                update={"batch_size": batch_size or scenario.training.batch_size}
            ),
            dataset_config=scenario.dataset.model_copy(update=data),
            environment_config=scenario.environment,
            work_dir=output,
            resume_from=resume_from,
            on_epoch_end=on_epoch_end,
            on_batch_end=on_batch_end,
        )

    def _package(self, best: Path, run_id: str) -> DetectorPackage:
        from guardianflow.backends.weights.packages import package_from_weights

        scenario = self._context.scenario
        activation = scenario.model.activation
        try:
            package = package_from_weights(
                best,
                self._context.scratch / "package",
                input_size=scenario.model.input_size,
                class_names=self._dataset.class_names,
                architecture=scenario.model.architecture,
                conf_threshold=scenario.benchmark.conf_threshold,
                iou_threshold=scenario.benchmark.iou_threshold,
                lineage={
                    "run_id": run_id,
                    "data_fingerprint": self._dataset.fingerprint,
                    **({"activation": activation} if activation else {}),
                },
                trusted=True,  # the code that wrote it has run in this process already
                cache_dir=self._context.settings.checkpoints_dir,
            )
        except ConfigurationError as exc:  # not the caller's weights: the training made them
            raise TrainerError(f"the trained model can't be used: {exc}") from exc
        if activation:
            require_activation(package, activation)
        return package


def require_activation(package: DetectorPackage, activation: str) -> None:
    """Raises TrainerError where a trained network has another activation than was asked for."""
    from guardianflow.backends.weights import checkpoints, ultralytics_models

    if package.spec.backend != SOURCE:
        raise TrainerError(
            f"model.activation asks for {activation}, which can be told of a .pt alone, but the "
            f"training ended with a file for {package.spec.backend}; leave model.activation out"
        )
    accepted = checkpoints.accepted_by(package.spec)
    model = ultralytics_models.load_detector(package.weights_path, accepted)
    found = ultralytics_models.activations_in(model)
    if found != (activation,):
        raise TrainerError(
            f"model.activation asks for {activation}, but the trained network has "
            f"{' and '.join(found) or 'none of silu, hardswish, relu and relu6'}: build it with "
            "model_config.activation in the trainer, or leave model.activation out"
        )


SHOWN = ("det.mAP50", "det.mAP50_95", "det.box_loss")


def _now_ms() -> int:
    return int(time.time() * 1000)


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

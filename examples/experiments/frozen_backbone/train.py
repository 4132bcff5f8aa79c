"""Fine-tuning for a new site: the backbone rests for some epochs, and day turns to night.

training:
  options: {unfreeze_epoch: 5, night: 0.3}
"""

import tempfile
from pathlib import Path

import torch
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer

from experiments_adapters.base import BaseTrainer

BACKBONE_LAYERS = 11  # of YOLO11; everything behind is neck and head


class NightTrainer(DetectionTrainer):
    """Darkens a share of each batch: few labelled night shifts exist, many are watched."""

    night = 0.3

    def preprocess_batch(self, batch: dict) -> dict:
        batch = super().preprocess_batch(batch)
        images = batch["img"]
        chosen = torch.rand(len(images), device=images.device) < self.night
        noise = torch.randn_like(images[chosen]) * 0.02  # what a sensor adds in the dark
        images[chosen] = (images[chosen] ** 2 * 0.5 + noise).clamp(0, 1)
        return batch


class Trainer(BaseTrainer):
    def __init__(self, model_config, training_config, dataset_config, work_dir=None):
        super().__init__(model_config, training_config, dataset_config)
        if model_config.weights_path is None:
            raise ValueError("a backbone without training can't rest: set model.weights_path")
        options = dict(training_config.options)
        self.unfreeze_epoch = int(options.pop("unfreeze_epoch", 5))
        self.night = float(options.pop("night", NightTrainer.night))
        self.options = options  # the others are Ultralytics'
        self.work_dir = Path(work_dir or tempfile.mkdtemp())

    def train(self) -> None:
        model = YOLO(self.model_config.weights_path)
        model.add_callback("on_train_epoch_start", self._wake_backbone)
        model.add_callback("on_model_save", self._report)  # once an epoch, validation included
        training = self.training_config
        NightTrainer.night = self.night
        model.train(
            trainer=NightTrainer,
            data=self.dataset_config.path,
            imgsz=self.model_config.input_size,
            epochs=training.epochs,
            batch=training.batch_size,
            optimizer="SGD",
            lr0=training.learning_rate,
            freeze=BACKBONE_LAYERS,
            save_dir=str(self.work_dir),
            **self.options,
        )

    def _wake_backbone(self, engine) -> None:
        if engine.epoch + 1 == self.unfreeze_epoch:
            for name, parameter in engine.model.named_parameters():
                parameter.requires_grad = ".dfl" not in name
            engine.freeze_layer_names = [".dfl"]  # else the batch norms would stay at rest

    def _report(self, engine) -> None:
        losses = engine.label_loss_items(engine.tloss)
        awake = float(engine.epoch + 1 >= self.unfreeze_epoch)
        self.on_epoch_end(engine.epoch + 1, {**losses, **engine.metrics, "backbone_awake": awake})

    def get_best_model_path(self) -> str:
        return str(self.work_dir / "weights" / "best.pt")

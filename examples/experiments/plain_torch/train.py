"""A trainer without any framework, GuardianFlow's included: PyTorch in, ONNX out.

GuardianFlow opens the .onnx because it keeps to what detectors speak: one input, float32
N×3×S×S in 0…1, and one output, N×(4+classes)×cells with centre, size (pixels) and scores; the
class names stand in the file's metadata.
"""

import shutil
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from data import Boxes, class_names, collate  # the author's own files beside this one
from detector import STRIDE, Detector


class Trainer:
    def __init__(
        self,
        model_config,
        training_config,
        dataset_config,
        environment_config=None,
        work_dir=None,
        resume_from=None,
    ):
        torch.manual_seed(environment_config.seed if environment_config else 0)
        self.training = training_config
        self.side = model_config.input_size
        self.data_yaml = Path(dataset_config.path)
        self.names = class_names(self.data_yaml)
        self.work_dir = Path(work_dir or tempfile.mkdtemp())
        self.model = Detector(len(self.names), self.side)
        self.resume_from = resume_from

    def train(self):
        loaders = {
            split: torch.utils.data.DataLoader(
                Boxes(self.data_yaml, split, self.side, augment=split == "train"),
                batch_size=self.training.batch_size,
                shuffle=split == "train",
                collate_fn=collate,
            )
            for split in ("train", "val")
        }
        epochs, rate = self.training.epochs, self.training.learning_rate
        optimizer = torch.optim.AdamW(self.model.parameters(), rate, weight_decay=1e-3)
        steps = epochs * len(loaders["train"])
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.15)
        state = {"epoch": 0, "best": float("inf")}
        parts = {"model": self.model, "optimizer": optimizer, "schedule": schedule}
        if self.resume_from:
            saved = torch.load(self.resume_from, weights_only=True)
            state = saved.pop("state")
            for name, part in parts.items():
                part.load_state_dict(saved[name])
            best = Path(self.resume_from).with_name("best.onnx")  # no later epoch may beat it
            if best.parent != self.work_dir:
                shutil.copy(best, self.get_best_model_path())
        for epoch in range(state["epoch"] + 1, epochs + 1):
            box_loss, cls_loss = self._pass(loaders["train"], optimizer, schedule)
            with torch.no_grad():
                val_loss = sum(self._pass(loaders["val"]))
            if val_loss < state["best"]:
                state["best"] = val_loss
                self._export()
            state["epoch"] = epoch
            saved = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**saved, "state": state}, self.work_dir / "last.pth")
            self.on_epoch_end(
                epoch, {"box_loss": box_loss, "cls_loss": cls_loss, "val_loss": val_loss}
            )

    def _pass(self, loader, optimizer=None, schedule=None):
        """Mean losses over one pass; weights move where an optimizer is given."""
        self.model.train(optimizer is not None)
        sums = torch.zeros(2)
        for images, boxes in loader:
            losses = torch.stack(self.model.losses(images, boxes))
            if optimizer:
                optimizer.zero_grad()
                losses.sum().backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 10)
                optimizer.step()
                schedule.step()
            sums += losses.detach()
        return (sums / len(loader)).tolist()

    def _export(self):
        self.model.eval()
        path = self.get_best_model_path()
        with warnings.catch_warnings():  # torch's newer exporter asks for one more package
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                self.model,
                (torch.zeros(1, 3, self.side, self.side),),
                path,
                input_names=["images"],
                output_names=["output0"],
                dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
                opset_version=17,
                dynamo=False,
            )
        model = onnx.shape_inference.infer_shapes(onnx.load(path))  # sizes of the output, too
        facts = {"names": self.names, "imgsz": [self.side, self.side], "stride": STRIDE}
        onnx.helper.set_model_props(
            model, {"task": "detect", **{key: str(value) for key, value in facts.items()}}
        )
        onnx.save(model, path)

    def get_best_model_path(self):
        return str(self.work_dir / "best.onnx")

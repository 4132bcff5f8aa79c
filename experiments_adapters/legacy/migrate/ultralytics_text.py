"""train.py around a script's one call of `YOLO(…).train(…)`.

What the scenario says goes to Ultralytics by the scenario's names, so that the run's recorded
parameters are true; everything else goes on as `training.options`.
"""

from __future__ import annotations

from pathlib import Path

from guardianflow.support.text.shortening import on_one_line, shortened

from .train_calls import TrainCall, TrainCalls
from .values import Fields

HEAD = '''\
"""DRAFT, to be reviewed: the training of a script as a GuardianFlow experiment.

Written by `guardianflow migrate` from
    @SCRIPT@
which stays as it is (sha256 @SHA@…). Its training, line @LINE@:
@CALL@
Look for TODO, here and in scenario.yaml. Then compare a run of this with a wrapped one:
    guardianflow run @NAME@ --type train
"""

import tempfile
from pathlib import Path

from ultralytics import YOLO

from experiments_adapters.base import BaseTrainer

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "auto": "auto"}
# None: Ultralytics chooses.
DEVICES = {"auto": None, "tensorrt": None, "openvino": None, "cuda": "0"}

'''
CONSTRUCTOR = """\
class Trainer(BaseTrainer):
    def __init__(
        self,
        model_config,
        training_config,
        dataset_config,
        environment_config=None,
        work_dir=None,
    ):
        super().__init__(model_config, training_config, dataset_config)
@CHECKS@\
        if "TODO" in (model_config.architecture, model_config.weights_path):
            raise ValueError("fill in the TODOs of model: in scenario.yaml")
        self.device = environment_config.device if environment_config else "auto"
        self.seed = environment_config.seed if environment_config else 0
        self.work_dir = Path(work_dir or tempfile.mkdtemp())
"""
BODY = """
@CONSTRUCTOR@
    def train(self):
        training = self.training_config
@OTHERS@\
        model = YOLO(self.model_config.weights_path or f"{self.model_config.architecture}.yaml")
        model.add_callback("on_model_save", self._report)  # once an epoch, validation included
        model.train(
            data=self.dataset_config.path,
            imgsz=self.model_config.input_size,
            epochs=training.epochs,
            batch=training.batch_size,
            optimizer=OPTIMIZERS[training.optimizer],
            cos_lr=training.scheduler == "cosine",
            patience=training.early_stopping,
            device=DEVICES.get(self.device, self.device),
            seed=self.seed,
            save_dir=str(self.work_dir),
            # Ultralytics chooses the learning rate with the optimizer.
            **({} if training.optimizer == "auto" else {"lr0": training.learning_rate}),
            **({"lrf": 1.0} if training.scheduler == "constant" else {}),
            **training.options,
        )

    def _report(self, engine):
        losses = engine.label_loss_items(engine.tloss)
        judged = engine.metrics if engine.args.val else {}
        self.on_epoch_end(engine.epoch + 1, {**losses, **judged})

    def get_best_model_path(self):
        return str(self.work_dir / "weights" / "best.pt")
"""
CHECKS = """\
        if training_config.scheduler == "constant" and "lrf" in training_config.options:
            raise ValueError("leave out training.options.lrf: a constant learning rate has no end")
"""
JUDGED = {
    "val": "GuardianFlow judges the weights itself: guardianflow infer",
    "export": "GuardianFlow makes formats itself: guardianflow quant",
    "load": "TODO the script loads these weights into the network: say it as model.weights_path",
    "add_callback": "TODO a callback of the script's own: take it over where it matters",
}


def ultralytics_text(
    name: str, script: Path, sha256: str, reading: TrainCalls, call: TrainCall, fields: Fields
) -> str:
    """The file.

    Args:
        name: of the experiment in the registry.
        call: the one training of the script.
    """
    head = HEAD.replace("@SCRIPT@", in_docstring(str(script))).replace("@SHA@", sha256[:12])
    head = head.replace("@LINE@", str(call.line)).replace("@NAME@", in_docstring(name))
    head = head.replace("@CALL@", "".join(f"    {in_docstring(x)}\n" for x in _wrapped(call.code)))
    notes = [
        one_line(f"# Line {line}, {code}: {JUDGED.get(method, 'not part of a training')}")
        for line, method, code in reading.others
    ]
    notes += [f"# Line {call.line}: {each}" for each in fields.not_taken]
    others = "".join(f"        {each}\n" for each in notes)
    body = BODY.replace("@CONSTRUCTOR@", CONSTRUCTOR.replace("@CHECKS@", CHECKS))
    return head + body.replace("@OTHERS@", others)


def in_docstring(text: str) -> str:
    """Whatever a path or a line of code holds, the docstring ends where it should."""
    return on_one_line(text, "?").replace("\\", "\\\\").replace('"', '\\"')


def one_line(text: str, most: int = 160) -> str:
    return shortened(on_one_line(text, " "), most)


def _wrapped(code: str, width: int = 92) -> list[str]:
    """A call over several lines, broken behind commas."""
    lines, line = [], ""
    for part in code.split(", "):
        word = part if not line else f"{line}, {part}"
        if line and len(word) > width:
            lines.append(f"{line},")
            word = f"    {part}"
        line = word
    return [*lines, line]

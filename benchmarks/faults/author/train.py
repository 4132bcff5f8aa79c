"""An author's trainer that takes no time, counted from outside, whose model proves its epochs.

Each epoch changes `proof`, a hash over all epochs so far, which the weights carry: a model that
lacks an epoch, or was given one twice, has another. What it does stands in FAULTS_TRAINED.
"""

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAMES = ["helmet", "head", "vest", "person"]
BATCHES = 5
WEIGHTS = 60_000
"""Numbers in the model, so that its upload is not over at once."""


def proof_after(proof: str, epoch: int) -> str:
    return hashlib.sha256(f"{proof} {epoch}".encode()).hexdigest()


def metrics_of(epoch: int) -> dict[str, float]:
    return {"mAP50": epoch / 100, "box_loss": 1 / epoch, "speed": 3.0}


def table_of(epochs: int) -> str:
    rows = [f"{epoch},{1 / epoch}" for epoch in range(1, epochs + 1)]
    return "\n".join(["epoch,box_loss", *rows]) + "\n"


def tell(what: str, epoch: int) -> None:
    line = json.dumps({"what": what, "epoch": epoch, "pid": os.getpid()}) + "\n"
    number = os.open(os.environ["FAULTS_TRAINED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(number, line.encode())
    finally:
        os.close(number)


class Trainer:
    def __init__(
        self, model_config, training_config, dataset_config, work_dir=None, resume_from=None
    ):
        self.model, self.training, self.data = model_config, training_config, dataset_config
        self.work_dir, self.resume_from = Path(work_dir), resume_from

    def train(self):
        state = {"epoch": 0, "proof": ""}
        if self.resume_from:
            state = json.loads(Path(self.resume_from).read_text())
        for epoch in range(state["epoch"] + 1, self.training.epochs + 1):
            tell("begun", epoch)
            for batch in range(1, BATCHES + 1):
                time.sleep(self.training.options["seconds_per_epoch"] / BATCHES)
                self.on_batch_end(BATCHES * (epoch - 1) + batch, {"loss": 1 / epoch})
            state = {"epoch": epoch, "proof": proof_after(state["proof"], epoch)}
            write_detector(self.work_dir / "best.onnx", self.model, state["proof"])
            (self.work_dir / "results.csv").write_text(table_of(epoch))
            (self.work_dir / "last.json").write_text(json.dumps(state))
            tell("trained", epoch)
            self.on_epoch_end(epoch, metrics_of(epoch))

    def get_last_checkpoint_path(self):
        return self.work_dir / "last.json"

    def get_best_model_path(self):
        return str(self.work_dir / "best.onnx")


def write_detector(path: Path, config, proof: str) -> None:
    """A detector that finds one box in the middle, whatever it sees."""
    size, classes = config.input_size, config.num_classes
    rows = 4 + classes
    raw = np.zeros((1, rows, 16), np.float32)
    raw[0, :4, 0] = size / 2
    raw[0, 4, 0] = 0.9
    seed = int(proof[:8], 16)
    ballast = np.random.default_rng(seed).random(WEIGHTS, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Sub", ["mean", "mean"], ["zero4"]),
            helper.make_node("ReduceMean", ["ballast"], ["one"], axes=[0], keepdims=1),
            helper.make_node("Mul", ["zero4", "one"], ["still_zero4"]),
            helper.make_node("Squeeze", ["still_zero4", "last"], ["zero"]),
            helper.make_node("Add", ["raw", "zero"], ["output0"]),
        ],
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", rows, 16])],
        [
            numpy_helper.from_array(raw, "raw"),
            numpy_helper.from_array(ballast, "ballast"),
            numpy_helper.from_array(np.array([3], np.int64), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    names = {"names": str(dict(enumerate(NAMES))), "imgsz": f"[{size}, {size}]", "proof": proof}
    helper.set_model_props(model, names)
    onnx.save(model, path)

"""A place to work for a test: a store, a cache, a command line, a trainer that takes a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

QUICK_TRAINER = '''
"""Writes a detector as ONNX: one box in the middle, whatever it sees. No training library."""
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Trainer:
    def __init__(self, model_config, training_config, dataset_config, work_dir=None):
        self.model, self.training, self.data = model_config, training_config, dataset_config
        self.work_dir = Path(work_dir)

    def train(self):
        self.before()
        for epoch in range(1, self.training.epochs + 1):
            time.sleep(self.training.options.get("seconds_per_epoch", 0.0))
            self.on_epoch_end(epoch, {"mAP50": epoch / 10, "box_loss": 1.0 / epoch, "speed": 3.0})

    def before(self):
        pass

    def get_best_model_path(self):
        path = self.work_dir / "best.onnx"
        size, classes = self.model.input_size, self.model.num_classes
        rows = 4 + classes
        raw = np.zeros((1, rows, 16), np.float32)
        raw[0, :4, 0] = size / 2
        raw[0, 4, 0] = 0.9
        graph = helper.make_graph(
            [
                helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
                helper.make_node("Sub", ["mean", "mean"], ["zero4"]),
                helper.make_node("Squeeze", ["zero4", "last"], ["zero"]),
                helper.make_node("Add", ["raw", "zero"], ["output0"]),
            ],
            "detector",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, size, size])],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", rows, 16])],
            [
                numpy_helper.from_array(raw, "raw"),
                numpy_helper.from_array(np.array([3], np.int64), "last"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        names = {"names": str(dict(enumerate(NAMES))), "imgsz": f"[{size}, {size}]"}
        helper.set_model_props(model, names)
        onnx.save(model, path)
        return str(path)
'''
FILMS = "demo://incidents"
SHORT = "recordings=4&seconds=40&fps=2&size=96"
"""The demo's own recordings take longer to draw and to judge than a tiny pipeline's other work."""


@dataclass
class Workplace:
    """A directory with a store, and the command line run in it as a user would."""

    root: Path
    work_dir: Path
    repository: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def write_trainer(self, name: str, before: str = "pass") -> Path:
        """The quick trainer, with `before` done at the start of train()."""
        folder = self.root / name
        folder.mkdir()
        from demo_scenes.scene import CLASS_NAMES

        code = QUICK_TRAINER.replace("        pass\n", f"        {before}\n", 1)
        (folder / "train.py").write_text(f"NAMES = {list(CLASS_NAMES)!r}\n{code}", encoding="utf-8")
        return folder

    def write_scenario(self, name: str = "scenario.yaml", extra: str = "") -> Path:
        """The demo scenario, made tiny."""
        text = (self.repository / "configs/scenarios/demo.yaml").read_text(encoding="utf-8")
        path = self.root / name
        assert text.count(FILMS) == 1
        path.write_text(text.replace(FILMS, f"{FILMS}?{SHORT}") + extra, encoding="utf-8")
        return path

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.full_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.full_environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def guardianflow(self, *words: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "apps.cli.main", *words, timeout=timeout)

    def full_environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "GUARDIANFLOW_WORK_DIR": str(self.work_dir),
            **self.environment,
        }

    @property
    def store(self) -> Any:
        from guardianflow.run_tracking.mlflow_store import MlflowStore

        return MlflowStore(self.tracking_uri)


def last_json(text: str) -> dict[str, Any]:
    """The object that --json ends stdout with."""
    value: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return value

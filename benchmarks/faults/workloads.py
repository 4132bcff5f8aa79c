"""What is run while faults strike: trainings and pipelines that are over in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.author import train as author
from demo_scenes.scene import CLASS_NAMES
from experiments_adapters.base import to_metric_keys

AUTHOR = Path(__file__).parent / "author"
REFERENCE = "demo://ppe?images=14&size=96"
SCENARIO = """\
name: faults
version: v1
site: {{customer: {customer}, region: here}}
task: {{type: ppe, classes: [{classes}]}}
model: {{architecture: yolo11n, input_size: {size}}}
dataset: {{path: data/data.yaml, version: v1}}
environment: {{device: cpu, precision: fp32, seed: 1}}
training: {{epochs: {epochs}, batch_size: 4, options: {options}}}
benchmark: {{batch_sizes: [1], warmup_runs: 1, benchmark_runs: 5}}
quantization: {{variants: [{{backend: onnx, precision: fp32}}]}}
"""


@dataclass(frozen=True)
class Workload:
    """A command, and what its runs must hold when it has ended well.

    Args:
        command: 'train' or 'pipeline'.
        stages: kind → how many finished runs of it there must be.
        counted: an author's trainer that is counted from outside; else the built-in one.
        epoch_s: what the trainer sleeps in an epoch; the built-in one takes what it takes.
        weights: the weight file among the run's artifacts.
    """

    name: str
    command: str
    epochs: int
    stages: Mapping[str, int]
    counted: bool = False
    epoch_s: float = 0.0
    weights: str = "best.pt"
    size: int = 64

    def scenario(self, customer: str) -> str:
        options = {"seconds_per_epoch": self.epoch_s} if self.counted else {"mosaic": 0}
        return SCENARIO.format(
            customer=customer,
            classes=", ".join(CLASS_NAMES),
            size=self.size,
            epochs=self.epochs,
            options=str(options).replace("'", ""),
        )

    @property
    def words(self) -> list[str]:
        """The command's words, as from the directory of the round."""
        own = ["-e", "site/code"] if self.counted else []
        return [self.command, "site/scenario.yaml", *own, "--json"]

    @property
    def curve(self) -> Mapping[str, list[float]]:
        """Key → its value of each epoch, where they are known beforehand."""
        if not self.counted:
            return {}
        epochs = range(1, self.epochs + 1)
        rows = [to_metric_keys(author.metrics_of(epoch)) for epoch in epochs]
        return {key: [row[key] for row in rows] for key in rows[0]}

    @property
    def proof(self) -> str:
        """What the finished model carries; '' where it carries none."""
        proof = ""
        for epoch in range(1, self.epochs + 1):
            proof = author.proof_after(proof, epoch)
        return proof if self.counted else ""


QUICK = Workload("quick", "train", 8, {"train": 1}, counted=True, epoch_s=0.4, weights="best.onnx")
YOLO = Workload("yolo", "train", 4, {"train": 1})
PIPELINE = Workload("pipeline", "pipeline", 2, {"train": 1, "quant": 1, "infer": 2})
WORKLOADS = {each.name: each for each in (QUICK, YOLO, PIPELINE)}

"""A site whose stages can be identified in a test's own process: data, code, a trained model."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contexts import EXPERIMENT, context_of, request_of
from small_detectors import small_package

from guardianflow.contracts.results import RunRequest
from pipelines.stage.stage import (
    FINGERPRINT_TAG,
    StageContext,
    StageIdentity,
    StageRequest,
    make_stage,
)
from pipelines.wiring import Ports
from scenario import dump_scenario, load_scenario

SCENARIO = """
name: gate
site: {{customer: demo, region: seoul}}
task: {{type: ppe, classes: [helmet, vest]}}
model: {{architecture: yolo11n, input_size: 64}}
dataset: {{path: {data}}}
environment: {{device: auto, seed: 7}}
training: {{epochs: 3, options: {{mosaic: 0, scale: 0.2}}}}
benchmark: {{batch_sizes: [1, 4], warmup_runs: 2, benchmark_runs: 9}}
quantization: {{backend: openvino, precision: int8, calibration_size: 8}}
"""
TRAINER = "class Trainer:\n    def train(self): ...\n    def get_best_model_path(self): ...\n"


@dataclass
class Site:
    """Data, code and a trained model, from which stages can be identified.

    Args:
        words: of the scenario's file → what stands there instead.
        given: values of the request.
    """

    root: Path
    ports: Ports
    trained: str
    words: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    comment: str = ""
    work: Path = Path()

    @property
    def data(self) -> Path:
        return self.root / "data"

    def request(self, stage: str) -> StageRequest:
        text = SCENARIO.format(data=self.data)
        for words, others in self.words.items():
            assert words in text
            text = text.replace(words, others)
        place = self.root / "scenario.yaml"
        place.write_text(text + self.comment)
        scenario = load_scenario(place)
        variant = scenario.quantization_variants[0]
        values: dict[str, Any] = {"scenario_yaml": dump_scenario(scenario)}
        if stage != "train":
            values["source"] = f"runs:/{self.trained}"
        if stage == "quant":
            values |= {"variant": variant.model_dump(mode="json"), "variant_name": variant.variant}
        return request_of(stage, self.root, self.work, **(values | self.given))

    def context(self, stage: str) -> StageContext:
        scratch = self.root / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        request = self.request(stage)
        scenario = load_scenario(self.root / "scenario.yaml")
        return context_of(request, scenario, scratch, self.ports)

    def identity(self, stage: str) -> StageIdentity:
        return make_stage(self.context(stage)).identify()

    def finish(self, stage: str, *, register: bool = True) -> str:
        """A finished run of the stage, with what such a run keeps."""
        found = self.identity(stage)
        tags = {**found.alike, FINGERPRINT_TAG: found.fingerprint}
        run_id = self.ports.store.start_run(RunRequest(EXPERIMENT, stage, tags=tags))
        folder = self.root / f"config of {run_id}"
        folder.mkdir()
        (folder / "resolved.json").write_text(json.dumps({"identity": found.values}))
        self.ports.store.log_files(run_id, folder, "config")
        if register and stage != "infer":
            package = small_package(self.root / run_id, "onnx")
            self.ports.registry.register(run_id, package, f"{EXPERIMENT}/ppe")
        self.ports.store.end_run(run_id)
        return run_id

    def register(self, run_name: str, seed: int) -> str:
        run_id = self.ports.store.start_run(RunRequest(EXPERIMENT, run_name))
        package = small_package(self.root / run_name, "onnx", seed)
        self.ports.registry.register(run_id, package, f"{EXPERIMENT}/ppe")
        self.ports.store.end_run(run_id)
        return run_id

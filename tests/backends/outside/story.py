"""Run as a script: a detector for a backend of another package, from a scenario to a bundle.

    python story.py FOLDER

The package is on PYTHONPATH; nothing here but the backend's name knows of it. Prints what became of
it as a JSON object, on its last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from checkpoints import TINY_SIDE, build_checkpoint
from inprocess import InProcessExecutor

from demo_scenes.scene import CLASS_NAMES
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.results import RunRequest
from pipelines.registered_models.pull import pull_model
from pipelines.stage.plan import Planner, RunOptions
from pipelines.wiring import connect
from scenario import build_scenario

folder = Path(sys.argv[1])
scenario = build_scenario(
    {
        "name": "demo",
        "site": {"customer": "demo", "region": "seoul"},
        "task": {"type": "ppe"},
        "model": {"architecture": "yolo11n", "input_size": TINY_SIDE},
        "dataset": {"path": f"demo://ppe?images=14&size={TINY_SIDE}"},
        "environment": {"device": "cpu"},
        "benchmark": {"warmup_runs": 0, "benchmark_runs": 5},
        "quantization": {"backend": "reference", "precision": "fp32"},
    }
)
ports = connect(f"sqlite:///{folder / 'mlflow.db'}")
weights = build_checkpoint("yolo11n", folder / "tiny.pt", CLASS_NAMES)
trained = package_from_weights(weights, folder / "trained", input_size=TINY_SIDE)
source = ports.store.start_run(RunRequest(scenario.get_experiment_name(), "ppe-yolo11n-train-v1"))
ports.registry.register(source, trained, scenario.get_registered_model_name())
ports.store.end_run(source)

executor = InProcessExecutor(folder / "stages", folder / "work", ports)
planner = Planner(scenario, executor.settings, RunOptions(), ports.store.tracking_uri)
(variant,) = scenario.quantization_variants
made = executor.run(planner.quant(variant, f"runs:/{source}"))

(model,) = made.models
_, installed = pull_model(f"{model.name}@candidate", folder / "box", ports)
print(
    json.dumps(
        {
            "drop": made.metrics["comparison.accuracy_drop_mAP50_95"],
            "verdict": ports.store.get_run(made.run_id).tags["sys.backend_verdict"],
            "model": model.display_name,
            "bundle": str(installed.directory),
        }
    )
)

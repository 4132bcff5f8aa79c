"""A directory of scripts that nobody may change, and the wrapper on a store in memory."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

from inprocess import InProcessExecutor

from pipelines.wrap.outcome import WrapOutcome
from pipelines.wrap.plan import WrapRequest, make_plan
from pipelines.wrap.run import run_wrapped

EXPERIMENT = "동화엔텍/busan-plant1/full"
REGISTRY = """
experiments:
  동화 안전모:
    path: 동화 안전모
    site: {{customer: 동화엔텍, region: busan}}
    task: {{type: ppe}}
    entry_points:
      train:
        default: 학습_v2.py
        patterns: ["학습*.py"]
        args_template: "--epochs {{epochs}} --name '{{name}}'"
        defaults: {{epochs: 2, name: 첫 시도}}
      quant: {{default: quant.py}}
{extra}
"""
TRAIN = """
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--name")
given = parser.parse_args()
print("given", given.epochs, given.name, os.environ.get("MLFLOW_RUN_ID"))
os.makedirs("runs/detect/train2", exist_ok=True)
with open("runs/detect/train2/results.csv", "w") as file:
    file.write("epoch,train/box_loss,metrics/mAP50(B)\\n")
    for epoch in range(1, given.epochs + 1):
        print(f"epoch {epoch}: lr={0.1 / epoch}")
        file.write(f"{epoch},{4 / epoch},{epoch / 10}\\n")
with open("metrics.json", "w") as file:
    json.dump({"speed": 12.5}, file)
open("runs/detect/train2/PR.png", "wb").write(b"png")
os.makedirs("data", exist_ok=True)
open("data/new.csv", "w").close()
"""


class Site:
    """A registry with one directory of scripts, and the wrapper on a store in memory."""

    def __init__(self, folder: Path, executor: InProcessExecutor) -> None:
        self.directory = folder / "동화 안전모"
        self.directory.mkdir()
        self.registry = folder / "experiments.yaml"
        self.executor = executor
        self.told: list[str] = []
        self.write_registry()
        self.script("학습_v2.py", TRAIN)

    def write_registry(self, extra: str = "") -> None:
        text = REGISTRY.format(extra=textwrap.indent(textwrap.dedent(extra), "    "))
        self.registry.write_text(text, encoding="utf-8")

    def script(self, name: str, code: str) -> Path:
        path = self.directory / name
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        return path

    def wrap(self, **asked: Any) -> WrapOutcome:
        request = WrapRequest("동화 안전모", experiments=self.registry, terminal=False, **asked)
        return run_wrapped(
            make_plan(request),
            self.executor.settings,
            self.executor.ports,
            environment=dict(os.environ),
            tell=self.told.append,
        )

    @property
    def store(self) -> Any:
        return self.executor.store

    def artifact(self, run_id: str, path: str) -> str:
        found: Path = self.store.download(run_id, path, self.directory.parent / "fetched")
        return found.read_text(encoding="utf-8")

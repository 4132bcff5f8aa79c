"""A scenario file and flags are two spellings of one thing: flags compile to a scenario."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import ScenarioError
from pipelines.entry import run_and_report
from pipelines.plan import FULL_PIPELINE, RunOptions
from pipelines.settings import BUILTIN_EXPERIMENT, PROJECT_ROOT, load_settings
from scenario import Scenario, build_scenario, load_scenario

# flag → field of the scenario; site and task names have defaults only without a file
FIELDS = {
    "name": "name",
    "customer": "site.customer",
    "task": "task.type",
    "data": "dataset.path",
    "device": "environment.device",
    "imgsz": "model.input_size",
    "epochs": "training.epochs",
    "batch": "training.batch_size",
    "lr": "training.learning_rate",
    "warmup": "benchmark.warmup_runs",
    "runs": "benchmark.benchmark_runs",
}
WEIGHT_SUFFIXES = (".pt", ".onnx", ".xml", ".engine")


def run_flags(stage: str, given: dict[str, Any]) -> int:
    """Carry out train, infer, quant or pipeline as the flags say."""
    scenario = make_scenario(stage, given)
    source = given.get("source") or (given.get("model", "") if stage == "infer" else "")
    options = RunOptions(
        code_path=given["code_path"] or BUILTIN_EXPERIMENT,
        source=source or "",
        backend=given.get("backend") or "",
        resume=given.get("resume") or "",
        force=given["force"],
        register=not given["no_register"],
        launcher=False,
        verbose=given["verbose"],
        invocation=shlex.join(["guardianflow", *without_resume(sys.argv[1:])]),
    )
    return run_and_report(
        scenario, stage, options, dry_run=given["dry_run"], as_json=given["as_json"]
    )


def without_resume(words: list[str]) -> list[str]:
    """The command as typed, so that a new --resume can be added to it."""
    kept = list(words)
    while "--resume" in kept:
        place = kept.index("--resume")
        del kept[place : place + 2]
    return [word for word in kept if not word.startswith("--resume=")]


def make_scenario(stage: str, given: dict[str, Any]) -> Scenario:
    """From the file, from the source run's own scenario, or from flags alone.

    Raises:
        ScenarioError: every problem of file, flags and overrides at once.
    """
    overrides = [*flag_overrides(stage, given), *given["overrides"]]
    wanted = None if stage == FULL_PIPELINE else stage
    if given["scenario"]:
        return load_scenario(
            given["scenario"],
            overrides=overrides,
            experiment_type=wanted,
            search_dirs=[PROJECT_ROOT],
        )
    if source := given.get("source"):
        return scenario_of_run(source, overrides, wanted)
    if not given["data"]:
        raise ScenarioError(
            f"`guardianflow {stage}` needs a scenario file, or at least --data "
            f"(see `guardianflow {stage} --help`)"
        )
    return build_scenario(flag_values(given), overrides=overrides, experiment_type=wanted)


def flag_overrides(stage: str, given: dict[str, Any]) -> list[str]:
    """`--epochs 5` is `training.epochs=5`."""
    pairs = [
        f"{field}={given[flag]}"
        for flag, field in FIELDS.items()
        if given.get(flag) not in (None, "")
    ]
    if given.get("batch_sizes"):
        pairs.append(f"benchmark.batch_sizes=[{given['batch_sizes']}]")
    if given.get("precision"):
        pairs.append(f"quantization.precision={given['precision']}")
    model = given.get("model") or ""
    if model and stage != "infer":
        if model.endswith(WEIGHT_SUFFIXES):
            pairs.append(f"model.weights_path={model}")
        pairs.append(f"model.architecture={Path(model).stem}")
    return pairs


def flag_values(given: dict[str, Any]) -> dict[str, Any]:
    """What flags leave open gets a plain default, so that a first try needs only --data."""
    from guardianflow.site_data.data_yaml import read_class_names

    return {
        "name": "command-line",
        "site": {"customer": "local", "region": "here"},
        "task": {"type": "detection", "classes": list(read_class_names(given["data"]))},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": given["data"]},
    }


def scenario_of_run(run_id: str, overrides: list[str], stage: str | None) -> Scenario:
    """The scenario that the source run logged, for another stage, with the flags on top."""
    from pipelines.wiring import connect

    store = connect(load_settings().tracking_uri).store
    with tempfile.TemporaryDirectory() as folder:
        path = store.download(run_id, "config/scenario.yaml", Path(folder))
        logged = load_scenario(path)
    values = logged.model_dump(mode="json", exclude={"experiment_type", "source_run_id"})
    return build_scenario(
        values, overrides=overrides, experiment_type=stage, origin=f"run {run_id}"
    )

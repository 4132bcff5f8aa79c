"""A scenario file and flags are two spellings of one thing: flags compile to a scenario."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from guardianflow.backends.catalogue import CATALOGUE
from guardianflow.contracts.errors import ScenarioError, SourceError
from guardianflow.contracts.given import given_path
from pipelines.command_line import comparison_overrides, run_and_report
from pipelines.settings import BUILTIN_EXPERIMENT, PROJECT_ROOT, load_settings
from pipelines.stage.inputs import MODEL_REFERENCE, RUN_REFERENCE
from pipelines.stage.plan import RELEASE, RESUMABLE, RunOptions, is_run_id, type_of
from pipelines.wiring import Ports
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
WEIGHT_SUFFIXES = tuple(info.file_kind for info in CATALOGUE.values())


def run_flags(stage: str, given: dict[str, Any]) -> int:
    """Carry out train, infer, quant, pipeline or compare as the flags say."""
    scenario = make_scenario(stage, given)
    source = given.get("source") or (given.get("model", "") if stage == "infer" else "")
    options = RunOptions(
        code_path=given["code_path"] or BUILTIN_EXPERIMENT,
        source=source or "",
        backend=given.get("backend") or "",
        resume=given.get("resume") or "",
        resumable=stage in RESUMABLE,
        force=given["force"],
        register=not given["no_register"],
        trust_weights=given["trust_weights"],
        launcher=False,
        verbose=given["verbose"],
        fail_on_gate=given.get("fail_on_gate", False),
        invocation=shlex.join(["guardianflow", *without_resume(sys.argv[1:])]),
    )
    return run_and_report(
        scenario, stage, options, dry_run=given["dry_run"], as_json=given["as_json"]
    )


def run_release(given: dict[str, Any]) -> int:
    """Judge finished runs as the flags say."""
    scenario = load_scenario(
        given["scenario"], overrides=given["overrides"], search_dirs=[PROJECT_ROOT]
    )
    options = RunOptions(
        verbose=given["verbose"],
        fail_on_gate=given["fail_on_gate"],
        judged_run=given["parent"],
        judged_sources=tuple(given["sources"]),
        invocation=shlex.join(["guardianflow", *sys.argv[1:]]),
    )
    return run_and_report(
        scenario, RELEASE, options, dry_run=given["dry_run"], as_json=given["as_json"]
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
    wanted = type_of(stage)
    if given["scenario"]:
        return load_scenario(
            given["scenario"],
            overrides=overrides,
            experiment_type=wanted,
            search_dirs=[PROJECT_ROOT],
        )
    reference = given.get("source") or (given.get("model", "") if stage == "infer" else "")
    if logged := logged_scenario(reference or ""):
        return build_scenario(
            logged, overrides=overrides, experiment_type=wanted, origin=f"scenario of {reference}"
        )
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
    pairs += comparison_overrides(stage, given.get("quant_variants") or "")
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
    return {
        "name": "command-line",
        "site": {"customer": "local", "region": "here"},
        "task": {"type": "detection"},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": given["data"]},
    }


def logged_scenario(reference: str) -> dict[str, Any] | None:
    """The scenario of the run behind a model: what site, task and data it is for.

    None where the reference is a file, or its run was not made by GuardianFlow.

    Raises:
        SourceError: no such run or model.
    """
    if not reference or (":/" not in reference and given_path(reference).exists()):
        return None
    from pipelines.wiring import connect

    ports = connect(load_settings().tracking_uri)
    run_id = run_behind(ports, reference)
    if run_id is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = ports.store.download(run_id, "config/scenario.yaml", Path(folder))
        except SourceError:
            ports.store.get_run(run_id)  # an unknown run is an error, one without a scenario not
            return None
        scenario = load_scenario(path)
    return scenario.model_dump(mode="json", exclude={"experiment_type", "source_run_id"})


def run_behind(ports: Ports, reference: str) -> str | None:
    """The run that made a model: of `runs:/ID…`, a bare run id, or `models:/…`."""
    if reference.startswith(RUN_REFERENCE):
        return reference[len(RUN_REFERENCE) :].partition("/")[0]
    if is_run_id(reference):
        return reference
    if reference.startswith(MODEL_REFERENCE):
        return ports.registry.describe(reference).run_id
    return None

"""A stage: what is asked of it, what it may use, and the run around its work.

prepare()  loads and checks everything; no run exists yet, so the caller's mistakes leave none
work()     the work itself, inside one MLflow run that is ended whatever happens
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Protocol

from guardianflow import __version__
from guardianflow.contracts.errors import ConfigurationError, SourceError
from guardianflow.contracts.releases import ReleaseDecision
from guardianflow.contracts.results import RegisteredModel, RunRecord, RunRequest, StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.files import write_private
from guardianflow.support.secrets.redaction import redact_value
from scenario import Scenario

from ..settings import BUILTIN_EXPERIMENT, PROJECT_ROOT, Settings
from ..wiring import Ports
from .events import EventSink
from .kinds import KINDS
from .tracked_run import Extra, tracked_run

FINGERPRINT_TAG = "guardianflow.fingerprint"
VARIANT_TAG = "guardianflow.variant"
"""On a run whose result is another variant than was asked for."""


@dataclass(frozen=True)
class StageRequest:
    """One stage's order, JSON-able, so that it can be carried out by another process.

    It holds what the user gave, secrets too: it goes from process to process, never to a file.

    Args:
        stage: 'train', 'quant', 'infer' or 'release'.
        title: what people see: 'quant openvino_int8'.
        scenario_yaml: the resolved scenario, of the stage's type.
        base_dir: where relative paths inside the scenario start.
        code_path: experiment_code_path.
        source: 'runs:/ID', 'runs:/ID/weights/best.pt', 'models:/…' or a path; '' for train.
        variant: the values of one QuantizationParams; empty for train and infer.
        variant_name: what the result is called in a summary: 'openvino_int8'.
        launcher: adopt the run that `mlflow run` has made.
        force: work anew even when a finished run with the same fingerprint exists.
        register: register the model; False leaves it logged only.
        check_only: stop after `prepare`: nothing is written to the store.
        trust_weights: open weights that name more than detectors need.
        tags: for the run, beside the stage's own: its place in a comparison.
        candidates: what a release judges; the values of guardianflow.release.models.ReleaseModel.
    """

    stage: str
    title: str
    run_name: str
    experiment_name: str
    scenario_yaml: str
    base_dir: str
    tracking_uri: str
    work_dir: str
    code_path: str = BUILTIN_EXPERIMENT
    source: str = ""
    variant: Mapping[str, Any] = field(default_factory=dict)
    variant_name: str = ""
    parent_run_id: str | None = None
    launcher: bool = False
    force: bool = False
    register: bool = True
    check_only: bool = False
    trust_weights: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    candidates: Sequence[Mapping[str, str]] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, text: str) -> StageRequest:
        values = json.loads(text)
        return cls(**{**values, "candidates": tuple(values["candidates"])})


@dataclass(frozen=True)
class StageContext:
    """All that a stage may use. `scratch` is this attempt's own directory."""

    request: StageRequest
    scenario: Scenario
    settings: Settings
    ports: Ports
    events: EventSink
    scratch: Path

    @property
    def base_dir(self) -> Path:
        return Path(self.request.base_dir)

    def places_of(self, path: Path) -> list[Path]:
        """The files that a path may mean: from base_dir, the working directory, the project."""
        if path.is_absolute():
            return [path]
        return list(dict.fromkeys([self.base_dir / path, Path.cwd() / path, PROJECT_ROOT / path]))


@dataclass(frozen=True)
class StagePlan:
    """The result of `prepare`.

    Args:
        identity: everything the result depends on; its hash is the stage's fingerprint.
        tags, params: for the run.
        record: for config/resolved.json, beside the identity.
    """

    identity: Mapping[str, Any]
    tags: Mapping[str, str]
    params: Mapping[str, str]
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        text = json.dumps(self.identity, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class StageOutcome:
    """The result of a stage's work; `variant` where it is another than was asked for.

    `decision`: of a release alone.
    """

    metrics: Mapping[str, float]
    models: tuple[RegisteredModel, ...] = ()
    variant: str = ""
    decision: ReleaseDecision | None = None


class Stage(Protocol):
    """One of train, quant, infer, release."""

    def prepare(self) -> StagePlan:
        """Raises ConfigurationError for everything the caller can mend."""
        ...

    def work(self, run_id: str) -> StageOutcome: ...


def make_stage(context: StageContext) -> Stage:
    """The stage's object; its module is imported here, so that train never loads OpenVINO.

    Raises:
        ConfigurationError: there is no stage of that name.
    """
    kind = KINDS.get(context.request.stage)
    if kind is None or not kind.class_name:
        raise ConfigurationError(f"unknown stage '{context.request.stage}'")
    stage: Stage = getattr(import_module(kind.module), kind.class_name)(context)
    return stage


def execute(stage: Stage, context: StageContext, log: Path | None = None) -> StageResult:
    """Prepare, reuse or work, and leave the run ended.

    Args:
        log: the file that holds this process's output; uploaded to the run's `logs/`.

    Raises:
        whatever the stage raised, after the run was marked FAILED (KILLED for Ctrl-C).
    """
    plan = stage.prepare()
    request = context.request
    if request.check_only:
        return StageResult(
            request.stage, "", RunStatus.CHECKED, request.experiment_name, request.run_name
        )
    if not request.force and (found := finished_twin(plan, context)) is not None:
        context.events.emit("run", run_id=found.run_id, run_name=found.run_name)
        if request.launcher:
            context.ports.store.link_launcher(found.run_id)
        return found
    store = context.ports.store

    def start() -> str:
        run_id = store.start_run(_run_request(plan, request))
        context.events.emit("run", run_id=run_id, run_name=request.run_name)
        return run_id

    def upload_log() -> None:
        if log is not None and log.is_file():
            store.log_files(run.run_id, log, "logs")

    with tracked_run(store, start, context.events.message) as run:
        run.extras.append(Extra("upload the log", upload_log))
        log_config(context, plan, run.run_id)
        outcome = stage.work(run.run_id)
    return StageResult(
        stage=request.stage,
        run_id=run.run_id,
        status=run.status,
        experiment_name=request.experiment_name,
        run_name=request.run_name,
        metrics=dict(outcome.metrics),
        models=outcome.models,
        variant=outcome.variant or request.variant_name,
        decision=outcome.decision,
        notes=run.notes,
    )


def _run_request(plan: StagePlan, request: StageRequest) -> RunRequest:
    return RunRequest(
        experiment_name=request.experiment_name,
        run_name=request.run_name,
        tags={
            **plan.tags,
            **request.tags,
            FINGERPRINT_TAG: plan.fingerprint,
            "guardianflow.stage": request.stage,
        },
        params=plan.params,
        parent_run_id=request.parent_run_id,
        adopt_launcher=request.launcher,
    )


def log_config(context: StageContext, plan: StagePlan, run_id: str) -> None:
    """`config/scenario.yaml` loads again as it is; `config/resolved.json` says what it came to.

    Both lie in the work directory too, where a failed attempt is kept: without secrets.
    """
    folder = context.scratch / "config"
    folder.mkdir(parents=True, exist_ok=True)
    write_private(folder / "scenario.yaml", context.request.scenario_yaml)
    resolved = {
        "stage": context.request.stage,
        "experiment_code_path": context.request.code_path,
        "source": context.request.source,
        "variant": dict(context.request.variant),
        "fingerprint": plan.fingerprint,
        "identity": dict(plan.identity),
        "machine": {"python": platform.python_version(), "platform": platform.platform()},
        **plan.record,
    }
    text = json.dumps(redact_value("", resolved), ensure_ascii=False, indent=2, default=str)
    write_private(folder / "resolved.json", text + "\n")
    context.ports.store.log_files(run_id, folder, "config")


def finished_twin(plan: StagePlan, context: StageContext) -> StageResult | None:
    """A finished run of the same fingerprint whose model is still registered."""
    request = context.request
    for run in context.ports.store.find_runs(
        experiment_name=request.experiment_name,
        tags={FINGERPRINT_TAG: plan.fingerprint},
        status=RunStatus.FINISHED,
        limit=5,
    ):
        models = registered_by(run, context)
        if models is not None:
            return StageResult(
                stage=request.stage,
                run_id=run.run_id,
                status=run.status,
                experiment_name=run.experiment_name,
                run_name=run.run_name,
                metrics=dict(run.metrics),
                models=models,
                variant=run.tags.get(VARIANT_TAG, request.variant_name),
                reused=True,
            )
    return None


def registered_by(run: RunRecord, context: StageContext) -> tuple[RegisteredModel, ...] | None:
    """The model version the run's tags name; () where it made none, None where it is gone."""
    name = run.tags.get("registered_model_name")
    version = run.tags.get("registered_model_version")
    if not name or not version:
        makes_models = KINDS[context.request.stage].makes_models
        return None if makes_models and context.request.register else ()
    try:
        listed = context.ports.registry.list_models(name)
    except SourceError:
        return None
    found = [m for m in listed if m.version == version and m.run_id == run.run_id]
    return tuple(found[:1]) or None


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions, '' for what is not installed: part of a stage's identity."""
    versions = {"guardianflow": __version__}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    return versions

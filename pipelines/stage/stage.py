"""A stage: what is asked of it, what it may use, and what it tells.

prepare()  loads and checks everything; no run exists yet, so the caller's mistakes leave none
work()     the work itself, inside one MLflow run that is ended whatever happens
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from guardianflow import __version__
from guardianflow.contracts.data_warnings import DataWarning
from guardianflow.contracts.errors import (
    ConfigurationError,
    GuardianFlowError,
)
from guardianflow.contracts.releases import ReleaseDecision
from guardianflow.contracts.results import (
    DataInput,
    LocalDataset,
    RegisteredModel,
    StageResult,
)
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.text.spelling import spelled_on_disk
from scenario import Scenario

from ..failures.disk_space import DiskNeed
from ..settings import BUILTIN_EXPERIMENT, PROJECT_ROOT, Settings
from ..wiring import Ports
from .events import EventSink
from .kinds import KINDS
from .tracked_run import Extra, Opening

FINGERPRINT_TAG = "guardianflow.fingerprint"
CONFIG_FOLDER = "config"
"""Of an attempt's directory, and of a run's artifacts."""
WORST_SLICE_TAG = "det.slice.worst"
"""'night × helmet': the slice and class that are found worst."""
VARIANT_TAG = "guardianflow.variant"
"""On a run whose result is another variant than was asked for."""
AUTHOR_TAG = "guardianflow.author_class"
"""On a run whose work an author's class did: 'Benchmark (benchmark.py)'."""


@dataclass(frozen=True)
class StageRequest:
    """One stage's order, JSON-able, so that it can be carried out by another process.

    It holds what the user gave, secrets too: it goes from process to process, never to a file.

    Args:
        stage: 'train', 'quant', 'infer', 'release' or 'side_by_side'.
        title: what people see: 'quant openvino_int8'.
        scenario_yaml: the resolved scenario, of the stage's type.
        base_dir: where relative paths inside the scenario start.
        code_path: experiment_code_path; the built-in one where it has no class for the stage.
        code_shown: for people, the class that will be used.
        shared_code: other stages have the same code, so that it need not have every class.
        later_code: stage → code_path of the stages whose classes are checked along with this one.
        variants: every variant that the command makes, for a Quantizer that makes some of them.
        source: 'runs:/ID', 'runs:/ID/weights/best.pt', 'models:/…' or a path; '' for train.
        variant: the values of one QuantizationParams, or of a RankedBy for side_by_side; empty for
            train and infer.
        variant_name: what the result is called in a summary: 'openvino_int8'.
        launcher: adopt the run that `mlflow run` has made.
        resume: the run that must be gone on with; '' takes the one that is there, or a new one.
        force: work anew even when a finished run with the same fingerprint exists.
        register: register the model; False leaves it logged only.
        input_size_given: somebody wrote model.input_size; else a weight file's own size counts.
        check_only: stop after `prepare`: nothing is written to the store.
        trust_weights: open weights that name more than detectors need.
        tags: for the run, beside the stage's own: its place in a comparison.
        candidates: what a release judges, the values of guardianflow.release.models.ReleaseModel;
            or what stands side by side, those of pipelines.side_by_side.contenders.Contender.
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
    resume: str = ""
    force: bool = False
    register: bool = True
    input_size_given: bool = True
    check_only: bool = False
    trust_weights: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    candidates: Sequence[Mapping[str, str]] = ()
    code_shown: str = ""
    shared_code: bool = False
    later_code: Mapping[str, str] = field(default_factory=dict)
    variants: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, text: str) -> StageRequest:
        values = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("candidates", "variants")}
        return cls(**{**values, **lists})

    def result(self, run_id: str, status: RunStatus, **more: Any) -> StageResult:
        """What came of it; `more` are values of StageResult."""
        values = {"variant": self.variant_name, **more}
        return StageResult(
            self.stage, run_id, status, self.experiment_name, self.run_name, **values
        )


@dataclass(frozen=True)
class StageContext:
    """All that a stage may use.

    Args:
        scratch: this attempt's own directory.
        datasets: those looked at already, for stages that are looked at together.
        extras: what the stage wants done once its run has its status.
    """

    request: StageRequest
    scenario: Scenario
    settings: Settings
    ports: Ports
    events: EventSink
    scratch: Path
    extras: list[Extra] = field(default_factory=list)
    datasets: dict[object, LocalDataset] = field(default_factory=dict)

    @property
    def base_dir(self) -> Path:
        return Path(self.request.base_dir)

    def places_of(self, path: Path) -> list[Path]:
        """The files that a path may mean: from base_dir, the working directory, the project."""
        bases = [Path()] if path.is_absolute() else [self.base_dir, Path.cwd(), PROJECT_ROOT]
        return list(dict.fromkeys(spelled_on_disk(base / path) for base in bases))


class UndecidedError(Exception):
    """What a stage's result depends on can't be told without opening or running something."""


@dataclass(frozen=True)
class StageIdentity:
    """The result of `identify`.

    Args:
        values: everything the result depends on; their hash is the stage's fingerprint.
        alike: tags of the runs that did the same of other inputs: those one compares with.
        data_warnings: what is odd about its data.
    """

    values: Mapping[str, Any]
    alike: Mapping[str, str] = field(default_factory=dict)
    data_warnings: tuple[DataWarning, ...] = ()

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.values)


def fingerprint_of(identity: Mapping[str, Any]) -> str:
    """sha256 (hex) over values, in whatever order."""
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class StagePlan:
    """The result of `prepare`.

    Args:
        identity: everything the result depends on; its hash is the stage's fingerprint.
        tags, params: for the run.
        record: for config/resolved.json, beside the identity.
        data_warnings: what is odd about its data.
        data: what the run, and the one that it belongs to, show as their data set.
        disk: room that the work needs for certain.
    """

    identity: Mapping[str, Any]
    tags: Mapping[str, str]
    params: Mapping[str, str]
    record: Mapping[str, Any] = field(default_factory=dict)
    data_warnings: tuple[DataWarning, ...] = ()
    data: DataInput | None = None
    disk: tuple[DiskNeed, ...] = ()

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.identity)


@dataclass(frozen=True)
class StageOutcome:
    """The result of a stage's work; `variant` where it is another than was asked for.

    `device`: that the model ran on. `decision`: of a release alone. `notes`: what a reader of the
    numbers must know. `worst_slice`: 'night × helmet'.
    """

    metrics: Mapping[str, float]
    models: tuple[RegisteredModel, ...] = ()
    variant: str = ""
    decision: ReleaseDecision | None = None
    notes: tuple[str, ...] = ()
    device: str = ""
    worst_slice: str = ""


class Stage(Protocol):
    """One of train, quant, infer, release."""

    def identify(self) -> StageIdentity:
        """What `prepare` will find the result to depend on; nothing is opened or run for it.

        Raises:
            UndecidedError: that can't be told so.
            GuardianFlowError: as `prepare`, of which it does the light part.
        """
        ...

    def prepare(self) -> StagePlan:
        """Raises ConfigurationError for everything the caller can mend."""
        ...

    def work(self, run_id: str) -> StageOutcome: ...


@runtime_checkable
class ResumableStage(Protocol):
    """A stage that can go on where an earlier attempt of the same fingerprint ended."""

    def check_free(self, plan: StagePlan) -> None:
        """Raises AlreadyRunningError: another process is at the same work."""

    def hold(self, plan: StagePlan) -> AbstractContextManager[Opening]:
        """Keep other processes from the same work. Raises AlreadyRunningError, SourceError."""
        ...

    def forget(self, fingerprint: str, run_id: str) -> None:
        """Remove what an attempt left whose run, this one, is FINISHED."""


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


def identity_of(stage: Stage) -> StageIdentity | None:
    """What the result depends on; None where only `prepare` can tell, or tells what is wrong."""
    try:
        return stage.identify()
    except (GuardianFlowError, UndecidedError):
        return None


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions, '' for what is not installed."""
    versions = {"guardianflow": __version__}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    return versions

"""The sections of a scenario. docs/scenario.md describes every field; a test keeps it in step."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from guardianflow.contracts.backends import DEFAULT, SOURCE
from guardianflow.contracts.errors import Problem, ScenarioError
from guardianflow.contracts.recordings.groups import GroupRule
from guardianflow.contracts.releases import ReleaseLimits

from . import naming
from .conflicts import GATES
from .explain import explain
from .fields import values as kind
from .fields.limits import DropLimits, RiseLimits, SliceLimits
from .groups import Groups, rule_of

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

_PACKAGE = __name__.partition(".")[0]
Precision = Literal["fp32", "fp16", "int8"]


class _SectionMeta(ModelMetaclass):
    """`SiteConfig(customer="a.b")` in Python fails as the same line in a file does.

    Done where the class is called, not in __init__: pydantic validates nested sections without
    calling the class, and so still collects every problem before one error is raised.
    """

    def __call__(cls, *args: Any, **values: Any) -> Any:  # noqa: N805 - a metaclass
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            homes = HOMES if cls.__module__.partition(".")[0] == _PACKAGE else {}
            found = explain(cls, error, values, homes)  # type: ignore[arg-type]
            raise ScenarioError([Problem(f.message, cls.__name__) for f in found]) from None


class Section(BaseModel, metaclass=_SectionMeta):
    """A frozen part of a scenario; a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def to_params(self) -> dict[str, str | int | float]:
        """The values as flat parameters under the section's prefix ('train.epochs')."""
        prefix = next(prefix for kind_of, prefix in _SECTIONS.values() if isinstance(self, kind_of))
        return dict(_flat(prefix, dict(self)))


class SiteConfig(Section):
    """The plant, and the place in it."""

    customer: kind.NamePart
    region: kind.NamePart
    plant: kind.NamePart = "plant1"
    zone: kind.NamePart = "full"

    def to_experiment_name(self) -> str:
        return naming.experiment_name(self.customer, self.region, self.plant, self.zone)

    def to_tags(self) -> dict[str, str]:
        return {f"site.{name}": value for name, value in self}


class TaskConfig(Section):
    """The task of the detector: ppe, fall, fire, collision, stuck or a name of one's own.

    `classes` in the order of their ids; empty means those that the data set names itself.
    """

    type: kind.NamePart
    classes: kind.ClassNames = ()

    def to_tags(self) -> dict[str, str]:
        tags = {"task.type": self.type}
        return tags | ({"task.classes": ",".join(self.classes)} if self.classes else {})


class ModelConfig(Section):
    """The network. 'yolov11l' is read as 'yolo11l', 'yolov8s.pt' as weights by that name.

    `activation`: what a training builds it with; None leaves that of the architecture.
    """

    architecture: kind.Architecture
    input_size: kind.InputSize = 640
    weights_path: kind.Text | None = None
    num_classes: kind.Positive | None = None
    activation: Literal["silu", "hardswish", "relu", "relu6"] | None = None

    @property
    def network(self) -> str:
        """'yolo11n', or 'yolo11n-hardswish' where it is trained with that activation."""
        return f"{self.architecture}-{self.activation}" if self.activation else self.architecture

    @model_validator(mode="before")
    @classmethod
    def _weights_by_name(cls, values: object) -> object:
        """`architecture: yolov8s.pt` names weights and, by them, the architecture."""
        written = values.get("architecture") if isinstance(values, Mapping) else None
        if not isinstance(values, Mapping) or not (name := naming.architecture_of_weights(written)):
            return values
        weights = values.get("weights_path") or written
        if naming.file_name(str(weights)) != naming.file_name(str(written)):
            return values  # said twice, and not alike: check_architecture tells it
        return {**values, "architecture": name, "weights_path": weights}


class SplitRatio(Section):
    """Shares of a data set that add up to 1."""

    train: kind.Fraction
    val: kind.Fraction
    test: kind.Fraction = 0.0

    def __str__(self) -> str:
        return "/".join(f"{share:g}" for _, share in self)


class DatasetConfig(Section):
    """Where the images and labels are.

    `path` stays as written: a data.yaml, a directory or a URI like demo://ppe; whoever reads it
    looks beside the scenario first, then in the working directory. `split` is the one that
    inference and quantisation are judged on; None means test and val. `split_ratio`: split a set
    that has no val of its own. `groups`: how the recording of an image is told.
    """

    name: kind.Text | None = None
    path: kind.Text
    version: kind.Text | None = None
    dvc_hash: kind.Text | None = None
    image_count: kind.Positive | None = None
    split: Literal["train", "val", "test"] | None = None
    split_ratio: Annotated[
        SplitRatio | None,
        BeforeValidator(lambda value: None if value is None else kind.split_shares(value)),
        kind.Expected("shares of train, val and test like [0.8, 0.1, 0.1]"),
    ] = None
    groups: Groups | None = None

    @property
    def group_rule(self) -> GroupRule | None:
        """What tells the recording of an image; None where nothing does."""
        return rule_of(self.groups) if self.groups else None

    def to_tags(self) -> dict[str, str]:
        given = {
            "name": self.name,
            "path": self.path,
            "version": self.version,
            "dvc_hash": self.dvc_hash,
            "split_ratio": str(self.split_ratio) if self.split_ratio else None,
            "groups": str(self.group_rule) if self.group_rule else None,
        }
        return {f"data.{name}": value for name, value in given.items() if value is not None}


class EnvironmentConfig(Section):
    """The machine's part: device, precision, seed."""

    device: kind.Device = "auto"
    precision: Precision = "fp32"
    seed: kind.Seed = 42


class TrainingParams(Section):
    """The training. `early_stopping`: epochs without gain before stopping; 0 never stops.

    `optimizer: auto`: Ultralytics chooses it, and the learning rate with it. `options` go to the
    trainer as they are.
    """

    epochs: kind.Positive = 100
    batch_size: kind.Positive = 16
    learning_rate: kind.PositiveNumber = kind.LEARNING_RATE
    optimizer: Literal["adam", "adamw", "sgd", "auto"] = "adamw"
    scheduler: Literal["cosine", "linear", "constant"] = "cosine"
    early_stopping: kind.NotNegative = 10
    options: kind.Options = Field(default_factory=dict)

    def to_params(self) -> dict[str, str | int | float]:
        """As of any section, without a learning rate that is not the one trained with."""
        params = super().to_params()
        if self.optimizer == "auto":
            del params["train.learning_rate"]
        return params


class CameraParams(Section):
    """The stream of a camera, and the time within which its frames must be worked off."""

    fps: kind.PositiveNumber = 15.0
    latency_budget_ms: kind.PositiveNumber = 200.0


class InferenceBenchmarkParams(Section):
    """The measurement of a detector. `cameras`: also find out how many the device holds."""

    batch_sizes: kind.BatchSizes = (1, 8, 16, 32)
    warmup_runs: kind.NotNegative = 10
    benchmark_runs: kind.Positive = 100
    conf_threshold: kind.Fraction = 0.25
    iou_threshold: kind.Fraction = 0.45
    use_tracking: bool = Field(default=False, strict=True)
    sequences: kind.Sequences = ()
    tracker: Literal["bytetrack", "botsort"] = "bytetrack"
    cameras: CameraParams | None = None


class SearchParams(Section):
    """Limits of a search: what a quantised model may lose, and how long to look for the best."""

    budget_minutes: kind.PositiveNumber = 30.0
    max_drop_mAP50_95: kind.Fraction = 0.01  # noqa: N815 - the field's own spelling
    max_drop_mAP50: kind.Fraction = 0.01  # noqa: N815
    min_class_recall: kind.Fraction | None = None
    objective: Literal["latency_p50", "throughput", "size"] = "latency_p50"
    allow_qat: bool = Field(default=False, strict=True)
    allow_activations: bool = Field(default=False, strict=True)


class QatParams(Section):
    """The further training with fake quantisation: for `method: qat`, or a search that may."""

    epochs: kind.Positive = 3
    batch_size: kind.Positive = 8
    learning_rate: kind.PositiveNumber = 0.00001


class QuantizationParams(Section):
    """One format to make of the trained detector.

    `method`, `calibration_size` (images of the train split) and `calibration_method` matter to
    int8 alone. `search`: look for the recipe instead of taking the usual one. `qat`: how to train
    where it comes to that; None takes its defaults. `activation`: what all SiLU of a float format
    are changed for; it is then trained on for up to `distil_minutes`, or ten.
    """

    method: Literal["static", "dynamic", "qat"] = "static"
    backend: kind.MadeBackend = DEFAULT
    precision: Precision = "int8"
    calibration_size: kind.Positive = 500
    calibration_method: Literal["entropy", "minmax", "percentile"] = "entropy"
    search: SearchParams | None = None
    qat: QatParams | None = None
    activation: Literal["hardswish", "relu", "relu6"] | None = None
    distil_minutes: kind.PositiveNumber | None = None

    @property
    def variant(self) -> str:
        """'openvino_int8': the suffix of the registered name."""
        return f"{self.backend}_{self.precision}"


class NativeParams(QuantizationParams):
    """PyTorch at another precision. A comparison makes it; `quantization` in a file can't ask."""

    backend: kind.SourceBackend = SOURCE


class ReleaseParams(Section):
    """The limits a model must keep to replace the one in use. None or empty: not asked.

    Each limit is judged on an interval of `confidence`; see docs/release.md. `unit`: what every
    interval of accuracy counts as one piece of evidence; None: the recording where it is known,
    else the camera, else the image. `objective`: which of the variants that pass wins.
    `auto_promote`: make the winner champion.
    """

    min_mAP50: kind.Fraction | None = None  # noqa: N815 - the field's own spelling
    min_mAP50_95: kind.Fraction | None = None  # noqa: N815
    min_recall: kind.ClassLimits = Field(default_factory=dict)
    min_recall_in: SliceLimits = Field(default_factory=dict)
    max_drop_vs_champion: DropLimits = Field(default_factory=dict)
    max_latency_p95_ms: kind.PositiveNumber | None = None
    min_fps: kind.PositiveNumber | None = None
    min_cameras: kind.Positive | None = None
    max_size_mb: kind.PositiveNumber | None = None
    max_missed_alarms: kind.Fraction | None = None
    max_false_alarms_per_day: kind.PositiveNumber | None = None
    max_alarm_delay_s: kind.PositiveNumber | None = None
    max_rise_vs_champion: RiseLimits = Field(default_factory=dict)
    max_leak: kind.Fraction | None = None
    unit: Literal["recording", "camera", "image"] | None = None
    confidence: kind.Confidence = 0.95
    objective: Literal["latency_p50", "throughput", "size"] = "latency_p50"
    auto_promote: Literal["never", "on_pass"] = "never"

    def limits(self) -> ReleaseLimits:
        """The section as the gates take it."""
        names = (*GATES, "max_leak", "confidence")
        return ReleaseLimits(**{name: getattr(self, name) for name in names})


_SECTIONS: Mapping[str, tuple[type[Section], str]] = {
    "site": (SiteConfig, "site"),
    "task": (TaskConfig, "task"),
    "model": (ModelConfig, "model"),
    "dataset": (DatasetConfig, "data"),
    "environment": (EnvironmentConfig, "env"),
    "training": (TrainingParams, "train"),
    "benchmark": (InferenceBenchmarkParams, "bench"),
    "quantization": (QuantizationParams, "quant"),
    "release": (ReleaseParams, "release"),
}
"""Key in a scenario → the section that stands there, and the prefix of its parameters."""
_TOP_KEYS = (
    *("name", "version", "experiment_type", "design", "site", "task", "model", "dataset"),
    *("environment", "source_run_id", "tags", "training", "benchmark", "quantization"),
    *("sweep", "comparison", "ablation", "release", "alarms"),
)
HOMES: Mapping[str, Collection[str]] = {
    "": _TOP_KEYS,
    **{key: section.model_fields for key, (section, _) in _SECTIONS.items()},
}
"""Where a key of a scenario may stand: '' is the top, which schema.py lays out."""

_NOT_FOR_MLFLOW = re.compile(r"[^\w.\- :]")
"""What MLflow does not admit in the name of a parameter."""


def _flat(prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, str | int | float]]:
    for name, value in values.items():
        key = f"{prefix}.{_NOT_FOR_MLFLOW.sub('_', name)}"
        if value in (None, ()):
            continue
        if isinstance(value, Section):
            value = dict(value)
        if isinstance(value, Mapping):
            yield from _flat(key, value)
        elif isinstance(value, bool):
            yield key, "true" if value else "false"
        elif isinstance(value, (str, int, float)):
            yield key, value
        elif isinstance(value, tuple):
            yield key, ",".join(map(str, value))
        else:
            yield key, json.dumps(value, ensure_ascii=False)

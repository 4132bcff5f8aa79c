"""Frozen values that rooms hand to each other, the unit in each name.

Arrays are numpy's, named here for type checkers alone: this module imports only the standard
library at run time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data_warnings import DataWarning
from .detector_package import SPEC_FILE, DetectorPackage, DetectorSpec, sha256_of
from .recordings.groups import ImageGroups
from .releases import ReleaseDecision
from .run_status import RunStatus

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float32]
    IntArray = npt.NDArray[np.int64]

__all__ = [  # what other rooms take from here though it is defined beside it
    "SPEC_FILE",
    "DetectorPackage",
    "DetectorSpec",
    "sha256_of",
]


# --- data -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LocalDataset:
    """A data set that lies on this machine, checked: every image and label file is there.

    Args:
        name: short name for people, e.g. 'demo-ppe'.
        data_yaml: absolute path of an Ultralytics data.yaml with absolute paths inside.
        class_names: index = class id.
        splits: 'train', 'val', 'test' (those that exist) → absolute image paths, sorted, each
            once. Train images that a list names several times are so in `data_yaml`'s list alone.
        fingerprint: sha256 (hex) over the names and contents of images and labels.
        dvc_hash: hash in the .dvc file that tracks it; None where DVC does not.
        without_labels: split → images that have no label file at all.
        train_objects: labelled objects of train; with none there is nothing to train on, and still
            something to calibrate on.
        judged_pictures: train images whose picture, told by content, is in another split too.
        warnings: what is odd about it without being wrong.
        groups: recordings and cameras of its images; None where nothing says so.
    """

    name: str
    data_yaml: Path
    class_names: tuple[str, ...]
    splits: Mapping[str, tuple[Path, ...]]
    fingerprint: str
    version: str | None = None
    dvc_hash: str | None = None
    without_labels: Mapping[str, int] = field(default_factory=dict)
    train_objects: int = 0
    judged_pictures: frozenset[Path] = frozenset()
    warnings: tuple[DataWarning, ...] = ()
    groups: ImageGroups | None = None

    @property
    def image_count(self) -> int:
        return sum(len(images) for images in self.splits.values())


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image and what is in it.

    Args:
        path: absolute path of the image file.
        width, height: of the image, in pixels.
        boxes_xyxy: float32, K×4, pixels of the image as stored (x1, y1, x2, y2).
        class_ids: int64, K.
    """

    path: Path
    width: int
    height: int
    boxes_xyxy: FloatArray
    class_ids: IntArray


# --- detectors ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects that a detector found in one image, best score first.

    Args:
        boxes_xyxy: float32, K×4, pixels of the original image.
        scores: float32, K, in 0…1.
        class_ids: int64, K.
    """

    boxes_xyxy: FloatArray
    scores: FloatArray
    class_ids: IntArray

    def __len__(self) -> int:
        return len(self.scores)


# --- backends -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExportRequest:
    """Asks a backend to make a variant of a PyTorch detector.

    Args:
        precision: 'fp32', 'fp16' or 'int8'.
        method: 'static', 'dynamic' or 'qat'; only meaningful for int8.
        calibration_method: 'entropy', 'minmax' or 'percentile'; only for int8 static.
    """

    precision: str
    method: str = "static"
    calibration_method: str = "entropy"


@dataclass(frozen=True)
class SessionInfo:
    """Facts of an open session, as the library reports them.

    Args:
        precision: of the files: 'fp32', 'fp16', 'int8'.
        execution_precision: what the device computes float layers in, e.g. 'f32', 'bf16'.
        device: e.g. 'cpu', 'cuda:0'.
        batch_size: images a call takes.
        threads: CPU threads the backend may use; None where it does not apply.
        library: e.g. 'openvino 2026.4.1'.
        mode: 'latency' (one call at a time, all cores on it) or 'throughput' (several at once).
        streams: networks the backend runs side by side.
        requests: calls worth having under way at once.
    """

    backend: str
    precision: str
    execution_precision: str
    device: str
    input_size: int
    batch_size: int
    threads: int | None
    library: str
    mode: str = "latency"
    streams: int = 1
    requests: int = 1


@dataclass(frozen=True)
class ProbeVerdict:
    """Whether a backend runs at a precision on this machine, found out in a child process.

    Args:
        runs: True when a tiny model ran to its end.
        isa_cap: value for ONEDNN_MAX_CPU_ISA that was needed for it; None when none was.
        verdict: 'ok', 'ok-with-isa-cap', 'illegal-instruction', 'missing-library',
            'missing-device', 'crashed', 'timed-out' or 'failed'.
        reason: the last words of the child, one line.
        cure: what the reader can do; '' when it runs.
    """

    backend: str
    precision: str
    runs: bool
    verdict: str
    isa_cap: str | None = None
    reason: str = ""
    cure: str = ""
    version: str = ""


# --- runs and models ----------------------------------------------------------------------------


@dataclass(frozen=True)
class RunRequest:
    """A run to be made.

    Args:
        experiment_name, run_name: made by the scenario's naming rules.
        tags, params: logged at the start.
        parent_run_id: the run it is nested under; None at the top.
        adopt_launcher: take over the run in MLFLOW_RUN_ID where `mlflow run` has made one.
    """

    experiment_name: str
    run_name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    parent_run_id: str | None = None
    adopt_launcher: bool = False


@dataclass(frozen=True)
class DataInput:
    """The data that a run used.

    Args:
        name: of the data set, for people.
        digest: its fingerprint.
        split: what it was used for: 'train', or the split that judged.
        source: where it was taken from, as the scenario names it.
    """

    name: str
    digest: str
    split: str
    source: str = ""


@dataclass(frozen=True)
class MetricPoint:
    """One point of a metric's curve.

    Args:
        step: epoch, or what else the curve is drawn over.
        time_ms: when it was measured, milliseconds since 1970.
    """

    key: str
    value: float
    step: int
    time_ms: int


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it. `status`: RUNNING, FINISHED, FAILED or KILLED.

    `data`: what log_data wrote of it, in the order of names and digests.
    """

    run_id: str
    experiment_name: str
    run_name: str
    status: RunStatus
    start_time_ms: int
    end_time_ms: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    parent_run_id: str | None = None
    data: tuple[DataInput, ...] = ()


@dataclass(frozen=True)
class RegisteredModel:
    """One version of a registered model. `name` has dots, `display_name` slashes.

    `version` is '' while the registration waits in the spool for a store that is away.
    """

    name: str
    version: str
    aliases: tuple[str, ...] = ()
    display_name: str = ""
    run_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    created_ms: int = 0

    @property
    def is_pending(self) -> bool:
        return not self.version

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class StageResult:
    """The result of a stage: one JSON-able value, read by whoever started it.

    Args:
        stage: 'train', 'quant', 'infer', 'release', 'full_pipeline' or 'compare'.
        status: FINISHED, FAILED or KILLED; in a comparison also SKIPPED.
        reused: True when a finished run with the same fingerprint stood in for new work.
        stages: results of the stages inside, in order.
        reason: why it FAILED or was SKIPPED.
        decision: of a release; None for all else.
        notes: what could not be kept beside the work: its log, say. They change no status.
        author: the class of an experiment's author that did the work, 'Benchmark (benchmark.py)';
            '' for our own.
        data_warnings: what is odd about the data it used.
        device: that the model ran on; '' where none did.
        worst_slice: 'night × helmet', where it was judged; '' where no slice could be.
    """

    stage: str
    run_id: str
    status: RunStatus
    experiment_name: str
    run_name: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    models: tuple[RegisteredModel, ...] = ()
    variant: str = ""
    reused: bool = False
    stages: tuple[StageResult, ...] = ()
    reason: str = ""
    decision: ReleaseDecision | None = None
    notes: tuple[str, ...] = ()
    author: str = ""
    data_warnings: tuple[DataWarning, ...] = ()
    device: str = ""
    worst_slice: str = ""

    @property
    def model(self) -> RegisteredModel | None:
        """The model this stage registered; None where it registered none."""
        return self.models[0] if self.models else None

    def own_values(self) -> dict[str, Any]:
        """What `--json` says of its kind beside what it says of every stage."""
        return {}

    def own_rows(self) -> Mapping[str, str]:
        """The same for people: heading → text."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StageResult:
        known = dict(values)
        known["status"] = RunStatus(known["status"])
        known["models"] = tuple(
            RegisteredModel(**{**model, "aliases": tuple(model["aliases"])})
            for model in known.get("models", ())
        )
        known["stages"] = tuple(cls.from_dict(stage) for stage in known.get("stages", ()))
        known["notes"] = tuple(known.get("notes", ()))
        known["data_warnings"] = tuple(map(DataWarning.from_dict, known.get("data_warnings", ())))
        if known.get("decision"):
            known["decision"] = ReleaseDecision.from_dict(known["decision"])
        return cls(**known)


def all_models(results: Iterable[StageResult]) -> list[RegisteredModel]:
    """Every model the stages registered, in order, stages within stages included."""
    found: list[RegisteredModel] = []
    for result in results:
        found += result.models
        found += all_models(result.stages)
    return found

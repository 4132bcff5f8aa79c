"""Models in a release, and what was measured of them: read by gates and by the report alike.

    ReleaseModel      which model it is, and its files once they are fetched
    ModelMeasurement  what this release measured of it; AlarmMeasurement: its alarms
    ComparedModels    a candidate beside the champion of its registered name
    JudgedSplit       the images that all of it was measured on

Frozen values. Absent is absent: what was not measured is None, or missing from its mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..contracts.detector_package import DetectorPackage
from ..contracts.errors import SourceError
from ..contracts.estimates import Estimate
from ..contracts.measurements import (
    CameraCapacity,
    LatencyResult,
    ThroughputResult,
)
from ..contracts.quantisation import NetworkChange
from ..contracts.recordings.alarm_results import AlarmFigure, AlarmFigures, RecordingOutcome
from ..contracts.recordings.evidence import EvidenceBasis
from ..contracts.recordings.groups import EvidenceUnit
from ..contracts.recordings.leaks import LeakNote
from ..contracts.recordings.slices import SliceChanges, SliceTable
from ..contracts.releases import GateCause
from ..contracts.results import SessionInfo


@dataclass(frozen=True)
class ReleaseModel:
    """A model that asks to be released, or the champion it is compared with.

    Args:
        variant: what a summary calls it: 'openvino_int8'; a champion has its candidate's.
        run_id: the run that made it; '' where it is not known.
        name: registered name, slash form; where it was not registered, the one it would have.
        version: '' where it was not registered.
        package: its files, verified; None until they are fetched.
    """

    variant: str
    run_id: str
    name: str
    version: str = ""
    package: DetectorPackage | None = None

    @property
    def files(self) -> DetectorPackage:
        if self.package is None:
            raise SourceError(f"the files of {self} have not been fetched yet")
        return self.package

    @property
    def key(self) -> str:
        """Two of one key find the same boxes: same files, read in the same way."""
        return self.files.spec.answers

    @property
    def network_change(self) -> NetworkChange | None:
        """What was changed in its network before it was quantised; None for nothing."""
        return NetworkChange.from_lineage(self.package.spec.lineage) if self.package else None

    @property
    def registered_name(self) -> str:
        """'' where it was not registered."""
        return self.name if self.version else ""

    def to_dict(self) -> dict[str, str]:
        """For another process, which fetches the files itself."""
        names = ("variant", "run_id", "name", "version")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, values: Mapping[str, str]) -> ReleaseModel:
        return cls(values["variant"], values["run_id"], values["name"], values["version"])

    def __str__(self) -> str:
        return f"{self.name} v{self.version}" if self.version else f"run {self.run_id}"


@dataclass(frozen=True)
class AlarmMeasurement:
    """The alarms of one model over the scenario's recordings.

    Args:
        outcomes: of each recording, in one order for every model of a release.
    """

    figures: AlarmFigures
    outcomes: tuple[RecordingOutcome, ...]


@dataclass(frozen=True)
class ModelMeasurement:
    """One model as this release measured it.

    Args:
        label: for people and pictures: 'openvino_int8', 'openvino_int8 champion v3'.
        digest: DetectorPackage.digest, sha256 in hex.
        size_mb: of the model's files.
        metrics: 'mAP50', 'mAP50_95', 'precision', 'recall', 'f1', 'recall.{class}', 'ap.{class}',
            'ap50.{class}' → 0…1, as DetectionMetrics.as_metrics(prefix='') gives them; other keys
            are not shown.
        intervals: the same keys → value and interval, as significance.bootstrap_metrics gives
            them; a key is absent where images are too few for an interval.
        latency: one image at a time, taken by turns with the other models.
        latency_p95: of that, in ms, at the release's confidence; None where calls are too few.
        throughput: many images at once, image file → boxes.
        slices: how well parts of the split are found; None where it was not measured.
        missing: 'max_latency_p95_ms', 'min_fps', 'min_cameras' → why it was not measured.
        alarms: None where the scenario has no alarms.
    """

    model: ReleaseModel
    label: str = ""
    digest: str = ""
    size_mb: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Estimate] = field(default_factory=dict)
    session: SessionInfo | None = None
    latency: LatencyResult | None = None
    latency_p95: Estimate | None = None
    throughput: ThroughputResult | None = None
    cameras: CameraCapacity | None = None
    missing: Mapping[str, GateCause] = field(default_factory=dict)
    alarms: AlarmMeasurement | None = None
    slices: SliceTable | None = None

    @property
    def fps(self) -> Estimate | None:
        """The rate of throughput mode; None where it has no interval."""
        result = self.throughput
        if result is None or result.interval is None:
            return None
        low, high = result.interval.low, result.interval.high
        return Estimate(result.fps, min(low, result.fps), max(high, result.fps))


@dataclass(frozen=True)
class ComparedModels:
    """A candidate, and the champion of the same registered name beside it.

    Args:
        champion: measured on the same images and device; None where the name has none yet.
        differences: key → candidate − champion with its interval; empty without a champion.
            Exactly 0 where both have the same files.
        speedup: champion's time ÷ candidate's, timed by turns.
        stored: the champion's figures of the release that judged it; shown, never judged. Keys as
            in VariantDecision.metrics.
        alarm_differences: 'missed', 'false_per_camera_day' → candidate − champion, paired by
            recording: above 0 is worse. Empty without a champion or without alarms.
        leak: what of the judged split the candidate has learnt, and its figures on the rest; None
            where nobody looked.
        slice_changes: candidate − champion, slice by slice; None without a champion.
    """

    candidate: ModelMeasurement
    champion: ModelMeasurement | None = None
    differences: Mapping[str, Estimate] = field(default_factory=dict)
    speedup: Estimate | None = None
    stored: Mapping[str, float] = field(default_factory=dict)
    alarm_differences: Mapping[str, AlarmFigure] = field(default_factory=dict)
    leak: LeakNote | None = None
    slice_changes: SliceChanges | None = None

    @property
    def variant(self) -> str:
        return self.candidate.model.variant

    @property
    def same_files(self) -> bool:
        champion = self.champion
        return champion is not None and champion.model.key == self.candidate.model.key


@dataclass(frozen=True)
class JudgedSplit:
    """The images that a release judges on.

    Args:
        name: 'test', 'val'.
        images: how many.
        holding: class → images that show it, '' → that show any object; absent where none does.
        instances: class → true objects; empty where they were not counted.
        basis: what the intervals of accuracy count; None: images.
        holding_groups: as `holding`, of the basis' groups; empty where it has none.
    """

    name: str
    images: int
    holding: Mapping[str, int] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)
    basis: EvidenceBasis | None = None
    holding_groups: Mapping[str, int] = field(default_factory=dict)

    @property
    def unit(self) -> EvidenceUnit:
        return self.basis.unit if self.basis else EvidenceUnit.IMAGE

    @property
    def by_groups(self) -> bool:
        """Whether the intervals are over recordings or cameras."""
        return self.basis is not None and bool(self.basis.names)

    @property
    def unknown_recordings(self) -> bool:
        return self.basis is not None and self.basis.unknown_recordings

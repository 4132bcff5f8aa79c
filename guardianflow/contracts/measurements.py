"""Measurements, and how sure they are: frozen values, the unit in each name.

Every interval is a 95 % confidence interval unless its maker was told otherwise. Absent is absent:
what a sample can't carry is None. Arrays are numpy's, named here for type checkers alone: this
module imports only the standard library at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from .estimates import Estimate

# --- accuracy -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class DetectionMetrics:
    """COCO-style accuracy on one split. Absent is absent: a class without truth has no entry.

    Args:
        mAP50, mAP50_95: mean over classes with truth, 101-point interpolation, 0…1.
        precision, recall, f1: at IoU 0.5 and the deployed confidence, mean over classes.
        best_f1, best_f1_confidence: the highest F1 over all confidences, and where it is.
        best_f1_precision, best_f1_recall: at that confidence, mean over classes.
        ap, ap50, class_recall: class name → AP50-95, AP50, recall at the deployed confidence.
        images, instances, predictions: counted, predictions at confidence ≥ 0.001.
        evaluator: name and version of the code that judged.
    """

    mAP50: float  # noqa: N815 - the field's own spelling
    mAP50_95: float  # noqa: N815
    precision: float
    recall: float
    f1: float
    conf_threshold: float
    best_f1: float
    best_f1_confidence: float
    best_f1_precision: float
    best_f1_recall: float
    ap: Mapping[str, float]
    ap50: Mapping[str, float]
    class_recall: Mapping[str, float]
    images: int
    instances: int
    predictions: int
    evaluator: str

    def as_metrics(self, prefix: str = "det.") -> dict[str, float]:
        """Flat `{prefix}mAP50` … `{prefix}ap.{class}`, ready to log."""
        overall = ("mAP50", "mAP50_95", "precision", "recall", "f1")
        best = ("best_f1", "best_f1_confidence", "best_f1_precision", "best_f1_recall")
        flat = {name: float(getattr(self, name)) for name in overall + best}
        flat |= {f"ap.{name}": value for name, value in self.ap.items()}
        flat |= {f"ap50.{name}": value for name, value in self.ap50.items()}
        flat |= {f"recall.{name}": value for name, value in self.class_recall.items()}
        counted = ("images", "instances", "predictions")
        flat |= {name: float(getattr(self, name)) for name in counted}
        return {prefix + key: value for key, value in flat.items()}


# --- time ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timing:
    """Times of one stage in each measured call; nothing clipped, nothing left out.

    Args:
        samples_ms: one per call, in their order.
        mean_ms: of all calls.
        p50, p95, p99: percentiles in milliseconds with their intervals; None where the sample
            can't carry them.
    """

    samples_ms: tuple[float, ...]
    mean_ms: float
    p50: Estimate | None
    p95: Estimate | None
    p99: Estimate | None

    @property
    def percentiles(self) -> dict[int, Estimate | None]:
        return {50: self.p50, 95: self.p95, 99: self.p99}

    def as_metrics(self, key: str) -> dict[str, float]:
        """`{key}_ms`, the mean, and `{key}_p50_ms` … without intervals; absent is absent."""
        known = {f"{key}_p{n}_ms": p.value for n, p in self.percentiles.items() if p is not None}
        return {f"{key}_ms": self.mean_ms, **known}


@dataclass(frozen=True)
class LatencyResult:
    """Time per call of one batch size.

    Args:
        batch_size: images a call.
        warmup_runs: calls before the measured ones.
        latency: decoded images in → boxes out (preprocess + inference + postprocess).
        stages: 'preprocess', 'inference' and 'postprocess', in the order of the work; before them
            'decode', image files → decoded images, where they were decoded: beside `latency`.
            None of them where only the whole could be timed.
        fps: images over the wall time from the first measured call to the end of the last; over
            the summed time of the calls where several models took turns.
    """

    batch_size: int
    warmup_runs: int
    latency: Timing
    stages: Mapping[str, Timing]
    fps: float

    @property
    def runs(self) -> int:
        """Calls measured."""
        return len(self.latency.samples_ms)

    @property
    def latency_p50_ms(self) -> float:
        """Median latency of a call, whatever the sample."""
        ordered = sorted(self.latency.samples_ms)
        return ordered[(len(ordered) - 1) // 2]


@dataclass(frozen=True)
class ThroughputResult:
    """Frames a second that go through when the device is kept busy.

    Args:
        frames: that were measured.
        wall_s: from the first frame taken to the last one done.
        fps: frames ÷ wall_s.
        interval: of fps, from its variation over the time measured; None where frames are few.
        workers: frames under way at once.
        streams: networks running side by side, as the backend reports it.
        batch_size: images a call of the session.
        core_seconds: CPU time that one frame took, stage by stage, all cores added.
        scope: 'network' (the session alone) or 'files' (image file → boxes).
    """

    frames: int
    wall_s: float
    fps: float
    interval: Estimate | None
    workers: int
    streams: int
    batch_size: int
    scope: str
    core_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CameraStep:
    """One load that was tried: `cameras` cameras at the given rate.

    Args:
        cameras: how many.
        frames: that were offered.
        latency: arrival of a frame → its boxes, every frame counted.
        growth_ms_per_s: by how much latency rises a second, lower bound of its 95 % interval.
        done_fps: frames finished a second.
        holds: p95 within the budget and no growing queue.
        reason: why it holds or fails, one line.
    """

    cameras: int
    frames: int
    latency: Timing
    growth_ms_per_s: float
    done_fps: float
    holds: bool
    reason: str


@dataclass(frozen=True)
class CameraCapacity:
    """The number of cameras that a device holds.

    Args:
        cameras: the largest number that held; 0 where not even one did.
        fps: frames a second of one camera.
        latency_budget_ms: which p95 must not exceed.
        steps: every load tried, by number of cameras.
    """

    cameras: int
    fps: float
    latency_budget_ms: float
    steps: tuple[CameraStep, ...]


# --- the machine --------------------------------------------------------------------------------

BUSY = "sys.busy"
"""Metric (1) and tag (why) of a run that left times out because the machine was busy."""


def is_busy(metrics: Mapping[str, float]) -> bool:
    """Whether a run left times out because the machine was busy."""
    return metrics.get(BUSY, 0.0) > 0


class DoubtKind(StrEnum):
    """Reasons not to rely on times."""

    BUSY = "busy"
    OTHER = "other"
    GPU = "gpu"
    STOLEN = "stolen"
    THROTTLED = "throttled"
    UNSTEADY = "unsteady"
    WIDE = "wide"


_DOUBTS = {
    DoubtKind.BUSY: "the load was {0.load:.1f} on {0.of_cores:g} cores",
    DoubtKind.OTHER: "other processes took {0.cores:.2f} of {0.of_cores:g} cores",
    DoubtKind.GPU: "other processes kept the GPU busy {0.share_pct:.0f} % of the time",
    DoubtKind.STOLEN: "the hypervisor gave {0.cores:.2f} cores to other machines",
    DoubtKind.THROTTLED: "the container's CPU quota held this process back for "
    "{0.share_pct:.0f} % of the time",
    DoubtKind.UNSTEADY: "{0.name} took {0.slow_ms:.1f} ms in one round and {0.median_ms:.1f} ms in "
    "another",
    DoubtKind.WIDE: "{0.name} is spread wide: p95 {0.slow_ms:.1f} ms is {0.ratio:.1f} times the "
    "median {0.median_ms:.1f} ms",
}


@dataclass(frozen=True)
class TimingDoubt:
    """One reason to doubt times, with its figures.

    Args:
        cores: that others took, for OTHER and STOLEN.
        of_cores: that this process may use; for BUSY the machine's.
        load: 1-minute load average, for BUSY.
        share_pct: of the time, for GPU and THROTTLED.
        name: of what was timed, for WIDE and UNSTEADY.
        median_ms: of it; for UNSTEADY of its fastest round.
        slow_ms: p95, for WIDE; for UNSTEADY the median of its slowest round.
    """

    kind: DoubtKind
    cores: float = 0.0
    of_cores: float = 0.0
    load: float = 0.0
    share_pct: float = 0.0
    name: str = ""
    slow_ms: float = 0.0
    median_ms: float = 0.0

    @property
    def ratio(self) -> float:
        return self.slow_ms / self.median_ms if self.median_ms else 0.0

    @property
    def is_busy(self) -> bool:
        """Whether it says that the machine was not ours; a wide spread alone does not."""
        return self.kind is not DoubtKind.WIDE

    def __str__(self) -> str:
        """In English, as logs, tags and results have it; a report has words of its own."""
        return _DOUBTS[self.kind].format(self)


@dataclass(frozen=True)
class Conditions:
    """The machine that numbers were measured on, and how quiet it was.

    Args:
        cpu: model name.
        gpus: model name of each; empty without one.
        physical_cores, logical_cores: that this process may use.
        isa_cap: ONEDNN_MAX_CPU_ISA as set; '' where none is.
        libraries: name → version.
        load_before, load_after: 1-minute load average.
        other_cores: cores that other processes took while times were taken, on average; None where
            the system doesn't tell.
        stolen_cores: cores that a hypervisor gave to other machines meanwhile.
        other_gpu_pct: share of the time in which other processes kept a GPU that we used busy; None
            where the driver doesn't tell, as in many containers.
        rounds: of measuring that were kept.
        rounds_discarded: thrown away, because the machine was busy in them.
        lost_s: that waiting for a quiet machine and rounds thrown away took.
        doubts: why times are absent, or may not be relied on; empty when nothing was seen.
    """

    cpu: str
    gpus: tuple[str, ...]
    physical_cores: int
    logical_cores: int
    isa_cap: str
    libraries: Mapping[str, str]
    load_before: float
    load_after: float
    other_cores: float | None = None
    stolen_cores: float | None = None
    other_gpu_pct: float | None = None
    rounds: int = 0
    rounds_discarded: int = 0
    lost_s: float = 0.0
    doubts: tuple[TimingDoubt, ...] = ()

    @property
    def busy(self) -> tuple[TimingDoubt, ...]:
        """Why times are absent: no quiet stretch came in which they could be taken."""
        return tuple(each for each in self.doubts if each.is_busy)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The doubts in English."""
        return tuple(map(str, self.doubts))

    def to_dict(self) -> dict[str, Any]:
        plain = asdict(self)
        del plain["doubts"]
        return plain | {"busy": bool(self.busy), "warnings": self.warnings}

"""What one model was found to be, and how it differs from another on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import LatencyResult
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.results import DetectorPackage, SessionInfo
from guardianflow.support.suggestions import did_you_mean

from ..measuring.accuracy import CONFIDENCE, Evaluated, accuracy_differences, accuracy_intervals
from ..stage.stage import StageContext
from .figures import ACCURACY, ModelFigures, RankedBy, Value

OVERALL = ("mAP50", "mAP50_95", "precision", "recall", "f1", "best_f1")
TIMES = tuple(f"sys.inference_time_{each}ms" for each in ("", "p50_", "p95_", "p99_"))
OF_FILES = ("sys.model_size_mb", "sys.model_params_m", "sys.model_flops_g")


@dataclass(frozen=True, eq=False)
class Measured:
    """One model as it was judged and timed; `timed` is None where the machine was busy."""

    label: str
    package: DetectorPackage
    judged: Evaluated
    session: SessionInfo
    timed: LatencyResult | None

    @cached_property
    def flat(self) -> Mapping[str, float]:
        """Every metric that may rank, as infer names it."""
        from guardianflow.backends.weights.model_figures import figures_from_lineage
        from guardianflow.evaluation.timing.latency import latency_metrics

        metrics = self.judged.metrics.as_metrics()
        metrics |= {"sys.model_size_mb": self.package.size_bytes / 1e6}
        metrics |= figures_from_lineage(self.package.spec)
        return metrics | (latency_metrics(self.timed, sys_prefix="sys.") if self.timed else {})


@dataclass(frozen=True, eq=False)
class Judge:
    """Makes the figures of models that were measured on the same images.

    Args:
        models: in the order of the contenders.
        pairs: places of who is compared with whom.
        together: differences whose intervals hold together at 95 %.
    """

    context: StageContext
    by: RankedBy
    basis: EvidenceBasis
    models: Sequence[Measured]
    pairs: Sequence[tuple[int, int]]
    together: int

    def figures(self, place: int, learnt: float | None) -> ModelFigures:
        """Args: learnt: share of the images that the model has learnt; None: nobody knows."""
        from guardianflow.evaluation.timing.latency import comparable, speedup

        mine, by = self.models[place], self.by
        told = f"how sure the accuracy of {mine.label} is"
        intervals = accuracy_intervals(self.context, mine.judged, self.basis, told)
        against = [other for first, other in self.pairs if first == place]
        speedups = {}
        for other in against:
            theirs = self.models[other]
            if mine.timed and theirs.timed and comparable(theirs.session, mine.session):
                gain = speedup(theirs.timed, mine.timed)
                speedups[other] = Value.of(gain.value, gain)
        ranked = mine.flat.get(by.metric)
        exact = None if ranked is None or by.is_time or by.key else Estimate.exactly(ranked)
        deltas = {other: self._delta(mine, self.models[other]) for other in against}
        return ModelFigures(
            None if ranked is None else Value.of(ranked, exact or intervals.get(by.key)),
            {key: Value.of(mine.flat[f"det.{key}"], intervals.get(key)) for key in ACCURACY},
            Value.of(mine.timed.latency_p50_ms, mine.timed.latency.p50) if mine.timed else None,
            mine.package.size_bytes / 1e6,
            {other: delta for other, delta in deltas.items() if delta is not None},
            speedups,
            learnt,
        )

    def _delta(self, mine: Measured, other: Measured) -> Value | None:
        """This model less the other one on the same images; None where it was not measured.

        The intervals of all hold together at 95 %: each is made for 1 − 0.05 ÷ together
        (Bonferroni), else of twenty equal models one would seem to differ.
        """
        by = self.by
        if by.metric not in mine.flat or by.metric not in other.flat:
            return None
        delta = mine.flat[by.metric] - other.flat[by.metric]
        if by.is_time:  # their speed-up has the interval
            return Value(delta)
        if not by.key or mine.package.spec.answers == other.package.spec.answers:
            return Value(delta, (delta, delta))
        found = accuracy_differences(
            self.context,
            other.judged,
            mine.judged,
            self.basis,
            f"how sure {mine.label} differs from {other.label}",
            1 - (1 - CONFIDENCE) / self.together,
        )
        return Value.of(delta, found.get(by.key))


def require_measured(by: RankedBy, class_names: Sequence[str]) -> None:
    """Raises ScenarioError for a metric that this stage does not measure; names what is near."""
    of_classes = (f"{kind}.{name}" for kind in ("ap", "ap50", "recall") for name in class_names)
    known = [f"det.{each}" for each in (*OVERALL, *of_classes)] + [*TIMES, *OF_FILES]
    if by.metric not in known:
        raise ScenarioError(
            f"'{by.metric}' is not measured of models side by side{did_you_mean(by.metric, known)}"
            f"; take one of {', '.join(known)}"
        )

"""A variant as it was measured beside its original: figures, table and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.results import DetectorPackage

from ..measuring.accuracy import Evaluated, draw_misses
from ..measuring.evidence import basis_table
from ..measuring.timing import Timings, save_json
from .calibration import Calibration
from .checks import difference_metrics


@dataclass(frozen=True)
class MeasuredVariant:
    """Both models' accuracy on the same images and their times by turns.

    Args:
        name: the variant's.
        split: that both were judged on.
        source, package: the original, and the variant.
        before, after: the original's figures, and the variant's.
        timings: of both; empty where the machine was busy.
        differences: of accuracy, variant − original; {} where too few groups tell.
        basis: what intervals of accuracy count as one piece of evidence.
    """

    name: str
    split: str
    source: DetectorPackage
    package: DetectorPackage
    before: Evaluated
    after: Evaluated
    timings: Timings
    differences: Mapping[str, Estimate]
    basis: EvidenceBasis

    def metrics(self) -> dict[str, float]:
        """`det.*`, `sys.*` of both, and `comparison.*` between them."""
        from guardianflow.backends.weights.model_figures import figures_from_lineage
        from guardianflow.evaluation.timing.latency import latency_metrics

        before, after, timings = self.before.metrics, self.after.metrics, self.timings
        metrics = before.as_metrics("det.original.") | after.as_metrics("det.quantized.")
        for name, side in {"original": self.source, "quantized": self.package}.items():
            prefix = f"sys.{name}."
            for timing in timings.latency.get(name, ()):
                metrics |= latency_metrics(timing, sys_prefix=prefix, bench_prefix=None)
            metrics[f"{prefix}model_size_mb"] = side.size_bytes / 1e6
            metrics |= figures_from_lineage(side.spec, prefix)
        if timings.speedup is not None:
            metrics |= timings.speedup.as_metrics("comparison.speedup_ratio")
        metrics |= {
            "comparison.accuracy_drop_mAP50": before.mAP50 - after.mAP50,
            "comparison.accuracy_drop_mAP50_95": before.mAP50_95 - after.mAP50_95,
            "comparison.compression_ratio": self.source.size_bytes / self.package.size_bytes,
        }
        return metrics | difference_metrics(self.differences)

    def save_table(
        self, outputs: Path, metrics: Mapping[str, float], calibration: Calibration
    ) -> None:
        """`results/comparison.json`.

        Args:
            metrics: all of the run's.
        """
        table = {
            "variant": self.name,
            "split": self.split,
            "metrics": dict(metrics),
            "evidence": basis_table(self.basis),
            "quantized_minus_original": {
                key: asdict(each) for key, each in self.differences.items()
            },
            "calibration": {
                "sha256": calibration.digest,
                "images": [path.name for path in calibration.images],
            },
        }
        save_json(outputs / "results" / "comparison.json", table)

    def draw(self, plots: Path) -> None:
        """Average precision by class, differences, latency and misses."""
        from guardianflow.evaluation.pictures.accuracy import (
            average_precision_bars,
            differences_forest,
        )
        from guardianflow.evaluation.pictures.timing import latency_distribution

        average_precision_bars(
            self.after.metrics.ap,
            self.after.metrics.ap50,
            plots / "average_precision.png",
            title=f"{self.name}: average precision by class ({self.split})",
        )
        if self.differences:
            title = f"{self.name} − original ({self.split})"
            differences_forest(dict(self.differences), plots / "differences.png", title=title)
        if self.timings.latency:
            latency_distribution(
                {name: each.latency for name, (each,) in self.timings.latency.items()},
                plots / "latency_distribution.png",
                title=f"{self.name} and the original, timed by turns",
            )
        draw_misses(self.after, plots / "detections.png")

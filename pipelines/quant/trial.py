"""One try of a search: its measurements, whether they are within the limits, how it is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from guardianflow.contracts.estimates import Estimate, estimates_as_metrics
from guardianflow.contracts.quantisation import Recipe
from guardianflow.contracts.results import RunRecord
from scenario import SearchParams

DROP, RECALL = "drop.", "det.recall."
LATENCY, THROUGHPUT = "comparison.relative_latency", "comparison.relative_throughput"
SIZE = "sys.model_size_mb"
SHOWN_CLASSES = 3


@dataclass(frozen=True)
class Trial:
    """A recipe that was tried, and what became of it.

    Args:
        recipe: None for float16.
        accepted: within the limits.
        reason: why, one line.
        certain: False where an interval reaches over a limit: more images would be needed.
        run_id: of the child run; '' where there is none.
        drops: 'mAP50', 'mAP50_95', … → original − quantised on the same images; a value without
            an interval has low = high = value. Empty where it could not be made or run; then the
            cost below is not known.
        class_recall: class → recall at the deployed confidence.
        relative_latency: median call ÷ that of the float model of the same backend, by turns; None
            where the machine was busy.
        latency_bounds: of its 95 % interval.
        size_mb: of its files, 10⁶ bytes.
        relative_throughput: frames a second ÷ that of the float model; None where the objective
            does not ask for it, or the machine was busy.
    """

    recipe: Recipe | None
    accepted: bool = False
    reason: str = ""
    certain: bool = True
    run_id: str = ""
    drops: Mapping[str, Estimate] = field(default_factory=dict)
    class_recall: Mapping[str, float] = field(default_factory=dict)
    relative_latency: float | None = None
    latency_bounds: tuple[float, float] | None = None
    size_mb: float = math.inf
    relative_throughput: float | None = None

    @property
    def label(self) -> str:
        return "float16" if self.recipe is None else self.recipe.label

    @property
    def is_measured(self) -> bool:
        """Whether it could be made and run."""
        return bool(self.drops)

    @property
    def drop(self) -> float:
        """Of mAP50-95, of what was measured."""
        return self.drops["mAP50_95"].value

    def judged(self, limits: SearchParams) -> Trial:
        """Held against the limits. What was measured decides; the interval says how surely."""
        broken, unsure = [], []
        for key, limit in (
            ("mAP50_95", limits.max_drop_mAP50_95),
            ("mAP50", limits.max_drop_mAP50),
        ):
            drop = self.drops[key]
            if drop.value > limit:
                broken.append(f"{key} drops by {drop.value:.4f}, {limit:g} is allowed")
            if drop.low <= limit < drop.high:
                unsure.append(f"{key} {drop.low:+.4f}…{drop.high:+.4f}")
            elif drop.low == drop.high:
                unsure.append(f"{key} has none, images or recordings are too few")
        broken += self._low_recalls(limits.min_class_recall)
        reason = "; ".join(broken) or "within the limits"
        if unsure:
            reason += f" (not certain: the drop's interval is {', '.join(unsure)})"
        return replace(self, accepted=not broken, reason=reason, certain=not unsure)

    def _low_recalls(self, wanted: float | None) -> list[str]:
        """The worst classes below what is wanted; how many more there are."""
        if wanted is None:
            return []
        low = sorted((r, name) for name, r in self.class_recall.items() if r < wanted)
        told = [
            f"recall of {name} is {r:.3f}, {wanted:g} is wanted" for r, name in low[:SHOWN_CLASSES]
        ]
        more = len(low) - len(told)
        plural = "class" if more == 1 else "classes"
        return told + ([f"and of {more} more {plural}"] if more else [])

    def as_metrics(self) -> dict[str, float]:
        """Metrics that its run logs beside those of accuracy."""
        metrics = estimates_as_metrics(self.drops, DROP)
        metrics[SIZE] = self.size_mb
        low, high = self.latency_bounds or (None, None)
        costs = {
            LATENCY: self.relative_latency,
            f"{LATENCY}_low": low,
            f"{LATENCY}_high": high,
            THROUGHPUT: self.relative_throughput,
        }
        return metrics | {key: value for key, value in costs.items() if value is not None}

    @classmethod
    def of_run(cls, recipe: Recipe | None, run: RunRecord) -> Trial:
        """Reads what a finished try logged."""
        metrics = run.metrics
        latency = Estimate.from_metrics(metrics, LATENCY)
        names = [
            key.removeprefix(DROP)
            for key in metrics
            if key.startswith(DROP) and not key.endswith(("_low", "_high"))
        ]
        return cls(
            recipe,
            run_id=run.run_id,
            drops={
                name: Estimate.from_metrics(metrics, DROP + name)
                or Estimate.exactly(metrics[DROP + name])
                for name in names
            },
            class_recall={
                key.removeprefix(RECALL): value
                for key, value in metrics.items()
                if key.startswith(RECALL)
            },
            relative_latency=metrics.get(LATENCY),
            latency_bounds=(latency.low, latency.high) if latency else None,
            size_mb=metrics[SIZE],
            relative_throughput=metrics.get(THROUGHPUT),
        )

    def _activations(self) -> dict[str, Any] | None:
        change = self.recipe.activations if self.recipe else None
        return None if change is None else dict(change.kinds)

    def to_row(self) -> dict[str, Any]:
        """A row of results/search.json."""
        row: dict[str, Any] = {
            "label": self.label,
            "float_groups": list(self.recipe.float_groups) if self.recipe else None,
            "activations": self._activations(),
            "accepted": self.accepted,
            "certain": self.certain,
            "reason": self.reason,
            "run_id": self.run_id,
        }
        if self.is_measured:
            row |= {
                "drops": {key: asdict(each) for key, each in self.drops.items()},
                "relative_latency": self.relative_latency,
                "size_mb": self.size_mb,
                "relative_throughput": self.relative_throughput,
            }
        return {key: value for key, value in row.items() if value is not None}

"""The table at the end of a full pipeline: what was made, how good, how fast, how large.

Accuracy comes from the infer stages (one evaluator, one split). The speed-up comes from the quant
stages, where original and variant were timed in turns; latencies of separate stages are shown but
never divided by each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.measurements import is_busy
from guardianflow.contracts.recordings.evidence import evidence_in
from guardianflow.contracts.releases import ReleaseDecision
from guardianflow.contracts.results import StageResult
from guardianflow.release.explanation import as_dict
from guardianflow.support.text.markdown import markdown_text
from scenario import Scenario

from ..release.text import decision_lines
from ..tables import (
    VariantRow,
    VariantTable,
    bounds_of,
    is_wide,
    origin_of,
    row_of,
    with_worst_slice,
)

NOTE = (
    "Accuracy: one evaluator on the same images. Latency: one image, decoded frame to boxes. "
    "Speed-up: against the original, timed in turns. Δ: variant − original."
)


@dataclass(frozen=True)
class Summary(VariantTable):
    """The table of a full pipeline.

    Args:
        rows: the original first.
        release: its decision; None where none was asked.
        found_by: the author's class that found the boxes; '' for our own sessions.
        made_by: variant → the author's class that made it.
    """

    COLUMNS = (
        "variant", "mAP50", "mAP50-95", "Δ mAP50-95", "latency p50 ms", "fps", "speed-up",
        "MB", "device", "registered as",
    )  # fmt: skip
    RUN_COLUMNS = ("run", "infer run")
    METRICS = ("mAP50", "mAP50_95", "latency_p50_ms", "speedup_ratio", "size_mb")
    ABSENT = frozenset(
        {
            "status", "reason", "made", "drop_bounds", "speedup_bounds", "within_limits",
            "certain", "best",
        }
    )  # fmt: skip
    WIDTH = 160

    release: ReleaseDecision | None = None
    found_by: str = ""
    made_by: Mapping[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        return [NOTE, *self._authors(), *super().notes()]

    def _authors(self) -> list[str]:
        """Says whose code did what our own would have done."""
        lines = []
        if self.found_by:
            lines.append(
                f"Boxes, mAP and latency are those of the experiment's own {self.found_by}, judged "
                "by GuardianFlow's evaluator. Speed-ups are of the models in GuardianFlow's own "
                "sessions, without it."
            )
        for variant, author in self.made_by.items():
            lines.append(f"{variant} was made by the experiment's own {author}.")
        return lines

    def to_markdown(self) -> str:
        if not self.release:
            return super().to_markdown()
        first, *rest = (markdown_text(line) for line in decision_lines(self.release))
        told = [str(first), "", *(f"- {line}" for line in rest), ""]
        section = ["## Release", "", *told, "The whole report: `release.html`.", ""]
        return "\n".join([super().to_markdown(), *section])

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"release": as_dict(self.release) if self.release else {}}


def summarise(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> Summary:
    """Join each model's stage with its infer stage."""
    made = [r for r in results if r.stage in ("train", "quant")]
    judged = {r.variant: r for r in results if r.stage == "infer"}
    return Summary(
        **origin_of(scenario, run_id, results),
        rows=tuple(_row(result, judged) for result in made),
        release=next((r.decision for r in results if r.decision), None),
        found_by=next((r.author for r in results if r.stage == "infer" and r.author), ""),
        made_by={r.variant: r.author for r in results if r.stage == "quant" and r.author},
    )


def _row(made: StageResult, judged: Mapping[str, StageResult]) -> VariantRow:
    infer, before = judged[made.variant], next(iter(judged.values())).metrics
    now = infer.metrics
    is_variant = made.stage == "quant"
    speedup, latency = "comparison.speedup_ratio", "bench.bs1.latency_p50"
    row = row_of(made, VariantRow).with_alarms(now)
    unit, groups = evidence_in(now)
    return replace(
        with_worst_slice(row, infer),
        mAP50=now.get("det.mAP50"),
        mAP50_95=now.get("det.mAP50_95"),
        mAP50_95_bounds=bounds_of(now, "det.mAP50_95"),
        drop_mAP50=before["det.mAP50"] - now["det.mAP50"] if is_variant else None,
        drop_mAP50_95=before["det.mAP50_95"] - now["det.mAP50_95"] if is_variant else None,
        latency_p50_ms=now.get(f"{latency}_ms"),
        latency_bounds=bounds_of(now, latency, "_ms"),
        latency_busy=is_busy(now) and "bench.bs1.fps" not in now,
        fps=now.get("bench.bs1.fps"),
        speedup_ratio=made.metrics.get(speedup),
        speedup_busy=is_variant and is_busy(made.metrics) and speedup not in made.metrics,
        size_mb=now.get("sys.model_size_mb"),
        spread_wide=is_wide(made) or is_wide(infer),
        infer_run_id=infer.run_id,
        interval_unit=unit,
        interval_groups=groups,
        device=infer.device,
    )


def write_summary(summary: Summary, folder: Path) -> None:
    """`summary.md`, `summary.json` and `variants.png` in `folder`."""
    from guardianflow.evaluation.pictures.tradeoff import TradeoffPoint, accuracy_against_latency

    summary.write(folder, "summary")
    points = [
        TradeoffPoint(
            row.variant,
            row.latency_p50_ms,
            row.mAP50_95,
            row.latency_bounds,
            row.mAP50_95_bounds,
            size_mb=row.size_mb,
        )
        for row in summary.rows
        if row.mAP50_95 is not None
    ]
    if points:  # a Benchmark that takes a whole split has no latency
        accuracy_against_latency(points, folder / "variants.png")

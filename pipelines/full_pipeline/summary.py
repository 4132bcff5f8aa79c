"""The table at the end of a full pipeline: what was made, how good, how fast, how large.

Accuracy comes from the infer stages (one evaluator, one split). The speed-up comes from the quant
stages, where original and variant were timed in turns; latencies of separate stages are shown but
never divided by each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.releases import ReleaseDecision
from guardianflow.contracts.results import StageResult
from guardianflow.release.explanation import as_dict
from guardianflow.support.text.markdown import markdown_text
from scenario import Scenario

from ..release.text import decision_lines
from ..tables import VariantRow, VariantTable, is_busy, row_of

NOTE = (
    "Accuracy: one evaluator on the same images. Latency: one image, decoded frame to boxes. "
    "Speed-up: against the original, timed in turns. Δ: variant − original."
)


@dataclass(frozen=True)
class Summary(VariantTable):
    """Args: rows: the original first. release: its decision; None where none was asked."""

    COLUMNS = (
        "variant", "mAP50", "mAP50-95", "Δ mAP50-95", "latency p50 ms", "fps", "speed-up", "MB",
        "registered as",
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

    def notes(self) -> list[str]:
        return [NOTE, *super().notes()]

    def to_markdown(self) -> str:
        return "\n".join([super().to_markdown(), *self._release_section()])

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"release": as_dict(self.release) if self.release else {}}

    def _release_section(self) -> list[str]:
        """Markdown of the decision; nothing where none was asked."""
        if not self.release:
            return []
        first, *rest = (markdown_text(line) for line in decision_lines(self.release))
        told = [str(first), "", *(f"- {line}" for line in rest), ""]
        return ["## Release", "", *told, "The whole report: `release.html`.", ""]


def summarise(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> Summary:
    """Join each model's stage with its infer stage."""
    made = [r for r in results if r.stage in ("train", "quant")]
    judged = {r.variant: r for r in results if r.stage == "infer"}
    return Summary(
        scenario=scenario.name,
        version=scenario.version,
        experiment_name=scenario.get_experiment_name(),
        run_id=run_id,
        rows=tuple(_row(result, judged) for result in made),
        release=next((r.decision for r in results if r.decision), None),
    )


def _row(made: StageResult, judged: Mapping[str, StageResult]) -> VariantRow:
    infer, before = judged[made.variant], next(iter(judged.values())).metrics
    now = infer.metrics
    is_variant = made.stage == "quant"
    return replace(
        row_of(made),
        mAP50=now.get("det.mAP50"),
        mAP50_95=now.get("det.mAP50_95"),
        drop_mAP50=before["det.mAP50"] - now["det.mAP50"] if is_variant else None,
        drop_mAP50_95=before["det.mAP50_95"] - now["det.mAP50_95"] if is_variant else None,
        latency_p50_ms=now.get("bench.bs1.latency_p50_ms"),
        fps=now.get("bench.bs1.fps"),
        speedup_ratio=made.metrics.get("comparison.speedup_ratio"),
        size_mb=now.get("sys.model_size_mb"),
        timed_while_busy=is_busy(made) or is_busy(infer),
        infer_run_id=infer.run_id,
    )


def write_summary(summary: Summary, folder: Path) -> None:
    """`summary.md`, `summary.json` and `variants.png` in `folder`."""
    from guardianflow.evaluation.pictures.tradeoff import TradeoffPoint, accuracy_against_latency

    summary.write(folder, "summary")
    points = [
        TradeoffPoint(row.variant, row.latency_p50_ms, row.mAP50_95, size_mb=row.size_mb)
        for row in summary.rows
        if row.latency_p50_ms is not None and row.mAP50_95 is not None
    ]
    accuracy_against_latency(points, folder / "variants.png")

"""The table at the end of a full pipeline: what was made, how good, how fast, how large.

Accuracy comes from the infer stages (one evaluator, one split). The speed-up comes from the quant
stages, where original and variant were timed in turns; latencies of separate stages are shown but
never divided by each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from guardianflow.contracts.backends import ORIGINAL
from guardianflow.contracts.results import StageResult
from guardianflow.support.markdown import markdown_text, table_head, table_row
from scenario import Scenario

from ..release.text import decision_lines

# Our own stage accounts for up to one core's load by the time it begins to measure; beyond this,
# others were at work, and a latency says as much about them.


@dataclass(frozen=True)
class SummaryRow:
    """One model. None where it was not measured."""

    variant: str
    mAP50: float | None  # noqa: N815 - the field's own spelling
    mAP50_95: float | None  # noqa: N815
    drop_mAP50: float | None  # noqa: N815
    drop_mAP50_95: float | None  # noqa: N815
    latency_p50_ms: float | None
    fps: float | None
    speedup_ratio: float | None
    size_mb: float | None
    timed_while_busy: bool
    registered_name: str
    registered_version: str
    run_id: str
    infer_run_id: str
    reused: bool


@dataclass(frozen=True)
class Summary:
    """Args: rows: the original first. release: its decision; empty where none was asked."""

    scenario: str
    version: str
    experiment_name: str
    run_id: str
    rows: tuple[SummaryRow, ...]
    release: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """For the parent run: `{variant}.mAP50` …, only what was measured."""
        flat: dict[str, float] = {}
        for row in self.rows:
            for key in ("mAP50", "mAP50_95", "latency_p50_ms", "speedup_ratio", "size_mb"):
                value = getattr(row, key)
                if value is not None:
                    flat[f"summary.{row.variant}.{key}"] = value
        return flat


def summarise(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> Summary:
    """Join each model's stage with its infer stage."""
    made = [r for r in results if r.stage in ("train", "quant")]
    judged = {r.variant: r for r in results if r.stage == "infer"}
    return Summary(
        scenario=scenario.name,
        version=scenario.version,
        experiment_name=scenario.get_experiment_name(),
        run_id=run_id,
        rows=tuple(make_row(result, judged[result.variant], judged) for result in made),
        release=next((r.decision for r in results if r.decision), {}),
    )


def make_row(
    made: StageResult, infer: StageResult, judged: Mapping[str, StageResult]
) -> SummaryRow:
    original = next(iter(judged.values())).metrics
    now = infer.metrics
    model = made.model
    is_variant = made.stage == "quant"
    return SummaryRow(
        variant=made.variant,
        mAP50=now.get("det.mAP50"),
        mAP50_95=now.get("det.mAP50_95"),
        drop_mAP50=original["det.mAP50"] - now["det.mAP50"] if is_variant else None,
        drop_mAP50_95=original["det.mAP50_95"] - now["det.mAP50_95"] if is_variant else None,
        latency_p50_ms=now.get("bench.bs1.latency_p50_ms"),
        fps=now.get("bench.bs1.fps"),
        speedup_ratio=made.metrics.get("comparison.speedup_ratio"),
        size_mb=now.get("sys.model_size_mb"),
        timed_while_busy=busy(made) or busy(infer),
        registered_name=(model.display_name or model.name) if model else "",
        registered_version=model.version if model else "",
        run_id=made.run_id,
        infer_run_id=infer.run_id,
        reused=made.reused,
    )


def busy(result: StageResult) -> bool:
    return result.metrics.get("sys.warnings", 0.0) > 0


HEADINGS = (
    "variant",
    "mAP50",
    "mAP50-95",
    "Δ mAP50-95",
    "latency p50 ms",
    "fps",
    "speed-up",
    "MB",
    "registered as",
)
NOTE = (
    "Accuracy: one evaluator on the same images. Latency: one image, decoded frame to boxes. "
    "Speed-up: against the original, timed in turns. Δ: variant − original."
)
BUSY_NOTE = (
    "! The machine was busy with other work, or times were spread wide: do not rely on these "
    "times; measure again. The run's tag sys.warnings says why."
)


def notes(summary: Summary) -> list[str]:
    return [NOTE, BUSY_NOTE] if any(row.timed_while_busy for row in summary.rows) else [NOTE]


def cells(row: SummaryRow) -> tuple[str, ...]:
    """One row as text; '–' where nothing was measured."""
    doubt = " !" if row.timed_while_busy else ""
    delta = None if row.drop_mAP50_95 is None else -row.drop_mAP50_95
    registered = f"{row.registered_name} v{row.registered_version}" if row.registered_name else "–"
    return (
        row.variant + (" (reused)" if row.reused else ""),
        number(row.mAP50, ".3f"),
        number(row.mAP50_95, ".3f"),
        number(delta, "+.3f"),
        number(row.latency_p50_ms, ".2f", doubt),
        number(row.fps, ".0f", doubt),
        "1.00×" if row.variant == ORIGINAL else number(row.speedup_ratio, ".2f", "×" + doubt),
        number(row.size_mb, ".1f"),
        registered,
    )


def number(value: float | None, form: str, unit: str = "") -> str:
    if value is None:
        return "–"
    text = format(value, form)
    return (text.replace("-", "+") if float(text) == 0 else text) + unit


def to_markdown(summary: Summary) -> str:
    """`report/summary.md`."""
    lines = [
        f"# {markdown_text(f'{summary.scenario} {summary.version}')}",
        "",
        f"Experiment {markdown_text(summary.experiment_name)}, run `{summary.run_id}`.",
        "",
        *table_head((*HEADINGS, "run", "infer run")),
        *(table_row((*cells(row), row.run_id, row.infer_run_id)) for row in summary.rows),
    ]
    return "\n".join([*lines, "", "\n\n".join(notes(summary)), "", *release_section(summary)])


def release_section(summary: Summary) -> list[str]:
    """Markdown of the decision; nothing where none was asked."""
    if not summary.release:
        return []
    first, *rest = (markdown_text(line) for line in decision_lines(summary.release))
    details = [f"- {line}" for line in rest]
    return ["## Release", "", str(first), "", *details, "", "The whole report: `release.html`.", ""]


def to_dict(summary: Summary) -> dict[str, object]:
    return asdict(summary)


def write_summary(summary: Summary, folder: Path) -> None:
    """`summary.md`, `summary.json` and `variants.png` in `folder`."""
    from guardianflow.evaluation.pictures.results import VariantPoint, variants_comparison

    (folder / "summary.md").write_text(to_markdown(summary), encoding="utf-8")
    (folder / "summary.json").write_text(
        json.dumps(to_dict(summary), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    points = [
        VariantPoint(row.variant, row.latency_p50_ms, row.mAP50_95, row.size_mb)
        for row in summary.rows
        if row.latency_p50_ms is not None and row.mAP50_95 is not None
    ]
    variants_comparison(points, folder / "variants.png")

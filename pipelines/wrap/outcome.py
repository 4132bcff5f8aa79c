"""The outcome of a wrapped run, and its words; those of a dry run too."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments_adapters.legacy.process import ScriptResult
from guardianflow.contracts.results import RegisteredModel

from .plan import WrapPlan

FIRST_SHOWN = ("det.mAP50", "det.mAP50_95", "det.precision", "det.recall")
MOST_METRICS = 12
OF_ITS_END = ("exit_code", "duration_s")
"""Metrics of every run, which say how it ended and nothing of what came of it."""


@dataclass(frozen=True)
class WrapOutcome:
    """The outcome of a wrapped run.

    Args:
        status: 'FINISHED', 'FAILED' or 'KILLED'.
        artifacts: path in the run of each file that was kept.
        notes: what people should know.
    """

    run_id: str
    experiment_name: str
    run_name: str
    status: str
    result: ScriptResult
    metrics: Mapping[str, float]
    model: RegisteredModel | None
    artifacts: tuple[str, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "stage": "wrap",
            "experiment_name": self.experiment_name,
            "run_name": self.run_name,
            "exit_code": self.result.exit_code,
            "seconds": round(self.result.seconds, 3),
            "metrics": dict(self.metrics),
            "models": [{**vars(self.model), "uri": self.model.uri}] if self.model else [],
            "artifacts": list(self.artifacts),
            "notes": list(self.notes),
        }


def plan_lines(plan: WrapPlan) -> str:
    """For --dry-run: nothing has been started."""
    limit = plan.experiment.timeout_s
    rows = {
        "command": shlex.join(plan.arguments),
        "in": str(plan.working_directory),
        "experiment": plan.experiment_name,
        "run": plan.run_name,
        "timeout": f"{limit:.0f} s" if limit else "none",
        "registers": "its best weights, as candidate" if plan.registers else "nothing",
    }
    if plan.to_fill_in:
        rows["fill in"] = f"{', '.join(plan.to_fill_in)}: still TODO, needed before it runs"
    lines = [f"{name:<11} {value}" for name, value in rows.items()]
    lines += [f"warning     {each.text}" for each in plan.warnings]
    lines += [f"param       {name}={value}" for name, value in sorted(plan.params.items())]
    lines += [f"tag         {name}={value}" for name, value in sorted(plan.tags.items())]
    return "\n".join(lines)


def outcome_lines(outcome: WrapOutcome) -> str:
    """The end of a run that finished."""
    shown = [name for name in FIRST_SHOWN if name in outcome.metrics]
    shown += sorted(
        name
        for name in outcome.metrics
        if name not in (*shown, *OF_ITS_END) and not name.startswith("sys.")
    )
    lines = [f"  {name:<28} {outcome.metrics[name]:.4g}" for name in shown[:MOST_METRICS]]
    if len(shown) > MOST_METRICS:
        lines.append(f"  … and {len(shown) - MOST_METRICS} more metrics")
    lines.append(f"{len(outcome.artifacts)} files kept, {outcome.result.seconds:.1f} s")
    if outcome.model:
        model = outcome.model
        lines.append(f"model {model.display_name} version {model.version} is a candidate")
    lines.append(f"run {outcome.run_id} in experiment {outcome.experiment_name}: {outcome.status}")
    return "\n".join(lines)

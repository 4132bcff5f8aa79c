"""The table of a sweep: what its parent run shows of its trials, and its files.

sweep.csv, .parquet, .json   a row a run, in the order of asking
sweep.md                     the best combinations, for MLflow's page
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guardianflow.support.text.csv_files import write_csv
from guardianflow.support.text.markdown import table_head, table_row

from ...design_result import DesignTrial
from ..search.combinations import Combination, TrialState, front_of, ranked
from ..search.objectives import Objective

SHOWN = 20
"""Combinations in sweep.md; the others are in the CSV."""


@dataclass(frozen=True)
class SweepTable:
    """Everything that came of a sweep.

    Args:
        combinations: in the order of asking.
    """

    title: str
    run_id: str
    objectives: Sequence[Objective]
    combinations: Sequence[Combination]

    @property
    def ranked(self) -> list[Combination]:
        return ranked(self.combinations, self.objectives[0])

    @property
    def best(self) -> Combination | None:
        return next(iter(self.ranked), None)

    @property
    def front(self) -> list[Combination]:
        """Those that no other beats in every objective; [] where there is one objective."""
        if len(self.objectives) == 1:
            return []
        return front_of(self.ranked, self.objectives)

    @property
    def trials(self) -> tuple[DesignTrial, ...]:
        names = [each.name for each in self.objectives]
        return tuple(
            DesignTrial(
                index=run.trial.index,
                name=run.trial.name,
                combination=each.index,
                state=str(run.state),
                params=dict(each.params),
                values=dict(zip(names, run.values, strict=False)),
                run_id=run.run_id,
                seconds=round(run.seconds, 3),
                epochs=run.epoch,
                tries=run.tries,
                reused=run.reused,
                reason=run.reason,
            )
            for each in self.combinations
            for run in each.runs
        )

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Runs by what came of them."""
        return Counter(run.state for each in self.combinations for run in each.runs)

    @property
    def metrics(self) -> dict[str, float]:
        """Of the parent run."""
        counts = self.counts
        metrics = {
            "sweep.total": float(sum(counts.values())),
            "sweep.completed": float(counts.get(TrialState.COMPLETE, 0)),
            "sweep.failed": float(counts.get(TrialState.FAILED, 0)),
            "sweep.pruned": float(counts.get(TrialState.PRUNED, 0)),
            "sweep.epochs": float(sum(r.epoch for each in self.combinations for r in each.runs)),
        }
        if self.best is not None:
            named = zip(self.objectives, self.best.values, strict=True)
            metrics |= {f"best.{each.name}": value for each, value in named}
            if (estimate := self.best.estimate()) is not None:
                metrics |= estimate.as_metrics(f"best.{self.objectives[0].name}")
        return metrics

    @property
    def tags(self) -> dict[str, str]:
        """Of the parent run."""
        if self.best is None:
            return {}
        params = json.dumps(dict(self.best.params), ensure_ascii=False)
        tags = {
            "best.run_id": self.best.best_run(self.objectives[0]).run_id,
            "best.params": params,
        }
        if self.front:
            runs = [each.best_run(self.objectives[0]).run_id for each in self.front]
            tags["best.front_run_ids"] = " ".join(runs)
        return tags

    # --- files --------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """A row a run, with the mean and interval of its combination where there are several."""
        repeated = any(len(each.runs) > 1 for each in self.combinations)
        of_combination = {each.index: each for each in self.combinations}
        rows = []
        for trial in self.trials:
            values = asdict(trial)
            params, found = values.pop("params"), values.pop("values")
            combination = of_combination[trial.combination]
            measured = {each.name: found.get(each.name) for each in self.objectives}
            if repeated:
                measured |= _estimates(combination, self.objectives)
            head = {key: values.pop(key) for key in ("index", "name", "combination", "state")}
            rows.append({**head, **params, **measured, **values})
        return rows

    def write(self, folder: Path) -> None:
        """All files of the table. Nothing to write them of is an error of the caller."""
        rows = self.rows()
        write_csv(folder / "sweep.csv", rows)
        _write_parquet(folder / "sweep.parquet", rows)
        whole = {
            "run_id": self.run_id,
            "objectives": [asdict(each) for each in self.objectives],
            "best": self.tags | self.metrics,
            "front": [each.index for each in self.front],
            "trials": [asdict(trial) for trial in self.trials],
        }
        text = json.dumps(whole, ensure_ascii=False, indent=2)
        (folder / "sweep.json").write_text(text + "\n", encoding="utf-8")
        (folder / "sweep.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        names = list(self.combinations[0].params)
        columns = ["rank", *names, *(each.name for each in self.objectives), "run"]
        lines = [f"# {self.title}", "", self.summary(), "", *table_head(columns)]
        for place, each in enumerate(self.ranked[:SHOWN], 1):
            shown = [shown_value(value) for value in each.values]
            if (estimate := each.estimate()) is not None:
                shown[0] += f" [{estimate.low:.4g}, {estimate.high:.4g}]"
            run_id = each.best_run(self.objectives[0]).run_id
            params = (shown_value(each.params[name]) for name in names)
            lines.append(table_row([place, *params, *shown, run_id]))
        if any(len(each.runs) > 1 for each in self.combinations):
            lines += ["", "Means over seeds; [ ]: 95 % interval over seeds (Student's t)."]
        return "\n".join([*lines, ""])

    def summary(self) -> str:
        """'12 runs: 10 complete, 2 pruned'"""
        counts = self.counts
        told = ", ".join(f"{counts[state]} {state}" for state in TrialState if counts.get(state))
        total = sum(counts.values())
        return f"{total} run{'s' * (total != 1)}: {told or 'none'}"


def _estimates(combination: Combination, objectives: Sequence[Objective]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, each in enumerate(objectives):
        estimate = combination.estimate(place)
        found[f"{each.name}_mean"] = combination.values[place] if combination.values else None
        found[f"{each.name}_low"] = estimate.low if estimate else None
        found[f"{each.name}_high"] = estimate.high if estimate else None
    return found


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    parquet.write_table(pyarrow.table({k: _column(v) for k, v in columns.items()}), path)


def _column(values: list[Any]) -> list[Any]:
    """A column of one type: numbers, flags, or texts where they are mixed."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or len(kinds) < 2:
        return [float(v) if kinds == {int, float} and v is not None else v for v in values]
    return [None if value is None else str(value) for value in values]


def shown_value(value: object) -> str:
    """A value for people: four digits of a number."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""Tells where each directory of old scripts stands: last run, its numbers, its model, changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments_adapters.legacy.drift import Drift, find_drift
from experiments_adapters.legacy.registry import LegacyExperiment
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.results import RegisteredModel, RunRecord, sha256_of
from guardianflow.run_tracking.run_records import ERROR_TAG
from scenario.naming import to_registered_name

from ..wiring import Ports

RUNS_LOOKED_AT = 200
ACCURACY = ("det.mAP50", "det.quantized.mAP50")


@dataclass(frozen=True)
class DirectoryStatus:
    """One directory.

    Args:
        problem: why its directory can't even be named (a TODO, an unset variable); '' else.
        last: its newest wrapped run; None: it never ran.
        mAP50: of the newest run that has one; None: none has.
        mAP50_run_id: that run.
        model: what its newest run with a model registered, with the aliases it has now.
        drift: of its scripts since the scan; None where `problem` says why not.
        script_changed: the script of the last run has other content now; None: not known.
    """

    name: str
    customer: str
    path: str
    problem: str
    todos: tuple[str, ...]
    last: RunRecord | None
    mAP50: float | None  # noqa: N815 - the field's own spelling
    mAP50_run_id: str  # noqa: N815
    model: RegisteredModel | None
    drift: Drift | None
    script_changed: bool | None

    @property
    def error(self) -> str:
        """Why the last run failed; '' where it did not."""
        return self.last.tags.get(ERROR_TAG, "") if self.last else ""

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        last, model = self.last, self.model
        return {
            "name": self.name,
            "customer": self.customer,
            "path": self.path,
            "problem": self.problem or None,
            "todo": list(self.todos),
            "last_run": last
            and {
                "run_id": last.run_id,
                "type": last.tags.get("exp.type", ""),
                "script": last.tags.get("exp.script", ""),
                "status": last.status,
                "started_ms": last.start_time_ms,
                "ended_ms": last.end_time_ms,
                "error": self.error or None,
            },
            "mAP50": self.mAP50,
            "mAP50_run_id": self.mAP50_run_id or None,
            "model": model
            and {
                "name": model.display_name,
                "version": model.version,
                "aliases": list(model.aliases),
                "run_id": model.run_id,
            },
            "drift": None if self.drift is None else asdict(self.drift),
            "script_changed": self.script_changed,
        }


def directory_statuses(
    experiments: Iterable[LegacyExperiment], registry: Path, ports: Ports
) -> list[DirectoryStatus]:
    """Look at each experiment, in the given order.

    Args:
        registry: the file they come from; the hashes of its last scan are beside it.

    Raises:
        ConfigurationError: those hashes can't be read.
        TrackingError: the store can't.
    """
    chosen = list(experiments)
    places: dict[str, Path] = {}
    problems: dict[str, str] = {}
    for each in chosen:
        try:
            places[each.name] = each.directory
        except ConfigurationError as exc:
            problems[each.name] = str(exc)
    drifts = find_drift(registry, places.values())
    models = {(model.name, model.version): model for model in ports.registry.list_models()}
    return [
        _status(
            each,
            places.get(each.name),
            problems.get(each.name, ""),
            ports.store.find_runs(tags={"exp.name": each.name}, limit=RUNS_LOOKED_AT),
            models,
            drifts,
        )
        for each in chosen
    ]


def _status(
    experiment: LegacyExperiment,
    place: Path | None,
    problem: str,
    runs: list[RunRecord],
    models: Mapping[tuple[str, str], RegisteredModel],
    drifts: Mapping[Path, Drift],
) -> DirectoryStatus:
    judged = next(
        ((run, run.metrics[key]) for run in runs for key in ACCURACY if key in run.metrics), None
    )
    last = runs[0] if runs else None
    return DirectoryStatus(
        name=experiment.name,
        customer=experiment.site.customer,
        path=str(place or experiment.path),
        problem=problem,
        todos=tuple(experiment.todos()),
        last=last,
        mAP50=judged[1] if judged else None,
        mAP50_run_id=judged[0].run_id if judged else "",
        model=_model(runs, models),
        drift=drifts[place] if place else None,
        script_changed=_script_changed(place, last),
    )


def _model(
    runs: list[RunRecord], models: Mapping[tuple[str, str], RegisteredModel]
) -> RegisteredModel | None:
    """Of the newest run that registered one; a version that was deleted since is passed by."""
    for run in runs:
        name, version = (run.tags.get(f"registered_model_{part}") for part in ("name", "version"))
        if name and version and (found := models.get((to_registered_name(name), version))):
            return found
    return None


def _script_changed(place: Path | None, last: RunRecord | None) -> bool | None:
    then = last.tags.get("exp.script_sha256") if last else None
    if place is None or last is None or not then:
        return None
    script = place / last.tags.get("exp.script", "")
    try:
        return sha256_of(script) != then if script.is_file() else True
    except OSError:
        return None

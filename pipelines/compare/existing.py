"""Compare what exists: runs, or versions of registered models. Nothing is trained.

a run or version whose model is there ──► measured again, all side by side
a run without a model                 ──► its recorded values, marked as such
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from guardianflow.contracts.errors import Problem, SourceError
from guardianflow.contracts.ports import DetectorRegistry
from guardianflow.contracts.results import RegisteredModel, RunRecord, StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.run_records import WAITING_TAG
from scenario import Trial

from ..chain import Chain, Run
from ..side_by_side.contenders import Contender, side_by_side
from ..side_by_side.figures import RankedBy
from ..side_by_side.stage import scenario_for
from ..stage.inputs.sources import (
    GONE,
    MODEL_REFERENCE,
    RUN_REFERENCE,
    WEIGHTS_GONE_TAG,
    WEIGHTS_TAG,
)
from ..stage.kinds import MAKERS
from ..stage.plan import Planner
from ..stage.stage import StageRequest
from ..wiring import Ports
from .ranked_comparison import RankedComparison
from .ranking import COMPARABLE, NAMED, RECORDED

RUN_IDS = "run_id"
SAME_IMAGES = ("data.fingerprint", "data.split", "det.evaluator")
"""Tags that two runs share which were judged alike."""
SHORT_ID = 8


@dataclass(frozen=True)
class Existing:
    """One of those named.

    Args:
        label: for people; no two have the same.
        source: of its model; '' where the model is not there any more.
        run: that made it; None of a version whose run is not known.
        model: of a version.
    """

    label: str
    source: str
    run: RunRecord | None = None
    model: RegisteredModel | None = None


@dataclass
class _Looked:
    """What the store was found to have."""

    ports: Ports | None = None
    found: list[Existing] = field(default_factory=list)


@dataclass(frozen=True)
class ExistingComparison(RankedComparison):
    """Finished runs or registered versions, judged on the scenario's data."""

    _looked: _Looked = field(default_factory=_Looked, init=False, repr=False, compare=False)

    def look(self, ports: Ports) -> None:
        self._looked.ports = ports
        self._looked.found = found_in(ports, self.trials(), self.by)

    def requests(self, planner: Planner) -> list[StageRequest]:
        """As named: whether their models are there is not known before the store is read."""
        trials = self.trials()
        named = [Existing(each.value, reference_of_trial(each)) for each in trials]
        return [self._beside(planner, self._looked.found or named)]

    def run_checks(self, planner: Planner) -> None:
        if any(each.source for each in self._looked.found):
            super().run_checks(planner)

    several = Chain.several  # one stage at most: a pool has nothing to do

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        found = self._looked.found
        if not any(each.source for each in found):
            first = next(each.run for each in found if each.run)
            return [self._stand_in(each, first.tags) for each in found]
        beside = run(self._beside(planner, found))
        return [*(self._stand_in(each, self._tags_of(beside)) for each in found), beside]

    def _beside(self, planner: Planner, found: Iterable[Existing]) -> StageRequest:
        contenders = [Contender(each.label, each.source) for each in found if each.source]
        alone = replace(planner, scenario=scenario_for(self.scenario))
        return side_by_side(alone, contenders, self.by)

    def _tags_of(self, beside: StageResult) -> Mapping[str, str]:
        """What the images of the measurement were; {} before there was one."""
        if beside.status != RunStatus.FINISHED or self._looked.ports is None:
            return {}
        return self._looked.ports.store.get_run(beside.run_id).tags

    def _stand_in(self, each: Existing, judged: Mapping[str, str]) -> StageResult:
        """The run or version as the table takes it; of a run without a model, what it logged."""
        run = each.run
        metrics: dict[str, float] = {}
        if not each.source and run is not None:
            alike = all(run.tags.get(tag) == judged.get(tag) for tag in SAME_IMAGES)
            metrics = {**judged_values(run), COMPARABLE: float(alike and SAME_IMAGES[0] in judged)}
        return StageResult(
            NAMED if each.source else RECORDED,
            run.run_id if run else "",
            RunStatus.FINISHED,
            run.experiment_name if run else self.scenario.get_experiment_name(),
            run.run_name if run else "",
            metrics=metrics,
            variant=each.label,
            models=(each.model,) if each.model else (),
        )


def reference_of_trial(trial: Trial) -> str:
    """'runs:/ID' or 'models:/NAME/3'."""
    named = str(trial.changes["source_run_id"])
    return named if named.startswith(MODEL_REFERENCE) else f"{RUN_REFERENCE}{named}"


def found_in(ports: Ports, trials: Iterable[Trial], by: RankedBy) -> list[Existing]:
    """Each run or version as the store has it.

    Raises:
        SourceError: with all that can't be compared: unknown ones, runs that have not ended well,
            runs with neither a model nor the metric.
    """
    found: list[Existing] = []
    problems: list[Problem] = []
    for trial in trials:
        try:
            if trial.variable == RUN_IDS:
                found.append(_of_run(ports, str(trial.changes["source_run_id"]), by))
            else:
                found.append(_of_version(ports, reference_of_trial(trial)))
        except SourceError as exc:
            problems.append(Problem(str(exc), trial.value))
    twice = {each.label for each in found if [e.label for e in found].count(each.label) > 1}
    problems += [Problem(f"{label} is named twice; name it once") for label in sorted(twice)]
    if problems:
        raise SourceError(problems)
    return found


def _of_run(ports: Ports, run_id: str, by: RankedBy) -> Existing:
    run = ports.store.get_run(run_id)
    if run.status != RunStatus.FINISHED:
        wait = "wait for its end" if run.status == RunStatus.RUNNING else "run it to its end"
        raise SourceError(
            f"run {run_id} ({run.run_name}) is {run.status}, so it can't be compared; {wait}, or "
            "name another run"
        )
    label = f"{run.run_name} ({run.run_id[:SHORT_ID]})"
    if has_model(ports.registry, run):
        return Existing(label, f"{RUN_REFERENCE}{run.run_id}", run)
    if judged := _judged_model(ports, run):
        return Existing(label, judged, run)
    if by.metric not in judged_values(run):
        raise SourceError(
            f"run {run_id} ({run.run_name}) has no model that could be measured again, and no "
            f"metric {by.metric} recorded by our evaluator; name a train, quant or infer run"
        )
    return Existing(label, "", run)


def has_model(registry: DetectorRegistry, run: RunRecord) -> bool:
    """Whether a run's detector is there: registered, or among its artifacts."""
    name, version = (run.tags.get(f"registered_model_{key}") for key in ("name", "version"))
    if name and version:
        try:
            return registry.describe(f"{MODEL_REFERENCE}{name}/{version}").run_id == run.run_id
        except SourceError:
            return WEIGHTS_TAG in run.tags
    if run.tags.get(WEIGHTS_GONE_TAG) == GONE:  # of a sweep's trial that fell behind
        return False
    made = run.tags.get("guardianflow.stage") in MAKERS
    return made or WEIGHTS_TAG in run.tags or WAITING_TAG in run.tags


def _judged_model(ports: Ports, run: RunRecord) -> str:
    """The model that an infer run judged, where it is there still; '' else."""
    source = run.tags.get("source.run_id", "")
    if not source or run.tags.get("guardianflow.stage") != "infer":
        return ""
    made_by = ports.run_if_there(source)
    if made_by is None or made_by.status != RunStatus.FINISHED:
        return ""
    return f"{RUN_REFERENCE}{source}" if has_model(ports.registry, made_by) else ""


def judged_values(run: RunRecord) -> dict[str, float]:
    """What our evaluator found, under infer's names; a trainer's own values are another's."""
    if "det.evaluator" not in run.tags:
        return {}
    made = {
        f"{group}{key.removeprefix(f'{group}quantized.')}": value
        for group in ("det.", "sys.")
        for key, value in run.metrics.items()
        if key.startswith(f"{group}quantized.")
    }
    return {**run.metrics, **made}


def _of_version(ports: Ports, reference: str) -> Existing:
    model = ports.registry.describe(reference)
    label = f"{model.display_name or model.name} v{model.version}"
    run = ports.run_if_there(model.run_id)  # where it was deleted, the version has its files
    return Existing(label, f"{MODEL_REFERENCE}{model.name}/{model.version}", run, model)

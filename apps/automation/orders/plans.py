"""An alert → what exactly is run. The scenario is that of the training behind the alert's run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.results import RunRecord
from pipelines.missing_files import missing_files
from pipelines.runner import create_runner
from pipelines.settings import BUILTIN_EXPERIMENT, Settings
from pipelines.stage.kinds import QUANT, SWEEP, TRAIN
from pipelines.stage.plan import RunOptions
from pipelines.wiring import Ports
from scenario import Scenario, build_scenario, dump_scenario, parse_scenario

from ..alerts.models import RuleAlert
from ..triggers.schema import LargerBatch, Quantise, Rule
from .sources import RunOrigin, UnfitError, origin_of, runs_behind, training_behind

TAG = "automation."
DESIGN_KEYS = {"experiment_type", "source_run_id", "design", "sweep", "comparison", "ablation"}


@dataclass(frozen=True)
class Plan:
    """What a worker carries out.

    Args:
        stage: 'train', 'sweep' or 'quant'.
        source: the run whose model is quantised; '' none.
        summary: for people.
    """

    stage: str
    scenario_yaml: str
    code_path: str
    source: str
    base_dir: str
    tracking_uri: str
    summary: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        return cls(**json.loads(text))

    def scenario(self) -> Scenario:
        place = Path(self.base_dir) / "automation.yaml"
        return parse_scenario(self.scenario_yaml, "the order's scenario", source_path=place)

    def options(self) -> RunOptions:
        return RunOptions(
            code_path=self.code_path,
            source=self.source,
            tracking_uri=self.tracking_uri,
            invocation="guardianflow optimize run",
        )


def plan_of(alert: RuleAlert, rule: Rule, ports: Ports, settings: Settings) -> Plan:
    """What is run.

    Raises:
        UnfitError: it can't be, or would change nothing: the words say why.
        TrackingError: MLflow can't be reached.
    """
    runs = runs_behind(ports, alert.reading.run_id)
    training = training_behind(runs)
    origin = origin_of(ports, training)
    changed, summary = _changed(rule, origin, runs)
    stage, source = {
        "sweep": (SWEEP, ""),
        "quantise": (QUANT, training.run_id),
        "larger_batch": (TRAIN, ""),
    }[rule.action]
    plan = Plan(
        stage=stage,
        scenario_yaml=dump_scenario(_with_tags(changed, alert)),
        # Its class trains; formats are made by our own means, as the rule names them.
        code_path=BUILTIN_EXPERIMENT if stage == QUANT else origin.code_path,
        source=source,
        base_dir=str(origin.base_dir),
        tracking_uri=ports.store.tracking_uri,
        summary=summary,
    )
    _check(plan, settings)
    return plan


def _changed(rule: Rule, origin: RunOrigin, runs: list[RunRecord]) -> tuple[dict[str, Any], str]:
    """Values of the new scenario, and what it does in words."""
    name = f"run {origin.run.run_id} ({origin.run.run_name})"
    values = origin.scenario.model_dump(mode="json", exclude=DESIGN_KEYS)
    if rule.action == "sweep":
        assert rule.sweep is not None
        sweep = rule.sweep.model_dump(mode="json", exclude_none=True)
        tried = ", ".join(path.rpartition(".")[2] for path in rule.sweep.parameters)
        values |= {"sweep": sweep, "design": "sweep", "experiment_type": TRAIN}
        return values, f"train {name} anew {rule.sweep.planned_combinations} times: {tried}"
    if rule.action == "quantise":
        return _quantised(rule, values, runs), f"quantise {name} to {' '.join(_format_of(rule))}"
    return _larger(rule, values, name)


def _format_of(rule: Rule) -> tuple[str, str]:
    asked = rule.quantise or Quantise()
    return asked.backend, asked.precision


def _quantised(rule: Rule, values: dict[str, Any], runs: list[RunRecord]) -> dict[str, Any]:
    backend, precision = _format_of(rule)
    asked = {"quant.backend": backend, "quant.precision": precision}
    for run in runs:
        if asked.items() <= run.params.items():
            raise UnfitError(f"its model, of run {run.run_id}, is {backend} {precision} already")
    given = values.get("quantization") or {}
    variants = given if isinstance(given, list) else [given]
    like = next((each for each in variants if each.get("backend") == backend), {})
    made = {**like, "backend": backend, "precision": precision}
    return values | {"quantization": made, "experiment_type": QUANT}


def _larger(rule: Rule, values: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    asked = rule.larger_batch or LargerBatch()
    old = int(values["training"]["batch_size"])
    new = min(old * asked.factor, asked.most)
    if new <= old:
        raise UnfitError(f"its batch_size is {old}, and larger_batch.most is {asked.most}")
    training = {**values["training"], "batch_size": new}
    return values | {"training": training, "experiment_type": TRAIN}, (
        f"train {name} with batch_size {new} instead of {old}"
    )


def _with_tags(values: dict[str, Any], alert: RuleAlert) -> Scenario:
    """The scenario; raises UnfitError where it contradicts itself."""
    tags = {
        f"{TAG}rule": alert.rule,
        f"{TAG}alert": alert.alert_id,
        f"{TAG}run_id": alert.reading.run_id,
        f"{TAG}why": shown_reading(alert),
    }
    try:
        return build_scenario(
            values | {"tags": {**(values.get("tags") or {}), **tags}}, "the scenario of the action"
        )
    except ConfigurationError as exc:
        raise UnfitError(str(exc)) from exc


def _check(plan: Plan, settings: Settings) -> None:
    """Raises UnfitError where it would be refused, or files of it are not on this machine."""
    try:
        scenario = plan.scenario()
        runner = create_runner(
            scenario, options=plan.options(), stage=plan.stage, settings=settings
        )
        missing = missing_files(scenario, runner.planned())
    except ConfigurationError as exc:
        raise UnfitError(str(exc)) from exc
    if missing:
        raise UnfitError(f"not on this machine: {', '.join(map(str, missing))}")


def shown_reading(alert: RuleAlert) -> str:
    """'mAP50 0.7 [0.67 … 0.73] below 0.75 in 1 run'"""
    reading = alert.reading
    interval = ""
    if reading.low is not None and reading.high is not None:
        interval = f" [{reading.low:.4g} … {reading.high:.4g}]"
    runs = f"{alert.runs} run{'s' if alert.runs > 1 else ''}"
    value = f"{alert.metric} {reading.value:.4g}{interval}"
    return f"{value} {alert.comparison} {alert.threshold:g} in {runs}"

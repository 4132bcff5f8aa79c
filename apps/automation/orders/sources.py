"""What a run says of itself: its scenario, its code, where it was started, the runs behind it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from guardianflow.contracts.errors import ScenarioError, SourceError
from guardianflow.contracts.results import RunRecord
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.redaction import holds_mark
from pipelines.settings import BUILTIN_EXPERIMENT
from pipelines.stage.stage import CONFIG_FOLDER
from pipelines.wiring import Ports
from scenario import Scenario, parse_scenario

MOST_STEPS = 10
SOURCE_TAG = "source.run_id"
TRAIN_TYPE = "train"


class UnfitError(Exception):
    """What an alert asks for can't be done; the words say why."""


@dataclass(frozen=True)
class RunOrigin:
    """What a run was made of.

    Args:
        base_dir: where relative paths of the scenario begin.
    """

    run: RunRecord
    scenario: Scenario
    code_path: str
    base_dir: Path


def runs_behind(ports: Ports, run_id: str) -> list[RunRecord]:
    """The run, the run whose model it took, and so on to the training.

    Raises:
        UnfitError: a run that it names is not there.
    """
    found: list[RunRecord] = []
    while run_id and len(found) < MOST_STEPS:
        try:
            found.append(ports.store.get_run(run_id))
        except SourceError as exc:
            raise UnfitError(f"run {run_id} is not in the store: {exc}") from exc
        run_id = found[-1].tags.get(SOURCE_TAG, "")
    return found


def training_behind(runs: list[RunRecord]) -> RunRecord:
    """Raises UnfitError: the model came from elsewhere, or its training did not finish."""
    last = runs[-1]
    if last.tags.get("exp.type") != TRAIN_TYPE:
        raise UnfitError(
            f"run {last.run_id} names no training run as its source: what is to be trained anew is "
            "not known"
        )
    if last.status != RunStatus.FINISHED:
        raise UnfitError(f"its training, run {last.run_id}, is {last.status}")
    return last


def origin_of(ports: Ports, run: RunRecord) -> RunOrigin:
    """Read `config/` of a run.

    Raises:
        UnfitError: it does not say enough to do the same again.
    """
    with tempfile.TemporaryDirectory(prefix="guardianflow-automation-") as folder:
        try:
            place = ports.store.download(run.run_id, CONFIG_FOLDER, Path(folder))
            text = (place / "scenario.yaml").read_text(encoding="utf-8")
            said = json.loads((place / "resolved.json").read_text(encoding="utf-8"))
            scenario = parse_scenario(text, f"scenario of run {run.run_id}")
        except (SourceError, ScenarioError, OSError, ValueError) as exc:
            raise UnfitError(f"run {run.run_id} has no scenario that can be read: {exc}") from exc
    code, base = said.get("experiment_code_path") or BUILTIN_EXPERIMENT, said.get("base_dir")
    if holds_mark({"scenario": scenario.model_dump(mode="json"), "code": code}):
        raise UnfitError(
            f"run {run.run_id} was started with a secret, which is not kept: start it by hand"
        )
    if not isinstance(base, str) or not Path(base).is_dir():
        raise UnfitError(
            f"run {run.run_id} was started in "
            f"{f'{base}, which is not here' if base else 'a directory that it does not name'}: "
            "relative paths of its scenario can't be found"
        )
    return RunOrigin(run, scenario, str(code), Path(base))

"""The whole way, for real: a training that is too bad, a rule, and what it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from databases import copy_database
from workplace import Workplace, last_json

from pipelines.wiring import connect

RULES = """
rules:
  - name: accuracy-low
    metric: mAP50
    comparison: below
    threshold: 0.75
    action: sweep
    sweep: {parameters: {learning_rate: [0.001, 0.002]}, parallel: 1}
"""
SMALL = (
    *("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96"),
    *("-p", "training.epochs=2", "-p", "tags.team=safety"),
)


@pytest.mark.slow
def test_a_bad_training_is_done_anew_once_with_the_trigger_on_the_new_run(
    tmp_path: Path, empty_store: Path, repository: Path
) -> None:
    copy_database(empty_store, tmp_path / "mlflow.db")
    workplace = Workplace(tmp_path, tmp_path / "work", repository)
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    trainer = str(workplace.write_trainer("mine"))
    scenario = str(workplace.write_scenario(extra="\nrelease: {max_size_mb: 500}\n"))
    done = workplace.guardianflow("train", scenario, "-e", trainer, *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    training = last_json(done.stdout)["run_id"]

    checked = workplace.guardianflow("optimize", "check", "--rules", "rules.yaml", "--json")
    (decision,) = last_json(checked.stdout)["decisions"]
    assert (decision["stage"], decision["hold"]) == ("sweep", None), decision

    done = workplace.guardianflow("optimize", "run", "--rules", "rules.yaml", "--json")
    logs = [each.read_text("utf-8") for each in (tmp_path / "work").rglob("orders/*.log")]
    assert done.returncode == 0, (done.stderr, logs)
    assert list(last_json(done.stdout)["orders"].values()) == ["done"]
    (sweep,) = workplace.store.find_runs(tags={"guardianflow.stage": "sweep"})
    assert sweep.status == "FINISHED"
    assert sweep.experiment_name == "demo-construction/seoul-plant1/full"
    assert sweep.tags["automation.run_id"] == training
    assert sweep.tags["team"] == "safety"

    done = workplace.guardianflow("optimize", "run", "--rules", "rules.yaml", "--json")
    assert last_json(done.stdout) == {"orders": {}}
    (order,) = last_json(
        workplace.guardianflow("optimize", "log", "--rules", "rules.yaml", "--json").stdout
    )["orders"]
    assert (order["state"], order["run_id"]) == ("done", sweep.run_id)

    # The scenario's release policy judges what was made, and never promotes.
    (release,) = workplace.store.find_runs(tags={"guardianflow.stage": "release"})
    assert release.status == "FINISHED"
    aliases = {alias for each in connect(workplace.tracking_uri).registry.list_models()
               for alias in each.aliases}  # fmt: skip
    assert aliases == {"candidate"}

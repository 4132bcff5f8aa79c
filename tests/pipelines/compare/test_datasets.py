"""One champion on the data of several sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from detectors_of_a_site import DATA, NAME, Make, sections, train_run
from inprocess import InProcessExecutor

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import StageResult
from pipelines.compare.kinds import runner_of, table_of
from pipelines.compare.ranked_table import SiteTable, Standing
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import RunOptions
from scenario import Scenario, build_scenario

BUSAN = "demo://ppe?images=120&size=96&seed=11"
ULSAN = "demo://ppe?images=120&size=96&seed=23"


def comparison(*datasets: Any) -> Scenario:
    return build_scenario(sections(comparison={"datasets": list(datasets)}))


def compare(executor: InProcessExecutor, scenario: Scenario, **options: Any) -> StageResult:
    runner = runner_of(
        scenario, RunOptions(**options), executor.settings, cast(LocalExecutor, executor)
    )
    return runner.run(lambda _: executor.ports)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_champion_is_judged_on_every_site(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    run = train_run(executor, make(0.0))
    executor.registry.register(run, make(0.0), NAME, alias="champion")
    scenario = comparison(
        {"name": "busan", "path": BUSAN},
        {"name": "home", "path": DATA},
        {"name": "울산", "path": ULSAN},
    )
    done = compare(executor, scenario)
    assert {request.stage for request in executor.requests} == {"infer"}
    assert {request.source for request in executor.requests} == {f"models:/{NAME}@champion"}
    table = cast(SiteTable, table_of(scenario, done.run_id, done.stages))
    rows = {row.variant: row for row in table.rows}
    # it knows its own site's pictures by heart, and no others
    assert (rows["home"].rank, rows["home"].standing) == (1, Standing.REFERENCE)
    for site in ("busan", "울산"):
        assert rows[site].standing == Standing.WORSE
        bounds = rows[site].delta_bounds
        assert bounds is not None
        assert bounds[0] <= cast(float, rows[site].delta) <= bounds[1] < 0
    names = {each.run_name for each in executor.store.find_runs() if each.parent_run_id}
    assert names == {"dataset-busan", "dataset-home", "dataset-울산"}
    child = executor.store.get_run(done.stages[0].run_id)
    assert child.tags["comparison.variable"] == "dataset"
    assert child.tags["comparison.value"] == "busan"
    assert child.metrics["det.mAP50"] == rows["busan"].mAP50
    parent = executor.store.get_run(done.run_id)
    assert parent.tags["source.model"] == f"models:/{NAME}@champion"
    assert parent.metrics["summary.울산.mAP50"] == rows["울산"].mAP50
    folder = executor.store.download(done.run_id, "report", tmp_path)
    told = (folder / "comparison.md").read_text("utf-8")
    assert "busan, 울산: worse than on home." in told or "울산, busan: worse than on home." in told
    assert (folder / "comparison.png").stat().st_size > 5000


def test_sites_that_can_not_be_judged_are_all_named_before_a_run_is_made(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    source = str(make(0.0).directory)
    with pytest.raises(ScenarioError) as caught:
        compare(
            executor,
            comparison(DATA, str(tmp_path / "gone.yaml"), "demo://nothing"),
            source=source,
        )
    said = str(caught.value)
    assert "gone.yaml" in said
    assert "dataset-nothing: there is no demo data set 'nothing'" in said
    assert executor.store.find_runs() == []


def test_without_a_champion_the_way_is_named(executor: InProcessExecutor) -> None:
    with pytest.raises(ScenarioError) as caught:
        home, busan = {"name": "home", "path": DATA}, {"name": "busan", "path": BUSAN}
        compare(executor, comparison(home, busan))
    assert NAME in str(caught.value).replace(".", "/")
    assert executor.store.find_runs() == []

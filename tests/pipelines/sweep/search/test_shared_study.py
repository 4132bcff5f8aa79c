"""Several machines ask one study in PostgreSQL: each trial is one machine's, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from team_servers import Postgres, postgres_cluster

from guardianflow.contracts.errors import AlreadyRunningError
from pipelines.sweep.search import storage
from pipelines.sweep.search import study as study_module
from pipelines.sweep.search.combinations import TrialState
from pipelines.sweep.search.objectives import Objective
from pipelines.sweep.search.storage import StudyPlace, alone
from pipelines.sweep.search.strategies import distribution_of, pruner_of, sampler_of
from pipelines.sweep.search.study import Rules, Study
from scenario.designs.trials import Trial, Value

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RATE, BATCH = "training.learning_rate", "training.batch_size"
SPACE = {RATE: tuple(0.001 * place for place in range(1, 7)), BATCH: (8, 16)}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_cluster() as cluster:
        yield cluster


def runs_of(index: int, params: Mapping[str, Value]) -> list[Trial]:
    return [Trial(index, f"s-{index:03d}", params)]


def machine(
    postgres: Postgres, work_dir: Path, name: str, strategy: str = "bayesian", most: int = 12
) -> Study:
    place = StudyPlace(work_dir, postgres.url("mlflow", password=True), name)
    rules = Rules(
        objectives=[Objective("det.mAP50")],
        space={path: distribution_of(values) for path, values in SPACE.items()},
        most=most,
        seed=7,
        pruner=pruner_of("asha", 9, 7),
        sampler=sampler_of(strategy, 12, 1),
        given=[{RATE: rate, BATCH: batch} for rate in SPACE[RATE] for batch in SPACE[BATCH]]
        if strategy == "grid"
        else [],
    )
    return Study(place.open(make=True), place.name, rules, runs_of, place.turn)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")  # filters are no thread's own
@pytest.mark.parametrize("strategy", ["grid", "random", "bayesian"])
def test_three_that_ask_at_once_never_get_the_same(
    postgres: Postgres, tmp_path: Path, strategy: str
) -> None:
    made: list[tuple[int, object]] = []
    failed: list[BaseException] = []

    studies = [machine(postgres, tmp_path / n, f"many-{strategy}", strategy) for n in "abc"]

    def work(study: Study) -> None:
        try:
            while (combination := study.next()) is not None:
                made.append((combination.index, tuple(combination.params.values())))
                (run,) = combination.runs
                run.state, run.values = TrialState.COMPLETE, (float(combination.params[RATE] or 0),)
                study.complete(combination)
        except BaseException as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work, args=(each,)) for each in studies]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert sorted(index for index, _ in made) == list(range(12))
    assert len({params for _, params in made}) == 12
    last = machine(postgres, tmp_path / "after", f"many-{strategy}", strategy)
    assert {each.state for each in last.combinations()} == {TrialState.COMPLETE}
    for study in (*studies, last):
        study.close()


def test_a_trial_goes_to_another_only_when_nobody_speaks_for_it(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "GRACE_S", 2)
    monkeypatch.setattr(storage, "BEAT_S", 1)
    first = machine(postgres, tmp_path / "a", "given-up")
    combination = first.next()
    assert combination is not None
    second = machine(postgres, tmp_path / "b", "given-up")
    assert [each.index for each in second.unfinished()] == [0]
    assert second.take_over() == []
    waited = threading.Event()
    for _ in range(5):
        waited.wait(1)
        first.beat([combination])
        assert second.take_over() == []
    waited.wait(4)  # the first machine has lost its power
    (taken,) = second.take_over()
    assert (taken.index, taken.params) == (0, combination.params)
    third = machine(postgres, tmp_path / "c", "given-up")
    assert third.take_over() == []
    for study in (first, second, third):
        study.close()


def test_a_stopped_training_is_gone_on_with_where_its_checkpoint_is(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (machine(postgres, tmp_path / n, "stopped", "grid", most=4) for n in "ab")

    def asks(study: Study, host: str) -> int:
        monkeypatch.setattr(study_module.socket, "gethostname", lambda: host)
        combination = study.next()
        assert combination is not None
        (run,) = combination.runs
        if run.epoch == 0:
            assert study.report(combination, 5, 0.9 - 0.1 * combination.index)
            run.epoch, run.state = 5, TrialState.PRUNED
            study.ended(combination)
        return combination.index

    assert [asks(first, "a") for _ in range(3)] == [0, 1, 2]
    assert asks(second, "b") == 3, "what the first one has begun it will go on with"
    assert asks(first, "a") == 0
    third, fourth = (machine(postgres, tmp_path / n, "gone", "grid", most=3) for n in "ab")
    assert [asks(third, "a") for _ in range(3)] == [0, 1, 2]
    assert asks(fourth, "b") == 0, "there is nothing else to do: it is trained anew"
    for study in (first, second, third, fourth):
        study.close()


def test_two_machines_are_not_at_sweeps_of_one_name_at_once(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.url("mlflow", password=True)
    with (
        alone(tmp_path / "a", url, "site", "ppe", url),
        pytest.raises(AlreadyRunningError, match=r"at work on another machine\. Take trials of it"),
        alone(tmp_path / "b", url, "site", "ppe", url),
    ):
        pass
    with alone(tmp_path / "b", url, "site", "ppe", url):
        pass

"""Only the best trials keep their weights, and nothing of other sweeps is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import RunRequest
from pipelines.stage.stage import FINGERPRINT_TAG
from pipelines.sweep.kept_weights import KeptWeights
from pipelines.sweep.search.combinations import Combination, TrialRun, TrialState
from pipelines.sweep.search.objectives import Objective
from pipelines.train.unfinished import TrainingState, Unfinished, all_unfinished
from pipelines.wiring import Ports, in_memory
from scenario.designs.trials import Trial

ACCURACY, LATENCY = Objective("det.mAP50"), Objective("sys.fps", "minimize")


@dataclass
class Place:
    folder: Path
    ports: Ports = field(default_factory=in_memory)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parent = self.ports.store.start_run(RunRequest("site", "sweep"))

    def weights(self, *objectives: Objective, most: int = 2) -> KeptWeights:
        chosen = objectives or (ACCURACY,)
        return KeptWeights(
            self.ports.store, self.parent, self.folder, chosen, most, self.told.append
        )

    def trial(self, index: int, *values: float, parent: str = "") -> Combination:
        """A trial that ended with these values, and its run with weights."""
        tags = {FINGERPRINT_TAG: f"print{index}"}
        request = RunRequest("site", f"s-{index:03d}", tags, parent_run_id=parent or self.parent)
        run_id = self.ports.store.start_run(request)
        file = self.folder / "best.pt"
        file.write_text("weights")
        self.ports.store.log_files(run_id, file, "weights")
        self.ports.store.log_files(run_id, file, "plots")
        run = TrialRun(Trial(index, f"s-{index:03d}"), TrialState.COMPLETE, run_id, 1, values)
        return Combination(index, index, {"training.epochs": index}, [run])

    def has(self, combination: Combination, folder: str = "weights") -> bool:
        run_id = combination.runs[0].run_id
        try:
            self.ports.store.download(run_id, folder, self.folder / "got" / run_id)
        except SourceError:
            return False
        return True


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_falls_behind_loses_its_weights_and_nothing_else(place: Place) -> None:
    trials = [place.trial(index, value) for index, value in enumerate((0.5, 0.9, 0.7, 0.6))]
    weights = place.weights()
    weights.keep_best(trials[:3])
    assert [place.has(each) for each in trials] == [False, True, True, True]
    weights.keep_best(trials)
    assert [place.has(each) for each in trials] == [False, True, True, False]
    assert all(place.has(each, "plots") for each in trials)
    assert place.told == []


def test_a_run_without_weights_stands_in_for_no_training_any_more(place: Place) -> None:
    trials = [place.trial(0, 0.5), place.trial(1, 0.6)]
    place.weights(most=1).keep_best(trials)
    store = place.ports.store
    tags = store.get_run(trials[0].runs[0].run_id).tags
    assert (tags[FINGERPRINT_TAG], tags["sweep.weights"]) == ("removed:print0", "removed")
    place.weights(most=1).keep_best(trials)  # by the process that goes on with the sweep
    assert store.get_run(trials[0].runs[0].run_id).tags[FINGERPRINT_TAG] == "removed:print0"
    assert store.get_run(trials[1].runs[0].run_id).tags[FINGERPRINT_TAG] == "print1"


def test_a_reused_run_of_another_sweep_keeps_its_weights(place: Place) -> None:
    other = place.ports.store.start_run(RunRequest("site", "another sweep"))
    trials = [place.trial(0, 0.5, parent=other), place.trial(1, 0.6)]
    weights = place.weights(most=1)
    weights.keep_best(trials)
    weights.note(trials[0].runs[0])
    assert place.has(trials[0])
    assert "sweep.state" not in place.ports.store.get_run(trials[0].runs[0].run_id).tags


def test_a_run_that_another_sweep_takes_for_its_own_trial_keeps_its_weights(place: Place) -> None:
    other = place.ports.store.start_run(RunRequest("site", "another sweep"))
    shared = place.trial(0, 0.5, parent=other)
    place.weights().note(shared.runs[0])
    theirs = KeptWeights(place.ports.store, other, place.folder, (ACCURACY,), 1, place.told.append)
    better = place.trial(1, 0.9, parent=other)
    theirs.keep_best([shared, better])
    assert place.has(shared)
    unused = place.trial(2, 0.4, parent=other)
    theirs.keep_best([shared, better, unused])
    assert not place.has(unused)


def test_of_two_objectives_the_whole_front_keeps_its_weights(place: Place) -> None:
    trials = [place.trial(0, 0.5, 5.0), place.trial(1, 0.7, 9.0), place.trial(2, 0.6, 9.5)]
    place.weights(ACCURACY, LATENCY, most=1).keep_best(trials)
    assert [place.has(each) for each in trials] == [True, True, False]


def test_a_pruned_training_leaves_nothing_to_go_on_with(place: Place) -> None:
    pruned, other = place.trial(0).runs[0], place.trial(1).runs[0]
    for name, run in (("a", pruned), ("b", other)):
        there = Unfinished.of(place.folder, name, "store", "site")
        there.begin(TrainingState(name, "store", "site", "s", {}, {}, "now", run_id=run.run_id))
    pruned.state, pruned.reason = TrialState.PRUNED, "pruned after epoch 1"
    place.weights().note(pruned)
    assert [state.run_id for _, state in all_unfinished(place.folder)] == [other.run_id]
    tags = place.ports.store.get_run(pruned.run_id).tags
    assert (tags["sweep.state"], tags["sweep.reason"]) == ("pruned", "pruned after epoch 1")
    assert not place.has(Combination(0, 0, {}, [pruned]))


def test_what_the_store_refuses_is_told_and_stops_nothing(place: Place) -> None:
    trials = [place.trial(0, 0.5), place.trial(1, 0.6)]
    trials[0].runs[0].run_id = "gone"
    place.weights(most=1).keep_best(trials)
    assert place.told[0].startswith("run gone can't be read")

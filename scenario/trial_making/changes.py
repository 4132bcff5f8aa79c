"""The scenario of one trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guardianflow.contracts.errors import Problem, ScenarioError

from ..designs.parameters import OPTIONS
from ..designs.trials import Trial, Value
from ..designs.tried import with_value
from ..schema import Scenario

MOST_SEED = 2**32


def scenario_of(scenario: Scenario, trial: Trial) -> Scenario:
    """What a trial runs: the scenario as a single one, with its changes and its seed.

    Of a comparison of data sets, the trial's whole entry is the dataset.

    Raises:
        ScenarioError: the changes contradict the rest of the scenario.
    """
    changed: dict[str, object] = dict(scenario.as_single().__dict__)
    for path, value in trial.changes.items():
        section, *inner = path.split(".")
        changed[section] = with_value(changed[section], inner, value) if inner else value
    if trial.variable == "dataset":
        changed["dataset"] = _dataset(scenario, trial.changes["dataset.path"])
    environment = changed["environment"]
    seed = environment["seed"] if isinstance(environment, dict) else scenario.environment.seed
    seed = (int(seed) + trial.repeat) % MOST_SEED
    changed["environment"] = with_value(environment, ["seed"], seed)
    made = Scenario(**changed)
    made._source_path = scenario.source_path
    return made


def _dataset(scenario: Scenario, path: Value) -> dict[str, object]:
    """The comparison's data set of this path; the split is the scenario's where it names none."""
    assert scenario.comparison is not None
    found = next(each for each in scenario.comparison.datasets if each.path == path)
    return {**dict(found), "split": found.split or scenario.dataset.split}


def checked(scenario: Scenario, trials: Iterable[Trial]) -> list[Trial]:
    """The trials, if each can be run.

    Raises:
        ScenarioError: names every trial that contradicts itself, and why.
    """
    made = list(trials)
    problems: list[Problem] = []
    seen: set[tuple[object, ...]] = set()
    for trial in made:
        key = tuple(trial.changes.items())
        if key in seen:  # another seed changes nothing
            continue
        seen.add(key)
        try:
            scenario_of(scenario, trial)
        except ScenarioError as error:
            where = f"{trial.name} ({told(trial.changes)})"
            problems += [Problem(each.message, where) for each in error.problems]
    if problems:
        raise ScenarioError(problems)
    return made


def to_check(trials: Iterable[Trial]) -> list[Trial]:
    """The first trial, and each with a value that none before it has and that the scenario's own
    rules can't judge: an architecture, a file, a backend, an option of the trainer.
    """
    found: list[Trial] = []
    seen: set[tuple[str, bool, Value]] = set()
    for trial in trials:
        values = {
            (path, isinstance(value, bool), value)
            for path, value in trial.changes.items()
            if isinstance(value, str) or path.startswith(f"{OPTIONS}.")
        }
        if not found or not values <= seen:
            found.append(trial)
        seen |= values
    return found


def told(changes: Mapping[str, Value]) -> str:
    """'training.learning_rate=0.001, training.batch_size=8'"""
    return ", ".join(f"{path}={shown_value(value)}" for path, value in changes.items())


def shown_value(value: Value) -> str:
    """A value as a file has it: true, 0.001, none."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def repeated(trials: Iterable[Trial], repeats: int) -> list[Trial]:
    """Each trial as often as it is repeated, numbered anew in their order.

    Returns:
        All first runs, then all second ones: whatever is stopped early has its parts alike.
    """
    once = list(trials)
    made: list[Trial] = []
    for repeat in range(repeats):
        for each in once:
            name = f"{each.name}-r{repeat + 1}" if repeats > 1 else each.name
            made.append(Trial(len(made), name, each.changes, each.variable, each.value, repeat))
    return made

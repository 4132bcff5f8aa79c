"""The trials of a comparison, in the order asked for."""

from __future__ import annotations

from collections.abc import Iterator

from ..designs.sections import ComparisonConfig, dataset_names
from ..designs.trials import Trial, Value
from ..naming import architecture_of_weights, file_name, version_reference
from ..schema import Scenario
from .changes import checked, repeated

SHORT_ID = 8


def comparison_trials(scenario: Scenario) -> list[Trial]:
    """One for each architecture, data set, run or version; architectures as often as repeated.

    Formats have none: what they need does not stand in `changes`; see comparison_variants.

    Raises:
        ScenarioError: names each that contradicts the scenario.
    """
    comparison = scenario.comparison
    assert comparison is not None
    once = [
        Trial(index, name, changes, comparison.variable, value)
        for index, (name, changes, value) in enumerate(_each(comparison))
    ]
    repeats = comparison.repeats if comparison.of == "architectures" else 1
    return checked(scenario, repeated(once, repeats))


def _each(comparison: ComparisonConfig) -> Iterator[tuple[str, dict[str, Value], str]]:
    """Name of the run, changes, and the value of the tag comparison.value."""
    for given in comparison.architectures:
        of_weights = architecture_of_weights(given)
        # The scenario's own weights are of one architecture, and none of another.
        changes: dict[str, Value] = {
            "model.architecture": of_weights or given,
            "model.weights_path": given if of_weights else None,
        }
        yield f"arch-{file_name(given)}", changes, file_name(given)
    names = dataset_names([(each.path, each.name) for each in comparison.datasets])
    for name, each in zip(names, comparison.datasets, strict=True):
        yield f"dataset-{name}", {"dataset.path": each.path}, name
    for run_id in comparison.run_ids:
        bare = run_id.removeprefix("runs:/")
        yield f"run-{bare[:SHORT_ID]}", {"source_run_id": bare}, bare
    for version in comparison.model_versions:
        reference = version_reference(version)
        bare = reference.removeprefix("models:/")
        yield f"model-{bare.replace('/', '-v')}", {"source_run_id": reference}, bare

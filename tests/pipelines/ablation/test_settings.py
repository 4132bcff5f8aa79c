"""Which trials differ in one component alone."""

from __future__ import annotations

from typing import Any

from detectors_of_a_site import sections

from pipelines.ablation.settings import changes_among, label_of
from scenario import Scenario, ablation_trials, build_scenario


def ablation(components: dict[str, Any], **more: Any) -> Scenario:
    return build_scenario(sections(ablation={"components": components, **more}))


def changes(scenario: Scenario) -> list[tuple[str, str, str]]:
    """Label of the change, and of the two trials."""
    assert scenario.ablation is not None
    trials = ablation_trials(scenario)
    labels = [label_of(each) for each in trials]
    found = changes_among(scenario.ablation, trials)
    return [(each.label, labels[each.changed], labels[each.kept]) for each in found]


def test_one_at_a_time_each_is_held_against_the_baseline() -> None:
    found = changes(
        ablation({"augmentation": [True, False], "optimizer": ["adamw", "sgd", "adam"]})
    )
    assert found == [
        ("augmentation=false", "augmentation=false", "baseline"),
        ("optimizer=sgd", "optimizer=sgd", "baseline"),
        ("optimizer=adam", "optimizer=adam", "baseline"),
    ]


def test_in_all_combinations_a_component_is_changed_once_for_each_setting_of_the_others() -> None:
    both = {"augmentation": [True, False], "training.batch_size": [16, 8]}
    found = changes(ablation(both, all_combinations=True))
    together = "augmentation=false,training.batch_size=8"
    assert sorted(found) == sorted(
        [
            ("augmentation=false", "augmentation=false", "baseline"),
            ("batch_size=8", "batch_size=8", "baseline"),
            ("augmentation=false", together, "batch_size=8"),
            ("batch_size=8", together, "augmentation=false"),
        ]
    )


def test_seeds_are_not_mixed_and_the_baseline_can_be_said() -> None:
    scenario = ablation(
        {"augmentation": [True, False]}, baseline={"augmentation": False}, repeats=2
    )
    assert changes(scenario) == [
        ("augmentation=true", "augmentation=true", "baseline"),
        ("augmentation=true", "augmentation=true r2", "baseline r2"),
    ]

"""Scenarios: what to run, checked and frozen, from a YAML file or from flags.

    naming.py     how experiments, runs and models are called
    fields/       kinds of value, each with the words that say what it must be
    sections.py   SiteConfig, TaskConfig, … one class a section
    designs/      sweeps, comparisons and ablations: their sections
    trial_making/  the trials of each
    groups.py     dataset.groups in all its spellings
    schema.py     Scenario and its three types, and what must agree across sections
    conflicts.py  what contradicts itself across fields and sections
    alarms.py     AlarmConfig: rules, recordings, how alarms are counted
    alarm_conflicts.py  what contradicts itself in them
    explain.py    pydantic's errors → our sentences, with "did you mean"
    yaml_tree.py  YAML → values with the place of each
    overrides.py  training.epochs=5
    spellings.py  other ways to write a field: flat keys, preprocess, site: NAME
    files.py      finding and reading the file
    loader.py     load_scenario, parse_scenario, build_scenario, dump_scenario

Nothing is loaded until a name is used, so `--help` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_HOMES = {
    "alarms": "AlarmConfig AlarmRuleParams HoldParams RecordingsParams",
    "loader": "build_scenario dump_scenario load_scenario parse_scenario",
    "naming": "to_display_name to_registered_name",
    "overrides": "parse_overrides",
    "schema": "BaseScenario InferenceBenchmarkScenario QuantizationScenario Scenario "
    "TrainingScenario",
    "designs.sections": "AblationConfig ComparisonConfig ComparisonVariant SweepConfig",
    "designs.trials": "Trial",
    "designs.values": "ParameterRange",
    "trial_making.ablations": "ablation_trials",
    "trial_making.changes": "scenario_of",
    "trial_making.comparisons": "comparison_trials",
    "trial_making.sweeps": "grid sweep_trials",
    "sections": "CameraParams DatasetConfig EnvironmentConfig InferenceBenchmarkParams ModelConfig "
    "NativeParams QatParams QuantizationParams ReleaseParams SearchParams SiteConfig SplitRatio "
    "TaskConfig TrainingParams",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_HOME_OF)

if TYPE_CHECKING:  # all that these modules define, of which `__all__` is the public part
    from .alarms import *  # noqa: F403
    from .designs.sections import *  # noqa: F403
    from .designs.trials import *  # noqa: F403
    from .designs.values import *  # noqa: F403
    from .loader import *  # noqa: F403
    from .naming import *  # noqa: F403
    from .overrides import *  # noqa: F403
    from .schema import *  # noqa: F403
    from .sections import *  # noqa: F403
    from .trial_making.ablations import *  # noqa: F403
    from .trial_making.changes import *  # noqa: F403
    from .trial_making.comparisons import *  # noqa: F403
    from .trial_making.sweeps import *  # noqa: F403
else:  # a checker that sees this would take any name for one of ours

    def __getattr__(name):
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)

    def __dir__():
        return sorted({*globals(), *__all__})

"""Scenarios: what to run, checked and frozen, from a YAML file or from flags.

    naming.py     how experiments, runs and models are called
    fields.py     kinds of value, each with the words that say what it must be
    sections.py   SiteConfig, TaskConfig, … one class a section
    schema.py     Scenario and its three types, and what must agree across sections
    conflicts.py  what contradicts itself across fields and sections
    explain.py    pydantic's errors → our sentences, with "did you mean"
    yaml_tree.py  YAML → values with the place of each
    overrides.py  training.epochs=5
    files.py      finding and reading the file
    loader.py     load_scenario, parse_scenario, build_scenario, dump_scenario

Nothing is loaded until a name is used, so `--help` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .loader import build_scenario, dump_scenario, load_scenario, parse_scenario
    from .naming import to_display_name, to_registered_name
    from .overrides import parse_overrides
    from .schema import (
        BaseScenario,
        InferenceBenchmarkScenario,
        QuantizationScenario,
        Scenario,
        TrainingScenario,
    )
    from .sections import (
        CameraParams,
        ComparisonConfig,
        ComparisonVariant,
        DatasetConfig,
        EnvironmentConfig,
        InferenceBenchmarkParams,
        ModelConfig,
        NativeParams,
        QatParams,
        QuantizationParams,
        ReleaseParams,
        SearchParams,
        SiteConfig,
        TaskConfig,
        TrainingParams,
    )

__all__ = [
    "BaseScenario",
    "CameraParams",
    "ComparisonConfig",
    "ComparisonVariant",
    "DatasetConfig",
    "EnvironmentConfig",
    "InferenceBenchmarkParams",
    "InferenceBenchmarkScenario",
    "ModelConfig",
    "NativeParams",
    "QatParams",
    "QuantizationParams",
    "QuantizationScenario",
    "ReleaseParams",
    "Scenario",
    "SearchParams",
    "SiteConfig",
    "TaskConfig",
    "TrainingParams",
    "TrainingScenario",
    "build_scenario",
    "dump_scenario",
    "load_scenario",
    "parse_overrides",
    "parse_scenario",
    "to_display_name",
    "to_registered_name",
]

_SECTIONS = tuple(n for n in __all__ if n.endswith(("Config", "Params", "Variant")))
_HOMES = {
    "build_scenario": "loader",
    "dump_scenario": "loader",
    "load_scenario": "loader",
    "parse_overrides": "overrides",
    "parse_scenario": "loader",
    "to_display_name": "naming",
    "to_registered_name": "naming",
}

if not TYPE_CHECKING:  # a checker that sees this would take any name for one of ours

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOMES.get(name) or ("sections" if name in _SECTIONS else "schema")
        return getattr(import_module(f".{home}", __name__), name)

    def __dir__():
        return sorted({*globals(), *__all__})

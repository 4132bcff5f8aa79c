"""The comparison that a scenario asks for: what runs it, and what its table is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardianflow.contracts.results import StageResult
from scenario import Scenario

from ..chain import Chain
from ..settings import Settings
from ..stage.executor import LocalExecutor
from ..stage.plan import RunOptions
from ..tables import VariantTable
from .architectures import ArchitectureComparison
from .comparison import Comparison
from .datasets import DatasetComparison, tabulate_sites
from .existing import ExistingComparison
from .ranked_comparison import tabulate_models
from .table import tabulate

FORMATS = "quantization_variants"
RUNNERS: Mapping[str, type[Chain]] = {
    FORMATS: Comparison,
    "architectures": ArchitectureComparison,
    "datasets": DatasetComparison,
    "run_ids": ExistingComparison,
    "model_versions": ExistingComparison,
}
"""Field of the comparison section that is filled → what runs it."""


def kind_of(scenario: Scenario) -> str:
    """The field that is filled; a scenario without any compares formats, and is told so."""
    section = scenario.comparison
    found = (each for each in RUNNERS if section is not None and getattr(section, each))
    return next(found, FORMATS)


def runner_of(
    scenario: Scenario, options: RunOptions, settings: Settings, executor: LocalExecutor
) -> Chain:
    """What runs the comparison of a scenario."""
    kind = kind_of(scenario)
    typed = scenario.as_type("quant") if kind == FORMATS else scenario
    return RUNNERS[kind](typed, options, settings, executor)


def table_of(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> VariantTable:
    """The table of a comparison's results."""
    kind = kind_of(scenario)
    if kind == FORMATS:
        return tabulate(scenario, run_id, results)
    return (tabulate_sites if kind == "datasets" else tabulate_models)(scenario, run_id, results)

"""The sections of designs: sweep, comparison, ablation. docs/scenario.md describes every field."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from guardianflow.contracts.backends import SOURCE

from .. import naming
from ..explain import KeyPath
from ..fields import values as kind
from ..sections import (
    DatasetConfig,
    NativeParams,
    Precision,
    QuantizationParams,
    Section,
)
from .components import OFF, component_path
from .metrics import Direction, metric_key, usual_direction
from .parameters import OPTIONS, resolve, value_problem
from .parameters import SECTIONS as PARAMETER_SECTIONS
from .trials import Value
from .values import Choices, ParameterRange, Scalar, Values

VARIANT_LIKE = "a mapping like {backend: openvino, precision: int8}"
DATASET_LIKE = "a mapping like {name: busan, path: data.yaml}"
USUAL_RUNS = 20
"""Combinations that random and bayesian try where `max_runs` says nothing, or all if fewer."""


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _british(value: object) -> object:
    return value.replace("imise", "imize") if isinstance(value, str) else value


def _by_path(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by their paths; a name that stands for nothing stays: `contradictions` says so.

    Raises:
        ValueError: two names stand for one field.
    """
    paths = _renamed(values, resolve)
    return {path: _as_fractions(path, given) for path, given in paths.items()}


def _as_fractions(path: str, values: Any) -> Any:
    """{low: 1, high: 2} of a field that takes 1.5 too are no whole numbers."""
    if not isinstance(values, ParameterRange) or not values.whole:
        return values
    start, _, option = path.rpartition(".")
    of_option = start == OPTIONS and option in OFF
    if start == OPTIONS and not of_option:
        return values  # the trainer alone knows
    if not of_option and value_problem(path, values.low + 0.5):
        return values
    given = {name: each if name == "log" or each is None else float(each) for name, each in values}
    return ParameterRange(**given)


def _renamed(values: Mapping[str, Any], path_of: Any) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    said: dict[str, str] = {}
    for name, value in values.items():
        try:
            path = path_of(name)
        except ValueError:
            path = name
        if path in renamed:
            raise ValueError(f"'{said[path]}' and '{name}' are the same; keep one")
        renamed[path], said[path] = value, name
    return renamed


def flat_names(values: object) -> object:
    """{training: {epochs: […]}}, as an override writes it, is {training.epochs: […]}."""
    if not isinstance(values, Mapping):
        return values
    return {name: given for _, name, given in names_in(values)}


def names_in(values: object) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Key path, dotted name and value of each parameter."""
    for name, value in values.items() if isinstance(values, Mapping) else ():
        if name in (*PARAMETER_SECTIONS, "options") and isinstance(value, Mapping):
            for place, inner, given in names_in(value):
                yield (name, *place), f"{name}.{inner}", given
        else:
            yield (name,), name, value


def _pruner(value: object) -> object:
    return {True: "asha", False: None}[value] if isinstance(value, bool) else value


Metric = Annotated[
    str,
    Field(strict=True),
    AfterValidator(kind.check_text),
    AfterValidator(metric_key),
    kind.Expected("the name of a metric like mAP50 or sys.inference_time_p50_ms"),
]
Metrics = Annotated[
    tuple[Metric, ...],
    BeforeValidator(kind.check_not_empty),
    BeforeValidator(_one_or_several),
    AfterValidator(kind.check_no_repeats),
    kind.Expected("a metric like mAP50, or several like [mAP50, latency]"),
]
OneDirection = Annotated[Direction, BeforeValidator(_british)]
Directions = Annotated[
    tuple[OneDirection, ...] | None,
    BeforeValidator(_one_or_several),
    kind.Expected("maximize or minimize, or a list of them, one for each metric"),
]
Pruning = Annotated[
    Literal["asha", "hyperband"] | None,
    BeforeValidator(_pruner),
    kind.Expected("true (which is asha), false, asha or hyperband"),
]
Parameters = Annotated[
    dict[str, Values],
    BeforeValidator(flat_names),
    AfterValidator(_by_path),
    kind.Expected("a mapping like {learning_rate: [0.001, 0.01]}"),
]
Components = Annotated[
    dict[str, Choices],
    BeforeValidator(flat_names),
    AfterValidator(partial(_renamed, path_of=component_path)),
    kind.Expected("a mapping like {augmentation: [true, false]}"),
]
Baseline = Annotated[
    dict[str, Scalar],
    BeforeValidator(flat_names),
    AfterValidator(partial(_renamed, path_of=component_path)),
    BeforeValidator(kind.null_is_empty),
    kind.Expected("a mapping of components to one value each like {augmentation: true}"),
]


class SweepConfig(Section):
    """Trials of one stage with different values of its parameters.

    Args:
        parameters: path, or a short name of it → values to try.
        strategy: every combination (`grid`), some by chance, or those that earlier trials
            make likely (`bayesian`).
        max_runs: combinations at most.
        metric: the number that decides; of several the trade-off is shown.
        direction: one for each metric; None as is usual for it.
        pruning: what ends trials that are behind after some epochs; None ends none.
        repeats: runs of each combination, with other seeds.
        parallel: trials at a time; None as many as the machine has room for.
        seed: of the search itself; None takes environment.seed.
        retries: how often a trial that crashed is run again.
        keep_weights: of this many best trials.
        fail_fast: the first trial that fails ends the sweep.
    """

    parameters: Parameters
    strategy: Literal["grid", "random", "bayesian"] = "grid"
    max_runs: kind.Positive | None = None
    metric: Metrics = ("det.mAP50",)
    direction: Directions = None
    pruning: Pruning = None
    repeats: kind.Positive = 1
    parallel: kind.Positive | None = None
    seed: kind.Seed | None = None
    retries: kind.NotNegative = 2
    keep_weights: kind.Positive = 3
    fail_fast: bool = Field(default=False, strict=True)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """One for each metric."""
        return self.direction or tuple(map(usual_direction, self.metric))

    @property
    def choices(self) -> dict[str, tuple[Value, ...]]:
        """Parameter → its values where they can be counted; () of a range without steps."""
        return {
            path: values.steps if isinstance(values, ParameterRange) else values
            for path, values in self.parameters.items()
        }

    @property
    def combinations(self) -> int | None:
        """How many there are; None where a range has no steps."""
        return math.prod(map(len, self.choices.values())) or None

    @property
    def planned_combinations(self) -> int:
        """How many are tried."""
        most = self.max_runs or (None if self.strategy == "grid" else USUAL_RUNS)
        known = [each for each in (most, self.combinations) if each is not None]
        return min(known)  # a grid has either, `contradictions` sees to it


class ComparisonVariant(Section):
    """One format to compare: a backend and a precision; 'native' is read as 'pytorch'.

    What is not set here is taken from `quantization`: see Scenario.comparison_variants.
    """

    backend: kind.ComparedBackend
    precision: Precision
    method: Literal["static", "dynamic", "qat"] | None = None
    calibration_size: kind.Positive | None = None
    calibration_method: Literal["entropy", "minmax", "percentile"] | None = None

    def resolved(self, quantization: Sequence[QuantizationParams]) -> QuantizationParams:
        """The format that is to be made for this variant.

        What it leaves open comes from the variant of `quantization` that has its backend and
        precision; where there is none, calibration comes from what its int8 variants agree on.
        """
        own = {name: value for name, value in self if value is not None}
        values: dict[str, Any] = {}
        for each in quantization:
            if (each.backend, each.precision) == (self.backend, self.precision):
                values = dict(each)
                break
        else:
            int8 = [each for each in quantization if each.precision == "int8"]
            for name in ("calibration_size", "calibration_method"):
                found = {getattr(each, name) for each in int8}
                if len(found) == 1:
                    values[name] = found.pop()
        if own.get("method", "static") != "static":
            values.pop("search", None)  # a search is for static recipes
        made = NativeParams if self.backend == SOURCE else QuantizationParams
        return made(**(values | own))


def dataset_names(datasets: Sequence[tuple[str, object]]) -> list[str]:
    """What people call each data set: its own name, else by its path: 'sites/busan/data.yaml' is
    'busan', 'demo://ppe?seed=3' is 'ppe'.

    Args:
        datasets: path and name of each.
    """
    return [str(name) if name else _name_by_path(path) for path, name in datasets]


def _name_by_path(path: str) -> str:
    parts = [part for part in re.split(r"[/\\]", path.partition("?")[0]) if part and part != "."]
    if len(parts) > 1 and parts[-1].endswith((".yaml", ".yml")):
        parts.pop()
    return parts[-1] if parts else path


def _architecture_or_weights(value: str) -> str:
    return (
        kind.check_text(value)
        if naming.architecture_of_weights(value)
        else kind.check_architecture(value)
    )


def _different_files(values: tuple[str, ...]) -> tuple[str, ...]:
    kind.check_no_repeats(tuple(map(naming.file_name, values)))  # they name the runs
    return values


def _dataset_by_path(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


Names = Annotated[
    tuple[kind.Text, ...],
    AfterValidator(kind.check_no_repeats),
    kind.Expected("a list of different names"),
]
ComparisonKind = Literal[
    "quantization_variants", "architectures", "datasets", "run_ids", "model_versions"
]
COMPARISONS: tuple[ComparisonKind, ...] = get_args(ComparisonKind)
VARIABLES: Mapping[str, str] = {
    "quantization_variants": "quantization",
    "architectures": "architecture",
    "datasets": "dataset",
    "run_ids": "run_id",
    "model_versions": "model_version",
}
"""Kind → the tag comparison.variable of its runs."""


class ComparisonConfig(Section):
    """What is set beside each other, one of: architectures, runs, versions, formats, data sets.

    Args:
        quantization_variants: formats of one model.
        architectures: each is trained, from scratch or from weights of that name.
        datasets: data of other sites, that one model is judged on.
        run_ids, model_versions: what there is; nothing is trained.
        metric, direction: the number that ranks; formats are ranked by speed within limits.
        max_drop_mAP50_95, max_drop_mAP50: what a format may lose to be called the best.
        repeats: trainings of each architecture, with other seeds.
        parallel: trainings at a time.
    """

    quantization_variants: Annotated[
        tuple[Annotated[ComparisonVariant, kind.Expected(VARIANT_LIKE)], ...],
        kind.Expected(f"a list, each {VARIANT_LIKE}"),
    ] = ()
    architectures: Annotated[
        tuple[
            Annotated[
                kind.Written,
                AfterValidator(_architecture_or_weights),
                kind.Expected("an architecture like yolo11n, or weights like yolo11n.pt"),
            ],
            ...,
        ],
        AfterValidator(_different_files),
        kind.Expected("a list of different architectures like [yolo11n, yolo11s]"),
    ] = ()
    datasets: Annotated[
        tuple[
            Annotated[
                DatasetConfig,
                BeforeValidator(_dataset_by_path),
                kind.Expected(f"a path, or {DATASET_LIKE}"),
            ],
            ...,
        ],
        kind.Expected(f"a list, each a path or {DATASET_LIKE}"),
    ] = ()
    run_ids: Names = ()
    model_versions: Names = ()
    metric: Metric = "det.mAP50"
    direction: OneDirection | None = None
    max_drop_mAP50_95: kind.Fraction = 0.01  # noqa: N815 - the field's own spelling
    max_drop_mAP50: kind.Fraction = 0.01  # noqa: N815
    repeats: kind.Positive = 1
    parallel: kind.Positive | None = None

    @model_validator(mode="before")
    @classmethod
    def _models_are_architectures(cls, values: object) -> object:
        if not isinstance(values, Mapping) or "models" not in values or "architectures" in values:
            return values
        renamed = {"models": "architectures"}
        return {renamed.get(name, name): value for name, value in values.items()}

    @property
    def of(self) -> ComparisonKind:
        """The one of its lists that is not empty."""
        return next(each for each in COMPARISONS if getattr(self, each))

    @property
    def variable(self) -> str:
        """Tag comparison.variable of its runs: 'architecture'."""
        return VARIABLES[self.of]

    @property
    def ranked_by(self) -> tuple[str, Direction]:
        """The metric and its direction."""
        return self.metric, self.direction or usual_direction(self.metric)


class AblationConfig(Section):
    """What each part of a training, or of a quantisation, is worth.

    Args:
        components: component → its values; see components.py.
        baseline: component → the value that the others are held against; left out, its first.
        all_combinations: every one of them, not one component at a time.
        metric, direction: the number by which an effect is told.
        repeats: runs of each, with other seeds.
        parallel: runs at a time.
    """

    components: Components
    baseline: Baseline = Field(default_factory=dict)
    all_combinations: bool = Field(default=False, strict=True)
    metric: Metric = "det.mAP50"
    direction: OneDirection | None = None
    repeats: kind.Positive = 1
    parallel: kind.Positive | None = None

    @property
    def whole_baseline(self) -> dict[str, Scalar]:
        """Every component's value in the baseline."""
        firsts = {name: values[0] for name, values in self.components.items()}
        return firsts | self.baseline

    @property
    def judged_by(self) -> tuple[str, Direction]:
        """The metric and its direction."""
        return self.metric, self.direction or usual_direction(self.metric)


SECTIONS: Mapping[str, type[Section]] = {
    "sweep": SweepConfig,
    "comparison": ComparisonConfig,
    "ablation": AblationConfig,
}
"""Design → its section, by its key in a scenario."""

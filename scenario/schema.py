"""A scenario: what to run, checked as a whole.

    BaseScenario                         name, site, task, model, dataset, environment, tags
    └── Scenario                         + training, benchmark, quantization: what one file holds
        ├── TrainingScenario             experiment_type 'train'
        ├── InferenceBenchmarkScenario   experiment_type 'infer'
        └── QuantizationScenario         experiment_type 'quant'

An entry point takes the class it needs with `Scenario.as_type`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)

from guardianflow.contracts.errors import Problem, ScenarioError

from . import naming
from .alarm_conflicts import Conflict
from .alarms import AlarmConfig
from .conflicts import conflicts, expand_variants
from .designs.contradictions import design_conflicts, implied_design, type_of_runs, undecided
from .designs.sections import SECTIONS as DESIGN_SECTIONS
from .designs.sections import AblationConfig, ComparisonConfig, ComparisonVariant, SweepConfig
from .fields import values as kind
from .sections import HOMES as SECTION_HOMES
from .sections import (
    DatasetConfig,
    EnvironmentConfig,
    InferenceBenchmarkParams,
    ModelConfig,
    QuantizationParams,
    ReleaseParams,
    Section,
    SiteConfig,
    TaskConfig,
    TrainingParams,
)

ExperimentType = Literal["train", "infer", "quant"]
Design = Literal["single", "sweep", "comparison", "ablation"]
EXPERIMENT_TYPES: tuple[ExperimentType, ...] = ("train", "infer", "quant")
ScenarioT = TypeVar("ScenarioT", bound="Scenario")

USES = {
    "train": ("model", "environment", "training"),
    "infer": ("model", "environment", "benchmark", "alarms"),
    "quant": ("model", "environment", "quantization", "benchmark", "alarms"),
    "release": ("environment", "benchmark", "release", "alarms"),
}
"""Which sections become parameters of a run. Quantising measures too, so it takes benchmark."""

EVERY_SECTION = ("model", "environment", "training", "quantization", "benchmark", "alarms")
HOMES: Mapping[str, Collection[str]] = {
    **SECTION_HOMES,
    **{key: tuple(section.model_fields) for key, section in DESIGN_SECTIONS.items()},
    "alarms": tuple(AlarmConfig.model_fields),
}
"""Where a key of a scenario may stand: '' is the top."""


Quantization = Annotated[
    Annotated[QuantizationParams, Tag(kind.ONE)]
    | Annotated[tuple[QuantizationParams, ...], Tag(kind.SEVERAL)],
    Discriminator(lambda value: kind.SEVERAL if isinstance(value, (list, tuple)) else kind.ONE),
    BeforeValidator(expand_variants),
    BeforeValidator(kind.null_is_empty),
    kind.Expected("a mapping, a list of mappings, or a mapping with a list of variants"),
]


class BaseScenario(Section):
    """The part that every kind of scenario has."""

    name: kind.NamePart
    version: kind.NamePart = "v1"
    experiment_type: ExperimentType | None = None
    design: Design = "single"
    site: SiteConfig
    task: TaskConfig
    model: ModelConfig
    dataset: DatasetConfig
    environment: EnvironmentConfig = Field(default_factory=EnvironmentConfig)
    source_run_id: kind.Text | None = None
    tags: kind.Tags = Field(default_factory=dict)

    _source_path: Path | None = PrivateAttr(default=None)

    _null_is_empty = field_validator(
        *("site", "task", "model", "dataset", "environment", "training", "benchmark"),
        mode="before",
        check_fields=False,  # some are a subclass's
    )(kind.null_is_empty)

    @model_validator(mode="before")
    @classmethod
    def _design_by_section(cls, values: object) -> object:
        """`sweep: {…}` alone makes it a sweep."""
        if not isinstance(values, Mapping) or values.get("design") is not None:
            return values
        return {**values, "design": implied_design(values)}

    @model_validator(mode="wrap")
    @classmethod
    def _says_which_is_run(cls, values: object, validate: ModelWrapValidatorHandler[Self]) -> Self:
        made = validate(values)  # whatever else is wrong is told too
        if isinstance(values, Mapping) and any(undecided(values)):
            raise ValueError("several designs")  # explain.py says which
        return made

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if any(self.contradictions(self.__dict__)):
            raise ValueError("sections contradict each other")  # explain.py says which
        return self

    @classmethod
    def contradictions(cls, values: Mapping[str, object]) -> Iterator[Conflict]:
        """Everything that contradicts itself in a file's own values, or in checked sections."""
        yield from conflicts(values)
        yield from design_conflicts(values)

    def __eq__(self, other: object) -> bool:
        """Same class, same content; where it was loaded from does not count."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # tags and options are mappings

    @property
    def source_path(self) -> Path | None:
        """The file it was loaded from, absolute; None when it was made of flags or in Python."""
        return self._source_path

    def get_experiment_name(self) -> str:
        """'donghwa-entec/busan-plant1/welding'"""
        return self.site.to_experiment_name()

    def get_run_name(self, experiment_type: str | None = None) -> str:
        """'ppe-yolo11l-train-v2'

        Args:
            experiment_type: the scenario's own when None; one of the two must be there.

        Raises:
            ScenarioError: neither is there.
        """
        chosen = experiment_type or self.experiment_type
        if chosen is None:
            raise ScenarioError(
                f"scenario '{self.name}' serves every experiment type: "
                "a run's name needs one of train, infer, quant"
            )
        return naming.run_name(self.task.type, self.model.network, chosen, self.version)

    def get_registered_model_name(self, variant: str = "fp32") -> str:
        """'donghwa-entec/busan-plant1/welding/ppe', or with '__openvino_int8' for a variant.

        Args:
            variant: '{backend}_{precision}'; 'fp32' is the trained detector itself.
        """
        return naming.model_name(self.get_experiment_name(), self.task.type, variant)

    def to_all_tags(self, experiment_type: str | None = None) -> dict[str, str]:
        """The tags of a run of this scenario; what is not set has no tag."""
        chosen = experiment_type or self.experiment_type
        own = {
            "exp.type": chosen,
            "exp.version": self.version,
            "exp.design": self.design,
            "scenario.name": self.name,
            "source.run_id": self.source_run_id,
        }
        sections = self.site.to_tags() | self.task.to_tags() | self.dataset.to_tags()
        return {k: v for k, v in own.items() if v is not None} | sections | self.tags

    def to_all_params(self, experiment_type: str | None = None) -> dict[str, str | int | float]:
        """The parameters of a run of this scenario, from the sections that its type uses.

        Several quantization variants give `quant.variants` and the fields they share.
        """
        chosen = experiment_type or self.experiment_type
        params: dict[str, str | int | float] = {}
        for name in USES.get(chosen or "", EVERY_SECTION):
            section = getattr(self, name, None)
            if isinstance(section, tuple):
                params |= _variant_params(section)
            elif section is not None:
                params |= section.to_params()
        return params

    def to_tags(self, experiment_type: str | None = None) -> dict[str, str]:
        """As to_all_tags."""
        return self.to_all_tags(experiment_type)

    def to_params(self, experiment_type: str | None = None) -> dict[str, str | int | float]:
        """As to_all_params."""
        return self.to_all_params(experiment_type)


class Scenario(BaseScenario):
    """All that one file can hold; each entry point takes the sections it needs."""

    training: TrainingParams = Field(default_factory=TrainingParams)
    benchmark: InferenceBenchmarkParams = Field(default_factory=InferenceBenchmarkParams)
    quantization: Quantization = Field(default_factory=QuantizationParams)
    sweep: SweepConfig | None = None
    comparison: ComparisonConfig | None = None
    ablation: AblationConfig | None = None
    release: ReleaseParams | None = None
    alarms: AlarmConfig | None = None

    @property
    def quantization_variants(self) -> tuple[QuantizationParams, ...]:
        """The formats to make, at least one, no two of the same backend and precision."""
        one_or_several = self.quantization
        return one_or_several if isinstance(one_or_several, tuple) else (one_or_several,)

    def with_backend(self, backend: str) -> Self:
        """This scenario with the quantization variants of one backend alone.

        Where it names none of that backend, its precisions are made with that backend.

        Raises:
            ScenarioError: there is no such backend.
        """
        variants = self.quantization_variants
        kept = [each for each in variants if each.backend == backend]
        others = {each.precision: dict(each) | {"backend": backend} for each in variants}
        chosen = kept or [QuantizationParams(**each) for each in others.values()]
        one_or_several = chosen[0] if len(chosen) == 1 else tuple(chosen)
        return self.model_copy(update={"quantization": one_or_several})

    @property
    def comparison_variants(self) -> tuple[QuantizationParams, ...]:
        """The formats that `comparison` names, with what it leaves open filled in; may be empty.

        A variant of backend 'pytorch' is a NativeParams.
        """
        named = self.comparison.quantization_variants if self.comparison else ()
        return tuple(each.resolved(self.quantization_variants) for each in named)

    def with_sweep(self, parameters: Mapping[str, object], **more: object) -> Self:
        """This scenario as a sweep.

        Args:
            parameters: path or short name → values: {"learning_rate": [0.001, 0.01]}.
            more: other fields of SweepConfig: strategy="bayesian", max_runs=20, metric="mAP50".

        Raises:
            ScenarioError: every parameter, value and field that can't be.
        """
        return self.with_design(sweep={"parameters": parameters, **more})

    def with_comparison(self, **what: object) -> Self:
        """This scenario as a comparison, of what is given: architectures=["yolo11n", "yolo11s"].

        Args:
            what: fields of ComparisonConfig; `models` means architectures.

        Raises:
            ScenarioError: nothing to compare, several kinds, or what can't be compared.
        """
        return self.with_design(comparison=what)

    def with_quant_comparison(
        self, variants: Sequence[ComparisonVariant | Mapping[str, object]], **limits: float
    ) -> Self:
        """This scenario as a comparison of formats.

        Args:
            variants: like {"backend": "openvino", "precision": "int8"}; 'native' is PyTorch.
            limits: max_drop_mAP50_95, max_drop_mAP50 of ComparisonConfig.

        Raises:
            ScenarioError: none given, one that can't be, or two of one backend and precision.
        """
        plain = [dict(v) if isinstance(v, ComparisonVariant) else v for v in variants]
        return self.with_comparison(quantization_variants=plain, **limits)

    def with_ablation(self, components: Mapping[str, object], **more: object) -> Self:
        """This scenario as an ablation: {"augmentation": [True, False]}.

        Args:
            more: other fields of AblationConfig: baseline={…}, repeats=3.

        Raises:
            ScenarioError: every component, value and field that can't be.
        """
        return self.with_design(ablation={"components": components, **more})

    def with_design(self, **section: Mapping[str, object]) -> Self:
        """This scenario with one section of a design, and no other."""
        ((design, _),) = section.items()
        others = dict.fromkeys(DESIGN_SECTIONS)
        return self._rebuilt(type(self), **{**others, **section, "design": design})

    def as_single(self) -> Scenario:
        """This scenario without its design and open to every type: for a stage of its own."""
        changes = {"design": "single", **dict.fromkeys(DESIGN_SECTIONS), "experiment_type": None}
        return self._rebuilt(Scenario, **changes)

    def _rebuilt(self, kind_of: type[ScenarioT], **changes: object) -> ScenarioT:
        made = kind_of(**(self.__dict__ | changes))
        made._source_path = self._source_path
        return made

    def as_type(self, experiment_type: ExperimentType) -> Scenario:
        """This scenario as the class that the entry point asks for.

        Raises:
            ScenarioError: it declares another type, or there is no such type.
        """
        problem = type_problem(self.experiment_type, experiment_type)
        runs = type_of_runs(self.__dict__)
        if not problem and runs not in (None, experiment_type):
            problem = (
                f"this {self.design} is for '{runs}' but '{experiment_type}' was asked of it; give "
                f"`-p design=single` to leave it out, or experiment_type: {experiment_type} if its "
                "runs are to be that"
            )
        if problem:
            raise ScenarioError(Problem(problem, str(self.source_path or "")))
        return self._rebuilt(SCENARIO_TYPES[experiment_type], experiment_type=experiment_type)


class TrainingScenario(Scenario):
    """A scenario to train from."""

    experiment_type: Literal["train"] = "train"


class InferenceBenchmarkScenario(Scenario):
    """A scenario to judge and time a detector."""

    experiment_type: Literal["infer"] = "infer"


class QuantizationScenario(Scenario):
    """A scenario to make smaller formats of a trained detector."""

    experiment_type: Literal["quant"] = "quant"


SCENARIO_TYPES: Mapping[str, type[Scenario]] = {
    "train": TrainingScenario,
    "infer": InferenceBenchmarkScenario,
    "quant": QuantizationScenario,
}


def type_problem(declared: object, asked: str) -> str:
    """The reason why a scenario of one type can't be taken as another; '' when it can."""
    if asked not in SCENARIO_TYPES:
        return f"experiment_type must be one of {', '.join(SCENARIO_TYPES)} but '{asked}' was asked"
    if declared == asked or not isinstance(declared, str) or declared not in SCENARIO_TYPES:
        return ""
    return (
        f"this scenario is for '{declared}' but '{asked}' was asked of it; take a scenario for "
        f"'{asked}', or remove experiment_type so that one file serves every type"
    )


def _variant_params(variants: tuple[QuantizationParams, ...]) -> dict[str, str | int | float]:
    flat = [variant.to_params() for variant in variants]
    shared = {k: v for k, v in flat[0].items() if all(each.get(k) == v for each in flat)}
    if len(variants) > 1:
        shared["quant.variants"] = ",".join(variant.variant for variant in variants)
    return shared

"""A scenario: what to run, checked as a whole.

    BaseScenario                         name, site, task, model, dataset, environment, tags
    └── Scenario                         + training, benchmark, quantization: what one file holds
        ├── TrainingScenario             experiment_type 'train'
        ├── InferenceBenchmarkScenario   experiment_type 'infer'
        └── QuantizationScenario         experiment_type 'quant'

An entry point takes the class it needs with `Scenario.as_type`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)

from guardianflow.contracts.backends import DEFAULT
from guardianflow.contracts.errors import Problem, ScenarioError

from . import fields as kind
from . import naming
from .comparisons import comparison_conflicts, resolve_variant
from .qat import qat_problem
from .releases import release_conflicts
from .sections import (
    ComparisonConfig,
    ComparisonVariant,
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
EXPERIMENT_TYPES: tuple[ExperimentType, ...] = ("train", "infer", "quant")
ScenarioT = TypeVar("ScenarioT", bound="Scenario")
Conflict = tuple[tuple[str | int, ...], str]

USES = {
    "train": ("model", "environment", "training"),
    "infer": ("model", "environment", "benchmark"),
    "quant": ("model", "environment", "quantization", "benchmark"),
    "release": ("environment", "benchmark", "release"),
}
"""Which sections become parameters of a run. Quantising measures too, so it takes benchmark."""

EVERY_SECTION = ("model", "environment", "training", "quantization", "benchmark")

# Marks in pydantic's location of an error, which explain.py takes out again.
ONE, SEVERAL = "<one>", "<several>"


def expand_variants(value: object) -> object:
    """`{shared keys, variants: [{…}, …]}` as a list of complete mappings; else the value itself.

    Raises:
        ValueError: a list, or `variants`, that does not hold at least one.
    """
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError("it is empty")
    if not isinstance(value, Mapping) or "variants" not in value:
        return value
    variants = value["variants"]
    if not isinstance(variants, (list, tuple)) or not variants:
        raise ValueError("variants must be a list of at least one like [{backend: onnx}]")
    shared = {key: item for key, item in value.items() if key != "variants"}
    return [shared | dict(each) if isinstance(each, Mapping) else each for each in variants]


def _one_or_several(value: object) -> str:
    return SEVERAL if isinstance(value, (list, tuple)) else ONE


Quantization = Annotated[
    Annotated[QuantizationParams, Tag(ONE)]
    | Annotated[tuple[QuantizationParams, ...], Tag(SEVERAL)],
    Discriminator(_one_or_several),
    BeforeValidator(expand_variants),
    BeforeValidator(kind.null_is_empty),
    kind.Expected("a mapping, a list of mappings, or a mapping with a list of variants"),
]


class BaseScenario(Section):
    """What every kind of scenario says."""

    name: kind.NamePart
    version: kind.NamePart = "v1"
    experiment_type: ExperimentType | None = None
    design: Literal["single", "comparison"] = "single"
    site: SiteConfig
    task: TaskConfig
    model: ModelConfig
    dataset: DatasetConfig
    environment: EnvironmentConfig = Field(default_factory=EnvironmentConfig)
    source_run_id: kind.Text | None = None
    tags: kind.Tags = Field(default_factory=dict)

    _source_path: Path | None = PrivateAttr(default=None)

    @field_validator("site", "task", "model", "dataset", "environment", mode="before")
    @classmethod
    def _null_is_empty(cls, value: object) -> object:
        return kind.null_is_empty(value)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if any(conflicts(self.__dict__)):
            raise ValueError("sections contradict each other")  # explain.py says which
        return self

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
        return naming.run_name(self.task.type, self.model.architecture, chosen, self.version)

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


class Scenario(BaseScenario):
    """All that one file can hold; each entry point takes the sections it needs."""

    training: TrainingParams = Field(default_factory=TrainingParams)
    benchmark: InferenceBenchmarkParams = Field(default_factory=InferenceBenchmarkParams)
    quantization: Quantization = Field(default_factory=QuantizationParams)
    comparison: ComparisonConfig | None = None
    release: ReleaseParams | None = None

    @field_validator("training", "benchmark", mode="before")
    @classmethod
    def _params_null_is_empty(cls, value: object) -> object:
        return kind.null_is_empty(value)

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
        return tuple(resolve_variant(each, self.quantization_variants) for each in named)

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
        comparison = ComparisonConfig(quantization_variants=plain, **limits)
        return self._rebuilt(type(self), design="comparison", comparison=comparison)

    def as_single(self) -> Scenario:
        """This scenario without its comparison and open to every type: for a stage of its own."""
        changes = {"design": "single", "comparison": None, "experiment_type": None}
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
    """Why a scenario that declares one type can't be taken as another; '' when it can."""
    if asked not in SCENARIO_TYPES:
        return f"experiment_type must be one of {', '.join(SCENARIO_TYPES)} but '{asked}' was asked"
    if declared == asked or not isinstance(declared, str) or declared not in SCENARIO_TYPES:
        return ""
    return (
        f"this scenario is for '{declared}' but '{asked}' was asked of it; take a scenario for "
        f"'{asked}', or remove experiment_type so that one file serves every type"
    )


def conflicts(values: Mapping[str, object]) -> Iterator[Conflict]:
    """What contradicts itself across fields: where it is, and a message.

    Reads what a file holds as well as checked sections, and passes over what has the wrong
    type: so contradictions are told together with wrong fields, not after they are mended.
    """
    classes = _look(values.get("task"), "classes")
    number = _look(values.get("model"), "num_classes")
    counted = isinstance(number, int) and not isinstance(number, bool)
    named = len(classes) if isinstance(classes, (list, tuple)) else 0
    if counted and named and number != named:
        message = f"model.num_classes is {number} but task.classes names {named}"
        yield ("model", "num_classes"), message
    yield from _repeated_variants(values.get("quantization"))
    yield from _impossible_int8(values.get("quantization"))
    yield from comparison_conflicts(values)
    yield from release_conflicts(values)
    benchmark = values.get("benchmark")
    if _look(benchmark, "use_tracking") is True and _look(benchmark, "sequences") in (None, (), []):
        message = (
            "benchmark.use_tracking is true but benchmark.sequences names none; write "
            "sequences: [DIRECTORY] with sequences in MOTChallenge's layout, or [demo://crossing]"
        )
        yield ("benchmark", "use_tracking"), message


def _repeated_variants(quantization: object) -> Iterator[Conflict]:
    try:
        variants = expand_variants(quantization)
    except ValueError:
        return
    seen: dict[tuple[str, str], int] = {}
    for index, variant in enumerate(variants if isinstance(variants, (list, tuple)) else ()):
        backend = _look(variant, "backend", DEFAULT)
        precision = _look(variant, "precision", "int8")
        if not isinstance(backend, str) or not isinstance(precision, str):
            continue
        first = seen.setdefault((backend, precision), index)
        if first != index:
            message = (
                f"quantization variants {first} and {index} are both {backend} {precision}, "
                "and would have the same name; keep one"
            )
            yield ("quantization", index), message


def _impossible_int8(quantization: object) -> Iterator[Conflict]:
    try:
        variants = expand_variants(quantization)
    except ValueError:
        return
    several = isinstance(variants, (list, tuple))
    for index, variant in enumerate(
        variants if isinstance(variants, (list, tuple)) else [variants]
    ):
        place: tuple[str | int, ...] = ("quantization", index) if several else ("quantization",)
        if problem := qat_problem(variant):
            yield place, problem
        if _look(variant, "search") is None:
            continue
        made = (
            _look(variant, "backend", DEFAULT),
            _look(variant, "precision", "int8"),
            _look(variant, "method", "static"),
        )
        if made[0] not in kind.SEARCHABLE or made[1:] != ("int8", "static"):
            message = (
                "quantization.search looks for an int8 static recipe of "
                f"{' or '.join(kind.SEARCHABLE)}, but this is {made[0]} {made[1]} {made[2]}; "
                "leave search out here"
            )
            yield ("quantization", index) if several else ("quantization", "search"), message


def _look(section: object, name: str, default: object = None) -> object:
    if isinstance(section, Mapping):
        return section.get(name, default)
    return getattr(section, name, default)


def _variant_params(variants: tuple[QuantizationParams, ...]) -> dict[str, str | int | float]:
    flat = [variant.to_params() for variant in variants]
    shared = {k: v for k, v in flat[0].items() if all(each.get(k) == v for each in flat)}
    if len(variants) > 1:
        shared["quant.variants"] = ",".join(variant.variant for variant in variants)
    return shared

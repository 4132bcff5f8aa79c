"""What a design can vary: fields of a scenario, each by its path or by a short name of it.

resolve('lr')                        → 'training.learning_rate'
resolve('options.mosaic')            → 'training.options.mosaic'
value_problem('training.epochs', 0)  → 'training.epochs must be a whole number ≥ 1 but got 0'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import get_origin

from pydantic import BaseModel, ValidationError

from guardianflow.support.suggestions import did_you_mean

from ..explain import arms_of, explain
from ..sections import (
    EnvironmentConfig,
    InferenceBenchmarkParams,
    ModelConfig,
    QuantizationParams,
    TrainingParams,
)
from ..spellings import AUGMENTATIONS, OTHER_NAMES

SECTIONS: Mapping[str, type[BaseModel]] = {
    "training": TrainingParams,
    "model": ModelConfig,
    "environment": EnvironmentConfig,
    "quantization": QuantizationParams,
    "benchmark": InferenceBenchmarkParams,
}
"""Those whose fields can be varied; a field's bare name means that of the first that has it."""
OPTIONS = "training.options"
FIXED: Mapping[str, str] = {
    "environment.precision": "it is only noted with a run; of a format write "
    "quantization.precision",
    "model.num_classes": "it is only a check of task.classes",
    "benchmark.sequences": "runs would be judged on different pictures",
    "training.options": "name one of them: options.mosaic",
}
"""Fields of these sections that can't be varied, and why."""
NOT_VARIED: Mapping[str, str] = {
    "dataset": "runs would be judged on different images; a model is compared on several data sets "
    "with comparison: {datasets: […]}",
    **dict.fromkeys(
        ("name", "version", "experiment_type", "design", "site", "task", "tags", "source_run_id"),
        "it says what is run, not how",
    ),
    **dict.fromkeys(
        ("release", "alarms", "sweep", "comparison", "ablation"),
        "only fields of training, model, environment, quantization and benchmark can be varied",
    ),
}
OTHER_SHORT_NAMES: Mapping[str, str] = {
    "lr": "training.learning_rate",
    "lr0": "training.learning_rate",
    "batch": "training.batch_size",
    "patience": "training.early_stopping",
    "imgsz": "model.input_size",
    "image_size": "model.input_size",
    "model": "model.architecture",
    "weights": "model.weights_path",
    "conf": "benchmark.conf_threshold",
    "iou": "benchmark.iou_threshold",
}
_REQUIRED = {"model": {"architecture": "yolo11n"}}
"""What a section needs before one of its fields can be tried."""


def resolve(name: str) -> str:
    """The path of what a name stands for.

    Raises:
        ValueError: it stands for nothing that can be varied; the reason, with names that are near.
    """
    start, _, rest = name.partition(".")
    if start == "options" and rest:
        return f"{OPTIONS}.{rest}"
    path = short_names().get(name, name)
    if path in FIXED:
        raise ValueError(f"'{name}' can't be varied: {FIXED[path]}")
    if path in paths() or path.startswith(f"{OPTIONS}."):
        return path
    if start in NOT_VARIED:
        raise ValueError(f"'{name}' can't be varied: {NOT_VARIED[start]}")
    known = paths() if rest else (*short_names(), *paths())
    hint = did_you_mean(name, known) or (
        f"; '{start}' has {', '.join(_fields_of(start))}"
        if rest and start in SECTIONS
        else "; write a field like learning_rate, or the trainer's own option as options.NAME"
    )
    raise ValueError(f"unknown parameter '{name}'{hint}")


@cache
def paths() -> tuple[str, ...]:
    """Every path that can be varied, but for the trainer's own options."""
    found = (path for key, section in SECTIONS.items() for path in _paths_below(key, section))
    return tuple(path for path in found if path not in FIXED)


@cache
def short_names() -> Mapping[str, str]:
    """Short name → path."""
    names = {path.rpartition(".")[2]: path for path in reversed(paths()) if path.count(".") == 1}
    options = {each: f"{OPTIONS}.{each}" for each in AUGMENTATIONS}
    options |= {each: f"{OPTIONS}.{plain}" for each, plain in OTHER_NAMES.items()}
    return {**options, **names, **OTHER_SHORT_NAMES}


def value_problem(path: str, value: object) -> str:
    """The reason why a field can't have a value; '' where it can."""
    start, *inner = path.split(".")
    section = SECTIONS[start]
    values: dict[str, object] = dict(_REQUIRED.get(start, {}))
    holder = values
    for part in inner[:-1]:
        holder[part] = {}
        holder = holder[part]  # type: ignore[assignment]  # the mapping just made
    holder[inner[-1]] = value
    try:
        section.model_validate(values)
    except ValidationError as error:
        found = explain(section, error, values, {})
        return "; ".join(f"{start}.{each.message}" for each in found)
    return ""


def _fields_of(start: str) -> list[str]:
    return [path.partition(".")[2] for path in paths() if path.startswith(f"{start}.")]


def _paths_below(prefix: str, section: type[BaseModel]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        path = f"{prefix}.{field.alias or name}"
        inner = _section_in(field.annotation)
        if inner is not None:
            yield from _paths_below(path, inner)
        elif _is_scalar(field.annotation):
            yield path


def _section_in(annotation: object) -> type[BaseModel] | None:
    """The section that a field holds, if it holds one."""
    found = [each for each in arms_of(annotation) if isinstance(each, type)]
    return next((each for each in found if issubclass(each, BaseModel)), None)


def _is_scalar(annotation: object) -> bool:
    """Whether a field holds one value, no list or mapping; lists can't be told from choices."""
    return not any(get_origin(each) in (tuple, dict, list) for each in arms_of(annotation))

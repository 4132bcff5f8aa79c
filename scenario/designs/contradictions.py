"""What contradicts itself in a design, or between it and the rest of the scenario.

Reads what a file holds as well as checked sections, as `scenario.conflicts` does, and passes over
what has the wrong type.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import ValidationError

from ..alarm_conflicts import Conflict, look
from ..explain import shown
from .components import PRETRAINED, component_path
from .metrics import metric_key
from .parameters import resolve
from .sections import COMPARISONS, SECTIONS, ComparisonKind, dataset_names, flat_names
from .tried import USED_BY, path_or_name, unused, values_problems
from .values import ParameterRange, same

MOST_COMBINATIONS = 1_000
"""Beyond it a grid wants `max_runs`: nobody means a million runs."""
TYPE_OF_COMPARISON: Mapping[ComparisonKind, Literal["train", "infer", "quant"]] = {
    "quantization_variants": "quant",
    "architectures": "train",
    "datasets": "infer",
    "run_ids": "infer",
    "model_versions": "infer",
}
_WORK = {
    "quantization_variants": "makes each format",
    "architectures": "trains each of them",
    "datasets": "judges one model on each of them",
    "run_ids": "judges what they have made",
    "model_versions": "judges each of them",
}
_WHAT_TO_WRITE = {
    "sweep": "sweep: {parameters: {learning_rate: [0.001, 0.01]}}, or give `guardianflow sweep` "
    "-p 'learning_rate=[0.001,0.01]'",
    "comparison": "comparison: {quantization_variants: [{backend: openvino, precision: int8}]}, "
    "or architectures, datasets, run_ids or model_versions",
    "ablation": "ablation: {components: {augmentation: [true, false]}}",
}


def implied_design(values: Mapping[str, object]) -> object:
    """The design that a scenario says, else that of the one section it has, else 'single'."""
    said = values.get("design")
    if said is not None:
        return said
    there = _sections_in(values)
    return there[0] if len(there) == 1 else "single"


def type_of_runs(values: Mapping[str, object]) -> str | None:
    """The type that the runs of a design are of; None of a single scenario."""
    design = values.get("design")
    if design in ("sweep", "ablation"):
        return stage_of_design(values)
    comparison = values.get("comparison") if design == "comparison" else None
    named = (kind for kind in COMPARISONS if look(comparison, kind))
    return next((TYPE_OF_COMPARISON[kind] for kind in named), None)


def undecided(values: Mapping[str, object]) -> Iterator[Conflict]:
    """Sections of several designs, and no word about which is run."""
    there = _sections_in(values)
    if values.get("design") is None and len(there) > 1:
        yield (
            (there[1],),
            f"the scenario has the sections {' and '.join(there)}; keep one of them, or write "
            f"which is run: design: {there[0]}",
        )


def _sections_in(values: Mapping[str, object]) -> list[str]:
    return [name for name in SECTIONS if values.get(name) is not None]


def design_conflicts(values: Mapping[str, object]) -> Iterator[Conflict]:
    """Everything that contradicts itself in a scenario's designs."""
    yield from undecided(values)
    there = _sections_in(values)
    design = values.get("design")
    if design in ("sweep", "ablation") and design not in there:
        message = f"design is {design}, but there is no section {design}"
        yield ("design",), f"{message}; write {_WHAT_TO_WRITE[str(design)]}"
    chosen = implied_design(values)
    yield from _of_sweep(values, chosen)
    yield from _of_comparison(values, chosen)
    yield from _of_ablation(values, chosen)


# --- section by section -------------------------------------------------------------------------


def _of_sweep(values: Mapping[str, object], chosen: object) -> Iterator[Conflict]:
    sweep = values.get("sweep")
    if sweep is None:
        return
    parameters = flat_names(look(sweep, "parameters"))
    if isinstance(parameters, Mapping) and not parameters:
        message = "sweep.parameters names nothing to try; write {learning_rate: [0.001, 0.01]}"
        yield ("sweep", "parameters"), message
    stage = stage_of_design(values)
    for name, tried in parameters.items() if isinstance(parameters, Mapping) else ():
        place = ("sweep", "parameters", str(name))
        yield from values_problems(values, place, resolve, name, tried)
        if chosen == "sweep":
            yield from unused(place, resolve, name, stage)
    if isinstance(parameters, Mapping):
        yield from _of_number(sweep, parameters)
    metric, direction = _listed(look(sweep, "metric")), _listed(look(sweep, "direction"))
    if direction and len(direction) != len(metric or [""]):
        yield (
            ("sweep", "direction"),
            f"sweep.direction has {len(direction)} but sweep.metric has {len(metric or [''])}; "
            "write one for each metric, or leave direction out",
        )
    if look(sweep, "pruning") and chosen == "sweep":
        if stage != "train":
            message = f"sweep.pruning looks at epochs, but {stage} has none; leave it out"
            yield ("sweep", "pruning"), message
        elif len(metric) > 1:
            message = "sweep.pruning needs one metric that decides; name one, or leave pruning out"
            yield ("sweep", "pruning"), message
        elif (key := _key(metric)) is not None and not key.startswith("det."):
            yield (
                ("sweep", "pruning"),
                f"sweep.pruning looks at epochs, which don't report {key}; take a metric of "
                "accuracy like mAP50, or leave pruning out",
            )
    if chosen == "sweep":
        yield from _one_format(values, "sweep", stage)


def _of_number(sweep: object, parameters: Mapping[object, object]) -> Iterator[Conflict]:
    """A grid's combinations, which must be countable and not too many."""
    strategy = look(sweep, "strategy", "grid")
    if look(sweep, "max_runs") is not None and strategy != "grid":
        return
    total = 1
    for name, tried in parameters.items():
        count = _count(tried)
        if count is None and strategy == "grid":
            yield (
                ("sweep", "parameters", str(name)),
                f"sweep.parameters.{name} is a range, but a grid tries every value; give it a "
                "step, write a list, or take strategy: random or bayesian",
            )
        total *= 1 if count is None else count
    if strategy == "grid" and total > MOST_COMBINATIONS and look(sweep, "max_runs") is None:
        yield (
            ("sweep", "parameters"),
            f"sweep.parameters has {total:,} combinations; write max_runs to say how many of them "
            f"are run (it is needed from {MOST_COMBINATIONS + 1:,} on), or take strategy: bayesian",
        )


def _of_comparison(values: Mapping[str, object], chosen: object) -> Iterator[Conflict]:
    comparison = values.get("comparison")
    if isinstance(comparison, Mapping) and "models" in comparison:
        comparison = {"architectures": comparison["models"], **comparison}
    named = [name for name in COMPARISONS if look(comparison, name) not in (None, [], ())]
    if not named and (comparison is not None or values.get("design") == "comparison"):
        yield (
            ("comparison",),
            f"the comparison names nothing to compare; write {_WHAT_TO_WRITE['comparison']}; or "
            "give --quant-variants, --architectures, --datasets, --run-ids or --model-versions",
        )
    if len(named) > 1:
        message = f"the comparison names {' and '.join(named)}; keep one of them"
        yield ("comparison", named[1]), message
    if len(named) != 1:
        return
    (kind,) = named
    declared, needed = values.get("experiment_type"), TYPE_OF_COMPARISON[kind]
    if chosen == "comparison" and isinstance(declared, str) and declared != needed:
        yield (
            ("experiment_type",),
            f"experiment_type is {declared}, but a comparison of {kind} {_WORK[kind]}, which is "
            f"{needed}'s work; write experiment_type: {needed}, or leave it out",
        )
    items = look(comparison, kind)
    if kind != "quantization_variants" and isinstance(items, (list, tuple)) and len(items) < 2:
        yield (
            ("comparison", kind),
            f"comparison.{kind} names one alone; name at least two to compare",
        )
    if kind == "datasets" and isinstance(items, (list, tuple)):
        yield from _repeated_data(items)
    if kind == "model_versions" and isinstance(items, (list, tuple)):
        for index, each in enumerate(items):
            if isinstance(each, str) and not _is_version(each):
                yield (
                    ("comparison", kind, index),
                    f"comparison.model_versions.{index} must be a version like NAME/3 or "
                    f"NAME@champion but got {shown(each)}",
                )


def _repeated_data(items: list[object] | tuple[object, ...]) -> Iterator[Conflict]:
    """Data sets that have the path or the name of an earlier one."""
    paths: list[object] = [each if isinstance(each, str) else look(each, "path") for each in items]
    names: list[object] = [
        *dataset_names(
            [(str(path), look(each, "name")) for path, each in zip(paths, items, strict=True)]
        )
    ]
    for what, found, cure in (("path", paths, ""), ("name", names, ", or give each a name")):
        for index, each in enumerate(found):
            if each is not None and each in found[:index]:
                yield (
                    ("comparison", "datasets", index),
                    f"comparison.datasets {found.index(each)} and {index} have the same {what}, "
                    f"{shown(each)}; keep one{cure}",
                )
                return


def _of_ablation(values: Mapping[str, object], chosen: object) -> Iterator[Conflict]:
    ablation = values.get("ablation")
    if ablation is None:
        return
    stage = stage_of_design(values)
    if chosen == "ablation" and stage == "infer":
        yield (
            ("experiment_type",),
            "an ablation shows what a part of training or quantising is worth, but infer makes "
            "nothing; try settings of benchmark with a sweep",
        )
    components = flat_names(look(ablation, "components"))
    if isinstance(components, Mapping) and not components:
        message = "ablation.components names nothing; write {augmentation: [true, false]}"
        yield ("ablation", "components"), message
    if not isinstance(components, Mapping):
        return
    for name, tried in components.items():
        place = ("ablation", "components", str(name))
        yield from values_problems(values, place, component_path, name, tried)
        if isinstance(tried, (list, tuple)) and len(tried) == 1:
            yield place, f"ablation.components.{name} has one value; give at least two"
        if chosen == "ablation" and stage != "infer":
            yield from unused(place, component_path, name, stage)
    weights = look(values.get("model"), "weights_path")
    wanted = any(each is True for each in _listed(components.get(PRETRAINED)))
    if chosen == "ablation" and wanted and weights is None:
        yield (
            ("ablation", "components", PRETRAINED),
            "ablation.components.pretrained: true means model.weights_path, which is not there; "
            "write it, or name the weights here: pretrained: [weights.pt, false]",
        )
    paths = {path_or_name(component_path, name): tried for name, tried in components.items()}
    baseline = flat_names(look(ablation, "baseline"))
    for name, value in baseline.items() if isinstance(baseline, Mapping) else ():
        tried = paths.get(path_or_name(component_path, name))
        at = ("ablation", "baseline", str(name))
        if tried is None:
            known = ", ".join(map(str, components))
            yield at, f"ablation.baseline names '{name}', but ablation.components has {known}"
        elif isinstance(tried, (list, tuple)) and not any(same(value, each) for each in tried):
            yield (
                at,
                f"ablation.baseline.{name} must be one of {shown(tried)} but got {shown(value)}",
            )
    if chosen == "ablation":
        yield from _one_format(values, "ablation", stage)
        listed = (each for each in components.values() if isinstance(each, (list, tuple)))
        total = math.prod(map(len, listed))
        if look(ablation, "all_combinations") is True and total > MOST_COMBINATIONS:
            message = f"ablation.components has {total:,} combinations; leave all_combinations out"
            yield ("ablation", "all_combinations"), message


def _one_format(values: Mapping[str, object], design: str, stage: str) -> Iterator[Conflict]:
    quantization = values.get("quantization")
    variants = look(quantization, "variants") if isinstance(quantization, Mapping) else quantization
    if stage == "quant" and isinstance(variants, (list, tuple)) and len(variants) > 1:
        yield (
            ("quantization",),
            f"a {design} of quant makes one format in each run, but quantization names "
            f"{len(variants)}; keep one, and vary quantization.backend or quantization.precision",
        )


# --- small things -------------------------------------------------------------------------------


def stage_of_design(values: Mapping[str, object]) -> str:
    """The type of the runs of a sweep or an ablation: the scenario's own, else train."""
    declared = values.get("experiment_type")
    return declared if isinstance(declared, str) and declared in USED_BY else "train"


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _key(metrics: list[object]) -> str | None:
    """The key of the first metric; that of mAP50 where none is named."""
    try:
        return metric_key(str(metrics[0])) if metrics else "det.mAP50"
    except ValueError:
        return None


def _count(tried: object) -> int | None:
    """How many values there are; None where they can't be counted."""
    if isinstance(tried, (list, tuple)):
        return len(tried)
    if isinstance(tried, Mapping):
        try:
            tried = ParameterRange.model_validate(dict(tried))
        except ValidationError:
            return 1  # told as that
    return len(tried.steps) or None if isinstance(tried, ParameterRange) else 1


def _is_version(text: str) -> bool:
    name, mark, version = text.removeprefix("models:/").rpartition("@" if "@" in text else "/")
    return bool(name and version) and (mark == "@" or version.isdecimal())

"""A scenario's comparison: what contradicts itself there, and which formats it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardianflow.contracts.backends import SOURCE

from .fields import by_its_name
from .sections import ComparisonVariant, NativeParams, QuantizationParams

LATER_KINDS = ("architectures", "run_ids", "model_versions", "datasets")
"""Kinds of comparison that a user may know from the documentation of a later version."""

SHARED = ("calibration_size", "calibration_method")


def comparison_conflicts(
    values: Mapping[str, object],
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where, and what: of a file's own values as well as of checked sections."""
    comparison = values.get("comparison")
    variants = _look(comparison, "quantization_variants")
    named = isinstance(variants, (list, tuple)) and bool(variants)
    nothing = variants is None or variants in ([], ())
    later = isinstance(comparison, Mapping) and not comparison.keys().isdisjoint(LATER_KINDS)
    wanted = values.get("design") == "comparison" or comparison is not None
    if nothing and wanted and not later:  # a kind that is not there yet is told as that alone
        yield (
            ("comparison",),
            "the comparison names nothing to compare; write comparison: {quantization_variants: "
            "[{backend: openvino, precision: int8}]}, or give --quant-variants",
        )
    seen: dict[tuple[object, object], int] = {}
    for index, variant in enumerate(variants if named else ()):  # type: ignore[arg-type, var-annotated]
        backend, precision = _look(variant, "backend"), _look(variant, "precision")
        if not isinstance(backend, str) or not isinstance(precision, str):
            continue
        key = (by_its_name(backend), precision)
        first = seen.setdefault(key, index)
        if first != index:
            message = (
                f"comparison variants {first} and {index} are both {key[0]} {key[1]}, and would "
                "have the same name; keep one"
            )
            yield ("comparison", "quantization_variants", index), message


def resolve_variant(
    variant: ComparisonVariant, quantization: Sequence[QuantizationParams]
) -> QuantizationParams:
    """What is to be made for one variant of a comparison.

    What the variant leaves open comes from the variant of `quantization` that has its backend and
    precision; where there is none, calibration comes from what its int8 variants agree on.
    """
    own = {name: value for name, value in variant if value is not None}
    values: dict[str, Any] = {}
    for each in quantization:
        if (each.backend, each.precision) == (variant.backend, variant.precision):
            values = dict(each)
            break
    else:
        int8 = [each for each in quantization if each.precision == "int8"]
        for name in SHARED:
            found = {getattr(each, name) for each in int8}
            if len(found) == 1:
                values[name] = found.pop()
    if own.get("method", "static") != "static":
        values.pop("search", None)  # a search is for static recipes
    made = NativeParams if variant.backend == SOURCE else QuantizationParams
    return made(**(values | own))


def _look(section: object, name: str) -> object:
    if isinstance(section, Mapping):
        return section.get(name)
    return getattr(section, name, None)

"""Quantisation-aware training (QAT) in a scenario: what contradicts itself there."""

from __future__ import annotations

from collections.abc import Mapping

from guardianflow.contracts.backends import DEFAULT

from .fields import TRAINABLE


def qat_problem(variant: object) -> str:
    """Names what contradicts itself in one variant of `quantization`; '' for nothing.

    Args:
        variant: a file's own values or a checked section.
    """
    backend = _look(variant, "backend") or DEFAULT
    precision = _look(variant, "precision") or "int8"
    asked = _look(variant, "method") == "qat"
    allowed = _look(_look(variant, "search"), "allow_qat") is True
    able = " or ".join(TRAINABLE)
    if asked and (backend not in TRAINABLE or precision != "int8"):
        return (
            f"quantization.method qat makes int8 for {able}, but this is {backend} {precision}; "
            "use method static, or leave method out"
        )
    if allowed and backend not in TRAINABLE:
        return (
            f"quantization.search.allow_qat is for {able}, but this is {backend}; leave allow_qat "
            "out here"
        )
    if _look(variant, "qat") is not None and not (asked or allowed):
        return (
            "quantization.qat says how to train, but nothing is trained; add method: qat, or "
            "search: {allow_qat: true}, or leave qat out"
        )
    return ""


def _look(section: object, name: str) -> object:
    if isinstance(section, Mapping):
        return section.get(name)
    return getattr(section, name, None)

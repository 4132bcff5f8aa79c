"""Compares a fetched detector with the one that was registered.

A version and its logged model each keep the identity (`DetectorPackage.digest`) as a tag. Models
registered by earlier releases keep the sha256 of their files alone; their description is compared
with what their MLmodel file says of them, so that class names and thresholds can't be swapped
there either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ..contracts.detector_package import DetectorPackage, IdentityRule
from ..contracts.errors import SourceError

DIGEST_TAG = "sha256"


def verified(
    package: DetectorPackage, recorded: Collection[str], reference: str
) -> DetectorPackage:
    """The package, with the rule by which it is what was registered.

    Args:
        package: loaded, its files checked against its description.
        recorded: every identity that the store keeps of it; '' for one that is missing.

    Raises:
        SourceError: it is not what one of them stands for, or they don't agree.
    """
    rules = {package.rule_of(each) for each in recorded}
    if None in rules or len(rules) != 1:
        kept = ", ".join(sorted({each or "none" for each in recorded}))
        raise SourceError(
            f"'{reference}' is not what was registered: its sha256 is {package.digest} but the "
            f"registry has {kept}. Its files, its detector.json or its tags were changed. Name "
            "another version"
        )
    (rule,) = rules
    return replace(package, verified_by=IdentityRule(str(rule)))


def description(package: DetectorPackage) -> dict[str, Any]:
    """The description of a logged model, in its MLmodel file."""
    spec = package.spec
    return {
        "architecture": spec.architecture,
        "backend": spec.backend,
        "precision": spec.precision,
        "class_names": list(spec.class_names),
        "input_size": spec.input_size,
        "conf_threshold": spec.conf_threshold,
        "iou_threshold": spec.iou_threshold,
        "sha256": package.digest,
        "lineage": dict(spec.lineage),
    }


def check_described(package: DetectorPackage, said: Mapping[str, Any], reference: str) -> None:
    """For a model registered by the rule FILES: its detector.json says what its MLmodel file says.

    Raises:
        SourceError: they differ; names the fields.
    """
    expected = description(package) | {"sha256": package.files_digest}
    differing = [name for name, value in expected.items() if said.get(name) != value]
    if differing:
        raise SourceError(
            f"'{reference}' is not what was registered: its detector.json and its MLmodel file "
            f"differ in {', '.join(differing)}. Name another version"
        )

"""What intervals of accuracy count as one piece of evidence: recordings, cameras or images.

evidence_basis      scenario, data set and judged images → EvidenceBasis
evidence_identity   the same for a fingerprint, without looking into images
basis_tags          det.interval_unit, det.interval_groups
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from guardianflow.contracts.errors import Problem, ScenarioError
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.results import LocalDataset
from scenario import Scenario

from ..stage.stage import StageContext

UNIT_TAG, GROUPS_TAG = "det.interval_unit", "det.interval_groups"
MEANT = (EvidenceUnit.RECORDING, EvidenceUnit.CAMERA)
"""Units that are taken where they are known, the first one first, unless the scenario names one."""


def evidence_basis(
    context: StageContext, dataset: LocalDataset, images: Sequence[Path]
) -> EvidenceBasis:
    """The unit of intervals over these images; what is odd about it is told.

    Args:
        images: those that are judged, in their order.

    Raises:
        ScenarioError: release.unit asks for recordings or cameras that nobody names.
    """
    asked = asked_unit(context.scenario)
    unit, names = _known_groups(asked, dataset, images)
    if names:
        return EvidenceBasis(unit, names, len(images), asked=asked is not None)
    if asked is EvidenceUnit.IMAGE:
        return EvidenceBasis(images=len(images), asked=True)
    from guardianflow.site_data.twins.video import VIDEO_SHARE, looks_like_video

    share = looks_like_video(images, context.settings.datasets_dir)
    unknown = share >= VIDEO_SHARE
    basis = EvidenceBasis(images=len(images), alike=share, unknown_recordings=unknown)
    if basis.unknown_recordings:
        context.events.message(
            f"{100 * share:.0f} % of the images show a neighbour's scene, as frames of videos do, "
            "and nothing says of which recordings: intervals of accuracy take each image for new "
            "evidence and are too narrow. guardianflow data groups proposes how to name the "
            "recordings, dataset.groups keeps it; release.unit: image says that images are "
            "evidence of their own"
        )
    return basis


def evidence_identity(
    scenario: Scenario, dataset: LocalDataset, images: Sequence[Path]
) -> dict[str, str]:
    """What intervals depend on beside images and predictions: part of a stage's fingerprint.

    Raises:
        ScenarioError: as evidence_basis.
    """
    unit, names = _known_groups(asked_unit(scenario), dataset, images)
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest() if names else ""
    asked = asked_unit(scenario)
    return {"unit": str(unit), "asked": str(asked or ""), "groups": digest}


def asked_unit(scenario: Scenario) -> EvidenceUnit | None:
    """release.unit; None where it is not written."""
    release = scenario.release
    return EvidenceUnit(release.unit) if release is not None and release.unit else None


def basis_tags(basis: EvidenceBasis) -> dict[str, str]:
    return {UNIT_TAG: str(basis.unit), GROUPS_TAG: str(basis.groups)}


def basis_table(basis: EvidenceBasis) -> dict[str, str | int | bool]:
    """The same for results files."""
    return {
        "unit": str(basis.unit),
        "groups": basis.groups,
        "unknown_recordings": basis.unknown_recordings,
    }


def _known_groups(
    asked: EvidenceUnit | None, dataset: LocalDataset, images: Sequence[Path]
) -> tuple[EvidenceUnit, tuple[str, ...]]:
    """The unit and each image's group; () where each image is its own."""
    if asked is EvidenceUnit.IMAGE:
        return asked, ()
    for unit in (asked,) if asked else MEANT:
        names = dataset.groups.names(images, unit) if dataset.groups else None
        if names:
            return unit, names
    if asked:
        raise ScenarioError(
            Problem(
                f"release.unit is {asked} but the {asked}s of {dataset.name}'s images are not all "
                "known; name them with dataset.groups (guardianflow data groups proposes how), or "
                "leave release.unit out",
                "release.unit",
            )
        )
    return EvidenceUnit.IMAGE, ()

"""Groups of images: their names by the unit that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.contracts.recordings.groups import (
    EvidenceUnit,
    GroupSource,
    ImageGroups,
    ImageOrigin,
)

A, B, C = Path("/d/a.jpg"), Path("/d/b.jpg"), Path("/d/c.jpg")
GROUPS = ImageGroups(
    GroupSource.FILE,
    {A: ImageOrigin("gate", "gate/1", 0.0), B: ImageOrigin("gate", "gate/2"), C: ImageOrigin()},
)


def test_images_have_names_by_unit() -> None:
    assert GROUPS.names([B, A], EvidenceUnit.RECORDING) == ("gate/2", "gate/1")
    assert GROUPS.names([B, A], EvidenceUnit.CAMERA) == ("gate", "gate")
    assert GROUPS.names([A], EvidenceUnit.IMAGE) is None


def test_one_image_without_a_group_leaves_all_without() -> None:
    assert GROUPS.names([A, C], EvidenceUnit.RECORDING) is None


def test_an_image_of_another_set_is_an_error() -> None:
    with pytest.raises(KeyError):
        GROUPS.names([Path("/d/x.jpg")], EvidenceUnit.RECORDING)

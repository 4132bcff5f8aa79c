"""What intervals count: recordings where they are known, images where these are not frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.recordings.evidence import evidence_in
from guardianflow.contracts.recordings.groups import (
    EvidenceUnit,
    GroupSource,
    ImageGroups,
    ImageOrigin,
)
from guardianflow.contracts.results import LocalDataset
from pipelines.measuring.evidence import basis_tags, evidence_basis, evidence_identity

RNG = np.random.default_rng(0)


def scene() -> np.ndarray:
    """A background with large and small shapes."""
    coarse = RNG.integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def write(folder: Path, pictures: Sequence[np.ndarray]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:06}.jpg" for index in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        assert cv2.imwrite(str(path), picture)
    return paths


def video(frames: int) -> list[np.ndarray]:
    """One background; somebody walks through, and the sensor is noisy."""
    background, pictures = scene(), []
    for frame in range(frames):
        picture = background.copy()
        cv2.rectangle(picture, (20 + 5 * frame, 100), (40 + 5 * frame, 160), (20, 40, 200), -1)
        noise = RNG.normal(0, 4, picture.shape)
        pictures.append(np.clip(picture + noise, 0, 255).astype(np.uint8))
    return pictures


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("frames")
    return write(folder, video(15) + video(15))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(tmp_path_factory.mktemp("photos"), [scene() for _ in range(30)])


def data(images: list[Path], origins: list[ImageOrigin] | None = None) -> LocalDataset:
    groups = None
    if origins is not None:
        groups = ImageGroups(GroupSource.FILE, dict(zip(images, origins, strict=True)))
    return LocalDataset(
        "site", Path("/data.yaml"), ("helmet",), {"test": tuple(images)}, "f" * 64, groups=groups
    )


@pytest.fixture(autouse=True)
def datasets_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Asked, "settings", SimpleNamespace(datasets_dir=tmp_path / "datasets"), raising=False
    )


class Asked(SimpleNamespace):
    settings: SimpleNamespace


def asked(unit: str | None = None) -> Asked:
    """What a stage hands over, as far as it is asked here."""
    told: list[str] = []
    return Asked(
        scenario=SimpleNamespace(release=SimpleNamespace(unit=unit)),
        events=SimpleNamespace(message=told.append),
        told=told,
    )


def origins(count: int, *, camera: bool = True, recording: bool = True) -> list[ImageOrigin]:
    return [
        ImageOrigin(f"cam{i % 2}" * camera, f"r{i % 6}" * recording, float(i)) for i in range(count)
    ]


def test_recordings_count_where_they_are_known(frames: list[Path]) -> None:
    context = asked()
    basis = evidence_basis(context, data(frames, origins(30)), frames)
    assert (basis.unit, basis.groups, basis.images) == (EvidenceUnit.RECORDING, 6, 30)
    assert not (basis.unknown_recordings or basis.asked or context.told)
    assert basis_tags(basis) == {"det.interval_unit": "recording", "det.interval_groups": "6"}
    assert basis.as_metrics() == {"det.interval_recordings": 6.0}
    assert evidence_in({"det.mAP50": 0.5, **basis.as_metrics()}) == ("recording", 6)
    assert evidence_in({"det.mAP50": 0.5}) == ("", None)
    cameras = evidence_basis(asked(), data(frames, origins(30, recording=False)), frames)
    assert (cameras.unit, cameras.groups) == (EvidenceUnit.CAMERA, 2)
    meant = evidence_basis(asked("camera"), data(frames, origins(30)), frames)
    assert (meant.unit, meant.groups, meant.asked) == (EvidenceUnit.CAMERA, 2, True)


def test_frames_that_nobody_named_are_told_and_believed_nothing(frames: list[Path]) -> None:
    context = asked()
    basis = evidence_basis(context, data(frames), frames)
    assert basis.unknown_recordings and basis.unit is EvidenceUnit.IMAGE
    (told,) = context.told
    assert "100 % of the images show a neighbour's scene" in told
    assert "guardianflow data groups" in told and "release.unit: image" in told
    some = [*origins(29), ImageOrigin()]  # one image of no known recording or camera
    assert evidence_basis(asked(), data(frames, some), frames).unknown_recordings


def test_photographs_count_themselves(photos: list[Path]) -> None:
    context = asked()
    basis = evidence_basis(context, data(photos), photos)
    assert (basis.unit, basis.groups, basis.alike) == (EvidenceUnit.IMAGE, 30, 0)
    assert not (basis.unknown_recordings or context.told)


def test_images_count_where_the_scenario_says_so(frames: list[Path]) -> None:
    for dataset in (data(frames), data(frames, origins(30))):
        basis = evidence_basis(asked("image"), dataset, frames)
        assert (basis.unit, basis.groups, basis.asked) == (EvidenceUnit.IMAGE, 30, True)
        assert not basis.unknown_recordings


@pytest.mark.parametrize("unit", ["recording", "camera"])
def test_a_unit_that_is_asked_for_must_be_known(frames: list[Path], unit: str) -> None:
    with pytest.raises(ScenarioError, match=f"release.unit is {unit} but the {unit}s of site's"):
        evidence_basis(asked(unit), data(frames), frames)


def test_a_fingerprint_knows_unit_and_groups(frames: list[Path]) -> None:
    def identity(unit: str | None, dataset: LocalDataset) -> dict[str, str]:
        return evidence_identity(asked(unit).scenario, dataset, frames)

    named = data(frames, origins(30))
    others = data(frames, [replace(each, recording="r0") for each in origins(30)])
    seen = [
        identity(None, named),
        identity(None, others),
        identity("camera", named),
        identity("image", named),
        identity(None, data(frames)),
    ]
    assert len({tuple(sorted(each.items())) for each in seen}) == len(seen)
    assert identity(None, named) == seen[0]

"""Twins are found among others, whatever was done to them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from leaking_data import Pixels, a_step_later, drawn, encoded, scene, with_others

from guardianflow.site_data.twins.candidates import BROAD, POSES, described, nearest
from guardianflow.site_data.twins.search import Learnt, find_matches
from guardianflow.site_data.twins.thumbnails import Thumbnail, thumbnail


def small(pixels: Pixels, quality: int = 90) -> Thumbnail:
    return thumbnail(encoded(pixels, quality))


@pytest.fixture(scope="module")
def originals() -> list[Pixels]:
    return [drawn(scene(seed, workers=3)) for seed in range(200, 220)]


@pytest.fixture(scope="module")
def learnt(originals: list[Pixels]) -> Learnt:
    return Learnt.of(np.stack([small(each) for each in originals]))


def shifted(pixels: Pixels, right: int, down: int) -> Pixels:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(pixels, matrix, pixels.shape[1::-1])


CHANGES = {
    "encoded": lambda p: p,
    "half the size": lambda p: cv2.resize(p, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
    "brighter": lambda p: cv2.convertScaleAbs(p, alpha=1.2),
    "darker": lambda p: cv2.convertScaleAbs(p, alpha=0.8),
    "cropped at the middle": lambda p: p[8:152, 8:152],
    "cropped at a corner": lambda p: p[16:, :144],
    "cropped on one side": lambda p: p[:, 14:],
    "shifted": lambda p: shifted(p, 8, -6),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_changed_picture_finds_its_own(
    change: str, originals: list[Pixels], learnt: Learnt
) -> None:
    judged = np.stack([small(CHANGES[change](each), 60) for each in originals])
    found = find_matches(judged, learnt)
    right = sum(m.is_twin and m.other == i for i, m in enumerate(found))
    assert right >= 0.95 * len(originals)
    assert all(m.other == i for i, m in enumerate(found) if m.is_twin)


def test_strangers_have_no_twin(learnt: Learnt) -> None:
    strangers = np.stack([small(drawn(scene(seed))) for seed in range(800, 820)])
    assert not any(match.is_twin for match in find_matches(strangers, learnt))


def test_a_frame_is_told_from_the_others_of_its_camera_cropped_or_not() -> None:
    """Twelve moments of one camera: each finds the moment it was one step after."""
    camera = scene(301, workers=2)
    moments = [with_others(camera, 1000 * n) for n in range(12)]
    learnt = Learnt.of(np.stack([small(drawn(each, 9 * n)) for n, each in enumerate(moments)]))
    later = [drawn(a_step_later(each), 9 * n + 1) for n, each in enumerate(moments)]
    for judged in (later, [each[:146, 12:] for each in later]):
        found = find_matches(np.stack([small(each) for each in judged]), learnt)
        assert sum(m.is_twin and m.other == n for n, m in enumerate(found)) >= 11


def test_the_largest_products_are_those_of_all_pairs() -> None:
    """Blocks and poses give what one plain product over everything gives."""
    rng = np.random.default_rng(0)
    asked = rng.normal(size=(300, 3, 12)).astype(np.float32)
    among = rng.normal(size=(5000, 12)).astype(np.float32)
    products = np.einsum("qpd,nd->qpn", asked, among).max(axis=1)
    for row, found in enumerate(nearest(asked, among, 5, least=4.0)):
        best = np.argsort(-products[row], kind="stable")[:5]
        assert found.tolist() == [n for n in best.tolist() if products[row, n] >= 4.0]


def test_a_flat_picture_is_like_no_other() -> None:
    flat = np.full((96, 96), 77, np.uint8)
    (found,) = described(flat[None], BROAD, POSES)
    assert found.shape == (len(POSES), 100)
    assert not found.any()
    (found,) = find_matches(flat[None], Learnt.of(np.stack([flat, flat])))
    assert not found.is_twin

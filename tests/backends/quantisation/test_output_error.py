from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.backends.quantisation.output_error import ANCHORS, output_error, overlaps
from guardianflow.contracts.errors import EvaluationError

FORMS = ("grid", "end_to_end")


def raw_output(form: str, seed: int = 0, images: int = 2, count: int = 150) -> np.ndarray:
    """Boxes of 20 to 60 pixels anywhere in 320, scores in 0…1."""
    random = np.random.default_rng(seed)
    centres, sizes = random.uniform(30, 290, (images, count, 2)), random.uniform(20, 60, (2,))
    sizes = np.broadcast_to(sizes, centres.shape)
    if form == "grid":
        scores = random.uniform(0, 1, (images, count, 3))
        return (
            np.concatenate([centres, sizes, scores], axis=2).transpose(0, 2, 1).astype(np.float32)
        )
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=2)
    scores = np.sort(random.uniform(0, 1, (images, count, 1)), axis=1)[:, ::-1]
    classes = random.integers(0, 3, (images, count, 1))
    return np.concatenate([corners, scores, classes], axis=2).astype(np.float32)


def with_noise(output: np.ndarray, form: str, amount: float) -> np.ndarray:
    random = np.random.default_rng(9)
    noise = random.standard_normal(output.shape)
    scale = np.full(output.shape, amount)
    if form == "grid":
        scale[:, :4] *= 20
        scale[:, 2:4] = 0
    else:
        scale[..., :4] *= 20
        scale[..., 5] = 0
        noise[..., 2:4] = noise[..., :2]  # the boxes move, they don't change their size
    return (output + noise * scale).astype(np.float32)


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_equal_outputs_have_no_error(form: str, seed: int) -> None:
    output = raw_output(form, seed)
    assert output_error(output, output.copy(), form) == 0


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 2**32 - 1), amount=st.floats(0.005, 0.05))
@settings(max_examples=25, deadline=None)
def test_the_error_grows_with_the_noise(form: str, seed: int, amount: float) -> None:
    output = raw_output(form, seed)
    little = output_error(output, with_noise(output, form, amount), form)
    much = output_error(output, with_noise(output, form, 4 * amount), form)
    assert 0 < little < much


def test_a_score_of_another_class_that_rises_is_seen() -> None:
    output = raw_output("grid")
    best = output[:, 4:].max(axis=1).argmax(axis=1)
    changed = output.copy()
    for image, anchor in enumerate(best):
        changed[image, 4:, anchor] += [0.0, 0.0, 0.0] + 0.5 * (
            output[image, 4:, anchor] < output[image, 4:, anchor].max()
        )
    assert output_error(output, changed, "grid") == pytest.approx(0.5 / ANCHORS, rel=1e-4)


def test_background_does_not_count() -> None:
    output = raw_output("grid", count=2 * ANCHORS)
    scores = output[0, 4:].max(axis=0)
    background = np.argsort(scores)[:ANCHORS]
    changed = output.copy()
    changed[0][:, background] = 0
    assert output_error(output[:1], changed[:1], "grid") == 0


def test_rows_that_change_places_are_no_error() -> None:
    output = raw_output("end_to_end")
    assert output_error(output, output[:, ::-1].copy(), "end_to_end") == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_collapsed_network_is_wholly_wrong(form: str) -> None:
    output = raw_output(form)
    collapsed = output_error(output, np.zeros_like(output), form)
    nothing = output_error(output, np.full_like(output, np.nan), form)
    assert 1.3 < collapsed <= nothing == pytest.approx(2)
    infinite = output_error(output, np.full_like(output, np.inf), form)
    assert infinite == pytest.approx(2)


@pytest.mark.parametrize("form", FORMS)
def test_fewer_anchors_than_a_hundred_are_all_compared(form: str) -> None:
    output = raw_output(form, count=7)
    assert output_error(output, output.copy(), form) == 0
    assert output_error(output, with_noise(output, form, 0.05), form) > 0


def test_overlaps_by_hand() -> None:
    box = np.array([0.0, 0.0, 10.0, 10.0])
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 0, 0]], np.float64)
    np.testing.assert_allclose(overlaps(box, others), [1, 50 / 150, 0, 0])
    point = np.array([3.0, 3.0, 3.0, 3.0])
    assert overlaps(point, point) == 1
    assert overlaps(point, point + 1) == 0


def test_what_can_t_be_compared_is_refused() -> None:
    output = raw_output("grid")
    with pytest.raises(EvaluationError, match="one shape"):
        output_error(output, output[:, :, :-1], "grid")
    with pytest.raises(EvaluationError, match="one shape"):
        output_error(output[:0], output[:0], "grid")
    broken = output.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(EvaluationError, match="must be finite"):
        output_error(broken, output, "grid")

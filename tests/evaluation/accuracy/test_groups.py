"""Accuracy with groups of images as the units: each left out once, near copies worth nothing."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import MINIMUM_GROUPS, Estimate
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.accuracy.detection import evaluate_detections, match_judged
from guardianflow.evaluation.accuracy.few_groups import (
    jackknife_error,
    most_groups_bound,
    ratio_interval,
)
from guardianflow.evaluation.accuracy.groups import MOST_LEFT_OUT, _bundled, group_ids
from guardianflow.evaluation.accuracy.resampling import leave_each_out
from guardianflow.evaluation.accuracy.significance import (
    bootstrap_differences,
    bootstrap_metrics,
)

# The benchmarks are no installed package, so their models are read from the file.
_MADE_UP = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "made_up_models.py"))
CLASSES, made_up_split = _MADE_UP["CLASSES"], _MADE_UP["made_up_split"]
KEYS = ("recall", "mAP50", "mAP50_95", "ap.person", "recall.helmet")


def bounds(estimates: dict[str, Estimate]) -> dict[str, tuple[float, float, float]]:
    return {key: (each.low, each.value, each.high) for key, each in estimates.items()}


def over(split, groups, images=None, model="first", **given):
    chosen = range(len(split.images)) if images is None else images
    found = getattr(split, model)
    return bounds(
        bootstrap_metrics(
            [found[i] for i in chosen],
            [split.images[i] for i in chosen],
            CLASSES,
            groups=np.array([groups[i] for i in chosen]),
            **given,
        )
    )


def test_names_become_numbers_in_the_order_they_come():
    assert group_ids(["b", "a", "b", "c", "a"]).tolist() == [0, 1, 0, 2, 1]


def test_a_group_left_out_is_the_evaluation_of_all_other_images():
    split = made_up_split(40, 3)
    groups = np.arange(40) % 7
    matches = list(match_judged(split.first, split.images, CLASSES).values())
    (drawn,) = leave_each_out([matches], groups, conf_threshold=0.25)
    values = drawn.by_key(CLASSES)
    for place, left_out in enumerate([None, *range(7)]):
        kept = [i for i in range(40) if groups[i] != left_out]
        expected = evaluate_detections(
            [split.first[i] for i in kept], [split.images[i] for i in kept], CLASSES
        ).as_metrics("")
        for key in KEYS:
            # Recall to the last digit; areas differ from means at 101 points by what these round.
            error = 1e-12 if key.startswith("recall") else 0.02
            assert values[key][place] == pytest.approx(expected[key], abs=error)


def test_one_group_per_image_is_the_jackknife_over_images():
    split = made_up_split(40, 5)
    groups = np.arange(40)
    matches = match_judged(split.first, split.images, CLASSES)["person"]
    (drawn,) = leave_each_out([[matches]], groups, conf_threshold=0.25)
    found = np.bincount(
        matches.image_ids[matches.hits[:, 0] & (matches.scores >= np.float32(0.25))], minlength=40
    )
    truth = np.bincount(matches.true_image_ids, minlength=40)
    by_hand = (found.sum() - found) / (truth.sum() - truth)
    assert drawn.recall[0, 1:] == pytest.approx(by_hand)
    low, _, high = over(split, groups)["recall.person"]
    expected = ratio_interval(found.astype(float), truth.astype(float))
    assert expected is not None
    assert (low, high) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 50), chance=st.integers(0, 10_000), groups=st.integers(5, 12))
def test_order_and_numbering_do_not_matter(seed: int, chance: int, groups: int) -> None:
    split = made_up_split(60, seed)
    of_images = np.arange(60) % groups
    rng = np.random.default_rng(chance)
    renamed = rng.permutation(1000)[:groups][of_images]
    shuffled = rng.permutation(60)
    straight = over(split, of_images)
    for other in (over(split, renamed), over(split, renamed, shuffled)):
        assert other.keys() == straight.keys()
        for key, expected in straight.items():
            assert other[key] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 50), times=st.integers(2, 4))
def test_copies_of_all_images_make_nothing_surer(seed: int, times: int) -> None:
    split, groups = made_up_split(50, seed), np.arange(50) % 8
    once, often = over(split, groups), over(split, groups, list(range(50)) * times)
    for key, expected in once.items():
        assert often[key] == pytest.approx(expected, abs=1e-9)


def alike_split(alike: float, seed: int, groups: int = 12, images: int = 12):
    """One class; whether a box is found is alike within a group, more or less."""
    rng = np.random.default_rng(seed)
    box, labelled, found = np.array([[0, 0, 50, 50]], np.float32), [], []
    ease = rng.normal(size=groups)
    for index in range(groups * images):
        own = np.sqrt(alike) * ease[index // images] + np.sqrt(1 - alike) * rng.normal()
        labelled.append(LabelledImage(Path(f"/{index}.jpg"), 99, 99, box, np.zeros(1, np.int64)))
        hit = box[: int(own > -0.7)]
        ids = np.zeros(len(hit), np.int64)
        found.append(Detections(hit, rng.uniform(0.3, 1, len(hit)).astype(np.float32), ids))
    return labelled, found, np.repeat(np.arange(groups), images)


def test_widths_grow_with_how_alike_images_are_where_image_intervals_do_not():
    def width(alike: float, grouped: bool) -> float:
        widths = []
        for seed in range(8):
            images, found, groups = alike_split(alike, seed)
            estimates = bootstrap_metrics(
                found, images, ["a"], groups=groups if grouped else None, resamples=200
            )
            widths.append(estimates["mAP50"].high - estimates["mAP50"].low)
        return float(np.mean(widths))

    grouped = [width(alike, grouped=True) for alike in (0, 0.3, 0.6, 0.9)]
    assert grouped == sorted(grouped)
    assert grouped[-1] > 2 * grouped[0]
    assert width(0.9, grouped=False) < 0.6 * width(0.9, grouped=True)


def test_differences_are_paired_by_group_and_turn_round():
    split, groups = made_up_split(60, 2), np.arange(60) % 10
    forth = bootstrap_differences(split.first, split.second, split.images, CLASSES, groups=groups)
    back = bootstrap_differences(split.second, split.first, split.images, CLASSES, groups=groups)
    for key, each in forth.items():
        assert -1 <= each.low < each.value < each.high <= 1
        assert bounds({key: -back[key]})[key] == pytest.approx(bounds({key: each})[key])
    same = bootstrap_differences(split.first, split.first, split.images, CLASSES, groups=groups)
    for each in same.values():
        assert each.value == 0
        assert each.high == -each.low == pytest.approx(most_groups_bound(0, 10, 0.95))


def test_a_class_in_four_groups_has_no_interval():
    split, groups = made_up_split(60, 2), np.arange(60) % (MINIMUM_GROUPS - 1)
    assert over(split, groups) == {}
    assert set(over(split, np.arange(60) % MINIMUM_GROUPS)) >= set(KEYS)


def test_groups_that_all_agree_leave_room_for_others():
    images, found, groups = alike_split(0, 0, groups=6)
    box = images[0].boxes_xyxy
    sure = [Detections(box, np.array([0.9], np.float32), np.zeros(1, np.int64))] * len(found)
    for each in bootstrap_metrics(sure, images, ["a"], groups=groups).values():
        assert (each.value, each.high) == (1, 1)
        assert each.low == pytest.approx(1 - most_groups_bound(0, 6, 0.95), abs=1e-9)


def test_very_many_groups_are_left_out_in_bundles_of_like_size():
    chance = np.random.default_rng(0)
    groups = np.repeat(np.arange(2500), chance.integers(1, 9, 2500))
    bundled = _bundled(groups)
    assert len(np.unique(bundled)) == MOST_LEFT_OUT
    for group in (0, 7, 2499):  # all of a group stays together
        assert len(set(bundled[groups == group])) == 1
    sizes = np.bincount(bundled)
    assert sizes.max() - sizes.min() <= np.bincount(groups).max()
    assert (_bundled(groups[groups < 900]) == groups[groups < 900]).all()


def test_groups_that_do_not_fit_the_images_are_refused():
    split = made_up_split(30, 1)
    with pytest.raises(EvaluationError, match=r"one group for each of the 30 images .*\(29,\)"):
        bootstrap_metrics(split.first, split.images, CLASSES, groups=np.arange(29))


def test_the_error_of_a_mean_is_not_fooled_by_the_points_precision_is_read_at():
    """Of 100 groups: COCO's own means without one group each spread several times too wide."""
    split, groups = made_up_split(600, 11), np.arange(600) % 100
    matches = list(match_judged(split.first, split.images, CLASSES).values())
    (drawn,) = leave_each_out([matches], groups, conf_threshold=0.25)
    left_out = drawn.by_key(CLASSES)["mAP50"]
    error = jackknife_error(float(left_out[0]), left_out[1:])
    drawn_anew = bootstrap_metrics(split.first, split.images, CLASSES, resamples=400)["mAP50"]
    # Groups are at random here, so images drawn anew spread the same.
    assert error == pytest.approx((drawn_anew.high - drawn_anew.low) / 3.92, rel=0.3)

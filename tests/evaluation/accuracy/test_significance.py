"""Intervals of accuracy: the draws judged by COCO's rules, and intervals that hold the truth."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import MINIMUM_IMAGES
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.accuracy.average_precision import match_all, precision_at_recalls
from guardianflow.evaluation.accuracy.detection import evaluate_detections
from guardianflow.evaluation.accuracy.few_groups import most_groups_bound
from guardianflow.evaluation.accuracy.resampling import Curve, _points_reached, draw_weights
from guardianflow.evaluation.accuracy.significance import (
    bootstrap_differences,
    bootstrap_metrics,
    expanded_percentile_interval,
)

# The benchmarks are no installed package, so their models are read from the file.
_MADE_UP = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "made_up_models.py"))
CLASSES, made_up_split = _MADE_UP["CLASSES"], _MADE_UP["made_up_split"]
# second − first of these models, over 400 000 images: benchmarks/interval_coverage.py.
TRUE_DIFFERENCES = {"recall": 0.0434, "mAP50": 0.0513, "mAP50_95": 0.0031, "ap50.helmet": 0.0550}


def image(index, boxes, class_ids=None):
    array = np.array(boxes, np.float32).reshape(-1, 4)
    ids = np.zeros(len(array), np.int64) if class_ids is None else np.array(class_ids, np.int64)
    return LabelledImage(Path(f"/{index}.jpg"), 1000, 1000, array, ids)


def found(boxes, scores, class_ids=None):
    array = np.array(boxes, np.float32).reshape(-1, 4)
    ids = np.zeros(len(array), np.int64) if class_ids is None else np.array(class_ids, np.int64)
    return Detections(array, np.array(scores, np.float32), ids)


BOX, OTHER = [0, 0, 100, 100], [200, 200, 300, 300]


# --- a draw is judged as COCO judges the drawn images --------------------------------------------


def crowded_split(seed, count=12):
    """Overlapping boxes and scores in steps, so that much ties, within an image and between."""
    rng = np.random.default_rng(seed)
    images, predictions = [], []
    for index in range(count):
        truth = rng.integers(0, 60, (int(rng.integers(0, 6)), 4)).astype(np.float32)
        truth[:, 2:] = truth[:, :2] + rng.integers(5, 40, (len(truth), 2))
        near = rng.integers(0, max(len(truth), 1), 14 if len(truth) else 0)
        boxes = truth[near] + rng.integers(-3, 4, (len(near), 4))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
        ids = rng.integers(0, 2, len(truth))
        images.append(image(index, truth, ids))
        predictions.append(found(boxes, rng.integers(1, 12, len(near)) / 12, ids[near]))
    return images, predictions


def average_precision(matches, weights):
    """Thresholds×draws, of one class."""
    instances = weights[matches.true_image_ids].sum(axis=0)
    return Curve.of(matches, len(weights)).judge(weights, instances)


def without_ties(predictions, seed):
    rng = np.random.default_rng(seed)
    return [
        Detections(p.boxes_xyxy, rng.random(len(p)).astype(np.float32), p.class_ids)
        for p in predictions
    ]


@pytest.mark.parametrize("seed", range(6))
def test_all_images_once_give_the_very_average_precision(seed):
    images, predictions = crowded_split(seed)
    for matches in match_all(predictions, images, 2):
        once = average_precision(matches, np.ones((len(images), 1)))[:, 0]
        assert once == pytest.approx(precision_at_recalls(matches).mean(axis=1), abs=1e-14)


@pytest.mark.parametrize("seed", range(6))
def test_a_draw_is_what_pycocotools_says_of_the_drawn_images(pycocotools_map, seed):
    images, predictions = crowded_split(seed)
    predictions = without_ties(predictions, seed)
    weights = draw_weights(len(images), 3, np.random.SeedSequence(seed))
    judged = [average_precision(matches, weights) for matches in match_all(predictions, images, 2)]
    for draw in range(3):
        chosen = np.repeat(np.arange(len(images)), weights[:, draw].astype(int))
        assert len(chosen) == len(images)
        _, _, expected = pycocotools_map(
            [predictions[i] for i in chosen], [images[i] for i in chosen], 2
        )
        for class_id in range(2):
            value = judged[class_id][:, draw].mean()
            assert math.isnan(value) == (class_id not in expected)
            if class_id in expected:
                assert value == pytest.approx(expected[class_id], abs=1e-9)


@given(st.integers(1, 3000), st.data())
def test_recall_points_are_counted_as_a_search_would(boxes, data):
    correct = np.arange(boxes + 1, dtype=np.float64)
    if boxes > 200:
        correct = correct[data.draw(st.integers(0, 50)) :: 37]
    recall = correct / boxes
    expected = np.searchsorted(np.linspace(0, 1, 101), recall, side="right")
    assert (_points_reached(recall) == expected).all()


def test_a_class_that_a_draw_lacks_has_no_value_in_it():
    images, predictions = [image(0, [BOX]), image(1, [])], [found([BOX], [0.9]), found([], [])]
    (matches,) = match_all(predictions, images, 1)
    weights = np.array([[1.0, 0.0, 2.0], [1.0, 2.0, 0.0]])
    average = average_precision(matches, weights)[0]
    assert average[[0, 2]].tolist() == pytest.approx([1, 1])
    assert math.isnan(average[1])


# --- values and keys -----------------------------------------------------------------------------


def test_values_are_those_of_the_evaluation_and_bounds_enclose_them():
    split = made_up_split(60, 1)
    expected = evaluate_detections(split.first, split.images, CLASSES, conf_threshold=0.4)
    estimates = bootstrap_metrics(
        split.first, split.images, CLASSES, conf_threshold=0.4, resamples=200
    )
    flat = expected.as_metrics("")
    assert {k: e.value for k, e in estimates.items()} == {k: flat[k] for k in estimates}
    assert set(estimates) == {"mAP50", "mAP50_95", "recall"} | {
        f"{kind}.{name}" for kind in ("ap", "ap50", "recall") for name in CLASSES
    }
    for estimate in estimates.values():
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1


def test_a_difference_is_second_minus_first():
    split = made_up_split(60, 2)
    first, second = (
        evaluate_detections(p, split.images, CLASSES).as_metrics("")
        for p in (split.first, split.second)
    )
    forth = bootstrap_differences(split.first, split.second, split.images, CLASSES, resamples=200)
    back = bootstrap_differences(split.second, split.first, split.images, CLASSES, resamples=200)
    for key, estimate in forth.items():
        assert estimate.value == second[key] - first[key]
        assert back[key].value == -estimate.value
        assert (back[key].low, back[key].high) == pytest.approx((-estimate.high, -estimate.low))


def test_the_same_images_make_differences_surer_than_their_parts():
    split = made_up_split(150, 3)
    alone = [
        bootstrap_metrics(p, split.images, CLASSES, resamples=300)["recall"]
        for p in (split.first, split.second)
    ]
    paired = bootstrap_differences(split.first, split.second, split.images, CLASSES, resamples=300)
    apart = math.hypot(*(e.high - e.low for e in alone))
    assert paired["recall"].high - paired["recall"].low < 0.75 * apart


def test_a_seed_gives_the_same_intervals_however_many_threads(monkeypatch):
    split = made_up_split(40, 4)
    heard: list[tuple[int, int]] = []

    def drawn(seed):
        return bootstrap_metrics(
            split.first,
            split.images,
            CLASSES,
            resamples=150,
            seed=seed,
            progress=lambda done, total: heard.append((done, total)),
        )

    many = drawn(5)
    monkeypatch.setattr("guardianflow.evaluation.accuracy.resampling.usable_cores", lambda: 1)
    assert drawn(5) == many
    assert drawn(6) != many
    assert heard[:3] == [(64, 150), (128, 150), (150, 150)]


def test_what_stops_the_progress_stops_the_work():
    split = made_up_split(40, 4)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bootstrap_metrics(split.first, split.images, CLASSES, progress=stop)


# --- where little was seen -----------------------------------------------------------------------


def test_a_class_in_too_few_images_has_no_interval():
    images = [image(i, [BOX, OTHER], [0, 1]) for i in range(MINIMUM_IMAGES - 1)]
    images += [image("last", [BOX], [0])]
    predictions = [found([BOX], [0.9])] * len(images)
    estimates = bootstrap_metrics(predictions, images, CLASSES, resamples=100)
    assert "ap.person" in estimates
    assert not [key for key in estimates if key.endswith(".helmet")]
    assert estimates["mAP50"].value == pytest.approx(0.5)  # the mean still is over both
    assert bootstrap_metrics(predictions[1:], images[1:], CLASSES, resamples=100) == {}


def test_a_resample_means_over_the_classes_it_has():
    """A class in one image: draws without it have the mean of the other alone, not 0 for it."""
    images = [image(i, [BOX]) for i in range(29)] + [image(29, [BOX, OTHER], [0, 1])]
    predictions = [found([BOX], [0.9])] * 30
    mean = bootstrap_metrics(predictions, images, CLASSES, resamples=300)["recall"]
    assert (mean.value, mean.high) == (0.5, 1.0)
    assert mean.low == pytest.approx(0.5 - most_groups_bound(0, 30, 0.95) / 2)


def test_no_difference_seen_is_not_certainty():
    """Two models agree on each of 40 images: up to 9 % of others may still tell them apart."""
    images = [image(i, [BOX]) for i in range(40)]
    predictions = [found([BOX], [0.9])] * 40
    for estimate in bootstrap_differences(predictions, predictions, images, CLASSES[:1]).values():
        assert estimate.value == 0
        assert estimate.high == -estimate.low == pytest.approx(1 - 0.025 ** (1 / 40))
    for estimate in bootstrap_metrics(predictions, images, CLASSES[:1]).values():
        assert (estimate.value, estimate.high) == (1, 1)
        assert estimate.low == pytest.approx(0.025 ** (1 / 40))


def test_few_images_that_differ_do_not_make_it_surer():
    """Losses seen in 3 of 200 images: there may be 4.3 % of them, and gains nobody saw."""
    images = [image(i, [BOX]) for i in range(200)]
    first = [found([BOX], [0.9])] * 200
    second = [found([], [])] * 3 + first[3:]
    estimates = bootstrap_differences(first, second, images, CLASSES[:1])
    lost = estimates["recall.person"]
    assert lost == estimates["recall"]  # of the one class there is
    assert lost.value == pytest.approx(-3 / 200)
    assert (
        lost.low
        == pytest.approx(-most_groups_bound(3, 200, 0.95))
        == pytest.approx(-0.0432, abs=1e-4)
    )
    assert lost.high >= lost.value + most_groups_bound(0, 200, 0.95) - 1e-12


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_bound_on_unseen_images_is_exact(seen, more):
    images = seen + more
    bound = most_groups_bound(seen, images, 0.95)
    assert binom.cdf(seen, images, bound) == pytest.approx(0.025, abs=1e-9)
    assert most_groups_bound(images, images, 0.95) == 1


def test_few_draws_a_wide_interval():
    drawn = np.append(np.random.default_rng(0).normal(size=20_000), np.nan)
    low, high = expanded_percentile_interval(drawn, 20)
    assert (low, high) == pytest.approx((-2.147, 2.147), abs=0.08)  # t of 19 degrees × √(20/19)
    low, high = expanded_percentile_interval(drawn, 100_000)
    assert (low, high) == pytest.approx((-1.96, 1.96), abs=0.06)


# --- do they hold the truth? ---------------------------------------------------------------------


def test_intervals_hold_the_true_difference_in_95_of_100_cases():
    """`python -m benchmarks.interval_coverage` is the full study, of 1000 trials."""
    trials, held = 60, dict.fromkeys(TRUE_DIFFERENCES, 0)
    for trial in range(trials):
        split = made_up_split(100, 10_000 + trial)
        estimates = bootstrap_differences(
            split.first, split.second, split.images, CLASSES, resamples=400, seed=trial
        )
        for key, truth in TRUE_DIFFERENCES.items():
            held[key] += estimates[key].low <= truth <= estimates[key].high
    # Good intervals fall below this in one of 10 000 such tests; intervals half as wide as they
    # should be, which hold the truth in two of three cases, practically always.
    least = int(binom.ppf(1e-4, trials, 0.95))
    assert min(held.values()) >= least, held
    # Intervals far too wide would hold the truth always, in every key.
    assert sum(held.values()) < trials * len(held), held


# --- what can't be judged -------------------------------------------------------------------------


def test_problems_are_named():
    split = made_up_split(30, 1)
    with pytest.raises(
        EvaluationError, match=r"seed .* -1; conf_threshold .* 1\.5; resamples .* 10;"
    ):
        bootstrap_metrics(
            split.first, split.images, CLASSES, conf_threshold=1.5, resamples=10, seed=-1
        )
    with pytest.raises(EvaluationError, match="one prediction per image"):
        bootstrap_differences(split.first, split.second[1:], split.images, CLASSES)


def test_many_images_and_classes_take_little_memory():
    """Nothing is kept for each image and each resample at once."""
    import tracemalloc

    split = made_up_split(1500, 7)
    tracemalloc.start()
    bootstrap_metrics(split.first, split.images, CLASSES, resamples=320)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6


# --- another confidence --------------------------------------------------------------------------


def test_intervals_widen_with_confidence_about_the_same_value():
    split = made_up_split(60, 0)
    first, second, images = split.first, split.second, split.images
    for bootstrap in (
        lambda sure: bootstrap_metrics(first, images, CLASSES, resamples=400, confidence=sure),
        lambda sure: bootstrap_differences(
            first, second, images, CLASSES, resamples=400, confidence=sure
        ),
    ):
        loose, usual, sure = bootstrap(0.8), bootstrap(0.95), bootstrap(0.99)
        assert set(loose) == set(usual) == set(sure)
        for key in loose:
            assert loose[key].value == usual[key].value == sure[key].value
            assert sure[key].low <= usual[key].low <= loose[key].low
            assert loose[key].high <= usual[key].high <= sure[key].high
        assert sure["mAP50"].low < loose["mAP50"].low


def test_without_a_word_the_confidence_is_95_percent():
    split = made_up_split(40, 0)
    first, images = split.first, split.images
    given_none = bootstrap_metrics(first, images, CLASSES, resamples=200)
    assert given_none == bootstrap_metrics(first, images, CLASSES, resamples=200, confidence=0.95)
    with pytest.raises(EvaluationError, match=r"confidence must be .* but is 95"):
        bootstrap_metrics(first, images, CLASSES, confidence=95)

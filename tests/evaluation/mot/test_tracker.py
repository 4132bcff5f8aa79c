"""Detections followed from frame to frame by Ultralytics' trackers."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from tracking import TruthTeller, rows, sequence, with_video

from guardianflow.contracts.errors import EvaluationError, MissingDependencyError
from guardianflow.contracts.results import Detections
from guardianflow.evaluation.mot.scores import evaluate_tracks
from guardianflow.evaluation.mot.tracker import (
    TRACKING_CONFIDENCE,
    ObjectTracker,
    match_classes,
    track_sequence,
)
from guardianflow.site_data.mot.sequences import resolve_sequences

FRAME = np.zeros((200, 320, 3), dtype=np.uint8)
BOTH = pytest.mark.parametrize("tracker", ["bytetrack", "botsort"])


def detections(*given):
    """given: (x1, y1, x2, y2, score, class id)"""
    table = np.array(given, dtype=np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def three_in_step(length=20):
    """Three people side by side who never meet."""
    walking = [
        (f, i, 80 * i - 40 + 2 * f, 30, 30, 60) for f in range(1, length + 1) for i in (1, 2, 3)
    ]
    return with_video(sequence(rows(*walking), length))


@BOTH
def test_people_who_never_meet_are_followed_without_an_error(tracker):
    one = three_in_step()
    tracks = track_sequence(TruthTeller(one.truth), one, tracker=tracker)
    scores = evaluate_tracks([one], {"gate": tracks}).combined
    assert (scores["IDSW"], scores["CLR_FN"], scores["CLR_FP"], scores["IDs"]) == (0, 0, 0, 3)
    assert scores["HOTA"] > 0.99
    assert scores["LocA"] > 0.98  # no pixel lost between 0-based boxes and 1-based files


@BOTH
def test_ids_begin_with_1_in_every_sequence_and_nothing_is_random(tracker):
    one = three_in_step()
    first, again = (
        track_sequence(TruthTeller(one.truth, noise=1.5), one, tracker=tracker) for _ in range(2)
    )
    assert np.unique(first.ids).tolist() == [1, 2, 3]
    assert np.array_equal(first.ids, again.ids)
    assert np.array_equal(first.boxes_ltwh, again.boxes_ltwh)


def test_a_perfect_detector_on_drawn_people(tmp_path):
    (one,) = resolve_sequences(["demo://crossing?frame_rate=30&frames=45"], cache_dir=tmp_path)
    for tracker, least_hota in (("bytetrack", 0.7), ("botsort", 0.9)):
        detector = TruthTeller(one.truth)
        tracks = track_sequence(detector, one, tracker=tracker)
        scores = evaluate_tracks([one], {one.name: tracks}).combined
        # Boxes are those of the motion model, which lags behind a swinging arm.
        assert scores["HOTA"] > least_hota
        assert scores["IDF1"] > 0.98
        assert scores["MOTA"] > 0.98
        assert detector.confidences == [TRACKING_CONFIDENCE] * one.length


def test_weak_detections_continue_a_track_and_never_begin_one():
    tracker = ObjectTracker()
    assert len(tracker.update(detections((10, 10, 50, 90, 0.9, 0)), FRAME)) == 1
    kept = tracker.update(detections((11, 10, 51, 90, 0.15, 0), (200, 10, 240, 90, 0.15, 0)), FRAME)
    assert kept.ids.tolist() == [1]
    assert kept.scores == pytest.approx([0.15])


def test_a_newcomer_is_reported_from_its_second_frame_on():
    tracker = ObjectTracker()
    here, new = (10, 10, 50, 90, 0.9, 0), (200, 10, 240, 90, 0.9, 1)
    counts = [
        len(tracker.update(detections(*each), FRAME)) for each in ([here], [here, new], [here, new])
    ]
    assert counts == [1, 1, 2]


def test_boxes_end_at_the_picture_and_keep_their_class():
    tracker = ObjectTracker()
    out = tracker.update(detections((-20, -5, 30, 250, 0.9, 3)), FRAME)
    assert out.boxes_xyxy.tolist() == [[0, 0, 30, 200]]
    assert (out.class_ids.tolist(), out.ids.dtype, out.boxes_xyxy.dtype) == (
        [3],
        np.int64,
        np.float32,
    )
    nothing = tracker.update(detections(), FRAME)
    assert len(nothing) == 0 and nothing.boxes_xyxy.shape == (0, 4)


def test_a_detector_that_finds_nothing_leaves_no_tracks():
    one = three_in_step(4)
    told = []
    tracks = track_sequence(
        TruthTeller(rows()), one, progress=lambda done, total: told.append((done, total))
    )
    assert (len(tracks), tracks.boxes_ltwh.shape) == (0, (0, 4))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_pixels_are_numbered_as_the_ground_truth_does():
    one = replace(three_in_step(3), classes="own", class_names={1: "person"})
    zero_based = track_sequence(TruthTeller(one.truth, first_pixel=0), one)
    assert zero_based.boxes_ltwh[:3] == pytest.approx(one.truth.boxes_ltwh[:3], abs=1e-3)


# --- classes ------------------------------------------------------------------------------------


def sequence_of(name, *class_names, counted=(1,)):
    truth = rows(*[(1, i, 10 * i, 10, 5, 5, 1, i) for i in counted])
    names = dict(enumerate(class_names, start=1))
    return sequence(truth, 1, name=name, class_names=names, classes="own")


def test_classes_are_matched_by_name_and_a_person_is_a_pedestrian():
    for theirs, ours in (
        ("pedestrian", "person"),
        ("사람", "Person"),
        ("person", "보행자"),
        ("fork-lift truck", "fork_lift truck"),
    ):
        match = match_classes(["helmet", ours], [sequence_of("gate", theirs)])
        assert match.pairs == {"gate": {1: 1}}
        assert (match.judged, match.unknown) == ((theirs,), ())
    match = match_classes(["pedestrian", "person"], [sequence_of("gate", "person")])
    assert match.pairs == {"gate": {1: 1}}  # the very name wins


def test_what_one_sequence_counts_is_looked_for_in_all():
    gate = sequence_of("gate", "forklift", "person", counted=(1, 2))
    yard = sequence_of("yard", "person", "forklift", counted=(1,))
    hall = sequence_of("hall", "crane")
    match = match_classes(["person", "forklift", "vest"], [gate, yard, hall])
    assert match.pairs == {"gate": {1: 1, 0: 2}, "yard": {0: 1, 1: 2}, "hall": {}}
    assert (match.judged, match.unknown) == (("forklift", "person"), ("crane",))


def test_without_a_common_class_both_sides_are_named():
    with pytest.raises(EvaluationError) as caught:
        match_classes(["helmet", "vest"], [sequence_of("gate", "crane")])
    assert "the model has helmet, vest; the ground truth of gate counts crane" in str(caught.value)
    with pytest.raises(EvaluationError, match=r"\(person, people\) mean 'pedestrian'"):
        match_classes(["person", "people"], [sequence_of("gate", "pedestrian")])


def test_detections_of_other_classes_never_reach_the_tracker():
    one = three_in_step(4)
    tracks = track_sequence(TruthTeller(one.truth, class_id=0), one)  # helmets, all of them
    assert len(tracks) == 0


# --- what can go wrong --------------------------------------------------------------------------


def test_pictures_that_do_not_fit_the_ground_truth_are_refused():
    one = three_in_step(3)
    for wrong, said in (
        (with_video(one, frames=2), "decodes to 2 frames but says 3"),
        (with_video(one, frames=5), "decodes to more frames but says 3"),
        (replace(one, width=640), "320×200 px but its ground truth is for 640×200"),
        (replace(one, video_frames=None), "without its pictures"),
    ):
        with pytest.raises(EvaluationError, match=said):
            track_sequence(TruthTeller(one.truth), wrong)


def test_an_unknown_tracker_and_a_missing_library_are_named(monkeypatch):
    with pytest.raises(EvaluationError, match="one of bytetrack, botsort but got 'sort'"):
        ObjectTracker("sort")
    monkeypatch.setitem(sys.modules, "lap", None)
    with pytest.raises(MissingDependencyError, match="object tracking needs lap"):
        ObjectTracker()


@pytest.mark.slow
def test_ultralytics_leaves_no_trace(tmp_path):
    code = (
        "import os, sys\n"
        "from guardianflow.evaluation.mot.tracker import ObjectTracker\n"
        "assert 'torch' not in sys.modules and 'ultralytics' not in sys.modules\n"
        "ObjectTracker('botsort')\n"
        "watched = lambda: {k: v for k, v in os.environ.items() if k.startswith(('YOLO', 'OMP'))}\n"
        "assert watched() == {}, watched()\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "OMP_", "XDG_"))}
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "work",
        env={**clean, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list((tmp_path / "work").iterdir()) == []
    assert {path.name for path in home.iterdir()} <= {".cache"}

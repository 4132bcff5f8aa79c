"""Tracks against ground truth: TrackEval's values, and what is done where there are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tracking import (
    DISTRACTOR,
    PEDESTRIAN,
    REFLECTION,
    STATIC_PERSON,
    rows,
    sequence,
    track,
    walk,
    write_info,
    write_rows,
)

from guardianflow.contracts.errors import DatasetError, EvaluationError
from guardianflow.contracts.sequences import METRIC_FIELDS
from guardianflow.evaluation.mot.scores import evaluate_tracks
from guardianflow.site_data.mot.track_results import read_truth_and_results

BOX = (10.0, 10.0, 20.0, 40.0)
ELSEWHERE = (200.0, 10.0, 20.0, 40.0)
LABELS = {1: "사람", 2: "지게차"}


def trackeval_says(truth: Path, results: Path, lengths: dict[str, int], benchmark: str):
    """TrackEval's own evaluator on the same files: sequence or COMBINED_SEQ → field → value."""
    import trackeval

    silent = {"PRINT_CONFIG": False}
    tracker = results.parent / "trackers" / "mine" / "data"
    shutil.copytree(results, tracker)
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            **silent,
            "GT_FOLDER": str(truth),
            "TRACKERS_FOLDER": str(tracker.parents[1]),
            "TRACKERS_TO_EVAL": ["mine"],
            "BENCHMARK": benchmark,
            "SEQ_INFO": lengths,
            "SKIP_SPLIT_FOL": True,
        }
    )
    switches = (
        "PRINT_RESULTS", "TIME_PROGRESS", "OUTPUT_SUMMARY", "OUTPUT_DETAILED", "PLOT_CURVES",
        "LOG_ON_ERROR",
    )  # fmt: skip
    evaluator = trackeval.Evaluator(
        silent | dict.fromkeys(switches, False) | {"LOG_ON_ERROR": None}
    )
    metrics = trackeval.metrics
    chosen = [metrics.HOTA(), metrics.CLEAR(dict(silent)), metrics.Identity(dict(silent))]
    said, _ = evaluator.evaluate([dataset], chosen)
    return {
        name: {
            field: value
            for scores in by_class["pedestrian"].values()
            for field, value in scores.items()
        }
        for name, by_class in said["MotChallenge2DBox"]["mine"].items()
    }


def assert_same(ours, theirs):
    assert set(ours.sequences) | {"COMBINED_SEQ"} == set(theirs)
    for name, scores in {**ours.sequences, "COMBINED_SEQ": ours.combined}.items():
        for field, value in scores.items():
            assert value == float(np.mean(theirs[name][field])), (name, field)
        assert (
            set(METRIC_FIELDS.values()) - set(scores) <= {"LocA", "MOTP"} or not scores["GT_Dets"]
        )


def written(folder: Path, seeds: dict[str, int], classes, columns: int = 9):
    """Truth and results of several made sequences as files."""
    lengths = {}
    for name, seed in seeds.items():
        rng = np.random.default_rng(seed)
        lengths[name] = length = int(rng.integers(8, 25))
        truth = walk(rng, int(rng.integers(1, 9)), length, classes)
        found = track(rng, truth, length)
        rng.shuffle(truth)
        if columns == 10:
            truth = [(*row[:7], -1, -1, -1) for row in truth]
        write_rows(folder / "gt" / name / "gt" / "gt.txt", truth)
        write_info(folder / "gt" / name, length)
        write_rows(folder / "results" / f"{name}.txt", found)
    return folder / "gt", folder / "results", lengths


@settings(max_examples=12, deadline=None)
@example(seed=12230, mixed=True, benchmark="MOT15")
@given(
    seed=st.integers(0, 2**20),
    mixed=st.booleans(),
    benchmark=st.sampled_from(["MOT15", "MOT17", "MOT20"]),
)
def test_every_value_is_trackevals_own(tmp_path_factory, seed, mixed, benchmark):
    folder = tmp_path_factory.mktemp("made")
    classes = (PEDESTRIAN, PEDESTRIAN, STATIC_PERSON, 6, DISTRACTOR, REFLECTION, 9)
    names = [f"{benchmark}-{number}" for number in (1, 2, 3)]
    truth, results, lengths = written(
        folder,
        {name: seed + i for i, name in enumerate(names)},
        classes if mixed else (PEDESTRIAN,),
        columns=10 if benchmark == "MOT15" else 9,
    )
    try:
        sequences, tracks = read_truth_and_results(truth, results)
    except DatasetError as exc:  # now and then, nothing drawn is a pedestrian that counts
        assume("no row of any ground truth here counts" not in str(exc))
        raise
    ours = evaluate_tracks(sequences, tracks)
    assert_same(ours, trackeval_says(truth, results, lengths, benchmark))
    assert all(0 <= ours.combined[key] <= 1 for key in ("HOTA", "DetA", "AssA", "IDF1"))


def test_published_values_of_two_real_sequences(tmp_path):
    motmetrics = pytest.importorskip("motmetrics")
    data = Path(motmetrics.__file__).parent / "data"
    lengths = {"TUD-Campus": 71, "TUD-Stadtmitte": 179}
    for name in lengths:
        write_rows(tmp_path / "gt" / name / "gt" / "gt.txt", [])
        shutil.copy(data / name / "gt.txt", tmp_path / "gt" / name / "gt" / "gt.txt")
        (tmp_path / "results").mkdir(exist_ok=True)
        shutil.copy(data / name / "test.txt", tmp_path / "results" / f"{name}.txt")
    sequences, tracks = read_truth_and_results(tmp_path / "gt", tmp_path / "results")
    assert {each.name: each.length for each in sequences} == lengths
    result = evaluate_tracks(sequences, tracks)
    fields = ("CLR_FP", "CLR_FN", "IDSW", "Frag", "MT", "PT", "ML")
    published = {
        "TUD-Campus": ("52.6", "55.8", "39.140", (13, 150, 7, 7, 1, 6, 1)),
        "TUD-Stadtmitte": ("56.4", "64.5", "39.785", (45, 452, 7, 6, 5, 4, 1)),
    }
    for name, (mota, idf1, hota, counts) in published.items():
        scores = result.sequences[name]
        assert f"{100 * scores['MOTA']:.1f}" == mota
        assert f"{100 * scores['IDF1']:.1f}" == idf1
        assert f"{100 * scores['HOTA']:.3f}" == hota
        assert tuple(scores[field] for field in fields) == counts
    assert f"{100 * result.combined['HOTA']:.3f}" == "39.996"
    assert_same(result, trackeval_says(tmp_path / "gt", tmp_path / "results", lengths, "MOT15"))
    assert (result.frames, result.unjudged) == (250, {})


def test_perfect_tracks_have_every_rate_at_one():
    truth = rows(*[(f, i, 60 * i + f, 10, 20, 40) for f in range(1, 6) for i in (1, 2, 3)])
    metrics = evaluate_tracks([sequence(truth, 5)], {"gate": truth}).as_metrics()
    assert set(metrics) == {f"mot.{key}" for key in METRIC_FIELDS}
    ones = ("hota", "deta", "assa", "loca", "mota", "motp", "idf1", "id_precision", "id_recall")
    assert [metrics[f"mot.{key}"] for key in ones] == pytest.approx([1.0] * len(ones))
    assert (metrics["mot.mt"], metrics["mot.gt_tracks"], metrics["mot.pred_tracks"]) == (3, 3, 3)
    assert not any(metrics[f"mot.{key}"] for key in ("fp", "fn", "id_switches", "frag", "ml", "pt"))


def test_a_tracker_that_reports_nothing_has_zeros_and_no_rate_without_a_match():
    truth = rows((1, 1, *BOX), (2, 1, *BOX))
    metrics = evaluate_tracks([sequence(truth, 3)], {"gate": rows()}).as_metrics()
    assert set(METRIC_FIELDS) - {key.removeprefix("mot.") for key in metrics} == {"loca", "motp"}
    assert (metrics["mot.fn"], metrics["mot.ml"], metrics["mot.pred_tracks"]) == (2, 1, 0)
    others = set(metrics) - {"mot.fn", "mot.ml", "mot.gt_tracks"}
    assert not any(metrics[key] for key in others)


def test_a_sequence_without_objects_has_counts_alone_and_its_false_alarms_count():
    busy, empty = rows((1, 1, *BOX), (2, 1, *BOX)), rows()
    result = evaluate_tracks(
        [sequence(busy, 2), sequence(empty, 2, name="yard")],
        {"gate": busy, "yard": rows((1, 5, *BOX), (2, 5, *BOX))},
    )
    assert result.sequences["yard"]["CLR_FP"] == 2
    assert not {"HOTA", "MOTA", "IDF1", "MLR", "LocA"} & set(result.sequences["yard"])
    assert result.combined["MOTA"] == 0  # two found, two false
    assert result.combined["HOTA"] == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("name", ["gate", "MOT17-02", "MOT20-01"])
def test_who_is_found_at_a_distractor_is_excused_and_a_row_marked_0_excuses_nobody(name):
    def false_alarms(class_id: int, classes: str) -> int:
        truth = rows((1, 1, *BOX), (1, 2, *ELSEWHERE, 0, class_id))
        names = {i: f"class {i}" for i in range(1, 14)}
        one = sequence(truth, 1, class_names=names, name=name, classes=classes)
        found = rows((1, 1, *BOX), (1, 2, *ELSEWHERE))
        return evaluate_tracks([one], {name: found}).combined["CLR_FP"]

    excusing = [i for i in range(1, 14) if not false_alarms(i, "motchallenge")]
    assert excusing == ([2, 6, 7, 8, 12] if name == "MOT20-01" else [2, 7, 8, 12])
    assert all(false_alarms(i, "own") for i in range(1, 14))


def test_each_class_is_judged_alone_and_all_are_summed_by_their_boxes():
    people = [(f, 1, 10 + f, 10, 20, 40, 1, 1) for f in range(1, 5)]
    trucks = [(f, 2, 100 + f, 10, 50, 50, 1, 2) for f in range(1, 3)]
    one = sequence(rows(*people, *trucks), 4, class_names=LABELS, classes="own")
    mistaken = [(*row[:7], 1) for row in trucks]  # the trucks are taken for people
    result = evaluate_tracks([one], {"gate": rows(*people, *mistaken)})
    assert result.classes["사람"]["CLR_FP"] == 2
    assert result.classes["지게차"]["CLR_FN"] == 2
    assert result.combined["CLR_TP"] == 4
    assert result.combined["MOTA"] == pytest.approx((4 - 2) / 6)
    assert result.combined["GT_IDs"] == 2
    assert result.sequences["gate"] == result.combined  # one sequence is all there is
    metrics = result.as_metrics()
    assert metrics["mot.사람.id_recall"] == 1
    assert metrics["mot.지게차.mota"] == 0
    assert "mot.지게차.motp" not in metrics


def test_boxes_of_classes_that_never_count_are_left_out_by_name():
    one = sequence(
        rows((1, 1, *BOX), (1, 2, *ELSEWHERE, 0, 2)), 1, class_names=LABELS, classes="own"
    )
    found = rows((1, 1, *BOX), (1, 2, *ELSEWHERE, 1, 2))
    result = evaluate_tracks([one], {"gate": found})
    assert (result.unjudged, result.combined["CLR_FP"]) == ({"지게차": 1}, 0)
    assert list(result.classes) == ["사람"]
    assert result.to_dict()["unjudged"] == {"지게차": 1}


def test_what_can_not_be_judged_is_refused_by_name():
    truth = rows((1, 1, *BOX))
    gate = sequence(truth, 2)
    cases = [
        ([], {}, "nothing to judge"),
        ([sequence(rows((1, 1, *BOX, 0)), 2)], {"gate": truth}, "gate counts"),
        ([gate], {}, "tracks for each sequence"),
        ([gate], {"gate": truth, "yard": truth}, "tracks for each sequence"),
        ([gate, gate], {"gate": truth}, "tracks for each sequence"),
        ([gate], {"gate": rows((3, 1, *BOX))}, r"tracks of .*'gate': frames .* lie in 1…2"),
        ([gate], {"gate": rows((0, 1, *BOX))}, "reach from 0 to 0"),
        ([gate], {"gate": rows((1, 1, *BOX), (1, 1, *ELSEWHERE))}, "there twice"),
        ([gate], {"gate": rows((1, 1, 0, 0, 0, 5))}, "width and height above 0"),
        ([gate], {"gate": rows((1, 1, 0, np.nan, 5, 5))}, "finite"),
    ]
    for sequences, tracks, said in cases:
        with pytest.raises(EvaluationError, match=said):
            evaluate_tracks(sequences, tracks)
    with pytest.raises(EvaluationError, match="forklift asked for"):
        evaluate_tracks([gate], {"gate": truth}, ["forklift"])


def test_nothing_is_printed(capsys):
    truth = rows((1, 1, *BOX))
    evaluate_tracks([sequence(truth, 1)], {"gate": truth})
    assert capsys.readouterr() == ("", "")

"""Sequences and result files: what is read, and how each mistake is told."""

from __future__ import annotations

import dataclasses
import shutil
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracking import rows, write_info, write_rows

from guardianflow.contracts.errors import DatasetError, EvaluationError
from guardianflow.contracts.sequences import TrackingSequence, TrackRows
from guardianflow.site_data.mot.frames import video_frames
from guardianflow.site_data.mot.sequences import resolve_sequences
from guardianflow.site_data.mot.track_results import read_truth_and_results, write_tracks

TRUTH = "1,1,10,20,30,40,1,1,1\n2,1,12,20,30,40,1,1,1\n"


def put(folder: Path, truth: str = TRUTH, length: int | None = 3, labels: str = "") -> Path:
    """A sequence of text files alone."""
    (folder / "gt").mkdir(parents=True, exist_ok=True)
    (folder / "gt" / "gt.txt").write_text(truth, encoding="utf-8")
    if labels:
        (folder / "gt" / "labels.txt").write_text(labels, encoding="utf-8")
    if length is not None:
        write_info(folder, length, frameRate=10)
    return folder


def put_images(folder: Path, names: list[str], size: tuple[int, int] = (64, 48)) -> Path:
    (folder / "img1").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        picture = np.full((size[1], size[0], 3), 40 * number % 255, dtype=np.uint8)
        cv2.imwrite(str(folder / "img1" / name), picture)
    return folder


def put_video(path: Path, frames: int = 4) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5.0, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), (200, 60 * number, 0), dtype=np.uint8))  # blue in BGR
    writer.release()
    return path


def resolve(*references: object, cache: Path) -> tuple[TrackingSequence, ...]:
    return resolve_sequences([str(each) for each in references], cache_dir=cache / "cache")


def read(tmp_path: Path, truth: str, results: str = "", **given: object) -> list[TrackRows]:
    """Truth and results of one sequence given as text."""
    shutil.rmtree(tmp_path / "gt", ignore_errors=True)
    put(tmp_path / "gt" / "gate", truth, **given)  # type: ignore[arg-type]
    (tmp_path / "results").mkdir(exist_ok=True)
    (tmp_path / "results" / "gate.txt").write_text(results, encoding="utf-8")
    sequences, tracks = read_truth_and_results(tmp_path / "gt", tmp_path / "results")
    return [sequences[0].truth, tracks["gate"]]


def problems(call: object) -> str:
    with pytest.raises(DatasetError) as caught:
        call()  # type: ignore[operator]
    return "\n".join(map(str, caught.value.problems))


# --- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "classes", "kinds"),
    [
        ("2,1,10,20,30,40,1,3,0.5\n1,1,9,20,30,40,0,1,1\n", "motchallenge", [1, 3]),
        ("1 1 10 20 30 40 1 3 0.5\n", "motchallenge", [3]),
        ("\ufeff1,1,10,20,30,40\n", "none", [1]),
        ("1,1,10,20,30,40,1\n\n  \n2 , 1.0 , 10, 20, 30, 40, 1,\n", "none", [1, 1]),
        ("1,1,10,20,30,40,1,-1,-1,-1\n", "none", [1]),
        ("1,1,10,20,30,40,1,12.25,3.5,0\n", "none", [1]),  # MOT15's place in the world
        ("1,1,10,20,30,40,1,-1,-1\n", "none", [1]),
        ("# made by hand\nframe,id,x,y,w,h\n1,1,10,20,30,40\n", "none", [1]),
    ],
)
def test_ground_truth_comes_in_many_shapes(
    tmp_path: Path, text: str, classes: str, kinds: list[int]
) -> None:
    put(tmp_path / "gt" / "gate", text)
    write_rows(tmp_path / "results" / "gate.txt", [])
    ((one,), _) = read_truth_and_results(tmp_path / "gt", tmp_path / "results")
    assert (one.classes, one.truth.class_ids.tolist()) == (classes, kinds)
    assert (np.diff(one.truth.frames) >= 0).all()
    assert one.first_pixel == 1


def test_marks_count_unless_they_are_0_and_absent_ones_count(tmp_path: Path) -> None:
    truth, _ = read(tmp_path, "1,1,0,0,5,5,0\n1,2,0,0,5,5,0.4\n1,3,0,0,5,5,1\n1,4,0,0,5,5,-1\n")
    assert truth.counted.tolist() == [False, False, True, True]
    assert read(tmp_path, "1,1,0,0,5,5\n")[0].counted.tolist() == [True]


def test_labels_of_ones_own_number_classes_from_1_and_pixels_from_0(tmp_path: Path) -> None:
    put(tmp_path / "gt" / "gate", "1,1,0,0,5,5,1,2,1\n", labels="사람\n지게차\n")
    write_rows(tmp_path / "results" / "gate.txt", [])
    ((one,), _) = read_truth_and_results(tmp_path / "gt", tmp_path / "results")
    assert (one.classes, one.first_pixel) == ("own", 0)
    assert one.counted_classes == {2: "지게차"}
    ten = "1,1,0,0,5,5,1,2,1,0\n"  # CVAT's skipped column is no place in the world
    assert read(tmp_path, ten, labels="사람\n지게차\n")[0].class_ids.tolist() == [2]
    assert read(tmp_path, "1,1,0,0,5,5\n", labels="지게차\n")[0].class_ids.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,1,a,20,30,40\n", "gt.txt:1: a row must be numbers but got '1 1 a 20 30 40'"),
        ("1,1,10,20,30,40\n1,2,nan,20,30,40\n", "gt.txt:2: values must be finite"),
        ("1,1,10,20,inf,40\n", "must be finite"),
        ("1,1,10,20,0,40\n", "width and height must be above 0 but got 0 and 40"),
        ("1,1,10,20,30,-4\n", "above 0 but got 30 and -4"),
        ("0,1,10,20,30,40\n", "the frame must be a whole number from 1 to 1000000 but got 0"),
        ("1.5,1,10,20,30,40\n", "1 to 1000000 but got 1.5"),
        ("1,-1,10,20,30,40\n", "but got -1 (boxes without identities are no tracks)"),
        ("1,1.5,10,20,30,40\n", "the id must be a whole number"),
        ("1,1,10,20,30\n", "6 to 10 columns, frame, id, left, top, width, height …, but got 5"),
        ("1,1,1,1,1,1,1,1,1,1,1\n", "but got 11"),
        ("1,1,10,20,30,40\n1,2,10,20,30,40,1\n", "gt.txt:2: a row must have 6 columns like"),
        (
            "1,1,1,1,5,5\n2,1,1,1,5,5\n2,1,9,9,5,5\n",
            "gt.txt:3: id 1 is in frame 2 already (line 2)",
        ),
        ("1,1,1,1,5,5\n4,1,1,1,5,5\n", "gt.txt:2: frame 4 lies beyond the sequence's 3 frames"),
        ("1,1,1,1,5,5,1,14,1\n", "gt.txt:1: class 14 is unknown: MOTChallenge has 1 to 13"),
        ("1,1,1,1,5,5,1,1,1\n1,2,1,1,5,5,1,-1,1\n", "gt.txt:2: class -1 is unknown"),
        ("1,1,1,1,5,5,1,2.5,1\n", "class 2.5 is unknown"),
        ("1,1,1,1,5,5,1,3,1,-1\n", "ten columns, of which MOT15 means"),
    ],
)
def test_what_is_wrong_with_ground_truth_is_told_by_line(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in problems(lambda: read(tmp_path, text))


def test_labels_that_can_not_name_classes_are_refused(tmp_path: Path) -> None:
    two = "1,1,1,1,5,5,1,3,1\n1,2,1,1,5,5,1,0,1\n"
    told = problems(lambda: read(tmp_path, two, labels="person\n\nperson\n"))
    assert "labels.txt:2: a class name must not be empty" in told
    assert "labels.txt:3: class 'person' is in line 1 too" in told
    assert "gt.txt:2: class 0 is unknown: labels.txt names 1 to 3" in told
    told = problems(lambda: read(tmp_path, "1,1,1,1,5,5\n", labels="person\nforklift\n"))
    assert "no class column (the eighth), but labels.txt beside it names 2 classes" in told


def test_a_file_of_another_kind_is_told_in_few_words(tmp_path: Path) -> None:
    told = problems(lambda: read(tmp_path, "x,1,10,20,30,40\n1,y,10,20,30,40\n" * 400))
    assert len(told.splitlines()) < 60
    assert "not read on" in told
    (tmp_path / "gt" / "gate" / "gt" / "gt.txt").write_bytes(b"\xff\xfe1\x00")
    told = problems(lambda: read_truth_and_results(tmp_path / "gt", tmp_path / "results"))
    assert "gt.txt: is not UTF-8 (line 1) but looks like UTF-16" in told


# --- results ------------------------------------------------------------------------------------


def test_a_result_without_classes_is_about_the_only_one_that_counts(tmp_path: Path) -> None:
    for columns in ("0.9", "0.9,-1,-1,-1", "0.9,1,-1", "-1,0,-1"):
        _, found = read(tmp_path, TRUTH, f"1,7,10,20,30,40,{columns}\n")
        assert found.class_ids.tolist() == [1]
    _, found = read(tmp_path, TRUTH, "1,7,10,20,30,40,0.9,3,-1\n")
    assert found.class_ids.tolist() == [3]
    both = "1,1,1,1,5,5,1,1,1\n1,2,1,1,5,5,1,2,1\n"
    told = problems(lambda: read(tmp_path, both, "1,1,1,1,5,5\n", labels="person\nforklift\n"))
    assert "gate.txt:1: names no class (column 8)" in told
    assert "counts 2: 1 person, 2 forklift" in told
    told = problems(
        lambda: read(tmp_path, both, "1,1,1,1,5,5,1,3,1\n", labels="person\nforklift\n")
    )
    assert "class 3 is unknown: the ground truth of 'gate' has 1 person, 2 forklift" in told
    told = problems(lambda: read(tmp_path, TRUTH, "1,1,1,1,5,5,1,1.5,1\n"))
    assert "a class must be a whole number but got 1.5" in told


def test_results_beyond_the_sequence_are_refused_and_lengthen_one_without_seqinfo(
    tmp_path: Path,
) -> None:
    late = "1,1,10,20,30,40\n9,1,10,20,30,40\n"
    told = problems(lambda: read(tmp_path, TRUTH, late))
    assert "gate.txt:2: frame 9 lies beyond the 3 frames that seqinfo.ini of 'gate' says" in told
    put(tmp_path / "alone" / "gate", length=None)
    ((one,), _) = read_truth_and_results(tmp_path / "alone", tmp_path / "results")
    assert one.length == 9
    (tmp_path / "alone" / "gate" / "seqinfo.ini").write_text("[Sequence]\nframeRate=12.5\n")
    ((one,), _) = read_truth_and_results(tmp_path / "alone", tmp_path / "results")
    assert (one.length, one.frame_rate) == (9, 12.5)


def test_missing_and_needless_result_files_are_named_with_every_other_problem(
    tmp_path: Path,
) -> None:
    for name in ("gate", "yard"):
        put(tmp_path / "gt" / name)
    put(tmp_path / "gt" / "hall", "1,1,1,1,0,1\n")
    write_rows(tmp_path / "results" / "gates.txt", [])
    write_rows(tmp_path / "results" / "hall.txt", [(1, -1, 1, 1, 1, 1)])
    told = problems(lambda: read_truth_and_results(tmp_path / "gt", tmp_path / "results"))
    assert "gate.txt: is missing; a tracker that found nothing leaves an empty file" in told
    assert "yard.txt: is missing" in told
    assert "gates.txt: there is no ground truth for 'gates'; did you mean 'gate'?" in told
    assert "hall/gt/gt.txt:1: a box's width" in told
    for mark in ("0", "1"):
        put(tmp_path / "quiet" / "hall", f"1,1,1,1,5,5,{mark}\n")
        write_rows(tmp_path / "heard" / "hall.txt", [])
        if mark == "0":
            told = problems(lambda: read_truth_and_results(tmp_path / "quiet", tmp_path / "heard"))
            assert "no row of any ground truth here counts (column 7 above 0)" in told
    read_truth_and_results(tmp_path / "quiet", tmp_path / "heard")
    told = problems(lambda: read_truth_and_results(tmp_path / "gt", tmp_path / "nowhere"))
    assert "no such directory of result files" in told


def test_hangul_is_the_same_however_a_file_system_composes_it(tmp_path: Path) -> None:
    put(tmp_path / "gt" / unicodedata.normalize("NFC", "정문"))
    write_rows(tmp_path / "results" / f"{unicodedata.normalize('NFD', '정문')}.txt", [])
    ((one,), tracks) = read_truth_and_results(tmp_path / "gt", tmp_path / "results")
    assert list(tracks) == [one.name]


numbers = st.floats(0.001, 5000, allow_nan=False)


@settings(max_examples=30, deadline=None)
@given(
    given_rows=st.lists(
        st.tuples(
            st.integers(1, 50), st.integers(0, 9), numbers, numbers, numbers, numbers,
            st.floats(0, 1), st.sampled_from([1, 2]),
        ),
        unique_by=lambda row: row[:2],
    )
)  # fmt: skip
def test_written_tracks_are_read_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[tuple[float, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    put(folder / "gt" / "gate", length=50, labels="person\nforklift\n")
    tracks = rows(*given_rows)
    write_tracks(folder / "results" / "gate.txt", tracks)
    _, again = read_truth_and_results(folder / "gt", folder / "results")
    for field in dataclasses.fields(tracks):
        before, after = (getattr(each, field.name) for each in (tracks, again["gate"]))
        assert np.array_equal(before, after)
    assert [path.name for path in (folder / "results").iterdir()] == ["gate.txt"]


# --- pictures and places ------------------------------------------------------------------------


def test_a_directory_is_one_sequence_or_several(tmp_path: Path) -> None:
    for name in ("yard", "gate"):
        put_images(put(tmp_path / "site" / name), ["000001.jpg", "000002.jpg", "000003.jpg"])
    (tmp_path / "site" / "notes").mkdir()
    gate, yard = resolve(tmp_path / "site", cache=tmp_path)
    assert (gate.name, yard.name) == ("gate", "yard")
    assert (gate.length, gate.frame_rate, gate.width, gate.height) == (3, 10, 64, 48)
    assert [path.name for path in gate.frame_paths] == ["000001.jpg", "000002.jpg", "000003.jpg"]
    (alone,) = resolve(tmp_path / "site" / "gate", cache=tmp_path)
    assert alone.fingerprint == gate.fingerprint != yard.fingerprint
    told = problems(lambda: resolve(tmp_path / "site", tmp_path / "site/gate", cache=tmp_path))
    assert "gate: is named twice" in told
    shutil.copytree(tmp_path / "site" / "gate", tmp_path / "other" / "gate")
    told = problems(lambda: resolve(tmp_path / "site", tmp_path / "other", cache=tmp_path))
    assert "has the same name as" in told


def test_the_fingerprint_speaks_of_content_and_not_of_place(tmp_path: Path) -> None:
    names = ["1.png", "2.png", "3.png"]
    put_images(put(tmp_path / "a" / "gate"), names)
    (before,) = resolve(tmp_path / "a", cache=tmp_path)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (moved,) = resolve(tmp_path / "b", cache=tmp_path)
    assert moved.fingerprint == before.fingerprint
    put(tmp_path / "b" / "gate", TRUTH.replace("12,20", "13,20"))
    (other_truth,) = resolve(tmp_path / "b", cache=tmp_path)
    put_images(tmp_path / "a" / "gate", ["2.png"], (64, 48))
    (other_picture,) = resolve(tmp_path / "a", cache=tmp_path)
    assert len({each.fingerprint for each in (before, other_truth, other_picture)}) == 3


def test_pictures_that_are_not_the_frames_are_named(tmp_path: Path) -> None:
    def told(names: list[str], size: tuple[int, int] = (64, 48), **info: object) -> str:
        shutil.rmtree(tmp_path / "gate", ignore_errors=True)
        put_images(put(tmp_path / "gate"), names, size)
        write_info(tmp_path / "gate", 3, **info)
        return problems(lambda: resolve(tmp_path / "gate", cache=tmp_path))

    assert "images are missing for 2 frames: 000001, 000003" in told(["000002.jpg"])
    assert "holds no image" in told([])
    assert "holds no image" in told(["._000001.jpg"])
    assert "holds 4 images but seqinfo.ini says seqLength=3" in told(
        [f"{i}.jpg" for i in range(1, 5)]
    )
    assert "first image is number 0" in told(["000.jpg", "001.jpg", "002.jpg"])
    assert "frame 1 is there twice" in told(["1.jpg", "001.png", "2.jpg", "3.jpg"])
    three = ["1.jpg", "2.jpg", "3.jpg"]
    assert "says 32×48 pixels but the pictures have 64×48" in told(three, imWidth=32, imHeight=48)
    assert "no pictures: neither a folder frames/ nor a video" in told(three, imDir="frames")
    assert "seqLength must be a whole number above 0 but got 'x'" in told(three, seqLength="x")
    (tmp_path / "gate" / "seqinfo.ini").write_text("seqLength=3\n")
    assert "must be an INI file with [Sequence]" in problems(
        lambda: resolve(tmp_path / "gate", cache=tmp_path)
    )
    (tmp_path / "gate" / "seqinfo.ini").unlink()
    put_images(tmp_path / "gate", ["4.jpg"], (32, 32))
    assert "must be of one size" in problems(lambda: resolve(tmp_path / "gate", cache=tmp_path))
    (tmp_path / "gate" / "img1" / "4.jpg").write_bytes(b"no image")
    assert "4.jpg" in problems(lambda: resolve(tmp_path / "gate", cache=tmp_path))


def test_images_with_names_of_their_own_come_in_natural_order(tmp_path: Path) -> None:
    put_images(put(tmp_path / "gate"), ["cam_9.jpg", "cam_10.jpg", "cam_11.jpg"])
    (one,) = resolve(tmp_path / "gate", cache=tmp_path)
    assert [path.name for path in one.frame_paths] == ["cam_9.jpg", "cam_10.jpg", "cam_11.jpg"]


def test_a_video_is_decoded_frame_by_frame(tmp_path: Path) -> None:
    put(tmp_path / "gate", length=None)
    put_video(tmp_path / "gate" / "입구.avi")
    (one,) = resolve(tmp_path / "gate", cache=tmp_path)
    assert (one.length, one.frame_rate, one.width, one.height) == (4, 5.0, 64, 48)
    assert one.video_frames is not None and one.frame_paths == ()
    frames = list(one.video_frames())
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 4
    assert (frames[0][0, 0] - [0, 0, 200]).max() < 12  # RGB
    put_video(tmp_path / "gate" / "second.avi")
    told = problems(lambda: resolve(tmp_path / "gate", cache=tmp_path))
    assert "holds 2 videos (second.avi, 입구.avi); call the one" in told
    put_video(tmp_path / "gate" / "video.avi", frames=2)
    assert resolve(tmp_path / "gate", cache=tmp_path)[0].length == 2
    write_info(tmp_path / "gate", 4)
    told = problems(lambda: resolve(tmp_path / "gate", cache=tmp_path))
    assert "video.avi: has 2 frames but seqinfo.ini says seqLength=4" in told
    (tmp_path / "gate" / "video.avi").write_bytes(b"no video")
    told = problems(lambda: resolve(tmp_path / "gate", cache=tmp_path))
    assert "is no video that OpenCV can decode" in told
    with pytest.raises(EvaluationError, match="can't be opened"):
        list(video_frames(tmp_path / "gate" / "gone.avi"))


def test_a_place_without_a_sequence_is_told(tmp_path: Path) -> None:
    put(tmp_path / "welding" / "gate")
    (tmp_path / "empty").mkdir()
    (tmp_path / "half" / "gt").mkdir(parents=True)
    told = problems(
        lambda: resolve(
            tmp_path / "weldin", tmp_path / "empty", tmp_path / "half", "s3://cctv", cache=tmp_path
        )
    )
    assert "no such directory; did you mean 'welding'?" in told
    assert "empty: holds no sequence" in told
    assert "gt.txt: there is no ground truth" in told
    assert "'s3://cctv': sequences must lie on this machine" in told


def test_a_relative_place_is_looked_for_where_the_caller_says(tmp_path: Path) -> None:
    put_images(put(tmp_path / "scenarios" / "cctv" / "gate"), ["1.jpg", "2.jpg", "3.jpg"])
    places = [tmp_path / "elsewhere", tmp_path / "scenarios"]
    (one,) = resolve_sequences(["cctv"], cache_dir=tmp_path / "cache", search_dirs=places)
    assert one.directory == tmp_path / "scenarios" / "cctv" / "gate"


def test_drawn_sequences_are_sequences_like_any_other(tmp_path: Path) -> None:
    (one,) = resolve("demo://crossing?frames=3&size=96", cache=tmp_path)
    assert (one.name, one.length, one.width, one.frame_rate) == ("demo-crossing", 3, 96, 10)
    assert one.counted_classes == {1: "pedestrian"}
    told = problems(
        lambda: resolve("demo://crossin", "demo://crowd?frame=3&size=big", cache=tmp_path)
    )
    assert "did you mean 'crossing'?" in told
    assert "unknown option 'frame'; known: frames, frame_rate, size, seed; did you mean" in told
    assert "'size' must be a whole number from 96 to 1280 but got 'big'" in told

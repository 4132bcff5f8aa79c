from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.demo import demo_data_set, parse_demo
from guardianflow.site_data.drawn.generator import code_of, generator_hash
from guardianflow.site_data.drawn.ppe import PpeOptions, scene_seed
from guardianflow.site_data.once import CONTENT, make_once

SMALL = "demo://ppe?images=30&size=128&seed=3"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_data_set(SMALL, tmp_path_factory.mktemp("cache")).parent


@pytest.fixture(scope="module")
def resolved(home: Path) -> LocalDataset:
    return resolve_dataset(SMALL, cache_dir=home.parents[1])


def test_the_same_seed_draws_the_same_bytes(home: Path, tmp_path: Path) -> None:
    assert contents(demo_data_set(SMALL, tmp_path).parent) == contents(home)
    other = demo_data_set(SMALL.replace("seed=3", "seed=4"), tmp_path).parent
    assert other.name != home.name
    name = "images/train/train_00000.jpg"
    assert contents(other)[name] != contents(home)[name]


def test_a_drawn_set_is_found_again(home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert demo_data_set(SMALL, home.parents[1]) == home / "data.yaml"
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_the_set_passes_its_own_checks(home: Path, resolved: LocalDataset) -> None:
    assert resolved.name == "demo-ppe"
    assert resolved.class_names == ("helmet", "head", "vest", "person")
    counts = {split: len(images) for split, images in resolved.splits.items()}
    assert counts == PpeOptions(images=30).counts() == {"train": 21, "val": 2, "test": 7}
    with Image.open(resolved.splits["test"][0]) as image:
        assert image.size == (128, 128)


def test_no_picture_is_in_two_splits(resolved: LocalDataset) -> None:
    pictures = [path.read_bytes() for images in resolved.splits.values() for path in images]
    assert len(set(pictures)) == len(pictures) == 30
    seeds = {scene_seed(7, split, i) for split in ("train", "val", "test") for i in range(500)}
    assert len(seeds) == 1500


def test_labels_tell_what_is_there(resolved: LocalDataset) -> None:
    labelled = [i for split in resolved.splits for i in read_labelled_images(resolved, split)]
    count: Counter[str] = Counter()
    worn, inside = 0, 0
    for image in labelled:
        names = [resolved.class_names[i] for i in image.class_ids]
        count.update(names)
        boxes = image.boxes_xyxy
        assert (boxes[:, 2:] - boxes[:, :2] >= 3.99).all()
        assert (boxes >= 0).all() and (boxes <= 128).all()
        people = boxes[image.class_ids == resolved.class_names.index("person")]
        for name, box in zip(names, boxes, strict=True):
            if name != "person":
                worn += 1
                shared = np.minimum(people[:, 2:], box[2:]) - np.maximum(people[:, :2], box[:2])
                covered = np.clip(shared, 0, None).prod(axis=1).max(initial=0)
                inside += covered > 0.98 * np.prod(box[2:] - box[:2])
    assert inside > 0.9 * worn  # the rest belong to people of whom little more is seen
    assert all(count[name] >= 15 for name in resolved.class_names), count
    assert count["helmet"] + count["head"] <= count["person"] + 3


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("demo://ppe?imges=60", "unknown option 'imges'; known: images, size, seed; did you mean"),
        ("demo://fire", "no demo data set 'fire'; known: demo://ppe, demo://cctv"),
        ("demo://", "no demo data set ''"),
        ("demo://ppe?images=many", "whole number from 10 to 100000 but got 'many'"),
        ("demo://ppe?size=8", "'size' must be a whole number from 96"),
        ("demo://ppe?seed=-1", "but got '-1'"),
        ("demo://ppe?seed=", "but got ''"),
        ("demo://ppe?seed=1&seed=2", "given twice"),
    ],
)
def test_bad_options_are_refused_by_name(tmp_path: Path, reference: str, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        resolve_dataset(reference, cache_dir=tmp_path)
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_all_bad_options_are_named_at_once() -> None:
    with pytest.raises(DatasetError) as caught:
        parse_demo("demo://pp?images=1&sead=2")
    assert len(caught.value.problems) == 3


def test_a_set_that_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        make_once(tmp_path / "set", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_by_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("")
    with pytest.raises(OSError, match="set"):
        make_once(tmp_path / "set", lambda folder: (folder / "a").write_text("") and None)


@pytest.mark.parametrize("damage", ["lost", "cut", "list lost", "list cut", "list odd"])
def test_a_set_that_a_cleaner_of_caches_has_been_at_is_made_anew(
    damage: str, tmp_path: Path
) -> None:
    def write(folder: Path) -> None:
        (folder / "images").mkdir()
        (folder / "images" / "a.jpg").write_text("whole")

    home = tmp_path / "set"
    make_once(home, write)
    (home / "images" / "kept").write_text("until it is made anew")
    make_once(home, write)
    assert (home / "images" / "kept").exists()
    image, listed = home / "images" / "a.jpg", home / CONTENT
    if damage == "lost":
        image.unlink()
    elif damage == "cut":
        image.write_text("who")
    elif damage == "list lost":
        listed.unlink()
    else:
        listed.write_text("{" if damage == "list cut" else "[1]")
    make_once(home, write)
    assert image.read_text() == "whole" and not (home / "images" / "kept").exists()
    assert list(tmp_path.iterdir()) == [home]


def test_two_processes_may_draw_one_set_at_once(tmp_path: Path) -> None:
    reference = "demo://ppe?images=10&size=96"
    program = (
        "import sys; from pathlib import Path;"
        "from guardianflow.site_data.demo import demo_data_set;"
        "from demo_scenes.scene import render;"
        "sys.stdin.readline(); demo_data_set(sys.argv[1], Path(sys.argv[2]))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, reference, str(tmp_path)], stdin=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in both:  # both have imported all they need when the line comes
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
    assert [process.wait(120) for process in both] == [0, 0]
    left = [path.name for path in (tmp_path / "demo").iterdir() if path.is_dir()]
    assert len(left) == 1  # the loser's draft is gone
    assert resolve_dataset(reference, cache_dir=tmp_path).image_count == 10


def test_a_comment_draws_no_set_anew_but_code_does() -> None:
    text = '"""A map."""\n\ndef draw(side):\n    return side * 2\n'
    told = '"""A list."""\n# note\ndef draw(side):\n    """The side."""\n\n    return side * 2\n'
    assert code_of(told) == code_of(text)
    assert code_of(text.replace("2", "3")) != code_of(text)


def test_a_set_is_called_by_the_code_that_draws_it(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("a = 1\n", encoding="utf-8")
    first = generator_hash(own, memory=tmp_path / "memory.json")
    assert first == generator_hash(own) != generator_hash()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "own.py").write_text("# a note\na = 1\n", encoding="utf-8")
    assert generator_hash(folder) == first  # neither notes nor places draw anything
    (folder / "other.py").write_text("a = 2\n", encoding="utf-8")
    assert generator_hash(folder / "other.py") != first

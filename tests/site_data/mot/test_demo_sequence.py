from __future__ import annotations

import configparser
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from guardianflow.contracts.errors import DatasetError
from guardianflow.site_data.mot.demo_sequence import demo_sequence


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_sequence("demo://crowd?frames=40", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def truth(home: Path) -> npt.NDArray[np.float64]:
    return np.loadtxt(home / "gt" / "gt.txt", delimiter=",")


def test_it_is_laid_out_as_motchallenge_does(home: Path, truth: npt.NDArray[np.float64]) -> None:
    info = configparser.ConfigParser()
    info.read(home / "seqinfo.ini")
    assert dict(info["Sequence"]) == {
        "name": "demo-crowd", "imdir": "img1", "framerate": "10", "seqlength": "40",
        "imwidth": "160", "imheight": "160", "imext": ".jpg",
    }  # fmt: skip
    pictures = sorted(path.name for path in (home / "img1").iterdir())
    assert pictures == [f"{i:06d}.jpg" for i in range(1, 41)]
    with Image.open(home / "img1" / pictures[0]) as image:
        assert image.size == (160, 160)
    assert truth.shape[1] == 9
    assert set(truth[:, 0]) == set(range(1, 41))
    assert set(truth[:, 6]) <= {0.0, 1.0} and set(truth[:, 7]) == {1.0}
    assert (truth[:, 4:6] > 0).all()
    assert ((truth[:, 8] >= 0) & (truth[:, 8] <= 1)).all()
    frames_and_ids = truth[:, :2]
    assert len(np.unique(frames_and_ids, axis=0)) == len(truth)


def test_people_keep_their_ids_walk_steadily_and_hide_each_other(
    truth: npt.NDArray[np.float64],
) -> None:
    assert set(truth[:, 1]) == set(range(1, 8))
    for number in range(1, 8):
        whole = truth[(truth[:, 1] == number) & (truth[:, 8] > 0.95)]
        whole = whole[np.append(True, np.diff(whole[:, 0]) == 1)]
        feet = whole[:, 3] + whole[:, 5]
        near = np.diff(whole[:, 0]) == 1
        assert np.abs(np.diff(feet)[near]).max(initial=0) < 8
        middle = truth[truth[:, 1] == number, 2] + truth[truth[:, 1] == number, 4] / 2
        assert np.ptp(middle) > 20
    counted = truth[:, 6] == 1
    assert (truth[~counted, 8] < 0.3).all() and (~counted).any()
    assert (truth[counted, 8] < 0.7).sum() > 10
    assert (truth[counted, 2:4] >= 1).all()
    assert (truth[counted, 2:4] + truth[counted, 4:6] <= 161).all()


def test_the_same_seed_draws_the_same_sequence(tmp_path: Path) -> None:
    first = demo_sequence("demo://crossing?frames=3", tmp_path / "a")
    again = demo_sequence("demo://crossing?frames=3", tmp_path / "b")
    other = demo_sequence("demo://crossing?frames=3&seed=8", tmp_path / "a")
    assert first.name == other.name == "demo-crossing" and first != other

    def read(folder: Path) -> list[bytes]:
        return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]

    assert read(first) == read(again) != read(other)
    assert demo_sequence("demo://crossing?frames=3", tmp_path / "a") == first


def test_what_cannot_be_drawn_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        demo_sequence("demo://crowds?frames=0&size=10", tmp_path)
    assert len(caught.value.problems) == 3
    assert "did you mean 'crowd'" in str(caught.value)

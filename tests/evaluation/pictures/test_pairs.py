"""A sheet of pairs can be read: whole pictures, names in Hangul, long ones by their end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.pictures.pairs import Pair, pairs_sheet


def pair(folder: Path, name: str) -> Pair:
    files = []
    for side, colour in (("가", "red"), ("나", "blue")):
        file = folder / f"{name}{side}.png"
        Image.new("RGB", (400, 100), colour).save(file)
        files.append(file)
    return Pair("twin · test ← train", (files[0], files[1]), (files[0].name, files[1].name))


def test_each_picture_of_each_pair_is_on_the_sheet_whole(tmp_path: Path) -> None:
    pairs = [pair(tmp_path, f"용접라인_{n}_" + "아주긴이름" * 12 * n) for n in range(2)]
    pairs = [*pairs, pair(tmp_path, "셋")]
    sheet = pairs_sheet(pairs, "3 of 7 judged images that are in train", tmp_path / "a" / "b.png")
    with Image.open(sheet) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    red = (np.abs(pixels - (255, 0, 0)).sum(axis=2) < 30).sum()
    blue = (np.abs(pixels - (0, 0, 255)).sum(axis=2) < 30).sum()
    assert red == blue == 3 * 300 * 75


def test_no_pairs_make_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError):
        pairs_sheet([], "nothing", tmp_path / "sheet.png")

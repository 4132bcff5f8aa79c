"""A small data set on disk, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

MakeDataset = Callable[..., Path]


def _write_image(
    path: Path, size: tuple[int, int] = (40, 20), shade: int = 90, tint: int = 60
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade % 256, tint, 30)).save(path, quality=95)
    return path


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Writes a plain image: `(path, size=(40, 20), shade=90)`."""
    return _write_image


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Writes `counts` images per split, each with the label rows given, and a data.yaml."""

    def make(
        counts: Mapping[str, int] | None = None,
        *,
        folder: str = "set",
        rows: str = "0 0.5 0.5 0.5 0.5\n",
        names: str = "[helmet, head]",
        extra: str = "",
    ) -> Path:
        root = tmp_path / folder
        counts = counts or {"train": 3, "val": 2}
        for number, (split, count) in enumerate(counts.items()):
            (root / "labels" / split).mkdir(parents=True)
            for i in range(count):
                _write_image(
                    root / "images" / split / f"{i:03d}.jpg", shade=4 * i, tint=60 * number
                )
                (root / "labels" / split / f"{i:03d}.txt").write_text(rows)
        lines = [f"{split}: images/{split}" for split in counts]
        data_yaml = root / "data.yaml"
        data_yaml.write_text("\n".join([*lines, f"names: {names}", extra, ""]))
        return data_yaml

    return make

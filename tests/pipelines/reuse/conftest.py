"""A site of its own for each test, on a machine that is the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from identified_site import TRAINER, Site
from PIL import Image

from pipelines.reuse import identity
from pipelines.wiring import in_memory


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(identity, "cpu_model", lambda: "Xeon 1")
    monkeypatch.setattr(identity, "gpu_names", tuple)
    monkeypatch.setattr(identity, "physical_cores", lambda: 2)
    for split, count in (("train", 4), ("val", 2)):
        for folder in ("images", "labels"):
            (tmp_path / "data" / folder / split).mkdir(parents=True)
        for i in range(count):
            image = tmp_path / "data/images" / split / f"{i}.png"
            Image.new("RGB", (40, 20), (i, len(split), 9)).save(image)
            label = tmp_path / "data/labels" / split / f"{i}.txt"
            label.write_text("0 0.5 0.5 0.2 0.2\n")
    names = "train: images/train\nval: images/val\nnames: [helmet, vest]\n"
    (tmp_path / "data/data.yaml").write_text(names)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text(TRAINER)
    made = Site(tmp_path, in_memory(), "", work=tmp_path / "work")
    return replace(made, trained=made.register("first", seed=0))

"""demo://ppe: single pictures of many construction sites."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..progress import tracked
from .generator import generator_hash, label_rows, save_jpeg, write_data_yaml
from .options import numbered

VERSION = 1
SPLIT_NUMBERS = {"train": 0, "val": 1, "test": 2, "sequence": 3}


@dataclass(frozen=True)
class PpeOptions:
    """The options of demo://ppe.

    Args:
        images: in all splits together: 22 % test, 7 % val, the rest train.
        size: side of the square images, pixels.
        seed: the same seed gives the same bytes.
    """

    images: int = numbered(350, 10, 100_000)
    size: int = numbered(160, 96, 1280)
    seed: int = numbered(7, 0, 2**31 - 1)

    def counts(self) -> dict[str, int]:
        """Images per split."""
        val, test = max(1, round(self.images * 0.07)), max(1, round(self.images * 0.22))
        return {"train": self.images - val - test, "val": val, "test": test}

    def key(self, memory: Path) -> str:
        """Names what is drawn: version, code and options."""
        drawing = generator_hash(Path(__file__), memory=memory)
        return f"v{VERSION}-{drawing}-n{self.images}-s{self.size}-seed{self.seed}"

    def write(self, folder: Path) -> None:
        """Draw the set into a directory."""
        from demo_scenes.scene import random_scene, render

        todo = [(split, i) for split, count in self.counts().items() for i in range(count)]
        for split in self.counts():
            (folder / "images" / split).mkdir(parents=True)
            (folder / "labels" / split).mkdir(parents=True)
        for split, i in tracked(todo, "drawing demo://ppe", len(todo)):
            scene = random_scene(self.size, scene_seed(self.seed, split, i))
            image, seen = render(scene)
            stem = f"{split}_{i:05d}"
            save_jpeg(folder / "images" / split / f"{stem}.jpg", image, scene.light.quality)
            rows = label_rows(seen, self.size)
            (folder / "labels" / split / f"{stem}.txt").write_text(rows, encoding="utf-8")
        write_data_yaml(folder, self.counts())


def scene_seed(seed: int, split: str, number: int) -> int:
    """Seed of one scene; no two splits share one."""
    return int(np.random.SeedSequence((seed, SPLIT_NUMBERS[split], number)).generate_state(1)[0])

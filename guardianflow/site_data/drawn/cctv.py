"""demo://cctv: labelled frames of recordings, dealt out by recording, or so that they leak.

    images/train/cam1_20260105_081500_000120.jpg    camera, day, time; tenths of a second since then

Two leaks can be asked for, to see that they are found:

    leak=recording   frames of each recording are dealt to all splits, as careless tools do
    leak=twins       half of the test images have a twin in train, under a name that tells nothing:
                     a moment later, a little lighter or darker, encoded anew
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..progress import tracked
from .generator import CCTV, generator_hash, label_rows, save_jpeg, write_data_yaml
from .options import chosen, numbered

if TYPE_CHECKING:
    from demo_scenes.canvas import Pixels
    from demo_scenes.cctv.film import Film
    from demo_scenes.cctv.takes import Take

VERSION = 1
SPLITS = ("train", "val", "test")
VAL_SHARE, TEST_SHARE = 0.17, 0.25
EVERY_S = 1.0
"""Between two frames of a recording."""
TWIN_AFTER_S = 0.04
TWIN_SHARE = 0.5
_QUALITY, _TWIN_QUALITY = 84, 70
NONE, RECORDING, TWINS = "none", "recording", "twins"


class _Frame(NamedTuple):
    """One image to be drawn: its place, the moment, and how its bytes differ from a twin's."""

    split: str
    stem: str
    number: int
    seconds: float
    is_twin: bool = False


@dataclass(frozen=True)
class CctvOptions:
    """The options of demo://cctv.

    Args:
        recordings: of both cameras; the last days are test, those before val.
        images: of each recording.
        size: side of the square images, pixels.
        seed: the same seed gives the same bytes.
        leak: 'none', 'recording' or 'twins'.
    """

    recordings: int = numbered(24, 6, 100)
    images: int = numbered(20, 4, 200)
    size: int = numbered(160, 96, 640)
    seed: int = numbered(7, 0, 2**31 - 1)
    leak: str = chosen(NONE, RECORDING, TWINS)

    def split_of(self, number: int) -> str:
        """Split of a recording, where none leaks."""
        test = max(2, round(self.recordings * TEST_SHARE))
        val = max(2, round(self.recordings * VAL_SHARE))
        if number >= self.recordings - test:
            return "test"
        return "val" if number >= self.recordings - test - val else "train"

    def key(self, memory: Path) -> str:
        """Names what is drawn: version, code and options."""
        drawing = generator_hash(CCTV, Path(__file__), memory=memory)
        asked = f"n{self.recordings}-i{self.images}-s{self.size}-seed{self.seed}-{self.leak}"
        return f"v{VERSION}-{drawing}-{asked}"

    def write(self, folder: Path) -> None:
        """Draw the set into a directory."""
        from demo_scenes.cctv.film import Film
        from demo_scenes.cctv.takes import takes

        for split in SPLITS:
            (folder / "images" / split).mkdir(parents=True)
            (folder / "labels" / split).mkdir(parents=True)
        made = takes(self.recordings, self.seed)
        seconds = max(30.0, self.images * EVERY_S)
        for take in tracked(made, "drawing demo://cctv", len(made)):
            film = Film(take, seconds=seconds, size=self.size)
            for frame in self._frames(take):
                self._write(folder, film, frame)
        write_data_yaml(folder, SPLITS)

    def _frames(self, take: Take) -> Iterator[_Frame]:
        rng = np.random.default_rng((take.seed, 51))
        shares = [1 - VAL_SHARE - TEST_SHARE, VAL_SHARE, TEST_SHARE]
        for i in range(self.images):
            seconds = round((i + 0.5) * EVERY_S, 1)
            number = round(seconds * 10)
            dealt = SPLITS[int(rng.choice(len(SPLITS), p=shares))]
            split = dealt if self.leak == RECORDING else self.split_of(take.number)
            yield _Frame(split, f"{take.name}_{number:06d}", number, seconds)
            if self.leak == TWINS and split == "test" and rng.random() < TWIN_SHARE:
                stem = f"upload_{take.number * self.images + i:06d}"
                yield _Frame("train", stem, number + 1, seconds + TWIN_AFTER_S, is_twin=True)

    def _write(self, folder: Path, film: Film, frame: _Frame) -> None:
        picture, seen = film.shot(frame.number, frame.seconds)
        quality = _QUALITY
        if frame.is_twin:
            quality, factor = _TWIN_QUALITY, 0.9 if frame.number % 4 < 2 else 1.1
            picture = _lighter(picture, factor)
        save_jpeg(folder / "images" / frame.split / f"{frame.stem}.jpg", picture, quality)
        labels = folder / "labels" / frame.split / f"{frame.stem}.txt"
        labels.write_text(label_rows(seen, self.size), encoding="utf-8")


def _lighter(picture: Pixels, factor: float) -> Pixels:
    changed: Pixels = np.clip(picture * factor, 0, 255).astype(np.uint8)
    return changed

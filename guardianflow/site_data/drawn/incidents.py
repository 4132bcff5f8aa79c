"""demo://incidents: recordings of two cameras with planted incidents, near misses, and the truth.

    val/truth.csv                              recording,rule,start_s,end_s
    val/cam1/20260302_082600.mp4               video of camera cam1
    val/cam2/20260302_082400/000001.jpg …      pictures, their times in times.csv beside them
    test/…                                     other days

Of four recordings two are videos; one is a folder with even times, one with uneven times.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import tracked
from .generator import CCTV, generator_hash
from .options import numbered
from .videos import write_folder, write_video

if TYPE_CHECKING:
    from demo_scenes.canvas import Pixels
    from demo_scenes.cctv.film import Film
    from demo_scenes.cctv.takes import Take

VERSION = 1
TRUTH = "truth.csv"
COLUMNS = ("recording", "rule", "start_s", "end_s")
VAL_SHARE = 0.4
FIRST_DAY = {"val": 56, "test": 84}
"""Days after the first of demo://cctv: the same cameras, weeks later."""


@dataclass(frozen=True)
class IncidentOptions:
    """The options of demo://incidents.

    Args:
        recordings: of val and test together; two fifths are val.
        seconds: length of each.
        fps: pictures a second; on average, where times are uneven.
        size: side of the square pictures, pixels.
        seed: the same seed gives the same bytes.
    """

    recordings: int = numbered(10, 4, 100)
    seconds: int = numbered(60, 30, 600)
    fps: int = numbered(3, 2, 15)
    size: int = numbered(160, 96, 640)
    seed: int = numbered(7, 0, 2**31 - 1)

    def takes(self) -> dict[str, list[Take]]:
        """Recordings of each split; no two share a day."""
        from demo_scenes.cctv.takes import takes

        val = round(self.recordings * VAL_SHARE)
        counts = {"val": val, "test": self.recordings - val}
        return {
            split: takes(count, self.seed, first_day=FIRST_DAY[split])
            for split, count in counts.items()
        }

    def key(self, memory: Path) -> str:
        """Names what is drawn: version, code and options."""
        drawing = generator_hash(
            CCTV, Path(__file__), Path(__file__).with_name("videos.py"), memory=memory
        )
        asked = f"n{self.recordings}-t{self.seconds}-f{self.fps}-s{self.size}-seed{self.seed}"
        return f"v{VERSION}-{drawing}-{asked}"

    def write(self, folder: Path) -> None:
        """Draw the recordings and write down what happens in them."""
        from demo_scenes.cctv.film import Film

        todo = [(split, take) for split, takes in self.takes().items() for take in takes]
        rows: dict[str, list[tuple[str, str, str, str]]] = {split: [] for split, _ in todo}
        for split, take in tracked(todo, "drawing demo://incidents", len(todo)):
            film = Film(take, seconds=self.seconds, size=self.size)
            self._write_recording(folder / split / take.camera_name, film)
            rows[split] += [
                (
                    f"{take.camera_name}/{take.moment}",
                    act.rule,
                    f"{act.start_s:.2f}",
                    f"{act.end_s:.2f}",
                )
                for act in film.plan.incidents
            ]
        for split, told in rows.items():
            with (folder / split / TRUTH).open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([COLUMNS, *told])

    def _write_recording(self, folder: Path, film: Film) -> None:
        take = film.take
        uneven = take.number % 4 == 1
        pictures = self._pictures(film, uneven=uneven)
        if uneven or take.number % 4 == 3:
            write_folder(folder / take.moment, pictures)
        else:
            write_video(folder / f"{take.moment}.mp4", pictures, self.fps)

    def _pictures(self, film: Film, *, uneven: bool) -> Iterator[tuple[float, Pixels]]:
        from demo_scenes.cctv.film import times_of

        times = times_of(self.seconds, self.fps, uneven=uneven, seed=film.take.seed)
        for number, seconds in enumerate(times):
            yield seconds, film.shot(number, seconds).picture

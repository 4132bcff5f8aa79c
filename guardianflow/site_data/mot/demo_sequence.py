"""A drawn image sequence with ground truth as MOTChallenge lays it out.

    NAME/seqinfo.ini     name, frame rate, length, size
    NAME/img1/000001.jpg …
    NAME/gt/gt.txt       frame, id, left, top, width, height, counts, class, visibility

People walk to and fro in one scene of demo://ppe, cross and hide each other. Boxes are those that
demo://ppe teaches a detector, of what is seen. A person too hidden to be asked for keeps its id
and its whole box, marked 0 in the seventh column ('not to be counted'). Class 1 is a pedestrian.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from demo_scenes.canvas import Camera
from demo_scenes.outfits import Outfit, random_outfit, walking
from demo_scenes.scene import Scene, SeenObject, Worker, random_scene, render

from ..demo import SCHEME, parse_named
from ..drawn.generator import generator_hash, save_jpeg
from ..drawn.options import numbered
from ..drawn.ppe import VERSION, scene_seed
from ..once import make_once
from ..progress import tracked

SEQUENCES = {"crossing": 1, "crowd": 2}
PEDESTRIAN = 1
WALKERS = {"crossing": 4, "crowd": 7}
_STEP_M = 0.75  # a full turn of the phase is two steps
_DAYLIGHT = ("sun", "overcast")


@dataclass(frozen=True)
class _Walker:
    """Somebody who walks between two ground points, turning round at each."""

    outfit: Outfit
    start: tuple[float, float]
    end: tuple[float, float]
    speed: float
    ahead: float

    def at(self, seconds: float) -> Worker:
        way = math.dist(self.start, self.end)
        walked = self.ahead + self.speed * seconds
        lap, along = divmod(walked, way)
        share = along / way if int(lap) % 2 == 0 else 1 - along / way
        turn = 1 if int(lap) % 2 == 0 else -1
        x, z = (a + share * (b - a) for a, b in zip(self.start, self.end, strict=True))
        dx, dz = turn * (self.end[0] - self.start[0]), turn * (self.end[1] - self.start[1])
        heading = math.atan2(dx, -dz)  # 0 comes toward the camera
        return Worker(self.outfit, walking(heading, walked / _STEP_M * math.pi, 0.48), x, z)


@dataclass(frozen=True)
class SequenceOptions:
    """The options of a drawn sequence.

    Args:
        frames: how many pictures.
        frame_rate: pictures a second.
        size: side of the pictures, pixels.
        seed: the same seed gives the same bytes.
    """

    frames: int = numbered(60, 1, 10_000)
    frame_rate: int = numbered(10, 1, 120)
    size: int = numbered(160, 96, 1280)
    seed: int = numbered(7, 0, 2**31 - 1)


def demo_sequence(reference: str, cache_dir: Path) -> Path:
    """Draw a sequence, or find it drawn already.

    Args:
        reference: 'demo://crossing' (4 people) or 'demo://crowd' (7), also with options.

    Returns:
        The sequence's directory, under cache_dir / 'demo'; it is called demo-crossing, demo-crowd.

    Raises:
        DatasetError: an unknown sequence, unknown options or values out of range, all at once.
    """
    demos = dict.fromkeys(SEQUENCES, SequenceOptions)
    name, asked = parse_named(reference, demos, "sequence")
    drawing = generator_hash(Path(__file__))
    numbers = f"f{asked.frames}-r{asked.frame_rate}-s{asked.size}-seed{asked.seed}"
    home = cache_dir / "demo" / f"mot-v{VERSION}-{drawing}-{numbers}" / f"demo-{name}"
    make_once(home, functools.partial(_write_sequence, name=name, asked=asked))
    return home


def _write_sequence(folder: Path, name: str, asked: SequenceOptions) -> None:
    frames, rate, size = asked.frames, asked.frame_rate, asked.size
    scene, walkers = _cast(name, size, asked.seed)
    (folder / "img1").mkdir()
    (folder / "gt").mkdir()
    rows: list[str] = []
    for frame in tracked(range(1, frames + 1), f"drawing {SCHEME}{name}", frames):
        people = tuple(walker.at((frame - 1) / rate) for walker in walkers)
        image, seen = render(replace(scene, workers=people), frame=frame)
        save_jpeg(folder / "img1" / f"{frame:06d}.jpg", image, scene.light.quality)
        rows += [_row(frame, one) for one in seen if one.name == "person" and _is_in(one, size)]
    (folder / "gt" / "gt.txt").write_text("".join(rows), encoding="utf-8")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=demo-{name}\nimDir=img1\nframeRate={rate}\nseqLength={frames}\n"
        f"imWidth={size}\nimHeight={size}\nimExt=.jpg\n",
        encoding="utf-8",
    )


def _cast(name: str, size: int, seed: int) -> tuple[Scene, list[_Walker]]:
    """A scene in daylight with a sharp lens, and people whose ways cross in its middle."""
    for attempt in range(1000):
        number = SEQUENCES[name] * 1000 + attempt
        scene = random_scene(size, scene_seed(seed, "sequence", number), workers=0)
        light = scene.light
        if light.kind in _DAYLIGHT and not light.blur and not light.smear[0]:
            break
    rng = np.random.default_rng((scene.seed, 3))
    walkers = []
    for i in range(WALKERS[name]):
        start, end = _way(rng, scene.camera, leftward=i % 2 == 1)
        outfit = replace(random_outfit(rng), load=None)
        speed = float(rng.uniform(0.9, 1.5))
        walkers.append(
            _Walker(outfit, start, end, speed, float(rng.uniform(0, 0.3)) * math.dist(start, end))
        )
    clear = tuple(
        thing
        for thing in scene.things
        if all(
            math.hypot(w.x - thing.x, w.z - thing.z) > thing.radius + 0.4
            for walker in walkers
            for w in (walker.at(t / 2) for t in range(40))
        )
    )
    return replace(scene, things=clear), walkers


def _way(
    rng: np.random.Generator, camera: Camera, *, leftward: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """From one side of the picture to the other, at a height where people are well seen."""
    left = camera.ground_at(float(rng.uniform(0.04, 0.25)), float(rng.uniform(0.5, 0.95)))
    right = camera.ground_at(float(rng.uniform(0.75, 0.96)), float(rng.uniform(0.5, 0.95)))
    return (right, left) if leftward else (left, right)


def _is_in(one: SeenObject, size: int) -> bool:
    """Whether any of its whole box lies in the picture; who has left it has no row."""
    x1, y1, x2, y2 = one.whole
    return x1 < size and y1 < size and x2 > 0 and y2 > 0


def _row(frame: int, one: SeenObject) -> str:
    """A row of gt.txt; its pixels count from 1."""
    x1, y1, x2, y2 = one.box if one.is_labelled and one.box is not None else one.whole
    return (
        f"{frame},{one.worker + 1},{x1 + 1:.1f},{y1 + 1:.1f},{x2 - x1:.1f},{y2 - y1:.1f},"
        f"{int(one.is_labelled)},{PEDESTRIAN},{one.visibility:.3f}\n"
    )

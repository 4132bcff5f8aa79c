"""Pictures with twins planted among them, for `benchmarks.leaks`; what is a twin is known.

    planted      a known picture encoded anew, scaled, cropped, shifted, made brighter or darker, or
                 the next frame of its recording
    distractors  other scenes; other moments of the same fixed camera; nights; black pictures

Drawn by demo_scenes; with data beside the project also photographs and frames of real videos. Two
frames of a video are another moment where what moves covers other places in them, told from its
median picture at full size: not by what is tried here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from demo_scenes.scene import Scene, random_scene, render

Pixels = npt.NDArray[np.uint8]

SIDE = 480
KINDS = ("encoded", "scaled", "cropped", "shifted", "brighter", "darker", "next frame")
MOVED_SHARE = 0.02
"""Of the picture that must be covered by what moves, or nothing tells a moment from another."""
MOST_SHARED = 0.2
"""IoU of the places covered: above it two frames may be one moment."""
APART_S = 3.0


class Judged(NamedTuple):
    """A picture that is looked for among those known.

    Args:
        kind: of its planting; of a distractor what it is.
        sources: known pictures of which it is a twin; none of a distractor.
    """

    file: str
    kind: str
    sources: tuple[str, ...]


class Planted(NamedTuple):
    """Files in `known/` and `judged/` of a folder."""

    folder: Path
    known: tuple[str, ...]
    judged: tuple[Judged, ...]


class _Writer:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.known: list[str] = []
        self.judged: list[Judged] = []
        for name in ("known", "judged"):
            (folder / name).mkdir(parents=True)

    def know(self, pixels: Pixels, name: str) -> str:
        file = f"known/{name}.jpg"
        _write(self.folder / file, pixels, self.rng.randint(75, 95))
        self.known.append(file)
        return file

    def judge(self, pixels: Pixels, name: str, kind: str, *sources: str) -> None:
        file = f"judged/{name}.jpg"
        quality = self.rng.randint(30, 60) if kind == "encoded" else self.rng.randint(75, 95)
        _write(self.folder / file, pixels, quality)
        self.judged.append(Judged(file, kind, sources))

    def plant(self, pixels: Pixels, name: str, source: str, kind: str) -> None:
        self.judge(changed(pixels, kind, self.rng), f"{name}_{kind}", kind, source)


def _write(path: Path, pixels: Pixels, quality: int) -> None:
    path.write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def changed(pixels: Pixels, kind: str, rng: random.Random) -> Pixels:
    """A twin of a picture; `next frame` is none of these."""
    height, width = pixels.shape[:2]
    if kind == "scaled":
        factor = rng.choice((0.5, 0.6, 0.75, 1.3))
        return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if kind == "cropped":
        kept = rng.uniform(0.9, 0.97)
        x, y = (round(rng.random() * (1 - kept) * side) for side in (width, height))
        return pixels[y : y + round(kept * height), x : x + round(kept * width)]
    if kind == "shifted":
        right, down = (round(rng.uniform(-0.06, 0.06) * side) for side in (width, height))
        matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
        return cv2.warpAffine(pixels, matrix, (width, height))
    if kind in ("brighter", "darker"):
        gain = rng.uniform(1.1, 1.2) if kind == "brighter" else rng.uniform(0.8, 0.9)
        return cv2.convertScaleAbs(pixels, alpha=gain)
    return pixels


def plant(folder: Path, count: int, data: Path | None, seed: int = 0) -> Planted:
    """Write about 8 × `count` known and 6 × `count` judged pictures.

    Args:
        data: with coco128/ and videos/; None: drawings alone.
    """
    out = _Writer(folder, seed)
    _drawings(out, count)
    _cameras(out, max(2, count // 10))
    _black(out, max(4, count // 20))
    if data is not None:
        _photographs(out, data / "coco128" / "images")
        for video in sorted((data / "videos").glob("*.mp4")):
            _video(out, video)
    return Planted(folder, tuple(out.known), tuple(out.judged))


def _drawn(scene: Scene, frame: int = 0) -> Pixels:
    pixels: Pixels = render(scene, frame=frame)[0][..., ::-1]
    return pixels


def _stepped(scene: Scene) -> Scene:
    """A tenth of a second later: everybody has taken a part of a step."""
    moved = tuple(replace(w, x=w.x + 0.08, z=w.z + 0.05) for w in scene.workers)
    return replace(scene, workers=moved)


def _drawings(out: _Writer, count: int) -> None:
    """Scenes of their own: twins of half of them, and others that nobody knows."""
    for number in range(count):
        scene = random_scene(SIDE, 10_000 + number)
        pixels, name = _drawn(scene), f"scene{number:05d}_{scene.light.kind}"
        source = out.know(pixels, name)
        kind = KINDS[number % (2 * len(KINDS)) % len(KINDS)]
        if number % (2 * len(KINDS)) < len(KINDS):
            if kind == "next frame":
                out.judge(_drawn(_stepped(scene), 1), f"{name}_next", kind, source)
            else:
                out.plant(pixels, name, source, kind)
    for number in range(count // 2):
        scene = random_scene(SIDE, 500_000 + number)
        out.judge(_drawn(scene), f"other{number:05d}_{scene.light.kind}", "other scene")


def _cameras(out: _Writer, count: int) -> None:
    """Fixed cameras, half of them by night: known moments, twins of some, and other moments."""
    for number in range(count):
        scene = _camera(700_000 + 97 * number, night=number % 2 == 1)
        label = f"camera{number:03d}_{scene.light.kind}"
        for moment in range(16):
            there = _peopled(scene, 31 * number + moment)
            pixels, name = _drawn(there, 50 * moment), f"{label}_{moment:02d}"
            if moment < 8:
                source = out.know(pixels, name)
                kind = KINDS[(number + moment) % len(KINDS)]
                if kind == "next frame":
                    later = _drawn(_stepped(there), 50 * moment + 1)
                    out.judge(later, f"{name}_next", kind, source)
                else:
                    out.plant(pixels, name, source, kind)
            else:
                out.judge(pixels, name, "other moment")


def _camera(seed: int, *, night: bool) -> Scene:
    while True:
        scene = random_scene(SIDE, seed)
        if (scene.light.kind == "night") == night:
            return scene
        seed += 1


def _peopled(scene: Scene, seed: int) -> Scene:
    """Other people elsewhere before the same camera: two within sight, at least in part."""
    for other in range(1000 * seed, 1000 * seed + 200):
        workers = random_scene(SIDE, other, workers=2).workers
        there = replace(scene, workers=workers)
        if _persons_seen(there) == 2:
            return there
    raise RuntimeError(f"nobody comes within sight of camera {scene.seed}")


def _persons_seen(scene: Scene) -> int:
    """Of those whose feet and heads are in the picture."""
    seen = 0
    for worker in scene.workers:
        foot, head = scene.camera.project([(worker.x, 0.0, worker.z), (worker.x, 1.7, worker.z)])
        inside = [0 <= v <= scene.camera.size for v in (*foot, *head)]
        seen += all(inside)
    return seen


def _black(out: _Writer, count: int) -> None:
    """Covered lenses: nothing but the sensor's noise; each is of its own."""
    for number in range(2 * count):
        rng = np.random.default_rng(number)
        level, noise = rng.uniform(2, 30), rng.uniform(1, 4)
        pixels = rng.normal(level, noise, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
        if number < count:
            out.know(pixels, f"black{number:04d}")
        else:
            out.judge(pixels, f"black{number:04d}", "black")


def _photographs(out: _Writer, folder: Path) -> None:
    for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
        pixels, name = cv2.imread(str(path)), f"photo{path.stem}"
        if number % 3 == 0:
            out.judge(pixels, name, "other photograph")
            continue
        source = out.know(pixels, name)
        out.plant(pixels, name, source, KINDS[number % 6])


class _Frame(NamedTuple):
    number: int
    pixels: Pixels
    moving: npt.NDArray[np.bool_]


def _video(out: _Writer, path: Path) -> None:
    """Frames a second and more apart are known; the next ones are twins, others moments."""
    frames, fps = _read(path)
    busy = [each for each in frames if MOVED_SHARE <= each.moving.mean() <= 0.5]
    known = [each for each in busy if each.number // int(fps) % 4 == 0 and each.number % 5 == 0]
    names = {each.number: out.know(each.pixels, f"{path.stem}_{each.number:05d}") for each in known}
    by_number = {each.number: each for each in frames}
    for each in known:
        later = by_number.get(each.number + 1)
        if later is not None:
            sources = [names[k.number] for k in known if not _is_another_moment(later, k, fps)]
            out.judge(later.pixels, f"{path.stem}_{later.number:05d}_next", "next frame", *sources)
    for each in busy[::3]:
        if all(_is_another_moment(each, other, fps) for other in known):
            out.judge(each.pixels, f"{path.stem}_{each.number:05d}_later", "other moment")


def _is_another_moment(one: _Frame, other: _Frame, fps: float) -> bool:
    if abs(one.number - other.number) < APART_S * fps:
        return False
    union = (one.moving | other.moving).sum()
    return float((one.moving & other.moving).sum()) <= MOST_SHARED * float(union)


def _read(path: Path) -> tuple[list[_Frame], float]:
    video = cv2.VideoCapture(str(path))
    fps = float(video.get(cv2.CAP_PROP_FPS))
    pixels = list(_frames(video))
    median = np.median(np.stack(pixels[:: max(1, len(pixels) // 40)]), axis=0).astype(np.uint8)
    found = []
    for number, each in enumerate(pixels):
        difference = cv2.GaussianBlur(cv2.absdiff(each, median).max(axis=2), (0, 0), 2)
        found.append(_Frame(number, each, difference > 40))
    return found, fps


def _frames(video: cv2.VideoCapture) -> Iterator[Pixels]:
    while True:
        there, pixels = video.read()
        if not there:
            return
        yield pixels

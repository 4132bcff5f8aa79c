"""demo://ppe: a data set of construction scenes, drawn on this machine.

The directory's name holds the generator's version, a hash of its code and the options, so that a
set is never mistaken for another one; it is written beside its final place and renamed when whole.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import parse_qsl

import cv2
import numpy as np

import demo_scenes
from demo_scenes.canvas import Pixels
from demo_scenes.scene import CLASS_NAMES, SeenObject, random_scene, render

from ..contracts.errors import DatasetError
from ..contracts.given import SHOWN_LENGTH, given_url, whole_number
from ..support.suggestions import did_you_mean
from .progress import tracked

VERSION = 1
CONTENT = ".content.json"
"""Lists the files of what was made, with their sizes."""
NAMES = ("ppe",)
SCHEME = "demo://"
SPLIT_NUMBERS = {"train": 0, "val": 1, "test": 2, "sequence": 3}
LIMITS = {"images": (10, 100_000), "size": (96, 1280), "seed": (0, 2**31 - 1)}


@dataclass(frozen=True)
class DemoOptions:
    """The options of a demo set.

    Args:
        images: in all splits together: 22 % test, 7 % val, the rest train.
        size: side of the square images, pixels.
        seed: the same seed gives the same bytes.
    """

    images: int = 350
    size: int = 160
    seed: int = 7

    def counts(self) -> dict[str, int]:
        """Images per split."""
        val, test = max(1, round(self.images * 0.07)), max(1, round(self.images * 0.22))
        return {"train": self.images - val - test, "val": val, "test": test}


def parse_demo(reference: str) -> tuple[str, DemoOptions]:
    """'demo://ppe?images=60&seed=7' → name and options.

    Raises:
        DatasetError: an unknown demo, unknown options or values out of range, all at once.
    """
    parts = given_url(reference)
    name = (parts.netloc + parts.path).strip("/")
    problems: list[str] = []
    if name not in NAMES:
        problems.append(
            f"there is no demo data set '{name}'; known: "
            f"{', '.join(SCHEME + known for known in NAMES)}{did_you_mean(name, NAMES)}"
        )
    known = [field.name for field in fields(DemoOptions)]
    values: dict[str, int] = {}
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        if key not in known:
            problems.append(
                f"{reference}: unknown option '{key}'; known: {', '.join(known)}"
                f"{did_you_mean(key, known)}"
            )
            continue
        if key in values:
            problems.append(f"{reference}: option '{key}' is given twice")
        low, high = LIMITS[key]
        number = whole_number(text)
        if number is not None and low <= number <= high:
            values[key] = number
        else:
            problems.append(
                f"{reference}: option '{key}' must be a whole number from {low} to {high} "
                f"but got '{text[:SHOWN_LENGTH]}'"
            )
    if problems:
        raise DatasetError(problems)
    return name, DemoOptions(**values)


def demo_data_set(reference: str, cache_dir: Path) -> Path:
    """Draw a demo set, or find it drawn already.

    Returns:
        Its data.yaml, in a directory under cache_dir / 'demo'.

    Raises:
        DatasetError: as `parse_demo`.
    """
    name, options = parse_demo(reference)
    folder = f"{name}-v{VERSION}-{generator_hash()}-n{options.images}-s{options.size}"
    home = cache_dir / "demo" / f"{folder}-seed{options.seed}"
    make_once(home, functools.partial(_write_set, options=options))
    return home / "data.yaml"


@functools.cache
def generator_hash() -> str:
    """Eight hex digits over the code that draws and the libraries whose rounding shows."""
    digest = hashlib.sha256(f"{cv2.__version__} {np.__version__}".encode())
    drawing = Path(demo_scenes.__file__).parent.glob("*.py")
    for path in sorted([*drawing, *Path(__file__).parent.glob("demo*.py")]):
        digest.update(code_of(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:8]


def code_of(text: str) -> str:
    """A module's code without comments, docstrings and layout: what they say draws nothing."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def make_once(home: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a directory and put it at `home`, whole or not at all.

    Two processes may do this at once: the first rename wins, the other's work is thrown away.
    One that has lost files since, as a cleaner of caches takes them, is made anew.
    """
    if _is_whole(home):
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        write(draft)
        (draft / CONTENT).write_text(json.dumps(_sizes(draft)), encoding="utf-8")
        draft.chmod(0o755)  # mkdtemp makes it private; a cache may be shared
        try:
            draft.rename(home)
        except OSError:
            if _is_whole(home):  # another process was faster
                return
            if home.is_dir():
                home.rename(draft.with_name(f"{draft.name}-damaged"))
            draft.rename(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(draft.with_name(f"{draft.name}-damaged"), ignore_errors=True)


def _sizes(folder: Path) -> dict[str, int]:
    """Every file below a directory with its size in bytes, but the list of them."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CONTENT)
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def _is_whole(home: Path) -> bool:
    try:
        listed = json.loads((home / CONTENT).read_text(encoding="utf-8"))
        return all((home / name).stat().st_size == size for name, size in listed.items())
    except (OSError, ValueError, AttributeError):
        return False


def scene_seed(seed: int, split: str, number: int) -> int:
    """Seed of one scene; no two splits share one."""
    return int(np.random.SeedSequence((seed, SPLIT_NUMBERS[split], number)).generate_state(1)[0])


def save_jpeg(path: Path, image: Pixels, quality: int) -> None:
    """Write an RGB image as JPEG through memory, so that any path will do."""
    done, data = cv2.imencode(path.suffix, image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError(f"{path}: the image could not be encoded")
    path.write_bytes(data.tobytes())


def label_rows(seen: list[SeenObject], size: int) -> str:
    """YOLO rows (class, centre x, centre y, width, height; shares of the side) of what is seen."""
    rows = []
    for one in seen:
        if not one.is_labelled or one.box is None:
            continue
        x1, y1, x2, y2 = (value / size for value in one.box)
        shares = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        rows.append(f"{CLASS_NAMES.index(one.name)} " + " ".join(f"{v:.6f}" for v in shares))
    return "".join(f"{row}\n" for row in rows)


def _write_set(folder: Path, options: DemoOptions) -> None:
    todo = [(split, i) for split, count in options.counts().items() for i in range(count)]
    for split in options.counts():
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
    for split, i in tracked(todo, "drawing demo://ppe", len(todo)):
        scene = random_scene(options.size, scene_seed(options.seed, split, i))
        image, seen = render(scene)
        stem = f"{split}_{i:05d}"
        save_jpeg(folder / "images" / split / f"{stem}.jpg", image, scene.light.quality)
        rows = label_rows(seen, options.size)
        (folder / "labels" / split / f"{stem}.txt").write_text(rows, encoding="utf-8")
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(CLASS_NAMES))
    splits = "".join(f"{split}: images/{split}\n" for split in options.counts())
    text = f"# Drawn by GuardianFlow; free of any licence.\n{splits}names:\n{names}"
    (folder / "data.yaml").write_text(text, encoding="utf-8")

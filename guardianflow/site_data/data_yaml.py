"""Ultralytics' data.yaml: which images are in which split, and what the classes are called."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ..contracts.errors import DatasetError, Problem
from ..support.suggestions import did_you_mean
from .labels import label_path_of

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
IMAGE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".tif",
     ".tiff", ".webp")
)  # fmt: skip
_KEYS = ("path", *SPLITS, "names", "nc", "validation")
MANY_ORPHANS = 0.02  # share of a folder's labels
_NOT_LABELS = frozenset({"classes.txt"})  # labelling tools leave it among the labels


@dataclass
class Layout:
    """What a data.yaml says, looked up on disk.

    Args:
        data_yaml: the file.
        root: what relative entries are relative to.
        class_names: index = class id.
        entries: split → the directories and listings it names, existing or not.
        images: split → absolute image paths that exist, sorted.
        problems: everything wrong, in the order found.
        missing: files and directories that ought to be there; each is among the problems too.
    """

    data_yaml: Path
    root: Path
    class_names: tuple[str, ...] = ()
    entries: dict[str, list[Path]] = field(default_factory=dict)
    images: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)

    def lacks(self, path: Path, message: str, where: str) -> None:
        self.missing.append(path)
        self.problems.append(Problem(message, where))


def read_layout(data_yaml: Path) -> Layout:
    """Read a data.yaml and list the images of its splits.

    Paths are made absolute but links are kept: DVC may link images to a cache where they have
    other names, and labels are found by name.

    Raises:
        DatasetError: the file is not YAML or not a mapping. All else is collected in `problems`.
    """
    content = _load(data_yaml)
    places = _Places(data_yaml, content)
    layout = Layout(data_yaml, data_yaml.parent)
    layout.class_names = _class_names(content, places, layout.problems)
    given = content.get("path")
    if given is not None and not isinstance(given, str):
        layout.problems.append(Problem("'path' must be a text", places.of("path")))
    elif given:
        layout.root = _root(given, data_yaml, places, layout)
    for split in SPLITS:
        key = "validation" if split == "val" and "val" not in content else split
        if content.get(key):
            _read_split(split, content[key], places.of(key), layout)
        elif split != "test":
            near = did_you_mean(split, [str(k) for k in content if k not in _KEYS])
            layout.problems.append(
                Problem(f"the key '{split}' is missing: name its image directory{near}",
                        str(data_yaml))
            )  # fmt: skip
    return layout


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except MarkedYAMLError as exc:
        mark = exc.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise DatasetError(Problem(f"not valid YAML: {exc.problem}", where)) from exc
    except (YAMLError, UnicodeDecodeError, OSError) as exc:
        raise DatasetError(Problem(f"can't be read as YAML: {exc}", str(path))) from exc
    if not isinstance(content, Mapping):
        raise DatasetError(
            Problem("a data.yaml must be a mapping with train, val and names", str(path))
        )
    return content


class _Places:
    """file:line:column of a top-level key."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path, self.content = path, content

    def of(self, key: str) -> str:
        if key not in self.content:
            return str(self.path)
        line, column = self.content.lc.key(key)  # type: ignore[attr-defined]
        return f"{self.path}:{line + 1}:{column + 1}"


def _class_names(
    content: Mapping[str, Any], places: _Places, problems: list[Problem]
) -> tuple[str, ...]:
    given, count = content.get("names"), content.get("nc")
    if count is not None and (isinstance(count, bool) or not str(count).isdigit()):
        problems.append(Problem(f"'nc' must be a whole number but got {count}", places.of("nc")))
        count = None
    if given is None:
        if count is None:
            problems.append(Problem("'names' is missing: list the classes", str(places.path)))
            return ()
        return tuple(f"class_{i}" for i in range(int(count)))
    where = places.of("names")
    if isinstance(given, Mapping):
        ids = list(given)
        if not all(isinstance(i, int) for i in ids) or sorted(ids) != list(range(len(ids))):
            problems.append(
                Problem(f"the ids in 'names' must be 0…{len(ids) - 1} but got {ids}", where)
            )
        values = [given[i] for i in sorted(ids, key=str)] if problems else [
            given[i] for i in sorted(ids)
        ]  # fmt: skip
    elif isinstance(given, list):
        values = list(given)
    else:
        problems.append(Problem(f"'names' must be a list or a mapping but got '{given}'", where))
        return ()
    names = tuple(str(value).strip() for value in values)
    if any(isinstance(value, bool) or value is None for value in values) or "" in names:
        problems.append(Problem(f"each name must be a text; quote it: {values}", where))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(Problem(f"'names' has {', '.join(twice)} more than once", where))
    if not names:
        problems.append(Problem("'names' is empty: list the classes", where))
    if count is not None and int(count) != len(names):
        problems.append(Problem(f"'nc' is {count} but 'names' has {len(names)}", places.of("nc")))
    return names


def _root(given: str, data_yaml: Path, places: _Places, layout: Layout) -> Path:
    """`path:` is absolute, or relative to the file; failing that, to the working directory."""
    beside = absolute(data_yaml.parent / Path(given).expanduser())
    for candidate in (beside, absolute(Path(given))):
        if candidate.is_dir():
            return candidate
    layout.lacks(beside, f"'path' is '{given}' but there is no directory {beside}",
                 places.of("path"))  # fmt: skip
    return beside


def absolute(path: Path) -> Path:
    """Absolute and without '..', links kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _read_split(split: str, given: Any, where: str, layout: Layout) -> None:
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        layout.problems.append(Problem(f"'{split}' must be a path or a list of paths", where))
        return
    before = len(layout.missing)
    entries = [_entry(text, layout.root) for text in texts]
    layout.entries[split] = entries
    found: set[Path] = set()
    for entry in entries:
        if entry.is_dir():
            found |= _images_in(entry)
            _report_orphans(entry, found, layout)
        elif entry.is_file() and entry.suffix == ".txt":
            found |= _listed_in(entry, layout)
        elif entry.is_file():
            layout.problems.append(
                Problem(f"'{split}': {entry} must be a directory or a .txt listing", where)
            )
        else:
            layout.lacks(entry, f"'{split}': there is no directory or listing {entry}", where)
    layout.images[split] = tuple(sorted(found))
    if not found and len(layout.missing) == before:
        layout.problems.append(
            Problem(f"'{split}' has no images in {', '.join(map(str, entries))}", where)
        )


def _entry(text: str, root: Path) -> Path:
    path = absolute(root / text)
    if not path.exists() and text.startswith("../"):  # as some exporters write it
        inside = absolute(root / text[3:])
        return inside if inside.exists() else path
    return path


def _images_in(folder: Path) -> set[Path]:
    """Images in a directory and below; hidden files and folders are not looked at."""
    found: set[Path] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found |= {
            Path(place, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
        }
    return found


def _listed_in(listing: Path, layout: Layout) -> set[Path]:
    found: set[Path] = set()
    lines = listing.read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        # Beside the listing, as './x.jpg' means; else below the root; else as Ultralytics reads
        # any other relative path: from the working directory.
        candidates = [absolute(base / text) for base in (listing.parent, layout.root, Path())]
        image = next((path for path in candidates if path.is_file()), None)
        if image is None:
            layout.lacks(candidates[0], f"image {text} is missing", f"{listing}:{number}")
        elif image.suffix.lower() not in IMAGE_SUFFIXES:
            layout.problems.append(
                Problem(f"{text} is not an image by its suffix", f"{listing}:{number}")
            )
        else:
            found.add(image)
    return found


def _report_orphans(folder: Path, images: set[Path], layout: Layout) -> None:
    """A label without its image: the image was lost or not fetched, or weeded out on purpose.

    A few are usual in published sets and only warned of; more than MANY_ORPHANS are problems.
    """
    labels = label_path_of(folder / "x.jpg").parent
    if not labels.is_dir() or labels == folder:
        return
    expected = {label_path_of(image) for image in images}
    found = sorted(
        Path(place, name)
        for place, _, names in os.walk(labels, followlinks=True)
        for name in names
        if name.endswith(".txt") and name not in _NOT_LABELS
    )
    orphans = [label for label in found if label not in expected]
    if len(orphans) <= MANY_ORPHANS * len(found):
        if orphans:
            logger.warning(
                "%s: %d of %d labels have no image, e.g. %s",
                layout.data_yaml, len(orphans), len(found), orphans[0],
            )  # fmt: skip
        return
    for label in orphans:
        image = folder / label.relative_to(labels).with_suffix(".*")
        layout.lacks(image, f"has no image: expected {image}", str(label))

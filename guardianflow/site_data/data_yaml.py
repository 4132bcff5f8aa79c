"""Ultralytics' data.yaml: which images are in which split, and what the classes are called."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contracts.errors import ConfigurationError, DatasetError, Problem, Problems
from ..contracts.given import given_path, whole_number
from ..support.foreign_yaml import UnreadableYamlError, read_yaml
from ..support.suggestions import did_you_mean
from .labels import label_path_of

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
IMAGE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".tif",
     ".tiff", ".webp")
)  # fmt: skip
_KEYS = ("path", *SPLITS, "names", "nc", "validation")
MAX_CLASSES = 100_000
MANY_ORPHANS = 0.02  # share of a folder's labels
_NOT_LABELS = frozenset({"classes.txt"})  # labelling tools leave it among the labels


@dataclass
class Layout:
    """The content of a data.yaml, looked up on disk.

    Args:
        data_yaml: the file.
        root: what relative entries are relative to.
        content: as it is written.
        class_names: index = class id.
        entries: split → the directories and listings it names, existing or not.
        images: split → absolute image paths that exist, sorted.
        problems: everything wrong, in the order found.
        missing: files and directories that ought to be there; each is among the problems too.
    """

    data_yaml: Path
    root: Path
    content: Mapping[str, Any]
    class_names: tuple[str, ...] = ()
    entries: dict[str, list[Path]] = field(default_factory=dict)
    images: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    missing: list[Path] = field(default_factory=list)

    def where(self, key: str) -> str:
        """file:line:column of a top-level key."""
        try:
            line, column = self.content.lc.key(key)  # type: ignore[attr-defined]
        except KeyError:  # it is not there, or came by '<<'
            return str(self.data_yaml)
        return f"{self.data_yaml}:{line + 1}:{column + 1}"

    def usable(self, text: str, where: str) -> Path | None:
        """The path that is written there; None, and a problem, where no file can have it."""
        try:
            return given_path(text, home=False)
        except ConfigurationError as exc:
            self.problems.add(str(exc), where)
            return None

    def lacks(self, path: Path, message: str, where: str) -> None:
        self.missing.append(path)
        self.problems.add(message, where)


def read_layout(data_yaml: Path) -> Layout:
    """Read a data.yaml and list the images of its splits.

    Paths are made absolute but links are kept: DVC may link images to a cache where they have
    other names, and labels are found by name.

    Raises:
        DatasetError: the file is not YAML or not a mapping. All else is collected in `problems`.
    """
    content = _load(data_yaml)
    layout = Layout(data_yaml, data_yaml.parent, content)
    layout.class_names = _class_names(layout)
    given = content.get("path")
    if given is not None and not isinstance(given, str):
        layout.problems.add("'path' must be a text", layout.where("path"))
    elif given:
        layout.root = _root(given, layout)
    for split in SPLITS:
        key = "validation" if split == "val" and "val" not in content else split
        if content.get(key):
            _read_split(split, content[key], layout.where(key), layout)
        elif split != "test":
            near = did_you_mean(split, [str(k) for k in content if k not in _KEYS])
            layout.problems.add(
                f"the key '{split}' is missing: name its image directory{near}", data_yaml
            )
    return layout


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = read_yaml(path, with_places=True)
    except UnreadableYamlError as exc:
        where = f"{path}:{exc.line}:{exc.column}" if exc.line else str(path)
        raise DatasetError(Problem(str(exc), where)) from exc
    if not isinstance(content, Mapping):
        raise DatasetError(
            Problem("a data.yaml must be a mapping with train, val and names", str(path))
        )
    return content


def _class_names(layout: Layout) -> tuple[str, ...]:
    problems, given = layout.problems, layout.content.get("names")
    count = _class_count(layout)
    if given is None:
        if count is None:
            problems.add("'names' is missing: list the classes", layout.data_yaml)
            return ()
        return tuple(f"class_{i}" for i in range(count))
    where = layout.where("names")
    if not isinstance(given, (Mapping, list)):
        problems.add(f"'names' must be a list or a mapping but got '{given}'", where)
        return ()
    values = _in_order(given, where, problems) if isinstance(given, Mapping) else list(given)
    if any(value is None or isinstance(value, (bool, Mapping, list)) for value in values):
        problems.add("each name must be a text; quote it where it is none", where)
        return ()
    names = tuple(str(value).strip() for value in values)
    if "" in names:
        problems.add(f"each name must be a text; quote it: {values}", where)
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        problems.add(f"'names' has {', '.join(twice)} more than once", where)
    if not names:
        problems.add("'names' is empty: list the classes", where)
    if count is not None and count != len(names):
        problems.add(f"'nc' is {count} but 'names' has {len(names)}", layout.where("nc"))
    return names


def _class_count(layout: Layout) -> int | None:
    given = layout.content.get("nc")
    if given is None:
        return None
    text = "" if isinstance(given, (bool, Mapping, list)) else str(given)
    number = whole_number(text)
    if number is not None and number <= MAX_CLASSES:
        return number
    message = f"'nc' must be a whole number up to {MAX_CLASSES} but got {text or 'another thing'}"
    layout.problems.add(message, layout.where("nc"))
    return None


def _in_order(given: Mapping[Any, Any], where: str, problems: Problems) -> list[Any]:
    """The values of {0: helmet, 1: head} by their ids."""
    if {str(each) for each in given} == {str(i) for i in range(len(given))}:
        return [given[each] for each in sorted(given, key=lambda each: int(str(each)))]
    ids = ", ".join(str(each) for each in list(given)[:20])
    problems.add(f"the ids in 'names' must be 0…{len(given) - 1} but got [{ids}]", where)
    return list(given.values())


def _root(given: str, layout: Layout) -> Path:
    """`path:` is absolute, or relative to the file; failing that, to the working directory."""
    try:
        path = given_path(given)
    except ConfigurationError as exc:
        layout.problems.add(f"'path': {exc}", layout.where("path"))
        return layout.root
    beside = absolute(layout.root / path)
    for candidate in (beside, absolute(path)):
        if candidate.is_dir():
            return candidate
    message = f"'path' is '{given}' but there is no directory {beside}"
    layout.lacks(beside, message, layout.where("path"))
    return beside


def absolute(path: Path) -> Path:
    """Absolute and without '..', links kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _read_split(split: str, given: Any, where: str, layout: Layout) -> None:
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        layout.problems.add(f"'{split}' must be a path or a list of paths", where)
        return
    before = len(layout.missing)
    paths = [layout.usable(text, where) for text in texts]
    entries = [_entry(path, layout.root) for path in paths if path is not None]
    layout.entries[split] = entries
    found: set[Path] = set()
    for entry in entries:
        if entry.is_dir():
            found |= _images_in(entry)
            _report_orphans(entry, found, layout)
        elif entry.is_file() and entry.suffix == ".txt":
            found |= _listed_in(entry, layout)
        elif entry.is_file():
            layout.problems.add(f"'{split}': {entry} must be a directory or a .txt listing", where)
        else:
            layout.lacks(entry, f"'{split}': there is no directory or listing {entry}", where)
    layout.images[split] = tuple(sorted(found))
    if not found and len(layout.missing) == before:
        layout.problems.add(f"'{split}' has no images in {', '.join(map(str, entries))}", where)


def _entry(given: Path, root: Path) -> Path:
    path = absolute(root / given)
    if not path.exists() and given.parts[:1] == ("..",):  # as some exporters write it
        inside = absolute(root / Path(*given.parts[1:]))
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
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        layout.problems.add(f"can't be read as UTF-8 text: {exc}", listing)
        return found
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or layout.usable(text, f"{listing}:{number}") is None:
            continue
        # Beside the listing, as './x.jpg' means; else below the root; else as Ultralytics reads
        # any other relative path: from the working directory.
        candidates = [absolute(base / text) for base in (listing.parent, layout.root, Path())]
        image = next((path for path in candidates if path.is_file()), None)
        if image is None:
            layout.lacks(candidates[0], f"image {text} is missing", f"{listing}:{number}")
        elif image.suffix.lower() not in IMAGE_SUFFIXES:
            layout.problems.add(f"{text} is not an image by its suffix", f"{listing}:{number}")
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

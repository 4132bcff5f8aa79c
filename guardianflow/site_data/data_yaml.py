"""Ultralytics' data.yaml: which images are in which split, and what the classes are called."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contracts.data_warnings import DataWarning, DataWarningKind, few
from ..contracts.errors import ConfigurationError, DatasetError, Problem, Problems
from ..contracts.given import given_path, whole_number
from ..support.foreign_yaml import UnreadableYamlError, read_yaml
from ..support.suggestions import did_you_mean
from ..support.text.shortening import shortened
from ..support.text.spelling import nfc, spelled_on_disk
from .image_places import (
    SHOWN_NAMES,
    absolute,
    images_in,
    images_listed,
    is_one_line,
    slash_hint,
)
from .label_places import MANY_ORPHANS, MatchedLabels, match_labels, orphans_in, tops_of
from .labels import label_path_of

SPLITS = ("train", "val", "test")
_KEYS = ("path", *SPLITS, "names", "nc", "validation")
MAX_BYTES = 256 * 1024
"""As of a scenario: what is larger is another file, and would take minutes to read."""
MAX_CLASSES = 10_000
MOST_KEYPOINTS = 1_000
SHOWN_LENGTH = 80
_JOINERS = "\u200c\u200d"  # parts of words in Persian and Hindi, though nothing is drawn for them


@dataclass
class Layout:
    """The content of a data.yaml, looked up on disk.

    Args:
        data_yaml: the file.
        root: what relative entries are relative to.
        content: as it is written.
        class_names: index = class id.
        entries: split → the directories and listings it names, existing or not.
        images: split → absolute image paths that exist, sorted, each once.
        times: train images that are named more than once → how often: so they weigh more.
        labels: the label file of each image.
        pose_columns: of a label row that is a pose; 0: there are none.
        problems: everything wrong, in the order found.
        warnings: what is odd without being wrong.
        missing: files and directories that ought to be there; each is among the problems too.
    """

    data_yaml: Path
    root: Path
    content: Mapping[str, Any]
    class_names: tuple[str, ...] = ()
    entries: dict[str, list[Path]] = field(default_factory=dict)
    images: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    times: dict[Path, int] = field(default_factory=dict)
    labels: MatchedLabels = field(default_factory=MatchedLabels)
    pose_columns: int = 0
    problems: Problems = field(default_factory=Problems)
    missing: list[Path] = field(default_factory=list)
    warnings: list[DataWarning] = field(default_factory=list)

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

    def warn(
        self,
        cause: DataWarningKind,
        split: str,
        numbers: Mapping[str, int],
        examples: Sequence[object] = (),
    ) -> None:
        self.warnings.append(DataWarning(cause, split, numbers, few(examples)))


def read_layout(data_yaml: Path, skip: Sequence[Path] = ()) -> Layout:
    """Read a data.yaml, list the images of its splits, and find their labels.

    Paths are made absolute but links are kept: DVC may link images to a cache where they have
    other names, and labels are found by name.

    Args:
        skip: directories that are no part of the set though they may lie in it: caches.

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
    layout.pose_columns = _pose_columns(content.get("kpt_shape"))
    _match_labels(layout, skip)
    return layout


def places_of(data_yaml: Path) -> tuple[Path, tuple[Path, ...]]:
    """The root of a set, and the folder of each split; () where a split is a list or several.

    Raises:
        DatasetError: as read_layout.
    """
    content = _load(data_yaml)
    layout = Layout(data_yaml, data_yaml.parent, content)
    if isinstance(given := content.get("path"), str) and given:
        layout.root = _root(given, layout)
    tops: list[Path] = []
    for named in (content.get(key) for key in (*SPLITS, "validation")):
        texts = named if isinstance(named, list) else [named] if named else []
        if len(texts) > 1:
            return layout.root, ()
        paths = [layout.usable(str(text), "") for text in texts]
        entries = [_entry(path, layout.root) for path in paths if path is not None]
        if any(entry.is_file() for entry in entries):
            return layout.root, ()
        tops += [entry for entry in entries if entry.is_dir()]
    return layout.root, tuple(dict.fromkeys(tops))


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = read_yaml(path, with_places=True, max_bytes=MAX_BYTES)
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
        shown = shortened(str(given), SHOWN_LENGTH)
        problems.add(f"'names' must be a list or a mapping but got '{shown}'", where)
        return ()
    values = _in_order(given, where, problems) if isinstance(given, Mapping) else list(given)
    if any(value is None or isinstance(value, (bool, Mapping, list)) for value in values):
        problems.add("each name must be a text; quote it where it is none", where)
        return ()
    names = tuple(nfc(str(value)).strip("\ufeff \t\r\n") for value in values)
    if "" in names:
        shown = shortened(str(values), SHOWN_LENGTH)
        problems.add(f"each name must be a text; quote it: {shown}", where)
    for name in names:
        if unseen := _unseen(name):
            problems.add(f"the name {name!a:.80} holds {unseen}; remove it", where)
    if len(names) > MAX_CLASSES:
        problems.add(f"'names' has {len(names)} classes, {MAX_CLASSES} are the most", where)
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        shown = shortened(", ".join(twice), SHOWN_LENGTH)
        problems.add(f"'names' has {shown} more than once", where)
    if not names:
        problems.add("'names' is empty: list the classes", where)
    if count is not None and count != len(names):
        problems.add(f"'nc' is {count} but 'names' has {len(names)}", layout.where("nc"))
    return names


def _class_count(layout: Layout) -> int | None:
    given = layout.content.get("nc")
    if given is None:
        return None
    text = "" if isinstance(given, (bool, Mapping, list)) else str(given).strip()
    number = whole_number(text.removesuffix(".0"))  # a table of numbers writes 2.0
    if number is not None and number <= MAX_CLASSES:
        return number
    shown = shortened(text, SHOWN_LENGTH) or "another thing"
    message = f"'nc' must be a whole number up to {MAX_CLASSES} but got {shown}"
    layout.problems.add(message, layout.where("nc"))
    return None


def _unseen(name: str) -> str:
    """The first character of a name that can't be seen, as 'U+0007'; '' where there is none.

    Such names break tables and terminals, and look the same though they are others.
    """
    for character in name:
        kind = unicodedata.category(character)
        if kind in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in _JOINERS:
            return f"the character U+{ord(character):04X}"
    return ""


def _in_order(given: Mapping[Any, Any], where: str, problems: Problems) -> list[Any]:
    """The values of {0: helmet, 1: head} by their ids."""
    numbers = [whole_number(str(each).strip().removesuffix(".0")) for each in given]
    by_number = dict(zip(numbers, given.values(), strict=True))
    if set(by_number) == set(range(len(given))):
        return [by_number[i] for i in range(len(given))]
    ids = shortened(", ".join(str(each) for each in list(given)[:20]), SHOWN_LENGTH)
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
    for candidate in (spelled_on_disk(beside), spelled_on_disk(absolute(path))):
        if candidate.is_dir():
            return candidate
    shown = shortened(given, SHOWN_LENGTH)
    message = f"'path' is '{shown}' but there is no directory {beside}{slash_hint(given)}"
    layout.lacks(beside, message, layout.where("path"))
    return beside


def first_there(reference: str, bases: Sequence[Path], is_there: Callable[[Path], bool]) -> Path:
    """The path meant, from the first base where it is there; where it is nowhere, from the first.

    Raises:
        ConfigurationError: as given_path.
    """
    candidates = [spelled_on_disk(absolute(base / given_path(reference))) for base in bases]
    return next((path for path in candidates if is_there(path)), candidates[0])


def _read_split(split: str, given: Any, where: str, layout: Layout) -> None:
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        layout.problems.add(f"'{split}' must be a path or a list of paths", where)
        return
    problems, lacking = len(layout.problems), len(layout.missing)
    paths = [(text, layout.usable(text, where)) for text in texts]
    entries = [(text, _entry(path, layout.root)) for text, path in paths if path is not None]
    layout.entries[split] = [entry for _, entry in entries]
    times: Counter[Path] = Counter()  # image → how often it is named
    links: list[Path] = []  # to directories that were read already
    are_there = False
    for text, entry in entries:
        if entry == Path(entry.anchor):
            are_there = True
            layout.problems.add(f"'{split}' is {entry}, the whole disk: name a directory", where)
        elif entry.is_dir():
            times.update(images_in(entry, links))
        elif entry.is_file() and entry.suffix.lower() == ".txt":
            are_there = True
            told = layout.usable, layout.lacks, layout.problems
            times.update(images_listed(entry, layout.root, *told))
        elif entry.is_file():
            are_there = True
            layout.problems.add(f"'{split}': {entry} must be a directory or a .txt listing", where)
        else:
            message = f"'{split}': there is no directory or listing {entry}{slash_hint(text)}"
            layout.lacks(entry, message, where)
    if split == "test" and not times and not are_there and len(paths) == len(entries):
        # Exporters name it whether they write it or not; whoever judges on it is told so then.
        del layout.problems[problems:]
        layout.warn(DataWarningKind.SPLIT_ABSENT, split, {}, layout.entries[split])
        return
    _keep_found(split, times, links, layout)
    if not times and len(layout.missing) == lacking:
        shown = ", ".join(map(str, layout.entries[split]))
        layout.problems.add(f"'{split}' has no images in {shown}", where)


def _keep_found(split: str, times: Counter[Path], links: list[Path], layout: Layout) -> None:
    """Keep the images of a split, and what is to be said of them."""
    layout.images[split] = tuple(sorted(times, key=lambda path: path.parts))
    if odd := [path for path in layout.images[split] if not is_one_line(str(path))]:
        shown = ", ".join(ascii(str(path)) for path in odd[:SHOWN_NAMES])
        layout.problems.add(
            f"'{split}': {len(odd)} images have names that are not UTF-8 or hold the end of a "
            f"line: {shown}. Rename them; names of a Korean Windows with: convmv -f cp949 -t utf8 "
            "-r --notest DIRECTORY",
            layout.data_yaml,
        )
        kept = set(layout.images[split]) - set(odd)
        layout.images[split] = tuple(path for path in layout.images[split] if path in kept)
    repeated = {path: number for path, number in times.items() if number > 1}
    if repeated:
        repeats = sum(repeated.values()) - len(repeated)
        numbers = {"repeats": repeats, "images": len(layout.images[split])}
        layout.warn(DataWarningKind.REPEATED_LINES, split, numbers, sorted(repeated))
        if split == "train":
            layout.times = repeated
    if links:
        layout.warn(DataWarningKind.LINKED_AGAIN, split, {"links": len(links)}, links)


def _entry(given: Path, root: Path) -> Path:
    path = spelled_on_disk(absolute(root / given))
    if not path.exists() and given.parts[:1] == ("..",):  # as some exporters write it
        inside = spelled_on_disk(absolute(root / Path(*given.parts[1:])))
        return inside if inside.exists() else path
    return path


# --- labels -------------------------------------------------------------------------------------


def _pose_columns(given: object) -> int:
    """Columns of a pose's row, of `kpt_shape: [17, 3]`; 0 where it says nothing that fits."""
    if not isinstance(given, list) or len(given) != 2:
        return 0
    count, dimensions = (whole_number(str(each)) for each in given)
    usual = count is not None and 0 < count <= MOST_KEYPOINTS and dimensions in (2, 3)
    return 5 + (count or 0) * (dimensions or 0) if usual else 0


def _match_labels(layout: Layout, skip: Sequence[Path]) -> None:
    images = dict.fromkeys(path for split in layout.images.values() for path in split)
    entries = [entry for each in layout.entries.values() for entry in each]
    lists = [entry for entry in entries if entry.suffix.lower() == ".txt"]
    layout.labels = match_labels(
        list(images),
        tops_of(layout.root, images, entries),
        data_yaml=layout.data_yaml,
        skip=[*skip, *lists],
    )
    for entry in dict.fromkeys(entries):
        if entry.is_dir():
            _report_orphans(entry, layout)
    layout.problems += layout.labels.problems
    layout.warnings += layout.labels.warnings


def _report_orphans(folder: Path, layout: Layout) -> None:
    """A label without its image: the image was lost or not fetched, or weeded out on purpose."""
    orphans, count = orphans_in(folder, layout.labels)
    if len(orphans) <= MANY_ORPHANS * count:
        if orphans:
            numbers = {"orphans": len(orphans), "labels": count}
            layout.warn(DataWarningKind.ORPHAN_LABELS, "", numbers, orphans)
        return
    labels = label_path_of(folder / "x.jpg").parent
    for label in orphans:
        inside = label.relative_to(labels) if label.is_relative_to(labels) else Path(label.name)
        image = folder / inside.with_suffix(".*")
        layout.lacks(image, f"has no image: expected {image}", str(label))

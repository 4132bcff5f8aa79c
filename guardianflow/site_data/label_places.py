"""The label file of each image: where Ultralytics looks, and what lies elsewhere under its name.

at its place                 read
there as .TXT, or in another Unicode form     read, and told; the resolved set has it plainly
anywhere else in the set     an error that shows both: nobody can say whether it is meant
nowhere                      background; how many are so is always told
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..contracts.data_warnings import DataWarning, DataWarningKind, few
from ..contracts.errors import Problems
from ..support.text.spelling import nfc, spelled_on_disk
from .image_places import IMAGE_SUFFIXES, walk_once
from .labels import label_path_of

LABEL_SUFFIX = ".txt"
FOREIGN_SUFFIXES = (".xml", ".json")  # Pascal VOC, labelme
MANY_ORPHANS = 0.02
"""Share of a folder's labels without their image. A few are usual in published sets; more mean that
images were lost or not fetched."""
MOST_ENTRIES = 1_000_000
"""Files looked through for labels in other places: some seconds."""
SHOWN_LABELS = 3
_NOT_LABELS = frozenset({"classes.txt", "predefined_classes.txt"})  # tools leave them among labels
_NOT_SEARCHED = frozenset({"runs", "__MACOSX", "node_modules", "site-packages", "__pycache__"})
"""`runs` is where Ultralytics puts what it predicts: labels of the same names, not the truth."""


@dataclass
class MatchedLabels:
    """Images and their label files.

    Args:
        of: image → the file; an image without one is not in it.
        respelled: those of `of` that Ultralytics would not find.
    """

    of: dict[Path, Path] = field(default_factory=dict)
    respelled: set[Path] = field(default_factory=set)
    problems: Problems = field(default_factory=Problems)
    warnings: list[DataWarning] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    """Every label file that an image claims or may claim."""


def match_labels(
    images: Sequence[Path], tops: Sequence[Path], *, data_yaml: Path, skip: Sequence[Path] = ()
) -> MatchedLabels:
    """Find the label of every image.

    Args:
        images: absolute paths.
        tops: directories that the set lies in, looked through for labels in other places.
        skip: what is no label though it lies there: lists, caches.
    """
    matched = MatchedLabels()
    folders = _Folders()
    lacking: list[Path] = []
    for image in images:
        expected = label_path_of(image)
        if expected.name in folders.names(str(expected.parent)):
            matched.of[image] = expected
            matched.known.add(str(expected))
        else:
            lacking.append(image)
    lacking = [image for image in lacking if not _match_respelled(image, folders, matched)]
    if matched.respelled:
        shown = few([matched.of[image] for image in sorted(matched.respelled)])
        numbers = {"labels": len(matched.respelled)}
        matched.warnings.append(
            DataWarning(DataWarningKind.OTHER_SPELLING, numbers=numbers, examples=shown)
        )
    if lacking:
        _search(lacking, tops, skip, data_yaml, matched)
    return matched


def tops_of(root: Path, images: Iterable[Path], entries: Sequence[Path]) -> list[Path]:
    """Directories that a set lies in: its root, and what holds the images and labels folders of
    what lies outside of it. Never a whole disk."""
    tops = {root}
    for folder in {*(image.parent for image in images), *entries}:
        head, found, _ = f"{folder}{os.sep}".rpartition(f"{os.sep}images{os.sep}")
        tops.add(Path(head or os.sep) if found else folder)
    for entry in entries:
        if not entry.is_relative_to(root) and not root.is_relative_to(entry.parent):
            tops.add(entry.parent)
    return [top for top in tops if top != Path(top.anchor) and top.is_dir()]


class _Folders:
    """The names in folders, each folder read once."""

    def __init__(self) -> None:
        self.names = cache(self._names)
        self.labels = cache(self._labels)
        self.spelled = cache(lambda folder: str(spelled_on_disk(Path(folder))))

    def _names(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(folder))  # noqa: PTH208 - names alone
        except OSError:
            return frozenset()

    def _labels(self, folder: str) -> dict[str, list[str]]:
        """Composed stem → the labels of it, whatever the case of their suffix."""
        found = defaultdict(list)
        for name in self.names(folder):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - fast
            if suffix.lower() == LABEL_SUFFIX and not name.startswith("."):
                found[nfc(stem)].append(name)
        return found


def _match_respelled(image: Path, folders: _Folders, matched: MatchedLabels) -> bool:
    """Take the label that lies at the place of the image under another spelling, if one does."""
    expected = label_path_of(image)
    folder = folders.spelled(str(expected.parent))
    names = folders.labels(folder).get(nfc(expected.stem), [])
    if len(names) != 1:
        return False
    # Another image may have it, too: one whose name is stored in the other form.
    found = Path(folder, names[0])
    matched.of[image] = found
    matched.respelled.add(image)
    matched.known.add(str(found))
    return True


# --- labels in other places -----------------------------------------------------------------------


def _search(
    lacking: Sequence[Path],
    tops: Sequence[Path],
    skip: Sequence[Path],
    data_yaml: Path,
    matched: MatchedLabels,
) -> None:
    """Images without a label, for which a file of their name lies somewhere in the set."""
    wanted: dict[str, list[Path]] = defaultdict(list)
    for image in lacking:
        wanted[_key(image.stem)].append(image)
    labels: dict[str, list[Path]] = defaultdict(list)
    foreign: dict[str, Path] = {}
    looked = 0
    for folder, names in _folders_of(tops, {str(path) for path in skip}):
        looked += len(names)
        for name in names:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - fast
            key, suffix = _key(stem), suffix.lower()
            path = os.path.join(folder, name)  # noqa: PTH118 - fast
            if key not in wanted or path in matched.known or name in _NOT_LABELS:
                continue
            if suffix == LABEL_SUFFIX:
                labels[key].append(Path(path))
            elif suffix in FOREIGN_SUFFIXES:
                foreign[key] = Path(path)
        if looked > MOST_ENTRIES:
            cut = DataWarning(DataWarningKind.SEARCH_CUT_SHORT, numbers={"entries": looked})
            matched.warnings.append(cut)
            break
    _tell_elsewhere(wanted, labels, data_yaml, matched)
    others = [path for key, path in foreign.items() if key not in labels]
    if others:
        numbers = {"labels": len(others)}
        warning = DataWarning(DataWarningKind.OTHER_FORMAT, "", numbers, few(sorted(others)))
        matched.warnings.append(warning)


def _key(stem: str) -> str:
    """The name that an image and its label share: 'A.jpg.TXT' is a label of 'a.JPG' to people."""
    inner, suffix = os.path.splitext(stem)  # noqa: PTH122 - fast
    return nfc(inner if suffix.lower() in IMAGE_SUFFIXES else stem).casefold()


def _folders_of(tops: Iterable[Path], skip: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Directories of the set and their files, outermost first, each once."""
    outermost: list[Path] = []
    for top in sorted(set(tops), key=lambda path: len(path.parts)):
        if not any(top.is_relative_to(each) for each in outermost):
            outermost.append(top)
    for top in outermost:
        for folder, names in walk_once(top, leave_out=lambda p, n: n in _NOT_SEARCHED or p in skip):
            yield folder, [n for n in names if os.path.join(folder, n) not in skip]  # noqa: PTH118


def _tell_elsewhere(
    wanted: dict[str, list[Path]],
    labels: dict[str, list[Path]],
    data_yaml: Path,
    matched: MatchedLabels,
) -> None:
    """A problem for each pair of places: where labels belong, and where they lie."""
    groups: dict[tuple[Path, Path], list[tuple[Path, list[Path]]]] = defaultdict(list)
    for key, found in labels.items():
        matched.known |= {str(path) for path in found}
        for image in wanted[key]:
            place = label_path_of(image).parent, min(found).parent
            groups[place].append((image, sorted(found)))
    for _, cases in sorted(groups.items()):
        image, found = min(cases)
        shown = ", ".join(str(path) for path in found[:SHOWN_LABELS])
        count = f"{len(cases)} images have" if len(cases) > 1 else "1 image has"
        expected = label_path_of(image)
        matched.problems.add(
            f"{count} no label where it belongs while a file of that name lies elsewhere: "
            f"{image} needs {expected}, found: {shown}. Move or rename what is found, or take it "
            f"out of the set; where an image shows nothing, make an empty {expected.name} there",
            data_yaml,
        )


# --- labels without images ------------------------------------------------------------------------


def orphans_in(folder: Path, matched: MatchedLabels) -> tuple[list[Path], int]:
    """The labels of a folder whose image is not there, and how many labels it has in all.

    A second label of an image, under another spelling and with another content, is a problem.
    """
    labels = spelled_on_disk(label_path_of(folder / "x.jpg").parent)
    if labels == folder or not labels.is_dir():
        return [], 0
    found = [
        f"{place}{os.sep}{name}"
        for place, names in walk_once(labels)
        for name in names
        if name.lower().endswith(LABEL_SUFFIX)
        and name.lower() not in _NOT_LABELS
        and not name.lower().startswith("readme")
    ]
    alone = [Path(path) for path in sorted(found) if path not in matched.known]
    claimed = {_read_alike(path): path for path in map(Path, matched.known)} if alone else {}
    orphans = []
    for path in alone:
        first = claimed.get(_read_alike(path))
        if first is None:
            orphans.append(path)
        elif _differ(first, path):
            matched.problems.add(f"another label of the same image is {first}; keep one", path)
    return orphans, len(found)


def _read_alike(path: Path) -> str:
    return nfc(str(path.with_suffix("")))


def _differ(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() != other.read_bytes()
    except OSError:
        return True
